//! The compose file: what services wait for, mount, publish and are told is there, and their health can be asked.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::files::{Files, finds, items, root, text};
use crate::programs::{services, unknown};

const FILE: &str = "deploy/docker-compose.yml";
/// What a service may say here; anything else is checked by nobody.
const KEYS: [&str; 18] = [
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "ports",
    "profiles",
    "read_only",
    "restart",
    "security_opt",
    "stop_grace_period",
    "tmpfs",
    "volumes",
    "user",
    "name",
    "init",
];

fn check(files: &Files) -> Vec<String> {
    let compose = &files.yaml(FILE)[0];
    let mut breaches = Vec::new();
    let empty = serde_json::Map::new();
    let all = compose["services"].as_object().unwrap_or(&empty);
    let volumes: BTreeSet<&str> =
        compose["volumes"].as_object().unwrap_or(&empty).keys().map(String::as_str).collect();
    let mut used = BTreeSet::new();
    for name in services().iter().filter(|name| !all.contains_key(*name)) {
        breaches.push(format!("{name} is missing"));
    }
    for (name, service) in all {
        for key in service
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key)
            .filter(|k| !KEYS.contains(&k.as_str()))
        {
            breaches.push(format!("{name}: unknown key {key}"));
        }
        for (other, wanted) in service["depends_on"].as_object().into_iter().flatten() {
            match (all.get(other), text(wanted, "/condition")) {
                (None, _) => breaches.push(format!("{name}: waits for {other}, which is not there")),
                (Some(other_service), "service_healthy")
                    if other_service["healthcheck"]["test"].is_null() =>
                {
                    breaches.push(format!("{name}: waits for the health of {other}, which has no check"));
                }
                (Some(other_service), "service_completed_successfully")
                    if text(other_service, "/restart") != "no" =>
                {
                    breaches.push(format!("{name}: waits for the end of {other}, which is started again"));
                }
                (Some(_), "service_healthy" | "service_completed_successfully") => {}
                (Some(_), condition) => breaches.push(format!("{name}: unknown condition {condition}")),
            }
        }
        for mount in items(service, "/volumes").iter().filter_map(Value::as_str) {
            let source = mount.split(':').next().unwrap_or_default();
            if let Some(folder) = source.strip_prefix("./") {
                if files.in_folder(&format!("deploy/{folder}")).is_empty() {
                    breaches.push(format!("{name}: mounts {source}, which is not there"));
                }
            } else if volumes.contains(source) {
                used.insert(source);
            } else {
                breaches.push(format!("{name}: there is no volume {source}"));
            }
        }
        if text(service, "/image") == "tidemill:dev" {
            breaches.extend(check_ours(files, name, service));
        }
    }
    breaches.extend(volumes.difference(&used).map(|name| format!("the volume {name} is not used")));
    breaches
}

/// A service that runs our image.
fn check_ours(files: &Files, name: &str, service: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    if text(service, "/build/context") != ".."
        || files
            .in_folder("deploy")
            .iter()
            .all(|f| format!("deploy/{f}") != text(service, "/build/dockerfile"))
    {
        breaches.push(format!("{name}: its image is not built from deploy/Dockerfile"));
    }
    let first = text(service, "/command/0");
    let programs: Vec<String> = if first == "bash" {
        // Words at the beginning of a line or after `exec`.
        let lines = text(service, "/command/2").lines().map(|l| l.trim().trim_start_matches("exec "));
        lines.filter_map(|l| Some(l.split_whitespace().next()?.to_owned())).collect()
    } else {
        vec![first.to_owned()]
    };
    let environment = service["environment"].as_object().cloned().unwrap_or_default();
    for program in &programs {
        breaches.extend(unknown(name, program, environment.keys().map(String::as_str)));
    }
    if services().contains(name) && programs != [format!("tidemill-{name}")] {
        breaches.push(format!("{name}: runs {programs:?}"));
    }
    let targets: Vec<&str> =
        items(service, "/volumes").iter().filter_map(|m| m.as_str()?.split(':').nth(1)).collect();
    for (variable, value) in &environment {
        let value = value.as_str().unwrap_or_default();
        if value.starts_with('/') && !targets.contains(&value) {
            breaches.push(format!("{name}: {variable} is {value}, where nothing is mounted"));
        }
        let listens = variable.ends_with("_LISTEN") || variable == "TIDEMILL_CONSOLE_ADDRESS";
        if listens && !value.starts_with("0.0.0.0:") {
            breaches.push(format!("{name}: {variable} is {value}, which nobody else reaches"));
        }
    }
    for port in items(service, "/ports").iter().filter_map(Value::as_str) {
        let inner = port.rsplit(':').next().unwrap_or_default();
        if !environment.values().filter_map(Value::as_str).any(|value| value == format!("0.0.0.0:{inner}")) {
            breaches.push(format!("{name}: publishes {inner}, where nothing listens"));
        }
    }
    breaches
}

