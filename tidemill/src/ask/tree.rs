//! `tidemill why`: the causal chain of a model, drawn as a tree.

use tidemill_console_core::Node;

use super::args::WhyArgs;
use super::client::AskError;
use super::words::time;

/// Without `--detail`, figures are shown down to this level: those of every trial and window would hide the chain.
const SHOWN: usize = 2;
/// Details that only those who look for them want to see.
const FINE: [&str; 4] = ["artefact", "hash", "parameters", "seed"];

pub(super) async fn run(args: WhyArgs) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let answer = client.get(&["loops", args.name.as_str(), "why", &args.version], &[]).await?;
    super::show(answer, args.to.json, |root| draw(root, args.detail))
}

/// The tree with lines; with `detail` every figure and the ids of events.
pub(super) fn draw(root: &Node, detail: bool) -> String {
    let mut text = String::new();
    node(root, ["", ""], 0, detail, &mut text);
    let missing = root.walk().filter(|n| n.missing).count();
    if missing > 0 {
        text += &format!("\n{missing} links of the chain are missing (marked !)\n");
    }
    text
}

/// One node on `level`: its own line after `first`, everything below after `rest`.
fn node(node_: &Node, [first, rest]: [&str; 2], level: usize, detail: bool, text: &mut String) {
    let mark = if node_.missing { "! " } else { "" };
    let when = node_.time.map(|at| format!("  [{}]", time(at))).unwrap_or_default();
    text.push_str(&format!("{first}{mark}{}{when}\n", node_.label));
    let stem = if node_.children.is_empty() { "   " } else { "│  " };
    for (name, value) in &node_.detail {
        if detail || level <= SHOWN && !FINE.contains(&name.as_str()) {
            text.push_str(&format!("{rest}{stem}{name}: {value}\n"));
        }
    }
    if let Some(event) = node_.event.as_ref().filter(|_| detail) {
        text.push_str(&format!("{rest}{stem}event: {event}\n"));
    }
    let last = node_.children.len().saturating_sub(1);
    for (i, child) in node_.children.iter().enumerate() {
        let (branch, below) = if i == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        node(child, [&format!("{rest}{branch}"), &format!("{rest}{below}")], level + 1, detail, text);
    }
}
