//! The shape of rows: features, target, entity, slices, and that they fit together. It must not know what is done with
//! rows.

use std::collections::HashMap;

use super::lists::{all, categories, is_new, name};
use super::place::Place;
use super::problems::{Mistake, Problems, quoted};
use super::section::Section;
use super::values::{choice, flag, number};
use crate::schema::{Feature, FeatureKind, Schema, Target, TargetKind};

/// The most features.
const MAX_FEATURES: usize = 10_000;
/// The most categories of a feature.
const MAX_VALUES: usize = 10_000;
/// The most classes of a target.
const MAX_CLASSES: usize = 1_000;

/// The two types of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Categorical,
    Numeric,
}

const TYPES: [(&str, Type); 2] = [("numeric", Type::Numeric), ("categorical", Type::Categorical)];

/// What could be read of a schema.
#[derive(Default)]
pub(super) struct Read {
    /// The schema, if all of it could be read.
    pub(super) schema: Option<Schema>,
    /// The type of the target.
    pub(super) target_type: Option<Type>,
}

/// The names of features that could be read.
#[derive(Default)]
struct Names {
    lines: HashMap<String, usize>,
    types: HashMap<String, Option<Type>>,
    /// Whether some name could not be read.
    incomplete: bool,
}

pub(super) fn read(place: &Place<'_>, problems: &mut Problems) -> Read {
    let Some(section) = Section::open(place, problems) else { return Read::default() };
    let mut names = Names::default();
    let features = section.need("features", problems).and_then(|place| {
        all(&place, MAX_FEATURES, problems, |item, problems| feature(item, &mut names, problems))
    });
    names.incomplete |= features.is_none() && names.lines.is_empty();
    let target = section.need("target", problems).and_then(|place| Section::open(&place, problems));
    let target_name = target.as_ref().and_then(|t| target_name(t, &names, problems));
    let (target_type, target_kind) = target.map_or((None, None), |t| target_kind(&t, problems));
    let entity = optional(&section, "entity", problems, |place, problems| {
        let entity = place.value(problems, name)?;
        if target_name.as_ref() == Some(&entity) {
            let what =
                format!("{} is the target, which is not known when a prediction is made", quoted(&entity));
            place.report(Mistake::new(what, "name the field that says whom a row is about"), problems);
            return None;
        }
        Some(entity)
    });
    let slices = optional(&section, "slices", problems, |place, problems| slices(place, &names, problems));
    let whole = |features, name, kind, entity, slices: Option<Vec<String>>| Schema {
        features,
        target: Target { name, kind },
        entity,
        slices: slices.unwrap_or_default(),
    };
    let schema = match (features, target_name, target_kind, entity, slices) {
        (Some(f), Some(n), Some(k), Some(e), Some(s)) => Some(whole(f, n, k, e, s)),
        _ => None,
    };
    Read { schema, target_type }
}

/// What may be left out: `Some(None)` where it is, `None` where it is there and wrong.
fn optional<'t, T>(
    section: &Section<'t>,
    key: &str,
    problems: &mut Problems,
    reader: impl FnOnce(&Place<'t>, &mut Problems) -> Option<T>,
) -> Option<Option<T>> {
    match section.get(key) {
        None => Some(None),
        Some(place) => reader(&place, problems).map(Some),
    }
}

fn feature(place: &Place<'_>, names: &mut Names, problems: &mut Problems) -> Option<Feature> {
    let Some(section) = Section::open(place, problems) else {
        names.incomplete = true;
        return None;
    };
    let (type_, kind) = feature_kind(&section, problems);
    let required = optional(&section, "required", problems, |place, problems| place.value(problems, flag));
    let name_place = section.need("name", problems);
    let name = name_place.as_ref().and_then(|place| place.value(problems, name));
    let (Some(name_place), Some(name)) = (name_place, name) else {
        names.incomplete = true;
        return None;
    };
    names.types.insert(name.clone(), type_);
    let new = is_new(name.clone(), &name, &mut names.lines, &name_place, problems);
    new.then_some(Feature { name, kind: kind?, required: required?.unwrap_or_default() })
}

