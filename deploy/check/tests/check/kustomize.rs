//! Kustomizations: every file of the folder is listed, every patch meets what it changes, and all their objects together.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files::{Files, finds, items, text};

pub(crate) const BASE: &str = "deploy/k8s/base";
pub(crate) const DEV: &str = "deploy/k8s/overlays/dev";

/// The objects of a folder, with the place of each.
pub(crate) fn objects(files: &Files, folder: &str) -> Vec<(String, Value)> {
    let listed = files.in_folder(folder).into_iter().filter(|name| *name != "kustomization.yaml");
    let documents = listed.flat_map(|name| {
        let file = format!("{folder}/{name}");
        files
            .yaml(&file)
            .into_iter()
            .map(move |value| (format!("{file} {}", text(&value, "/metadata/name")), value))
    });
    documents.collect()
}

/// Secrets that an overlay makes: name and keys.
pub(crate) fn secrets(files: &Files, folder: &str) -> BTreeSet<(String, String)> {
    let kustomization = &files.yaml(&format!("{folder}/kustomization.yaml"))[0];
    let made = items(kustomization, "/secretGenerator").iter().flat_map(|secret| {
        let name = text(secret, "/name").to_owned();
        let literals = items(secret, "/literals").iter().filter_map(|l| l.as_str()?.split_once('='));
        literals.map(move |(key, _)| (name.clone(), key.to_owned())).collect::<Vec<_>>()
    });
    made.collect()
}

fn check(files: &Files) -> Vec<String> {
    let mut breaches = Vec::new();
    for folder in [BASE, DEV] {
        let kustomization = &files.yaml(&format!("{folder}/kustomization.yaml"))[0];
        let listed: BTreeSet<&str> =
            items(kustomization, "/resources").iter().filter_map(Value::as_str).collect();
        let there: BTreeSet<&str> =
            files.in_folder(folder).into_iter().filter(|n| *n != "kustomization.yaml").collect();
        for name in there.difference(&listed) {
            breaches.push(format!("{folder}/{name} is not listed"));
        }
        for name in listed.difference(&there).filter(|name| **name != "../../base") {
            breaches.push(format!("{folder}: {name} is listed and not there"));
        }
        for known in kustomization.as_object().unwrap().keys() {
            let keys =
                ["apiVersion", "kind", "namespace", "resources", "images", "secretGenerator", "patches"];
            if !keys.contains(&known.as_str()) {
                breaches.push(format!("{folder}: nobody checks {known}"));
            }
        }
        let images = items(kustomization, "/images");
        if !images.iter().any(|image| text(image, "/name") == "tidemill") {
            breaches.push(format!("{folder}: no image for tidemill"));
        }
        for patch in items(kustomization, "/patches") {
            breaches.extend(check_patch(files, folder, patch));
        }
    }
    breaches
}

fn check_patch(files: &Files, folder: &str, patch: &Value) -> Vec<String> {
    let (kind, name) = (text(patch, "/target/kind"), text(patch, "/target/name"));
    let is_target = |object: &&(String, Value)| {
        text(&object.1, "/kind") == kind && (name.is_empty() || text(&object.1, "/metadata/name") == name)
    };
    let base = objects(files, BASE);
    let targets: Vec<_> = base.iter().filter(is_target).collect();
    if targets.is_empty() {
        return vec![format!("{folder}: a patch has no target: {kind} {name}")];
    }
    let steps: Value = serde_yaml_ng::from_str(text(patch, "/patch")).unwrap();
    let mut breaches = Vec::new();
    for step in steps.as_array().unwrap() {
        let path = text(step, "/path");
        for (place, _) in targets.iter().filter(|(_, object)| object.pointer(path).is_none()) {
            breaches.push(format!("{folder}: a patch replaces {path}, which {place} does not have"));
        }
    }
    breaches
}

#[test]
fn kustomizations_are_whole() {
    assert_eq!(check(&Files::load()), Vec::<String>::new());
    let more = Files::load()
        .and("deploy/k8s/base/more.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: { name: x }\n");
    assert!(check(&more).contains(&"deploy/k8s/base/more.yaml is not listed".to_owned()));
    let (base, dev) = ("deploy/k8s/base/kustomization.yaml", "deploy/k8s/overlays/dev/kustomization.yaml");
    finds(
        check,
        &[
            (base, "ingest.yaml", "digest.yaml", "digest.yaml is listed and not there"),
            (base, "images:", "pictures:", "nobody checks pictures"),
            (dev, "kind: Job", "kind: Jobs", "has no target"),
            (dev, "/spec/accessModes", "/spec/modes", "/spec/modes"),
        ],
    );
}
