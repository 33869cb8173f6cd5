//! Where a view lies, as people write it.

use std::path::PathBuf;

use crate::error::Error;

/// The place of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// In this process, gone with it.
    Memory,
    /// In a file of SQLite.
    File(PathBuf),
    /// In a Postgres.
    Postgres(String),
}

impl Address {
    /// Reads `memory:`, `sqlite:PATH` or a plain path, or `postgres://...`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = match text.split_once(':') {
            Some(("sqlite" | "file", path)) => path.strip_prefix("//").unwrap_or(path),
            Some((scheme, _)) if !scheme.contains(['/', '.']) => return Err(bad(text)),
            Some(_) | None => text,
        };
        if path.is_empty() || path.contains('?') { Err(bad(text)) } else { Ok(Self::File(path.into())) }
    }

    /// As it may be shown: without user and password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Memory => "memory:".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Postgres(url) => without_secrets(url),
        }
    }
}

fn bad(text: &str) -> Error {
    Error::Address { text: without_secrets(text) }
}

/// A password may stand before the host, or among the parameters.
fn without_secrets(url: &str) -> String {
    let bare = url.split_once('?').map_or(url, |(before, _)| before);
    match bare.rsplit_once('@') {
        Some((before, host)) => {
            before.split_once("://").map_or(host.to_owned(), |(scheme, _)| format!("{scheme}://{host}"))
        }
        None => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        for (text, expected) in [
            ("memory:", Address::Memory),
            ("data/view.db", Address::File("data/view.db".into())),
            ("./view.db", Address::File("./view.db".into())),
            ("sqlite:view.db", Address::File("view.db".into())),
            ("sqlite:///var/lib/view.db", Address::File("/var/lib/view.db".into())),
            ("file:///v.db", Address::File("/v.db".into())),
            ("postgres://u:p@h/d", Address::Postgres("postgres://u:p@h/d".into())),
        ] {
            assert_eq!(Address::parse(text).ok(), Some(expected), "{text}");
        }
        for bad in ["", "mysql://u:secret@h/d", "sqlite:", "view.db?mode=ro"] {
            let error = Address::parse(bad).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("postgres://") && !error.contains("secret"), "{bad}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = |text: &str| Address::parse(text).map(|a| a.shown()).unwrap_or_default();
        assert_eq!(shown("postgres://u:p@h:1/d?sslmode=require&password=x"), "postgres://h:1/d");
        assert_eq!(shown("postgresql://h/d"), "postgresql://h/d");
    }
}
