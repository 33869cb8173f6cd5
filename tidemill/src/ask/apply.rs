//! `tidemill apply`: sends a loop file, and shows what changes or every mistake with its place.

use std::io::Read;
use std::path::Path;

use reqwest::Method;
use tidemill_console::api::Applied;
use tidemill_domain::spec::Problem;

use super::args::ApplyArgs;
use super::client::{AskError, Body};

pub(super) async fn run(args: ApplyArgs) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let text = read(&args.file).map_err(|source| AskError::Read { path: args.file.clone(), source })?;
    let query = [("dry_run", args.dry_run.to_string()), ("by", args.by)];
    let answer =
        client.ask(Method::PUT, &["loops"], &query, Body::Text(&text)).await.map_err(
            |error| match error {
                AskError::Refused { failure, .. } => AskError::Refused { failure, file: Some(args.file) },
                other => other,
            },
        )?;
    super::show(answer, args.to.json, applied)
}

fn read(path: &Path) -> std::io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

/// The mistakes, one on a line, as compilers and editors write places.
pub(super) fn problems(file: &Path, problems: &[Problem]) -> String {
    let file = if file == Path::new("-") { "<stdin>".into() } else { file.to_string_lossy() };
    let line = |p: &Problem| {
        let path = if p.path.is_empty() { String::new() } else { format!("{}: ", p.path) };
        format!("{file}:{}:{}: {path}{}; {}", p.line, p.column, p.what, p.remedy)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What became of a loop file.
pub(super) fn applied(applied: &Applied) -> String {
    let Applied { name, version, is_new, changed, dry_run, differences, notes, .. } = applied;
    let mut text = match (changed, is_new, dry_run) {
        (false, _, _) => format!("loop {name}: nothing changes, version {version} is in force\n"),
        (true, true, false) => format!("loop {name}: version {version} is in force\n"),
        (true, true, true) => format!("loop {name}: is new and would begin with version {version}\n"),
        (true, false, false) => format!("loop {name}: version {version} is in force, with these changes\n"),
        (true, false, true) => {
            format!("loop {name}: version {version} would be in force, with these changes\n")
        }
    };
    for difference in differences {
        let value = |text: &str| if text.is_empty() { "(nothing)".to_owned() } else { text.to_owned() };
        text.push_str(&format!(
            "  {}: {} -> {}\n",
            difference.path,
            value(&difference.old),
            value(&difference.new)
        ));
    }
    for note in notes {
        text.push_str(&format!("  note: {note}\n"));
    }
    text
}