#[test]
fn everything_that_is_named_is_there() {
    assert_eq!(check(&Files::load()), Vec::<String>::new());
    finds(
        check,
        &[
            (FILE, "  ingest:\n    <<", "  digest:\n    <<", "ingest is missing"),
            (
                FILE,
                "command: [tidemill-ingest]",
                "command: [tidemill-digest]",
                "no program \"tidemill-digest\"",
            ),
            (FILE, "command: [tidemill-ingest]", "command: [tidemill-monitor]", "ingest: runs"),
            (FILE, "TIDEMILL_PARTITIONS", "TIDEMILL_PARTS", "knows no TIDEMILL_PARTS"),
            (FILE, "TIDEMILL_VIEW_URL", "TIDEMILL_VIEW_ADDRESS", "knows no TIDEMILL_VIEW_ADDRESS"),
            (FILE, "provision: { condition", "provisions: { condition", "waits for provisions"),
            (
                FILE,
                "postgres: { condition: service_healthy }",
                "postgres: { condition: service_well }",
                "unknown condition",
            ),
            (
                FILE,
                "command: [tidemill, provision]\n    restart: \"no\"",
                "command: [tidemill, provision]\n    restart: always",
                "which is started again",
            ),
            (FILE, "\"ingest:/var", "\"ingests:/var", "no volume ingests"),
            (FILE, "127.0.0.1:50051:50051", "127.0.0.1:50051:50052", "publishes 50052"),
            (
                FILE,
                "TIDEMILL_LISTEN: 0.0.0.0:8080",
                "TIDEMILL_LISTEN: 127.0.0.1:8080",
                "which nobody else reaches",
            ),
            (
                FILE,
                "TIDEMILL_STORE: /var/lib/tidemill/store",
                "TIDEMILL_STORE: /store",
                "where nothing is mounted",
            ),
            (FILE, "stop_grace_period", "grace_period", "unknown key grace_period"),
            (FILE, "./prometheus:", "./prom:", "mounts ./prom"),
            (FILE, "deploy/Dockerfile", "deploy/Containerfile", "is not built from"),
            (FILE, "tidemill replay", "tidemil replay", "no program \"tidemil\""),
        ],
    );
}

#[test]
fn the_example_of_the_demo_is_in_the_image() {
    let files = Files::load();
    let compose = &files.yaml(FILE)[0];
    let script = text(compose, "/services/demo/command/2");
    let used = script.split_whitespace().find_map(|word| word.strip_prefix("/usr/share/tidemill/examples/"));
    assert!(root().join("examples").join(used.unwrap()).is_file());
    assert!(files.text("deploy/Dockerfile").contains("COPY examples/ /usr/share/tidemill/examples/"));
}

/// The health check as it stands in the file, against a server that answers as ours does.
#[tokio::test]
async fn the_health_check_tells_ready_from_unready() {
    let files = Files::load();
    let compose = &files.yaml(FILE)[0];
    let command: Vec<&str> =
        items(compose, "/services/ingest/healthcheck/test").iter().filter_map(Value::as_str).collect();
    let ["CMD", "bash", "-c", script] = command.as_slice() else { panic!("{command:?}") };
    for (answer, expected) in [("HTTP/1.0 200 OK", true), ("HTTP/1.0 503 Service Unavailable", false)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64];
            let n_read = connection.read(&mut request).await.unwrap();
            connection.write_all(format!("{answer}\r\n\r\n").as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..n_read]).into_owned()
        });
        let script = script.replace("/8080", &format!("/{port}"));
        let status = tokio::process::Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).status();
        assert_eq!(status.await.unwrap().success(), expected, "{answer}");
        assert!(serving.await.unwrap().starts_with("GET /readyz HTTP/1.0\r\n"));
    }
}
