//! The files under test, as texts, so that a test can break one of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// Texts by their path from the root of the repository.
#[derive(Clone)]
pub(crate) struct Files(BTreeMap<String, String>);

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

impl Files {
    /// Everything in `deploy/` but this crate.
    pub(crate) fn load() -> Self {
        let mut files = Self(BTreeMap::new());
        files.add(&root().join("deploy"));
        files
    }

    fn add(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "check") {
                    self.add(&path);
                }
                continue;
            }
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            self.0.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }

    /// The same with the first `from` in `file` replaced.
    pub(crate) fn with(&self, file: &str, from: &str, to: &str) -> Self {
        let mut files = self.clone();
        let text = files.0.get_mut(file).unwrap_or_else(|| panic!("{file} is not there"));
        assert!(text.contains(from), "\"{from}\" is not in {file}");
        *text = text.replacen(from, to, 1);
        files
    }

    /// The same with one more file.
    pub(crate) fn and(&self, file: &str, text: &str) -> Self {
        let mut files = self.clone();
        files.0.insert(file.to_owned(), text.to_owned());
        files
    }

    pub(crate) fn text(&self, file: &str) -> &str {
        self.0.get(file).unwrap_or_else(|| panic!("{file} is not there"))
    }

    /// The names in a folder, without it.
    pub(crate) fn in_folder(&self, folder: &str) -> Vec<&str> {
        let names = self.0.keys().filter_map(|name| name.strip_prefix(folder)?.strip_prefix('/'));
        names.filter(|name| !name.contains('/')).collect()
    }

    /// The documents of a YAML file, with merge keys resolved.
    pub(crate) fn yaml(&self, file: &str) -> Vec<Value> {
        let documents = serde_yaml_ng::Deserializer::from_str(self.text(file));
        let parsed = documents.map(|document| {
            let mut value =
                serde_yaml_ng::Value::deserialize(document).unwrap_or_else(|e| panic!("{file}: {e}"));
            value.apply_merge().unwrap_or_else(|e| panic!("{file}: {e}"));
            serde_json::to_value(value).unwrap_or_else(|e| panic!("{file}: {e}"))
        });
        parsed.collect()
    }
}

/// The items of a list, none if it is none.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What a check says of files that are broken in one place must name it.
pub(crate) fn finds(check: impl Fn(&Files) -> Vec<String>, cases: &[(&str, &str, &str, &str)]) {
    let files = Files::load();
    for (file, from, to, expected) in cases {
        let breaches = check(&files.with(file, from, to));
        assert!(
            breaches.iter().any(|breach| breach.contains(expected)),
            "{file}: \"{from}\" -> \"{to}\": \"{expected}\" is expected in {breaches:#?}"
        );
    }
}
