//! Reads a loop file: YAML in, a complete [`LoopSpec`] out, or every mistake at once with its line and its remedy.
//!
//! It must not know of files, nor decide what a loop does: defaults are those of the spec's own `Default` impls.

mod keys;
mod lists;
mod place;
mod policy;
mod problems;
mod schema;
mod section;
#[cfg(test)]
mod tests;
mod tree;
mod values;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::place::Place;
use self::problems::{Mistake, Problems, quoted};
use self::section::Section;
use super::{LoopSpec, Training};
use crate::ids::LoopId;

/// What a loop file says of its own form.
pub(super) const API_VERSION: &str = "tidemill.dev/v1";

/// One mistake in a loop file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The keys that lead to the place, as `spec.schema.features[2].min`, counted from 0; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Problem {
    /// On one line: `line 12: spec.monitor.window: "10 rowz" is no window; write for example "1000 rows" or "1h"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// Reads a loop file.
///
/// # Errors
/// With every mistake in the file, in the order of their places; at least one, and about a thousand at most. Where the
/// text is no YAML, the place where it stops being readable is the only one.
pub fn parse(text: &str) -> Result<LoopSpec, Vec<Problem>> {
    let mut problems = Problems::default();
    let spec = tree::read(text, &mut problems).and_then(|root| document(&Place::root(&root), &mut problems));
    match (spec, problems.finish()) {
        (Some(spec), problems) if problems.is_empty() => Ok(spec),
        (_, problems) => Err(problems),
    }
}

/// The loop that stands at `root`; `None` where what every loop needs is wrong or missing, which is then reported.
fn document(root: &Place<'_>, problems: &mut Problems) -> Option<LoopSpec> {
    let top = Section::open(root, problems)?;
    for (key, expected) in [("apiVersion", API_VERSION), ("kind", "Loop")] {
        top.need(key, problems).and_then(|place| place.value(problems, |text| constant(text, expected)));
    }
    let metadata = top.need("metadata", problems).and_then(|place| Section::open(&place, problems));
    let name = metadata.and_then(|metadata| metadata.need("name", problems)?.value(problems, loop_name));
    let body = top.need("spec", problems).and_then(|place| Section::open(&place, problems))?;
    let read = body.need("schema", problems).map(|place| schema::read(&place, problems)).unwrap_or_default();

    let labels = body.section("labels", problems).map(|s| policy::labels(&s, problems));
    let monitor = body.section("monitor", problems).map(|s| policy::monitor(&s, problems));
    let triggers = body.get("triggers").and_then(|place| policy::triggers(&place, problems));
    let training =
        body.section("training", problems).map(|s| policy::training(&s, read.target_type, problems));
    let evaluation = body.section("evaluation", problems).map(|s| policy::evaluation(&s, problems));
    let rollout = body.section("rollout", problems).map(|s| policy::rollout(&s, problems));

    let mut spec = LoopSpec::with_defaults(name?, read.schema?);
    if let Some((training, metric)) = training {
        spec.training = Training { metric: metric.unwrap_or(spec.training.metric), ..training };
    }
    spec.labels = labels.unwrap_or(spec.labels);
    spec.monitor = monitor.unwrap_or(spec.monitor);
    spec.triggers = triggers.unwrap_or(spec.triggers);
    spec.evaluation = evaluation.unwrap_or(spec.evaluation);
    spec.rollout = rollout.unwrap_or(spec.rollout);
    Some(spec)
}

fn constant(text: &str, expected: &str) -> Result<(), Mistake> {
    let what = || format!("{} is not what this version reads", quoted(text));
    if text == expected { Ok(()) } else { Err(Mistake::new(what(), format!("write {expected}"))) }
}

fn loop_name(text: &str) -> Result<LoopId, Mistake> {
    LoopId::new(text).map_err(|_| {
        let remedy =
            "use 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit";
        Mistake::new(format!("{} is no loop name", quoted(text)), remedy)
    })
}
