//! A section with its keys: reports those that are unknown, doubled or missing. It must not know the meaning of any key.

use std::collections::HashMap;

use super::keys;
use super::place::Place;
use super::problems::{Mark, Mistake, Problems, key_text};
use super::tree::{Entry, Kind};

/// A map whose keys are known and unique.
pub(super) struct Section<'t> {
    path: String,
    mark: Mark,
    entries: HashMap<&'static str, &'t Entry>,
    examples: &'static [(&'static str, &'static str)],
    /// Keys that a misspelled one stands for.
    meant: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The map that stands at `place`; nothing counts as an empty one.
    pub(super) fn open(place: &Place<'t>, problems: &mut Problems) -> Option<Self> {
        let examples = keys::of_section(&place.path);
        let (path, mark) = (place.path.clone(), place.key_mark);
        let mut section = Self { path, mark, entries: HashMap::new(), examples, meant: Vec::new() };
        match &place.node.kind {
            Kind::Map(entries) => section.take(entries, problems),
            Kind::Null => {}
            Kind::Broken | Kind::Text { .. } | Kind::List(_) => {
                place.report_other("a section of keys", problems);
                return None;
            }
        }
        Some(section)
    }

    fn take(&mut self, entries: &'t [Entry], problems: &mut Problems) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let absent = |key: &&str| entries.iter().all(|e| e.key != *key);
        let free: Vec<_> = self.examples.iter().map(|e| e.0).filter(absent).collect();
        for entry in entries {
            let path = self.path_of(&key_text(&entry.key));
            if let Some(line) = seen.get(entry.key.as_str()) {
                let what = format!("this key is here twice, first on line {line}");
                problems.add(entry.mark, &path, what, "keep one of them");
                continue;
            }
            seen.insert(&entry.key, entry.mark.line);
            if let Some((key, _)) = self.examples.iter().find(|e| e.0 == entry.key) {
                self.entries.insert(key, entry);
            } else if !matches!(entry.value.kind, Kind::Broken) {
                let remedy = self.meaning_of(&entry.key, &free);
                problems.add(entry.mark, &path, "there is no such key", remedy);
            }
        }
    }

    fn meaning_of(&mut self, key: &str, free: &[&'static str]) -> String {
        if let Some(meant) = keys::nearest(key, free.iter().copied()) {
            self.meant.push(meant);
            return format!("did you mean \"{meant}\"?");
        }
        let homes = keys::homes(key);
        if !homes.is_empty() {
            return format!("it belongs under {}", homes.join(" or "));
        }
        let all: Vec<_> = self.examples.iter().map(|e| e.0).collect();
        format!("delete it, or use one of {}", all.join(", "))
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn example_of(&self, key: &str) -> String {
        self.examples
            .iter()
            .find(|e| e.0 == key)
            .map_or_else(|| key.to_owned(), |e| format!("{key}: {}", e.1))
    }

    /// What stands under `key`, if the user wrote it.
    pub(super) fn get(&self, key: &str) -> Option<Place<'t>> {
        let entry = self.entries.get(key)?;
        let mark = if matches!(entry.value.kind, Kind::Null) { entry.mark } else { entry.value.mark };
        let (path, example) = (self.path_of(key), self.example_of(key));
        Some(Place { node: &entry.value, path, mark, key_mark: entry.mark, example })
    }

    /// What stands under `key`, which must be there.
    pub(super) fn need(&self, key: &str, problems: &mut Problems) -> Option<Place<'t>> {
        let found = self.get(key);
        if found.is_none() && !self.meant.contains(&key) {
            let remedy = format!("add \"{}\"", self.example_of(key));
            problems.add(self.mark, &self.path_of(key), "is missing", remedy);
        }
        found
    }

    /// The section under `key`, if the user wrote it.
    pub(super) fn section(&self, key: &str, problems: &mut Problems) -> Option<Self> {
        Self::open(&self.get(key)?, problems)
    }

    /// The single value under `key`, if the user wrote it and it can be read.
    pub(super) fn value<T>(
        &self,
        key: &str,
        problems: &mut Problems,
        reader: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        self.get(key)?.value(problems, reader)
    }

    /// As [`Section::value`], into a place that already holds the default.
    pub(super) fn set<T>(
        &self,
        key: &str,
        into: &mut T,
        problems: &mut Problems,
        reader: impl FnOnce(&str) -> Result<T, Mistake>,
    ) {
        if let Some(value) = self.value(key, problems, reader) {
            *into = value;
        }
    }
}
