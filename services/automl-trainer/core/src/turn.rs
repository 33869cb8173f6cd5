//! One turn of the search: what was planned, how it went, what comes next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::hash::seed_of;
use tidemill_domain::{
    Algorithm, LoopSpec, ModelRef, ModelVersion, Parameters, Span, Strategy, TrialId, TriggerId, TurnId,
};
use tidemill_events::dataset::{Catalogue, RowRange};
use tidemill_events::model::Deployed;
use tidemill_events::training::{Candidate, Choice, Member, Purpose, Standing, TrialJob, TrialResult};
use tidemill_learn::cost;
use tidemill_learn::search::{Past, Proposal, propose};

use crate::memory::{Memory, proposal};
use crate::split::Split;

/// What a turn wants next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// More reports.
    Wait,
    /// These trials run.
    Run(Vec<TrialJob>),
    /// Nothing: no trial gave a model.
    GiveUp,
}

/// A trial of the search that gave a score.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    trial: TrialId,
    choice: Choice,
    score: f64,
    temperature: Option<f64>,
}

/// A turn from its acceptance to its candidate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub id: TurnId,
    pub trigger: TriggerId,
    spec: LoopSpec,
    catalogue: Catalogue,
    split: Split,
    planned: u32,
    spent: Span,
    running: BTreeMap<TrialId, TrialJob>,
    done: Vec<Done>,
    memory: Memory,
    refits_failed: usize,
}

impl Turn {
    pub(crate) fn new(
        id: TurnId,
        trigger: TriggerId,
        spec: LoopSpec,
        catalogue: Catalogue,
        split: Split,
        memory: Memory,
    ) -> Self {
        Self {
            id,
            trigger,
            spec,
            catalogue,
            split,
            planned: 0,
            spent: Span::default(),
            running: BTreeMap::new(),
            done: Vec::new(),
            memory,
            refits_failed: 0,
        }
    }

