//! The objects of the base and of the overlay `dev`: their form, and that everything that one names is there.

use std::collections::BTreeMap;

use serde_json::Value;
use tidemill_domain::Span;

use crate::files::{Files, finds, items, root, text};
use crate::kustomize::{BASE, DEV, objects, secrets};
use crate::programs::{services, unknown, variables};
use crate::strict;

/// Which object a variable with an address opens a port for.
const PORTS: [(&str, &str); 3] =
    [("TIDEMILL_LISTEN", "health"), ("TIDEMILL_GRPC_LISTEN", "grpc"), ("TIDEMILL_CONSOLE_ADDRESS", "http")];

/// Stands for a value that only a Secret knows.
const SECRET: &str = "(secret)";

fn check(files: &Files) -> Vec<String> {
    let base = objects(files, BASE);
    let mut all = base.clone();
    all.extend(objects(files, DEV));
    let mut breaches: Vec<String> =
        all.iter().flat_map(|(place, object)| strict::check(place, object)).collect();
    let world = World { all: &all, secrets: secrets(files, DEV) };
    for (place, object) in &all {
        match text(object, "/kind") {
            "Deployment" | "StatefulSet" | "Job" => world.workload(place, object, &mut breaches),
            "Service" => world.service(place, object, &mut breaches),
            "PodDisruptionBudget" => {
                if world.workloads_with(&object["spec"]["selector"]["matchLabels"]).is_empty() {
                    breaches.push(format!("{place}: its selector meets no workload"));
                }
            }
            _ => {}
        }
    }
    for service in services() {
        for kind in ["workload", "Service", "ServiceAccount"] {
            let name = if kind == "ServiceAccount" { format!("tidemill-{service}") } else { service.clone() };
            let is_it = |object: &Value| match text(object, "/kind") {
                "Deployment" | "StatefulSet" => kind == "workload",
                other => other == kind,
            };
            if !base.iter().any(|(_, object)| is_it(object) && text(object, "/metadata/name") == name) {
                breaches.push(format!("{BASE}: {service} has no {kind}"));
            }
        }
    }
    breaches
}

struct World<'a> {
    all: &'a [(String, Value)],
    secrets: std::collections::BTreeSet<(String, String)>,
}

