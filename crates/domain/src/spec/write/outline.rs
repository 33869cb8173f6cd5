//! Every key of a loop file in its order, with what it does and the value that a spec gives it. It must not know how a
//! file is laid out.

use super::forms::{list, names, share, target, text};
use crate::spec::LoopSpec;

/// One key.
pub(in crate::spec) struct Item {
    /// The section in which it stands, as `spec.monitor`.
    pub(in crate::spec) section: &'static str,
    /// The key.
    pub(in crate::spec) key: &'static str,
    /// What it does.
    pub(in crate::spec) about: &'static str,
    /// Its value; none where the spec does without.
    pub(in crate::spec) value: Option<String>,
    /// A value to show where there is none.
    pub(in crate::spec) example: &'static str,
}

impl Item {
    /// The section and the key.
    pub(in crate::spec) fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }
}

/// What a section is for.
pub(super) const SECTIONS: [(&str, &str); 9] = [
    ("metadata", ""),
    ("spec.schema", "What a row looks like."),
    ("spec.labels", "How the truth about a prediction comes back."),
    ("spec.monitor", "How the stream is watched."),
    (
        "spec.triggers",
        "What starts a turn: the search for a better model, its proof and its way to production. Only what is listed \
         here does; with [] only the command `tidemill trigger` does.",
    ),
    ("spec.training", "How a better model is searched."),
    ("spec.training.budget", "What one turn may cost."),
    ("spec.evaluation", "What a candidate must show before it gets any traffic."),
    ("spec.rollout", "How traffic moves to a candidate that passed."),
];