    /// Trials that were planned and have not reported.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &TrialJob> {
        self.running.values()
    }

    /// Takes a trial's end; `None` if the trial is not awaited, so that the first report counts.
    pub(crate) fn finish(&mut self, trial: &TrialId, result: Option<&TrialResult>) -> Option<TrialJob> {
        let job = self.running.remove(trial)?;
        match (job.purpose, result.and_then(|r| Some((r.score?, r.temperature)))) {
            (Purpose::Search, Some((score, temperature))) => {
                let (trial, choice) = (trial.clone(), job.choice.clone());
                self.done.push(Done { trial, choice, score, temperature });
            }
            (Purpose::Refit, _) if result.is_none_or(|r| r.artefact.is_none() || r.profile.is_none()) => {
                self.refits_failed += 1;
            }
            _ => {}
        }
        Some(job)
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> Next {
        let budget = self.spec.training.budget;
        let free = (budget.workers as usize).saturating_sub(self.running.len());
        let left = (budget.trials.saturating_sub(self.planned)) as usize;
        let jobs = self.search(free.min(left));
        if !jobs.is_empty() {
            return Next::Run(jobs);
        }
        if !self.running.is_empty() {
            return Next::Wait;
        }
        match self.refit() {
            Some(job) => {
                self.running.insert(job.trial.clone(), job.clone());
                Next::Run(vec![job])
            }
            None => Next::GiveUp,
        }
    }

    /// The candidate that a finished refit gives.
    pub(crate) fn candidate(&self, job: &TrialJob, result: &TrialResult) -> Option<Candidate> {
        let artefact = result.artefact.clone()?;
        let profile = result.profile.clone()?;
        let model =
            ModelRef { version: ModelVersion::of(&artefact), artefact, algorithm: job.choice.algorithm };
        Some(Candidate {
            model: Deployed { model, turn: self.id.clone(), trained_to: job.train.to },
            dataset: job.dataset.clone(),
            trial: job.trial.clone(),
            choice: job.choice.clone(),
            members: job.members.clone(),
            profile,
            leaderboard: self.standings(),
        })
    }

    /// What the turn found out, to be remembered by later turns.
    pub(crate) fn results(&self) -> Vec<(Choice, f64)> {
        self.done.iter().map(|d| (d.choice.clone(), d.score)).collect()
    }

    /// The trials, best first: by this turn's scores seen together with those of earlier turns.
    fn standings(&self) -> Vec<Standing> {
        let best = self.done.iter().map(|d| d.score).fold(f64::INFINITY, f64::min);
        let mut all: Vec<(f64, Standing)> = self
            .done
            .iter()
            .map(|d| {
                let standing = Standing { trial: d.trial.clone(), choice: d.choice.clone(), score: d.score };
                (self.memory.on_the_whole(&d.choice, d.score - best), standing)
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.trial.cmp(&b.1.trial)));
        all.into_iter().map(|(_, standing)| standing).collect()
    }

    /// Plans up to `n` more trials, as far as the budget of time goes; the first one runs whatever it costs.
    fn search(&mut self, n: usize) -> Vec<TrialJob> {
        if n == 0 {
            return Vec::new();
        }
        let done = self.done.iter().map(|d| Past { proposal: proposal(&d.choice), score: d.score });
        let running = self.running.values();
        let running = running.map(|job| Past { proposal: proposal(&job.choice), score: f64::INFINITY });
        let known: Vec<Past> = done.chain(running).collect();
        let algorithms = &self.spec.training.algorithms;
        let seed = self.seed("search");
        let proposals = propose(algorithms, &self.split.strategies(), &self.memory.best(), &known, seed, n);
        let mut jobs = Vec::new();
        for Proposal { algorithm, parameters, strategy } in proposals {
            let job = self.job(Purpose::Search, Choice { algorithm, parameters, strategy });
            let over = self.spent.0.saturating_add(job.modelled.0) > self.spec.training.budget.time.0;
            if over && self.planned > 0 {
                // What does not fit is counted as planned, so that the search comes to its end.
                self.planned += 1;
                continue;
            }
            self.planned += 1;
            self.spent = Span(self.spent.0 + job.modelled.0);
            self.running.insert(job.trial.clone(), job.clone());
            jobs.push(job);
        }
        jobs
    }

    /// What makes the candidate: the best of the trials together, and after a failure one after the other.
    fn refit(&self) -> Option<TrialJob> {
        let standings = self.standings();
        let together = (self.spec.training.ensemble as usize).min(standings.len());
        let lone = match (together, self.refits_failed) {
            (2.., 0) => return Some(self.joint(&standings[..together])),
            (2.., failed) => standings.get(failed - 1),
            (_, failed) => standings.get(failed),
        };
        let Standing { trial, choice, .. } = lone?;
        Some(TrialJob { temperature: self.temperature(trial), ..self.job(Purpose::Refit, choice.clone()) })
    }

    /// How a trial's confidence is to be tempered.
    fn temperature(&self, trial: &TrialId) -> Option<f64> {
        self.done.iter().find(|d| &d.trial == trial).and_then(|d| d.temperature)
    }

    fn joint(&self, best: &[Standing]) -> TrialJob {
        let weight = 1.0 / best.len() as f64;
        let member = |s: &Standing| Member {
            trial: s.trial.clone(),
            choice: s.choice.clone(),
            train: self.split.refit(s.choice.strategy),
            weight,
            temperature: self.temperature(&s.trial),
        };
        let members: Vec<Member> = best.iter().map(member).collect();
        let lone = members.iter().map(|m| self.job(Purpose::Refit, m.choice.clone()));
        let modelled = Span(lone.fold(0, |sum, job| job.modelled.0.saturating_add(sum)));
        // The longest memory among the members.
        let strategy = members.iter().max_by_key(|m| m.train.rows()).map(|m| m.choice.strategy);
        let choice = Choice {
            algorithm: Algorithm::Ensemble,
            parameters: Parameters::new(),
            strategy: strategy.unwrap_or(Strategy::All),
        };
        TrialJob { members, modelled, ..self.job(Purpose::Refit, choice) }
    }

    /// A seed for something random in this turn: it follows from the data and the name of what it is for.
    fn seed(&self, of: &str) -> u64 {
        let dataset = self.catalogue.dataset.as_ref().map_or("", |d| d.as_str());
        seed_of(&format!("{dataset}/{}/{of}", self.id))
    }

    fn job(&self, purpose: Purpose, choice: Choice) -> TrialJob {
        let (train, validate) = match purpose {
            Purpose::Search => (self.split.train(choice.strategy), self.split.validate()),
            Purpose::Refit => (self.split.refit(choice.strategy), RowRange::default()),
        };
        let trial = match purpose {
            Purpose::Search => TrialId::new(format!("{}-{:03}", self.id, self.planned + 1)),
            Purpose::Refit => TrialId::new(format!("{}-refit-{}", self.id, self.refits_failed + 1)),
        };
        let schema = &self.spec.schema;
        let modelled = cost::modelled(
            choice.algorithm,
            &choice.parameters,
            train.rows(),
            schema.features.len() as u64,
            self.catalogue.classes,
        );
        let to = if purpose == Purpose::Search { validate.to } else { train.to };
        TrialJob {
            loop_id: self.spec.name.clone(),
            turn: self.id.clone(),
            purpose,
            seed: self.seed(trial.as_str()),
            trial,
            choice,
            members: Vec::new(),
            temperature: None,
            schema: schema.clone(),
            metric: self.spec.training.metric,
            dataset: self.catalogue.dataset.clone().unwrap_or_else(|| tidemill_domain::DatasetId::new("")),
            located: self.catalogue.locate(RowRange { from: train.from, to }),
            train,
            validate,
            modelled,
        }
    }
}
