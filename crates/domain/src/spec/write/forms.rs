//! How single values are written so that a loop file reads them back as they were. It must not know where they stand.

use std::fmt::Write as _;

use crate::schema::{Feature, FeatureKind, Target, TargetKind};

/// Words that other readers of YAML take for something else than a text.
const RESERVED: [&str; 13] =
    ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity", "rows"];

/// A text, in quotes where it needs them.
pub(in crate::spec) fn text(text: &str) -> String {
    let simple = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !RESERVED.contains(&text.to_lowercase().as_str());
    if simple {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\n' => write!(quoted, "\\n"),
            '\t' => write!(quoted, "\\t"),
            c if needs_escape(c) => write!(quoted, "\\U{:08X}", u32::from(c)),
            c => write!(quoted, "{c}"),
        };
    }
    quoted.push('"');
    quoted
}

/// Control characters, line separators, and marks that turn the direction of text or cannot be seen.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A number in its shortest form.
pub(in crate::spec) fn number(x: f64) -> String {
    let plain = x == 0.0 || (1e-6..1e15).contains(&x.abs());
    if plain { format!("{x}") } else { format!("{x:e}") }
}

/// A share in percent where that is exact, else as a plain number.
pub(in crate::spec) fn share(x: f64) -> String {
    for digits in 0..=6 {
        let percent = format!("{:.digits$}", x * 100.0);
        if percent.parse::<f64>().is_ok_and(|p| p / 100.0 == x) {
            return format!("{percent}%");
        }
    }
    number(x)
}

/// A list on one line.
pub(in crate::spec) fn list<T>(items: &[T], form: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(form).collect::<Vec<_>>().join(", "))
}

/// Names on one line.
pub(in crate::spec) fn names(names: &[String]) -> String {
    list(names, |n| text(n))
}

/// A feature on one line.
pub(in crate::spec) fn feature(feature: &Feature) -> String {
    let mut keys = vec![format!("name: {}", text(&feature.name))];
    match &feature.kind {
        FeatureKind::Numeric { min, max } => {
            keys.push("type: numeric".to_owned());
            keys.extend(min.map(|x| format!("min: {}", number(x))));
            keys.extend(max.map(|x| format!("max: {}", number(x))));
        }
        FeatureKind::Categorical { values } => {
            keys.push("type: categorical".to_owned());
            keys.extend(values.as_ref().map(|v| format!("values: {}", names(v))));
        }
    }
    if feature.required {
        keys.push("required: true".to_owned());
    }
    format!("{{ {} }}", keys.join(", "))
}

/// A target on one line.
pub(in crate::spec) fn target(target: &Target) -> String {
    let name = text(&target.name);
    match &target.kind {
        TargetKind::Numeric => format!("{{ name: {name}, type: numeric }}"),
        TargetKind::Categorical { classes: None } => format!("{{ name: {name}, type: categorical }}"),
        TargetKind::Categorical { classes: Some(classes) } => {
            format!("{{ name: {name}, type: categorical, classes: {} }}", names(classes))
        }
    }
}