/// The keys of `spec`; the same ones in the same order for every spec.
pub(in crate::spec) fn items(spec: &LoopSpec) -> Vec<Item> {
    let (labels, monitor, triggers, training) = (&spec.labels, &spec.monitor, &spec.triggers, &spec.training);
    let (evaluation, rollout) = (&spec.evaluation, &spec.rollout);
    let mut items = Vec::new();
    let mut section = "metadata";
    let mut item = |section, key, value: Option<String>, example, about| {
        items.push(Item { section, key, about, value, example });
    };
    item(
        section,
        "name",
        Some(text(spec.name.as_str())),
        "my-loop",
        "Part of every message subject: lower-case letters, digits and dashes.",
    );

    section = "spec.schema";
    let entity = spec.schema.entity.as_deref().map(text);
    item(
        section,
        "entity",
        entity,
        "customer_id",
        "The field that says whom a row is about: one model answers all rows of an entity.",
    );
    item(
        section,
        "features",
        Some(features(spec)),
        "",
        "The inputs: numeric, with min and max where they have limits, or categorical, with values where only some are \
         allowed. Rows that do not fit are kept in quarantine with the reason. A feature may be missing in a row \
         unless it says required: true.",
    );
    item(
        section,
        "target",
        Some(target(&spec.schema.target)),
        "",
        "What is predicted: categorical, with classes where only some are allowed, or numeric.",
    );
    let slices = (!spec.schema.slices.is_empty()).then(|| names(&spec.schema.slices));
    item(
        section,
        "slices",
        slices,
        "[region]",
        "Categorical features by whose values performance is also reported.",
    );

    section = "spec.labels";
    item(
        section,
        "horizon",
        Some(labels.horizon.to_string()),
        "",
        "How long after its prediction a label still counts.",
    );
    let sources = list(&labels.sources, |s| format!("{s:?}").to_lowercase());
    item(section, "sources", Some(sources), "", "Whose labels are taken.");
    item(
        section,
        "corrections",
        Some(labels.corrections.name().to_owned()),
        "",
        "Which label stands where two of a prediction differ: the latest, or the first.",
    );

    section = "spec.monitor";
    let window = monitor.window.to_string();
    item(
        section,
        "window",
        Some(window),
        "",
        "The rows that are compared at a time: a number of rows, or a span of time.",
    );
    item(
        section,
        "reference",
        Some("training".to_owned()),
        "",
        "What they are compared with: what the model learned from.",
    );
    let false_alarms = format!("1 per {}", monitor.false_alarm_every);
    item(
        section,
        "false_alarms",
        Some(false_alarms),
        "",
        "How many alarms without a cause you can live with.",
    );

    section = "spec.triggers";
    let new_labels = triggers.new_labels.map(|n| n.to_string());
    item(section, "new_labels", new_labels, "1000", "So many rows labelled since the last turn.");
    let on = (!triggers.on.is_empty()).then(|| list(&triggers.on, ToString::to_string));
    item(
        section,
        "on",
        on,
        "[decay, drift]",
        "Alerts of the monitor: the model got worse (decay), inputs or predictions moved (drift).",
    );
    item(section, "every", triggers.every.map(|s| s.to_string()), "30m", "A schedule.");

    section = "spec.training";
    item(
        section,
        "metric",
        Some(training.metric.to_string()),
        "",
        "What models are compared by: log_loss, accuracy or balanced_accuracy for classes; mae, rmse or r2 for numbers.",
    );
    let algorithms = list(&training.algorithms, ToString::to_string);
    item(section, "algorithms", Some(algorithms), "", "Which families of learners are tried.");
    item(
        section,
        "ensemble",
        Some(training.ensemble.to_string()),
        "",
        "How many of a turn's best trials a candidate is made of, at most; 1 is the best alone.",
    );
    item(section, "cooldown", Some(training.cooldown.to_string()), "", "The least time between two turns.");
    item(
        section,
        "approval",
        Some(training.approval.to_string()),
        "",
        "Who lets a model that passed go on: automatic, the loop itself, or manual, a person: `tidemill approve`.",
    );

    section = "spec.training.budget";
    item(section, "trials", Some(training.budget.trials.to_string()), "", "Models that are tried, at most.");
    item(
        section,
        "time",
        Some(training.budget.time.to_string()),
        "",
        "Compute time of all trials together, at most.",
    );
    item(
        section,
        "workers",
        Some(training.budget.workers.to_string()),
        "",
        "Trials that run side by side, at most.",
    );

    section = "spec.evaluation";
    item(
        section,
        "min_rows",
        Some(evaluation.min_rows.to_string()),
        "",
        "The least rows, new to both models, for a verdict.",
    );
    item(
        section,
        "max_regression",
        Some(share(evaluation.max_regression)),
        "",
        "How much its loss may exceed the champion's on recent rows, as a share of it; a negative share asks for an \
         improvement.",
    );
    let old = evaluation.old_max_regression.map(|x| format!("{{ max_regression: {} }}", share(x)));
    item(section, "old_data", old, "{ max_regression: 1% }", "The same on old rows.");
    item(
        section,
        "max_negative_flips",
        evaluation.max_negative_flips.map(share),
        "2%",
        "The greatest share of recent rows that the champion got right and it gets wrong.",
    );

    section = "spec.rollout";
    item(
        section,
        "lane",
        Some(rollout.lane.to_string()),
        "",
        "The way there: fast (all traffic at once, under watch), steps (shadow, then growing shares), or auto (steps for a \
         new kind of model, fast for a kind that is proven in this loop).",
    );
    item(
        section,
        "shadow",
        Some(format!("{} rows", rollout.shadow)),
        "",
        "Labelled rows that it scores unseen before the first step; 0 rows leaves this out.",
    );
    let steps = list(&rollout.steps, |s| format!("{s}%"));
    item(section, "steps", Some(steps), "", "Its share of the traffic, step by step.");
    item(
        section,
        "min_rows",
        Some(rollout.min_rows.to_string()),
        "",
        "The least labelled rows to pass a step.",
    );
    item(
        section,
        "max_rows",
        Some(rollout.max_rows.to_string()),
        "",
        "Labelled rows after which a step that is still undecided goes back to the champion.",
    );
    item(
        section,
        "margin",
        Some(share(rollout.margin)),
        "",
        "How much its loss may exceed the champion's, as a share of it, and still count as not inferior.",
    );
    item(
        section,
        "watch",
        Some(rollout.watch.to_string()),
        "",
        "How long a new champion is watched, with the previous one ready to return.",
    );
    items
}

fn features(spec: &LoopSpec) -> String {
    spec.schema.features.iter().map(|f| format!("\n      - {}", super::forms::feature(f))).collect()
}
