//! A turn of the loop: examples of the control events.

use tidemill_domain::spec::{AlertKind, Lane};
use tidemill_domain::{
    Algorithm, ContentHash, EventId, Metric, Scores, Span, Strategy, TrialId, TriggerId, Value,
};
use tidemill_events::dataset::{Located, RowRange};
use tidemill_events::monitor::{
    Alert, AlertPolicy, AlertState, ColumnDrift, LoopWindow, Paired, PartWindow, WindowKey, WindowKind,
};
use tidemill_events::rollout::{Rollout, RolloutStep};
use tidemill_events::training::{
    Candidate, Choice, Measured, Member, Purpose, Report, Standing, TrialJob, TrialResult, Trigger,
    TriggerCause,
};
use tidemill_events::verdict::{Comparison, EvaluationJob, Gate, GateOutcome, Measurement, Verdict};
use tidemill_stats::sequential::{self, Judgement};
use tidemill_stats::sketch::Moments;

use super::NOON;
use super::rows::{dataset_id, deployed, loop_id, output, profile, schema, segment_ref, table, turn};
use crate::make::P;

pub(super) fn trial() -> TrialId {
    TrialId::new("t-1-3")
}

pub(super) fn scores() -> Scores {
    let mut scores = Scores::default();
    for up in [0.75, 0.25, 0.5] {
        scores.add(&output(up), &Value::Text("up".into()));
    }
    scores
}

pub(super) fn moments() -> Moments {
    let mut moments = Moments::new();
    for x in [0.25, -0.5, 0.125] {
        moments.insert(x);
    }
    moments
}

pub(super) fn key(kind: WindowKind) -> WindowKey {
    WindowKey { kind, version: Some(deployed("champion", 0).model.version), index: 4 }
}

pub(super) fn paired() -> Paired {
    Paired {
        champion: deployed("champion", 0).model.version,
        challenger: deployed("challenger", 0).model.version,
        difference: moments(),
        champion_loss: moments(),
    }
}

pub(super) fn part_window() -> PartWindow {
    PartWindow {
        key: key(WindowKind::Observed),
        partition: P,
        rows: 2,
        from: NOON,
        to: NOON + Span::minutes(5),
        profile: Some(profile()),
        reference: Some(profile()),
        scores: Some(scores()),
        loss: Some(moments()),
        paired: Some(paired()),
        policy: policy(),
    }
}

pub(super) fn policy() -> AlertPolicy {
    AlertPolicy {
        alpha: 0.001,
        columns: vec!["nswprice".into(), "day".into()],
        metric: Some(Metric::LogLoss),
        watched: Some(deployed("champion", 0).model.version),
    }
}

pub(super) fn window() -> LoopWindow {
    let drift = ColumnDrift {
        column: "nswprice".into(),
        test: "kolmogorov_smirnov".into(),
        statistic: 0.5,
        p_value: 1e-9,
        p_adjusted: 2e-9,
        psi: 0.375,
        missing_ratio: 0.0,
        drifted: true,
    };
    LoopWindow {
        key: key(WindowKind::Paired),
        rows: 1_000,
        from: NOON,
        to: NOON + Span::minutes(5),
        metrics: scores().all(),
        loss: Some(moments()),
        drift: vec![drift],
        paired: Some(paired()),
    }
}

pub(super) fn alert() -> Alert {
    Alert {
        alert: AlertKind::Drift,
        state: AlertState::Detected,
        version: Some(deployed("champion", 0).model.version),
        window: key(WindowKind::Observed),
        evidence: [("psi".to_owned(), 0.375), ("p_adjusted".to_owned(), 2e-9)].into(),
        columns: vec!["nswprice".into()],
        summary: "1 of 2 features moved".into(),
    }
}

