//! Every key of a loop file, where it may stand, with an example, and the search for the one that was meant.
//! It must not know what a key does.

/// The keys of one section, each with an example of its value. `[]` in a path stands for any index.
pub(super) const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "",
        &[
            ("apiVersion", "tidemill.dev/v1"),
            ("kind", "Loop"),
            ("metadata", "{ name: my-loop }"),
            ("spec", "{ schema: ... }"),
        ],
    ),
    ("metadata", &[("name", "my-loop")]),
    (
        "spec",
        &[
            ("schema", "{ features: [...], target: {...} }"),
            ("labels", "{ horizon: 7d }"),
            ("monitor", "{ window: 1000 rows }"),
            ("triggers", "[{ new_labels: 1000 }]"),
            ("training", "{ cooldown: 5m }"),
            ("evaluation", "{ min_rows: 50 }"),
            ("rollout", "{ lane: auto }"),
        ],
    ),
    (
        "spec.schema",
        &[
            ("entity", "customer_id"),
            ("features", "[{ name: price, type: numeric }]"),
            ("target", "{ name: outcome, type: categorical }"),
            ("slices", "[region]"),
        ],
    ),
    (
        "spec.schema.features[]",
        &[
            ("name", "price"),
            ("type", "numeric"),
            ("min", "0"),
            ("max", "100"),
            ("values", "[low, high]"),
            ("required", "true"),
        ],
    ),
    ("spec.schema.target", &[("name", "outcome"), ("type", "categorical"), ("classes", "[good, bad]")]),
    ("spec.labels", &[("horizon", "7d"), ("sources", "[application, human]"), ("corrections", "latest")]),
    ("spec.monitor", &[("window", "1000 rows"), ("reference", "training"), ("false_alarms", "1 per 30d")]),
    (
        "spec.triggers[]",
        &[("every", "30m"), ("new_labels", "1000"), ("on", "[drift, decay]"), ("code_change", "false")],
    ),
    (
        "spec.training",
        &[
            ("metric", "log_loss"),
            ("algorithms", "[boosting, linear, mlp]"),
            ("ensemble", "4"),
            ("budget", "{ trials: 8 }"),
            ("cooldown", "5m"),
            ("approval", "automatic"),
        ],
    ),
    ("spec.training.budget", &[("trials", "8"), ("time", "2m"), ("workers", "2")]),
    (
        "spec.evaluation",
        &[
            ("must_pass", "scenarios/*.json"),
            ("golden", "golden.parquet"),
            ("min_rows", "50"),
            ("max_regression", "1%"),
            ("old_data", "{ max_regression: 1% }"),
            ("max_negative_flips", "2%"),
        ],
    ),
    ("spec.evaluation.old_data", &[("max_regression", "1%")]),
    (
        "spec.rollout",
        &[
            ("lane", "auto"),
            ("shadow", "500 rows"),
            ("steps", "[5%, 25%, 50%, 100%]"),
            ("min_rows", "300"),
            ("max_rows", "20000"),
            ("margin", "5%"),
            ("watch", "24h"),
        ],
    ),
];

/// The keys that may stand in the section at `path`.
pub(super) fn of_section(path: &str) -> &'static [(&'static str, &'static str)] {
    let mut general = String::with_capacity(path.len());
    for c in path.chars() {
        if !(c.is_ascii_digit() && general.ends_with('[')) {
            general.push(c);
        }
    }
    SECTIONS.iter().find(|s| s.0 == general).map_or(&[], |s| s.1)
}

/// The sections in which `key` may stand, for people.
pub(super) fn homes(key: &str) -> Vec<&'static str> {
    let has = |s: &&(&str, &[(&str, &str)])| s.1.iter().any(|k| k.0 == key);
    SECTIONS
        .iter()
        .filter(has)
        .map(|s| if s.0.is_empty() { "the top" } else { s.0.trim_end_matches("[]") })
        .collect()
}

/// The candidate that was probably meant, if one is near enough.
pub(super) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |t: &str| t.to_lowercase().replace(['_', '-', ' '], "");
    let text = bare(text);
    if text.chars().count() > 40 {
        return None;
    }
    let scored = candidates.into_iter().map(|c| (distance(&text, &bare(c)), c));
    let (away, best) = scored.min_by_key(|s| s.0)?;
    (away <= (best.chars().count() / 3).clamp(1, 3)).then_some(best)
}

/// Edit distance; two neighbours exchanged count once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood() {
        let known = ["horizon", "sources", "new_labels", "on"];
        for (slip, meant) in
            [("horizn", "horizon"), ("huroizon", "horizon"), ("newLabels", "new_labels"), ("no", "on")]
        {
            assert_eq!(nearest(slip, known), Some(meant), "{slip}");
        }
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }
}
