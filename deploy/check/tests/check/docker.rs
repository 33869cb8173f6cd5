//! The Dockerfile: it builds and copies every program of the workspace, with the compiler that the manifest asks for.

use std::collections::BTreeSet;

use crate::files::{Files, finds, root};
use crate::programs::{programs, unknown};

const FILE: &str = "deploy/Dockerfile";

fn check(files: &Files) -> Vec<String> {
    let text = files.text(FILE);
    let mut breaches = Vec::new();
    let copied: BTreeSet<String> = text
        .split_whitespace()
        .filter_map(|w| w.strip_prefix("target/release/"))
        .map(str::to_owned)
        .collect();
    for name in programs().difference(&copied) {
        breaches.push(format!("{name} is not copied"));
    }
    for name in copied.difference(&programs()) {
        breaches.push(format!("{name} is copied, but nothing builds it"));
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let wanted = manifest.lines().find_map(|l| l.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let bases: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("FROM ")).collect();
    match bases.as_slice() {
        [build, run] => {
            if !build.starts_with(&format!("rust:{wanted}-bookworm ")) || *run != "debian:bookworm-slim" {
                breaches.push(format!(
                    "the manifest asks for Rust {wanted}; both stages must be of one Debian: {bases:?}"
                ));
            }
        }
        _ => breaches.push("two stages are expected".to_owned()),
    }
    for needed in ["cargo build --release --locked --workspace --bins", "\nUSER 10001:10001\n"] {
        if !text.contains(needed) {
            breaches.push(format!("\"{}\" is missing", needed.trim()));
        }
    }
    for source in text.lines().filter_map(|l| l.strip_prefix("COPY ")).filter(|l| !l.starts_with("--from")) {
        let path = source.split_whitespace().next().unwrap_or_default();
        if !root().join(path).exists() {
            breaches.push(format!("{path} is copied and not there"));
        }
    }
    let set = text.lines().filter_map(|l| l.trim().trim_start_matches("ENV ").split_once('='));
    let set: Vec<&str> = set.map(|(name, _)| name).filter(|name| name.starts_with("TIDEMILL_")).collect();
    breaches.extend(unknown(FILE, "tidemill-ingest", set));
    // Patterns of the ignore file must not keep out what the build needs.
    for line in files.text("deploy/Dockerfile.dockerignore").lines() {
        if ["crates", "services", "examples", "proto", "Cargo.lock", "deploy", "deploy/check", "*"]
            .contains(&line)
        {
            breaches.push(format!("{line} is needed and ignored"));
        }
    }
    breaches
}

#[test]
fn the_image_has_every_program() {
    assert_eq!(check(&Files::load()), Vec::<String>::new());
    finds(
        check,
        &[
            (FILE, "target/release/tidemill-ingest ", "", "tidemill-ingest is not copied"),
            (
                FILE,
                "target/release/tidemill-ingest ",
                "target/release/tidemill-digest ",
                "tidemill-digest is copied",
            ),
            (FILE, "rust:1.95", "rust:1.80", "the manifest asks for Rust"),
            (FILE, "--locked", "", "--locked"),
            (FILE, "USER 10001:10001", "USER root", "USER 10001"),
            (FILE, "COPY examples/", "COPY samples/", "samples/ is copied and not there"),
            (FILE, "TIDEMILL_LOCAL", "TIDEMILL_CACHE", "knows no TIDEMILL_CACHE"),
            ("deploy/Dockerfile.dockerignore", "deploy/k8s", "crates", "crates is needed and ignored"),
        ],
    );
}
