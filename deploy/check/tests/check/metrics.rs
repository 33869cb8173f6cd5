//! `docs/metrics.md` lists what the services export, no more and no less. `TIDEMILL_NEW_DOCS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use tidemill::system::{Options, System};
use tidemill_service::Described;

use crate::files::root;

const FILE: &str = "docs/metrics.md";
const HEAD: &str = "# Metrics\n\nEvery service serves these on `/metrics` of its `TIDEMILL_LISTEN` address, as far as they are its own. Those of the shell\nbear the label `role`. This page is written by a test (`deploy/check`) from what a running system exports.\n\n| name | type | what it says |\n|---|---|---|\n";

fn render(described: &[Described]) -> String {
    let mut text = HEAD.to_owned();
    for metric in described {
        writeln!(text, "| `{}` | {} | {} |", metric.name, metric.kind, metric.help).unwrap();
    }
    text
}

/// The names in the page, with their type.
pub(crate) fn documented() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join(FILE)).unwrap();
    let rows = text.lines().filter_map(|l| {
        let (name, rest) = l.strip_prefix("| `")?.split_once("` | ")?;
        Some((name.to_owned(), rest.split_once(" |")?.0.to_owned()))
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_lists_what_a_running_system_exports() {
    let folder = tempfile::tempdir().unwrap();
    let mut system = System::start(Options::on_free_ports(folder.path())).await.unwrap();
    system.ready(Duration::from_secs(60)).await.unwrap();
    let metrics = system.context().metrics.clone();
    let described = metrics.described();
    let exported = metrics.text();
    system.stop().await;
    // Whatever is exported has a description, also what a collector adds.
    for line in exported.lines().filter_map(|l| l.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        assert!(described.iter().any(|d| d.name == name && d.kind == kind), "{name} is not described");
    }
    let page = render(&described);
    if std::env::var_os("TIDEMILL_NEW_DOCS").is_some() {
        std::fs::write(root().join(FILE), &page).unwrap();
    }
    let there = std::fs::read_to_string(root().join(FILE)).unwrap_or_default();
    assert_eq!(there, page, "docs/metrics.md is out of date: run this test with TIDEMILL_NEW_DOCS=1");
}
