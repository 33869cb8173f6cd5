//! Writes a loop file as a newcomer would like to find it: every key, each with what it does and its default.
//!
//! It must not know of files; what it writes is read back by [`mod@super::parse`] as the same spec.

pub(super) mod forms;
pub(super) mod outline;

use self::outline::{Item, SECTIONS, items};
use super::LoopSpec;
use super::parse::API_VERSION;

/// Comments are broken before this column.
const WIDTH: usize = 110;

const HEAD: &str = "\
A loop: what its rows look like, and what Tidemill shall do with them.

Only apiVersion, kind, metadata.name, features and target are needed; every other key may be deleted and then has the \
default that its comment names. A line like #key: value shows a key that is not set. Spans of time are written 30s, 5m, 12h, 7d; shares 2% or 0.02. To check the file and see what it \
would change: tidemill apply -f FILE --dry-run";

/// The complete, commented loop file of `spec`.
#[must_use]
pub fn to_yaml(spec: &LoopSpec) -> String {
    let defaults = items(&LoopSpec::with_defaults(spec.name.clone(), spec.schema.clone()));
    let items = items(spec);
    let mut file = File { text: String::new(), section: "", after_unset: false };
    HEAD.lines().for_each(|paragraph| file.comment(0, paragraph));
    file.line(0, &format!("apiVersion: {API_VERSION}\nkind: Loop"));
    for (item, default) in items.iter().zip(&defaults) {
        if item.section != file.section {
            file.enter(item.section, &items, &defaults);
        }
        file.item(item, default);
    }
    file.text
}

/// The section whose keys are the elements of a list.
const TRIGGERS: &str = "spec.triggers";

struct File {
    text: String,
    section: &'static str,
    /// Whether the last key was not set.
    after_unset: bool,
}

impl File {
    fn line(&mut self, indent: usize, text: &str) {
        let indent = if text.is_empty() { 0 } else { indent };
        self.text.push_str(&format!("{:indent$}{text}\n", ""));
    }

    fn comment(&mut self, indent: usize, text: &str) {
        let mut line = String::from("#");
        for word in text.split(' ') {
            if indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(indent, &line);
                line = String::from("#");
            }
            if !word.is_empty() {
                line.push(' ');
                line.push_str(word);
            }
        }
        self.line(indent, &line);
    }

    /// Writes the head of `section`.
    fn enter(&mut self, section: &'static str, items: &[Item], defaults: &[Item]) {
        let nested = section.starts_with(&format!("{}.", self.section));
        if !nested || self.after_unset {
            self.line(0, "");
        }
        if section == "spec.schema" {
            self.line(0, "spec:");
        }
        (self.section, self.after_unset) = (section, false);
        let indent = indent_of(section) - 2;
        if let Some((_, about)) = SECTIONS.iter().find(|s| s.0 == section && !s.1.is_empty()) {
            let default = if section == TRIGGERS {
                format!(" Default: {}.", triggers(defaults))
            } else {
                String::new()
            };
            self.comment(indent, &format!("{about}{default}"));
        }
        let key = section.rsplit('.').next().unwrap_or(section);
        let none = if section == TRIGGERS && triggers(items) == "[]" { " []" } else { "" };
        self.line(indent, &format!("{key}:{none}"));
    }

    /// Writes a key with what it does; one that is not set is written as a comment, without a space after the `#`.
    fn item(&mut self, item: &Item, default: &Item) {
        let indent = indent_of(item.section);
        if self.after_unset {
            self.line(0, "");
        }
        let needed = matches!(item.key, "name" | "features" | "target");
        let default = match &default.value {
            _ if needed || item.section == TRIGGERS => String::new(),
            Some(value) => format!(" Default: {value}."),
            None => " Default: none.".to_owned(),
        };
        self.comment(indent, &format!("{}{default}", item.about));
        let dash = if item.section == TRIGGERS { "- " } else { "" };
        match &item.value {
            Some(value) if value.starts_with('\n') => {
                self.line(indent, &format!("{dash}{}:{value}", item.key))
            }
            Some(value) => self.line(indent, &format!("{dash}{}: {value}", item.key)),
            None => self.line(indent, &format!("#{dash}{}: {}", item.key, item.example)),
        }
        self.after_unset = item.value.is_none();
    }
}

/// The triggers on one line.
fn triggers(items: &[Item]) -> String {
    let set = items.iter().filter(|i| i.section == TRIGGERS).filter_map(|i| Some((i.key, i.value.as_ref()?)));
    let set: Vec<_> = set.map(|(key, value)| format!("{{ {key}: {value} }}")).collect();
    format!("[{}]", set.join(", "))
}

/// How far the keys of a section are moved in.
fn indent_of(section: &str) -> usize {
    2 * section.split('.').count()
}

#[cfg(test)]
mod tests;