impl World<'_> {
    fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        let mut all = self.all.iter().map(|(_, object)| object);
        all.find(|object| text(object, "/kind") == kind && text(object, "/metadata/name") == name)
    }

    /// Workloads whose pods bear all these labels.
    fn workloads_with(&self, labels: &Value) -> Vec<&Value> {
        let labels = labels.as_object().cloned().unwrap_or_default();
        let has = |object: &&Value| {
            let own = &object["spec"]["template"]["metadata"]["labels"];
            !labels.is_empty() && labels.iter().all(|(key, value)| own.get(key) == Some(value))
        };
        self.all.iter().map(|(_, object)| object).filter(has).collect()
    }

    fn service(&self, place: &str, object: &Value, breaches: &mut Vec<String>) {
        let workloads = self.workloads_with(&object["spec"]["selector"]);
        let [workload] = workloads.as_slice() else {
            return breaches.push(format!("{place}: its selector meets {} workloads", workloads.len()));
        };
        let ports: Vec<&str> = items(workload, "/spec/template/spec/containers/0/ports")
            .iter()
            .map(|p| text(p, "/name"))
            .collect();
        for port in items(object, "/spec/ports") {
            if !ports.contains(&text(port, "/targetPort")) {
                breaches.push(format!("{place}: no container port is named {}", port["targetPort"]));
            }
        }
    }

    fn workload(&self, place: &str, object: &Value, breaches: &mut Vec<String>) {
        let template = &object["spec"]["template"];
        for (key, value) in object["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten() {
            if template["metadata"]["labels"].get(key) != Some(value) {
                breaches.push(format!("{place}: its selector {key} does not meet its own pods"));
            }
        }
        if text(object, "/kind") == "StatefulSet"
            && self.find("Service", text(object, "/spec/serviceName")).is_none()
        {
            breaches.push(format!("{place}: its serviceName is no Service"));
        }
        let account = text(template, "/spec/serviceAccountName");
        if !account.is_empty() && self.find("ServiceAccount", account).is_none() {
            breaches.push(format!("{place}: there is no ServiceAccount {account}"));
        }
        let claimed =
            items(object, "/spec/volumeClaimTemplates").iter().map(|claim| text(claim, "/metadata/name"));
        let volumes: Vec<&str> =
            items(template, "/spec/volumes").iter().map(|v| text(v, "/name")).chain(claimed).collect();
        for volume in items(template, "/spec/volumes") {
            let claim = text(volume, "/persistentVolumeClaim/claimName");
            if !claim.is_empty() && self.find("PersistentVolumeClaim", claim).is_none() {
                breaches.push(format!("{place}: there is no PersistentVolumeClaim {claim}"));
            }
        }
        for container in items(template, "/spec/containers") {
            let mounted: Vec<&str> =
                items(container, "/volumeMounts").iter().map(|m| text(m, "/name")).collect();
            for name in mounted.iter().filter(|name| !volumes.contains(name)) {
                breaches.push(format!("{place}: there is no volume {name}"));
            }
            for name in volumes.iter().filter(|name| !mounted.contains(name)) {
                breaches.push(format!("{place}: the volume {name} is not mounted"));
            }
            self.container(place, template, container, breaches);
        }
    }

    fn container(&self, place: &str, template: &Value, container: &Value, breaches: &mut Vec<String>) {
        let ports: BTreeMap<&str, u64> = items(container, "/ports")
            .iter()
            .map(|port| (text(port, "/name"), port["containerPort"].as_u64().unwrap_or(0)))
            .collect();
        let is_ours = text(container, "/image") == "tidemill";
        let health = std::fs::read_to_string(root().join("crates/service/src/health.rs")).unwrap();
        for probe in ["livenessProbe", "readinessProbe"] {
            let get = &container[probe]["httpGet"];
            if get.is_null() {
                continue;
            }
            if !ports.contains_key(text(get, "/port")) {
                breaches.push(format!("{place}: {probe} asks a port that is not there: {}", get["port"]));
            }
            if is_ours && !health.contains(&format!(".route(\"{}\"", text(get, "/path"))) {
                breaches.push(format!("{place}: {probe} asks a path that is not served: {}", get["path"]));
            }
        }
        let mut set = BTreeMap::new();
        for from in items(container, "/envFrom") {
            let name = text(from, "/configMapRef/name");
            match self.find("ConfigMap", name) {
                None => breaches.push(format!("{place}: there is no ConfigMap {name}")),
                Some(map) => {
                    let data = map["data"].as_object().cloned().unwrap_or_default();
                    set.extend(
                        data.into_iter()
                            .map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned())),
                    );
                }
            }
        }
        for variable in items(container, "/env") {
            let secret = &variable["valueFrom"]["secretKeyRef"];
            let wanted = (text(secret, "/name").to_owned(), text(secret, "/key").to_owned());
            if !secret.is_null() && !self.secrets.contains(&wanted) {
                breaches.push(format!("{place}: no Secret {} with a key {}", wanted.0, wanted.1));
            }
            let value = if secret.is_null() { text(variable, "/value") } else { SECRET };
            set.insert(text(variable, "/name").to_owned(), value.to_owned());
        }
        if is_ours {
            let program = text(container, "/command/0");
            breaches.extend(unknown(place, program, set.keys().map(String::as_str)));
            if program != "tidemill" {
                check_settings(place, template, container, &set, &ports, breaches);
            }
        }
    }
}

/// That ports, folders and times in the settings are those of the pod.
fn check_settings(
    place: &str,
    template: &Value,
    container: &Value,
    set: &BTreeMap<String, String>,
    ports: &BTreeMap<&str, u64>,
    breaches: &mut Vec<String>,
) {
    let Some(known) = variables(text(container, "/command/0")) else { return };
    for (variable, port) in PORTS.iter().filter(|(variable, _)| known.contains_key(*variable)) {
        let address = set.get(*variable).map(String::as_str).unwrap_or_default();
        let said = ports.get(port).map(|number| format!("0.0.0.0:{number}"));
        if said.as_deref() != Some(address) {
            breaches.push(format!("{place}: {variable} is \"{address}\", its port {port} says {said:?}"));
        }
    }
    let mounts: Vec<&str> = items(container, "/volumeMounts").iter().map(|m| text(m, "/mountPath")).collect();
    for folder in known.keys().filter(|name| known[*name].starts_with("./")) {
        let path = set.get(folder).map(String::as_str).unwrap_or_default();
        if path != SECRET && !mounts.contains(&path) {
            breaches.push(format!("{place}: {folder} is \"{path}\", where nothing is mounted"));
        }
    }
    let grace = template["spec"]["terminationGracePeriodSeconds"].as_f64().unwrap_or(30.0);
    let shutdown: Span = set.get("TIDEMILL_SHUTDOWN").unwrap_or(&known["TIDEMILL_SHUTDOWN"]).parse().unwrap();
    if Span::from_seconds(grace) <= shutdown {
        breaches.push(format!("{place}: the grace period is not longer than TIDEMILL_SHUTDOWN"));
    }
}

