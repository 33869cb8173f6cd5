//! The names of label sources in records and columns.

use tidemill_domain::LabelSource;

const NAMES: [(LabelSource, &str); 4] = [
    (LabelSource::Application, "application"),
    (LabelSource::Feedback, "feedback"),
    (LabelSource::Human, "human"),
    (LabelSource::Rule, "rule"),
];

/// The name of a source.
pub(crate) fn name(source: LabelSource) -> &'static str {
    match source {
        LabelSource::Application => "application",
        LabelSource::Feedback => "feedback",
        LabelSource::Human => "human",
        LabelSource::Rule => "rule",
    }
}

/// The source of that name.
pub(crate) fn parse(text: &str) -> Option<LabelSource> {
    NAMES.iter().find(|(_, name)| *name == text).map(|(source, _)| *source)
}

/// Every name, for people.
pub(crate) fn names() -> String {
    NAMES.map(|(_, name)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_what_they_write() {
        for (source, text) in NAMES {
            assert_eq!(name(source), text);
            assert_eq!(parse(text), Some(source));
        }
    }
}
