//! Compares two loop specs key by key, for `apply --dry-run`. It must not know what a change entails.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LoopSpec;
use super::write::forms;
use super::write::outline::items;
use crate::schema::Feature;

/// One key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The key as in a loop file, as `spec.monitor.window`; a feature by its name, as `spec.schema.features[price]`.
    pub path: String,
    /// The value before, as a loop file has it; empty where there was none.
    pub old: String,
    /// The value after, as a loop file has it; empty where there is none.
    pub new: String,
}

/// What differs between two specs, in the order of a loop file.
#[must_use]
pub fn differences(old: &LoopSpec, new: &LoopSpec) -> Vec<Difference> {
    let mut found = Vec::new();
    for (before, after) in items(old).into_iter().zip(items(new)) {
        if before.value == after.value {
            continue;
        }
        if before.key == "features" {
            found.extend(features(&old.schema.features, &new.schema.features));
        } else {
            found.push(Difference {
                path: before.path(),
                old: before.value.unwrap_or_default(),
                new: after.value.unwrap_or_default(),
            });
        }
    }
    found
}

/// Features by name: changed and removed ones in the old order, then new ones, then a new order of those that stay.
fn features(old: &[Feature], new: &[Feature]) -> Vec<Difference> {
    let by_name = |list| -> BTreeMap<_, _> {
        let list: &[Feature] = list;
        list.iter().map(|f| (f.name.clone(), forms::feature(f))).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    let added = new.iter().filter(|f| !before.contains_key(&f.name));
    let mut found = Vec::new();
    for name in old.iter().chain(added).map(|f| &f.name) {
        let (old, new) = (before.get(name), after.get(name));
        if old != new {
            let path = format!("spec.schema.features[{}]", forms::text(name));
            let text = |form: Option<&String>| form.cloned().unwrap_or_default();
            found.push(Difference { path, old: text(old), new: text(new) });
        }
    }
    let staying = |list: &[Feature]| -> Vec<String> {
        let stays = |f: &&Feature| before.contains_key(&f.name) && after.contains_key(&f.name);
        list.iter().filter(stays).map(|f| f.name.clone()).collect()
    };
    let (old, new) = (staying(old), staying(new));
    if old != new {
        let path = "spec.schema.features".to_owned();
        found.push(Difference { path, old: forms::names(&old), new: forms::names(&new) });
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;
    use crate::spec::parse::parse;

    fn spec(features: &str, rest: &str) -> LoopSpec {
        let text = format!(
            "apiVersion: tidemill.dev/v1\nkind: Loop\nmetadata: {{ name: x }}\nspec:\n  schema:\n    \
             features: {features}\n    target: {{ name: y, type: numeric }}\n{rest}"
        );
        parse(&text).unwrap()
    }

    #[test]
    fn only_what_changed_is_named() {
        let old =
            spec("[{ name: a, type: numeric }, { name: b, type: numeric }, { name: c, type: numeric }]", "");
        assert_eq!(differences(&old, &old), []);
        let new = spec(
            "[{ name: c, type: numeric, min: 0 }, { name: a, type: numeric }, { name: d, type: categorical }]",
            "  monitor: { window: 1h }\n  triggers: [{ new_labels: 1000 }]\n  rollout: { margin: 0.1 }\n  \
             labels: { corrections: first }",
        );
        let found = differences(&old, &new);
        let shown: Vec<_> = found.iter().map(|d| format!("{}: {} -> {}", d.path, d.old, d.new)).collect();
        assert_eq!(
            shown,
            [
                "spec.schema.features[b]: { name: b, type: numeric } -> ",
                "spec.schema.features[c]: { name: c, type: numeric } -> { name: c, type: numeric, min: 0 }",
                "spec.schema.features[d]:  -> { name: d, type: categorical }",
                "spec.schema.features: [a, c] -> [c, a]",
                "spec.labels.corrections: latest -> first",
                "spec.monitor.window: 1000 rows -> 1h",
                "spec.triggers.on: [decay, drift] -> ",
                "spec.rollout.margin: 5% -> 10%",
            ]
        );
    }
}