pub(super) fn rollout() -> Rollout {
    let judgement = Judgement {
        lower: Some(-0.25),
        upper: Some(0.5),
        mean: Some(0.125),
        n: 300,
        verdict: sequential::Verdict::Undecided,
    };
    Rollout {
        step: RolloutStep::StepStarted,
        version: Some(deployed("challenger", 0).model.version),
        lane: Some(Lane::Steps),
        table: table(),
        judgement: Some(judgement),
        reason: "the shadow held 500 rows".into(),
    }
}

pub(super) fn choice() -> Choice {
    let parameters = [("depth".to_owned(), 4.0), ("learning_rate".to_owned(), 0.1)].into();
    Choice { algorithm: Algorithm::Boosting, parameters, strategy: Strategy::Window { rows: 5_000 } }
}

pub(super) fn located() -> Located {
    Located { start: 0, segments: vec![segment_ref()] }
}

pub(super) fn members() -> Vec<Member> {
    let train = RowRange { from: 0, to: 800 };
    vec![Member { trial: trial(), choice: choice(), train, weight: 0.5, temperature: Some(1.5) }]
}

pub(super) fn job() -> TrialJob {
    TrialJob {
        loop_id: loop_id(),
        turn: turn(),
        trial: trial(),
        purpose: Purpose::Search,
        choice: choice(),
        members: members(),
        temperature: None,
        seed: 42,
        schema: schema(),
        metric: Metric::LogLoss,
        dataset: dataset_id(),
        located: located(),
        train: RowRange { from: 0, to: 800 },
        validate: RowRange { from: 800, to: 1_000 },
        modelled: Span::seconds(3),
    }
}

pub(super) fn result() -> TrialResult {
    TrialResult {
        score: Some(0.4375),
        temperature: Some(1.5),
        metrics: scores().all(),
        rows: 800,
        artefact: Some(ContentHash::of(b"challenger")),
        profile: Some(profile()),
        measured: Measured {
            wall_seconds: 1.5,
            cpu_seconds: 1.25,
            peak_rss_bytes: 100 << 20,
            worker: "host-1".into(),
            code: "0.1.0".into(),
        },
    }
}

pub(super) fn trigger() -> Trigger {
    let cause = TriggerCause::Alert { alert: AlertKind::Drift, event: EventId::new("e-9") };
    Trigger::Accepted {
        trigger: TriggerId::new("g-1"),
        turn: turn(),
        cause,
        dataset: dataset_id(),
        spec_version: 1,
    }
}

pub(super) fn candidate() -> Candidate {
    Candidate {
        model: deployed("challenger", 2_000),
        dataset: dataset_id(),
        trial: trial(),
        choice: choice(),
        members: members(),
        profile: profile(),
        leaderboard: vec![Standing { trial: trial(), choice: choice(), score: 0.4375 }],
    }
}

pub(super) fn measurement() -> Measurement {
    let recent = Comparison {
        rows: 3,
        candidate: scores(),
        champion: scores(),
        difference: moments(),
        champion_loss: moments(),
        negative_flips: 1,
    };
    Measurement { recent, old: Comparison::default() }
}

pub(super) fn report() -> Report {
    let job = EvaluationJob {
        loop_id: loop_id(),
        turn: turn(),
        candidate: deployed("challenger", 2_000),
        champion: Some(deployed("champion", 1_000)),
        schema: schema(),
        metric: Metric::LogLoss,
        dataset: dataset_id(),
        located: located(),
        recent: RowRange { from: 2_000, to: 2_300 },
        old: RowRange { from: 0, to: 2_000 },
    };
    Report::Evaluated { job, measurement: measurement() }
}

pub(super) fn verdict() -> Verdict {
    let gate = Gate {
        name: "recent".into(),
        outcome: GateOutcome::Passed,
        measured: -0.125,
        limit: Some(0.0),
        summary: "12.5 % better than the champion on 300 recent rows".into(),
    };
    Verdict {
        turn: turn(),
        candidate: deployed("challenger", 2_000),
        champion: Some(deployed("champion", 0).model.version),
        outcome: GateOutcome::Passed,
        gates: vec![gate],
        dataset: dataset_id(),
        spec_version: 1,
        measurement: measurement(),
    }
}