#[test]
fn manifests_fit_their_types_and_each_other() {
    assert_eq!(check(&Files::load()), Vec::<String>::new());
}

#[test]
fn what_is_broken_is_found() {
    let (ingest, predictor) = ("deploy/k8s/base/ingest.yaml", "deploy/k8s/base/predictor.yaml");
    let (config, dev) = ("deploy/k8s/base/config.yaml", "deploy/k8s/overlays/dev/kustomization.yaml");
    finds(
        check,
        &[
            (ingest, "replicas: 2", "replica: 2", "unknown field"),
            (ingest, "replicas: 2", "replicas: two", "ingest"),
            (
                ingest,
                "  serviceAccountName: tidemill-ingest",
                "  serviceAccountName: nobody",
                "no ServiceAccount nobody",
            ),
            (ingest, "name: tidemill-ingest", "name: tidemill-digest", "ingest has no ServiceAccount"),
            (ingest, "kind: Deployment", "kind: DaemonSet", "unexpected apps/v1 DaemonSet"),
            (
                ingest,
                "matchLabels: { app.kubernetes.io/name: ingest",
                "matchLabels: { app.kubernetes.io/name: x",
                "does not meet its own pods",
            ),
            (
                ingest,
                "selector: { app.kubernetes.io/name: ingest",
                "selector: { app.kubernetes.io/name: x",
                "meets 0 workloads",
            ),
            (ingest, "targetPort: health", "targetPort: metrics", "no container port is named"),
            (
                ingest,
                "command: [tidemill-ingest]",
                "command: [tidemill-digest]",
                "no program \"tidemill-digest\"",
            ),
            (
                ingest,
                "configMapRef: { name: tidemill }",
                "configMapRef: { name: other }",
                "no ConfigMap other",
            ),
            (ingest, "key: ingest", "key: digest", "no Secret tidemill-nats with a key digest"),
            (ingest, "path: /livez", "path: /health/live", "a path that is not served"),
            (ingest, "path: /readyz, port: health", "path: /readyz, port: main", "a port that is not there"),
            (ingest, "claimName: tidemill-store", "claimName: other", "no PersistentVolumeClaim other"),
            (ingest, "- { name: store, mountPath", "- { name: stores, mountPath", "no volume stores"),
            (
                ingest,
                "terminationGracePeriodSeconds: 45",
                "terminationGracePeriodSeconds: 30",
                "grace period",
            ),
            (predictor, "containerPort: 50051", "containerPort: 50052", "TIDEMILL_GRPC_LISTEN"),
            (predictor, "TIDEMILL_GRPC_LISTEN", "TIDEMILL_GRPC_ADDRESS", "knows no TIDEMILL_GRPC_ADDRESS"),
            (predictor, "serviceName: predictor", "serviceName: other", "its serviceName is no Service"),
            (
                predictor,
                "maxUnavailable: 1\n  selector:\n    matchLabels: { app.kubernetes.io/name: predictor",
                "maxUnavailable: 1\n  selector:\n    matchLabels: { app.kubernetes.io/name: x",
                "meets no workload",
            ),
            (config, "TIDEMILL_PARTITIONS", "TIDEMILL_PARTS", "knows no TIDEMILL_PARTS"),
            (
                config,
                "TIDEMILL_LOCAL: /var/lib/tidemill/data",
                "TIDEMILL_LOCAL: /data",
                "where nothing is mounted",
            ),
            (config, "0.0.0.0:8080", "0.0.0.0:9090", "TIDEMILL_LISTEN"),
            (dev, "- console=", "- consoles=", "no Secret tidemill-nats with a key console"),
        ],
    );
}