fn feature_kind(section: &Section<'_>, problems: &mut Problems) -> (Option<Type>, Option<FeatureKind>) {
    let place = section.need("type", problems);
    let type_ = place.and_then(|place| place.value(problems, |text| choice(text, &TYPES, &[])));
    let kind = match type_ {
        None => None,
        Some(Type::Numeric) => {
            let fits = refuse(section, &["values"], "categorical", problems);
            let [min, max] = ["min", "max"]
                .map(|key| optional(section, key, problems, |place, problems| place.value(problems, number)));
            let ordered = limits_in_order(section, min.flatten(), max.flatten(), problems);
            (fits && ordered).then_some(()).and_then(|()| Some(FeatureKind::Numeric { min: min?, max: max? }))
        }
        Some(Type::Categorical) => {
            let fits = refuse(section, &["min", "max"], "numeric", problems);
            let values = optional(section, "values", problems, |place, problems| {
                categories(place, MAX_VALUES, problems)
            });
            values.filter(|_| fits).map(|values| FeatureKind::Categorical { values })
        }
    };
    (type_, kind)
}

fn limits_in_order(
    section: &Section<'_>,
    min: Option<f64>,
    max: Option<f64>,
    problems: &mut Problems,
) -> bool {
    let (Some(least), Some(most), Some(place)) = (min, max, section.get("max")) else { return true };
    if least > most {
        let what = format!("the greatest value {most} is less than the least, {least}");
        place.report(Mistake::new(what, "exchange min and max"), problems);
    }
    least <= most
}

/// Reports keys that only the other type has.
fn refuse(section: &Section<'_>, keys: &[&str], other: &str, problems: &mut Problems) -> bool {
    let mut fits = true;
    for key in keys {
        if let Some(place) = section.get(key) {
            let what = format!("only what is {other} has {key}");
            problems.add(place.key_mark, &place.path, what, format!("delete it, or write \"type: {other}\""));
            fits = false;
        }
    }
    fits
}

fn target_name(section: &Section<'_>, names: &Names, problems: &mut Problems) -> Option<String> {
    let place = section.need("name", problems)?;
    let name = place.value(problems, name)?;
    if let Some(line) = names.lines.get(&name) {
        let what = format!("{} is also a feature, on line {line}", quoted(&name));
        let remedy = "delete that feature: the target is not known when a prediction is made";
        place.report(Mistake::new(what, remedy), problems);
        return None;
    }
    Some(name)
}

fn target_kind(section: &Section<'_>, problems: &mut Problems) -> (Option<Type>, Option<TargetKind>) {
    let place = section.need("type", problems);
    let type_ = place.and_then(|place| place.value(problems, |text| choice(text, &TYPES, &[])));
    let kind = match type_ {
        None => None,
        Some(Type::Numeric) => {
            refuse(section, &["classes"], "categorical", problems).then_some(TargetKind::Numeric)
        }
        Some(Type::Categorical) => {
            optional(section, "classes", problems, |place, problems| categories(place, MAX_CLASSES, problems))
                .map(|classes| TargetKind::Categorical { classes })
        }
    };
    (type_, kind)
}

fn slices(place: &Place<'_>, names: &Names, problems: &mut Problems) -> Option<Vec<String>> {
    let mut seen = HashMap::new();
    all(place, MAX_FEATURES, problems, |item, problems| {
        let slice = item.value(problems, name)?;
        let what = match names.types.get(&slice) {
            Some(Some(Type::Categorical) | None) => None,
            Some(Some(Type::Numeric)) => Some(format!("{} is numeric", quoted(&slice))),
            None if names.incomplete => None,
            None => Some(format!("there is no feature {}", quoted(&slice))),
        };
        if let Some(what) = what {
            item.report(Mistake::new(what, "name categorical features only"), problems);
            return None;
        }
        is_new(slice.clone(), &slice, &mut seen, item, problems).then_some(slice)
    })
}
