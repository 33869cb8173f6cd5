//! The rules of the house that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Failure, root, say};

/// Lines that a file may have before its tests.
const MAX_LINES: usize = 500;
/// What a core may depend on, of our own crates.
const CORE_MAY_USE: [&str; 4] = ["tidemill-domain", "tidemill-events", "tidemill-learn", "tidemill-stats"];
/// What no pure crate may depend on.
const IMPURE: [&str; 8] =
    ["async-nats", "axum", "object_store", "parquet", "reqwest", "sqlx", "tokio", "tonic"];
const PURE: [&str; 4] = ["crates/domain", "crates/events", "crates/learn", "crates/stats"];

/// Checks every rule and lists every breach.
pub(crate) fn main() -> Result<(), Failure> {
    let breaches = check(&root());
    if breaches.is_empty() {
        say("tidy: every rule holds");
        return Ok(());
    }
    Err(Failure::new(format!("{} rules are broken:\n  {}", breaches.len(), breaches.join("\n  "))))
}

fn check(root: &Path) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files(root, "rs") {
        let name = shown(root, &file);
        match fs::read_to_string(&file) {
            Ok(text) => check_source(&name, &text, &mut breaches),
            Err(error) => breaches.push(format!("{name}: cannot be read: {error}")),
        }
    }
    for file in files(root, "toml").into_iter().filter(|f| f.ends_with("Cargo.toml")) {
        let name = shown(root, &file);
        if let Ok(text) = fs::read_to_string(&file) {
            check_manifest(&name, &text, &mut breaches);
        }
    }
    breaches
}

fn check_source(name: &str, text: &str, breaches: &mut Vec<String>) {
    if !text.starts_with("//!") {
        breaches.push(format!("{name}: the first line must say, in a `//!` comment, what the module is for"));
    }
    let before_tests = text.lines().take_while(|l| l.trim() != "#[cfg(test)]").count();
    if before_tests > MAX_LINES {
        breaches.push(format!("{name}: {before_tests} lines before its tests, {MAX_LINES} are allowed"));
    }
    // Written in two parts, so that this file does not break its own rule.
    let literal = concat!("\"tidemill", ".*.");
    let spelled = text.lines().position(|l| l.contains(literal));
    if let Some(line) = spelled.filter(|_| !name.starts_with("crates/events/") && !name.contains("tests")) {
        breaches.push(format!("{name}:{}: a subject is spelled outside of crates/events", line + 1));
    }
    for (line, text) in text.lines().enumerate() {
        let text = text.trim_start();
        if text.starts_with("#[allow(") && !text.contains("reason") {
            breaches.push(format!("{name}:{}: use #[expect(.., reason = \"..\")]", line + 1));
        }
        if text.starts_with("#[ignore") {
            breaches.push(format!("{name}:{}: a test that is not run is no test", line + 1));
        }
    }
}

fn check_manifest(name: &str, text: &str, breaches: &mut Vec<String>) {
    let is_core = name.contains("/core/");
    let is_pure = is_core || PURE.iter().any(|p| name.starts_with(p));
    let section = text.split("\n[").find(|s| s.starts_with("dependencies]")).unwrap_or_default();
    for dependency in section.lines().skip(1).filter_map(|l| l.split(['.', ' ', '=']).next()) {
        if is_pure && IMPURE.contains(&dependency) {
            breaches.push(format!("{name}: a pure crate depends on {dependency}"));
        }
        if is_core && dependency.starts_with("tidemill-") && !CORE_MAY_USE.contains(&dependency) {
            breaches.push(format!("{name}: a core depends on {dependency}"));
        }
    }
    if name != "Cargo.toml" && !text.contains("[lints]\nworkspace = true") {
        breaches.push(format!("{name}: the lints of the workspace are missing"));
    }
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        assert_eq!(check(&root()), Vec::<String>::new());
    }

    #[test]
    fn breaches_are_found() {
        let mut breaches = Vec::new();
        check_source("a.rs", "fn main() {}\n#[allow(dead_code)]\n", &mut breaches);
        check_source(
            "b.rs",
            &format!("//! x\nconst A: &str = {}x\";\n", concat!("\"tidemill", ".*.")),
            &mut breaches,
        );
        check_manifest(
            "services/x/core/Cargo.toml",
            "[package]\n\n[dependencies]\ntokio.workspace = true\n",
            &mut breaches,
        );
        assert_eq!(breaches.len(), 5, "{breaches:?}");
    }
}
