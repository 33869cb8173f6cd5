//! Lists: of names, of choices, of classes. Each element is reported at its own line. It must not know what they are for.

use std::collections::HashMap;
use std::hash::Hash;

use super::place::Place;
use super::problems::{Mistake, Problems, quoted};
use super::tree::Kind;
use super::values::choice;

/// The longest name of a field, a category or a class, in characters.
const MAX_NAME: usize = 500;
/// Numbers with more digits than this may not survive as numbers.
const SAFE_DIGITS: usize = 15;

/// Each element read by `reader`; `None` where the list is empty or any element is refused.
pub(super) fn all<'t, T>(
    place: &Place<'t>,
    at_most: usize,
    problems: &mut Problems,
    mut reader: impl FnMut(&Place<'t>, &mut Problems) -> Option<T>,
) -> Option<Vec<T>> {
    let items = place.items(problems)?;
    if items.is_empty() {
        place.report(Mistake::new("the list is empty", "name at least one, or delete the key"), problems);
        return None;
    }
    if items.len() > at_most {
        let what = format!("the list has {} elements", items.len());
        place.report(Mistake::new(what, format!("give at most {at_most}")), problems);
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| reader(item, problems)).collect();
    read.into_iter().collect()
}

/// Reports an element that is already in `seen`, which maps elements to their lines.
pub(super) fn is_new<T: Eq + Hash>(
    value: T,
    shown: &str,
    seen: &mut HashMap<T, usize>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> bool {
    if let Some(line) = seen.get(&value) {
        let what = format!("{} is here twice, first on line {line}", quoted(shown));
        place.report(Mistake::new(what, "keep one of them"), problems);
        return false;
    }
    seen.insert(value, place.mark.line);
    true
}

/// Different names out of those that are known.
pub(super) fn choices<T: Copy + Eq + Hash>(
    place: &Place<'_>,
    known: &[(&str, T)],
    later: &[&str],
    problems: &mut Problems,
) -> Option<Vec<T>> {
    let mut seen = HashMap::new();
    all(place, 100, problems, |item, problems| {
        let (text, value) =
            item.value(problems, |text| choice(text, known, later).map(|value| (text.to_owned(), value)))?;
        is_new(value, &text, &mut seen, item, problems).then_some(value)
    })
}

/// Different categories; numbers are taken in their shortest form, as in rows.
pub(super) fn categories(place: &Place<'_>, at_most: usize, problems: &mut Problems) -> Option<Vec<String>> {
    let mut seen = HashMap::new();
    all(place, at_most, problems, |item, problems| {
        let plain = matches!(item.node.kind, Kind::Text { plain: true, .. });
        let text = item.value(problems, |text| category(text, plain))?;
        is_new(text.clone(), &text, &mut seen, item, problems).then_some(text)
    })
}

fn category(text: &str, plain: bool) -> Result<String, Mistake> {
    match text.parse::<f64>() {
        Ok(x) if plain && x.is_finite() => {
            if text.chars().filter(char::is_ascii_digit).count() > SAFE_DIGITS {
                let what = format!("{} has more digits than a number keeps", quoted(text));
                return Err(Mistake::new(what, format!("put quotes around it: \"{text}\"")));
            }
            Ok(x.to_string())
        }
        _ => name(text),
    }
}

/// A name: some text of bounded length.
pub(super) fn name(text: &str) -> Result<String, Mistake> {
    if text.trim().is_empty() {
        return Err(Mistake::new("the name is empty", "write a name"));
    }
    if text.chars().nth(MAX_NAME).is_some() {
        let what = format!("{} has more than {MAX_NAME} characters", quoted(text));
        return Err(Mistake::new(what, "shorten it"));
    }
    Ok(text.to_owned())
}
