//! What Prometheus scrapes is there, and its rules name metrics that the code exports.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files::{Files, finds, items, text};
use crate::metrics::documented;
use crate::programs::services;

const CONFIG: &str = "deploy/prometheus/prometheus.yml";
const RULES: &str = "deploy/prometheus/rules.yml";

fn check(files: &Files) -> Vec<String> {
    let mut breaches = Vec::new();
    let config = &files.yaml(CONFIG)[0];
    for file in items(config, "/rule_files").iter().filter_map(Value::as_str) {
        if !files.in_folder("deploy/prometheus").contains(&file) {
            breaches.push(format!("{file} is not there"));
        }
    }
    let static_configs =
        items(config, "/scrape_configs").iter().flat_map(|job| items(job, "/static_configs"));
    let targets: BTreeSet<String> = static_configs
        .flat_map(|group| items(group, "/targets"))
        .filter_map(|target| Some(target.as_str()?.to_owned()))
        .collect();
    let wanted: BTreeSet<String> = services().iter().map(|name| format!("{name}:8080")).collect();
    breaches.extend(
        wanted.symmetric_difference(&targets).map(|t| format!("scraping and services differ in {t}")),
    );
    breaches.extend(check_rules(files));
    breaches
}

fn check_rules(files: &Files) -> Vec<String> {
    let known = documented();
    let pages: BTreeSet<&str> = tidemill_domain::Code::ALL.iter().map(|code| code.id()).collect();
    let mut breaches = Vec::new();
    let mut names = BTreeSet::new();
    let rules = &files.yaml(RULES)[0];
    for rule in items(rules, "/groups").iter().flat_map(|group| items(group, "/rules")) {
        let alert = text(rule, "/alert");
        if alert.is_empty() || !names.insert(alert) {
            breaches.push(format!("a rule has no name of its own: {rule}"));
        }
        if text(rule, "/annotations/summary").is_empty() || text(rule, "/annotations/description").is_empty()
        {
            breaches.push(format!("{alert} does not say what it is"));
        }
        if !["page", "ticket"].contains(&text(rule, "/labels/severity")) {
            breaches.push(format!("{alert} has no severity"));
        }
        let used = metrics_in(text(rule, "/expr"));
        if used.is_empty() {
            breaches.push(format!("{alert} asks for none of our metrics"));
        }
        for name in used {
            let whole = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
            let is_histogram =
                whole.is_some_and(|whole| known.get(whole).is_some_and(|kind| kind == "histogram"));
            if !known.contains_key(&name) && !is_histogram {
                breaches.push(format!("{alert}: there is no metric {name}"));
            }
        }
        let said = text(rule, "/annotations/description");
        for code in said.split("TM-").skip(1).map(|rest| format!("TM-{}", rest.get(..4).unwrap_or_default()))
        {
            if !pages.contains(code.as_str()) {
                breaches.push(format!("{alert}: there is no code {code}"));
            }
        }
    }
    breaches
}

/// The words of an expression that begin as our metrics do.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("tidemill_")).map(str::to_owned).collect()
}

#[test]
fn rules_and_targets_name_what_is_there() {
    assert_eq!(check(&Files::load()), Vec::<String>::new());
    finds(
        check,
        &[
            (CONFIG, "rules.yml", "laws.yml", "laws.yml is not there"),
            (CONFIG, "ingest:8080", "ingest:9090", "differ in ingest:9090"),
            (RULES, "tidemill_lag_events", "tidemill_lag_rows", "no metric tidemill_lag_rows"),
            (RULES, "severity: page", "severity: maybe", "has no severity"),
            (RULES, "summary:", "title:", "does not say what it is"),
            (RULES, "TM-0101", "TM-0001", "no code TM-0001"),
        ],
    );
}
