//! Manifests as the types of Kubernetes, with nothing in them that the types do not know.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::serde::Serialize;
use k8s_openapi::serde::de::DeserializeOwned;
use serde_json::Value;

use crate::files::text;

/// What is wrong with the form of a manifest.
pub(crate) fn check(place: &str, manifest: &Value) -> Vec<String> {
    match (text(manifest, "/apiVersion"), text(manifest, "/kind")) {
        ("v1", "ConfigMap") => as_type::<ConfigMap>(place, manifest),
        ("v1", "Namespace") => as_type::<Namespace>(place, manifest),
        ("v1", "PersistentVolumeClaim") => as_type::<PersistentVolumeClaim>(place, manifest),
        ("v1", "Secret") => as_type::<Secret>(place, manifest),
        ("v1", "Service") => as_type::<Service>(place, manifest),
        ("v1", "ServiceAccount") => as_type::<ServiceAccount>(place, manifest),
        ("apps/v1", "Deployment") => as_type::<Deployment>(place, manifest),
        ("apps/v1", "StatefulSet") => as_type::<StatefulSet>(place, manifest),
        ("batch/v1", "Job") => as_type::<Job>(place, manifest),
        ("policy/v1", "PodDisruptionBudget") => as_type::<PodDisruptionBudget>(place, manifest),
        (version, kind) => vec![format!("{place}: unexpected {version} {kind}")],
    }
}

fn as_type<T: DeserializeOwned + Serialize>(place: &str, manifest: &Value) -> Vec<String> {
    let typed: T = match serde_json::from_value(manifest.clone()) {
        Ok(typed) => typed,
        Err(error) => return vec![format!("{place}: {error}")],
    };
    let again = serde_json::to_value(typed).unwrap();
    let mut breaches = Vec::new();
    lost(place, manifest, &again, &mut breaches);
    breaches
}

/// What the type did not know is not there any more.
fn lost(place: &str, before: &Value, after: &Value, breaches: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let place = format!("{place}/{key}");
                match after.get(key) {
                    Some(kept) => lost(&place, value, kept, breaches),
                    None => breaches.push(format!("{place}: unknown field")),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                lost(&format!("{place}/{index}"), before, after, breaches);
            }
        }
        (before, after) if before == after => {}
        (before, after) => breaches.push(format!("{place}: {before} is read as {after}")),
    }
}
