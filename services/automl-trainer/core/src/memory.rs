//! What earlier turns found out about each choice, fading with every turn.
//!
//! One turn's validation is noisy and its rows are of one moment, so a choice is judged by how far it fell behind the best
//! of its turn, averaged over turns with weights that fade. A choice that wins by luck once does not replace one that is
//! good every time; after a change of concept the old findings fade within a few turns.

use serde::{Deserialize, Serialize};
use tidemill_events::training::Choice;
use tidemill_learn::search::{Past, Proposal};

/// How much a finding counts one turn later.
const FADING: f64 = 0.8;
/// Choices that are remembered.
const MAX_CHOICES: usize = 64;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Finding {
    choice: Choice,
    /// Faded sum of shortfalls.
    shortfall: f64,
    /// Faded number of turns.
    turns: f64,
}

/// The findings of earlier turns of a loop.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    findings: Vec<Finding>,
}

impl Memory {
    /// How far a choice that fell behind by `shortfall` in this turn falls behind on the whole.
    pub(crate) fn on_the_whole(&self, choice: &Choice, shortfall: f64) -> f64 {
        match self.findings.iter().find(|f| &f.choice == choice) {
            Some(f) => (shortfall + FADING * f.shortfall) / (1.0 + FADING * f.turns),
            None => shortfall,
        }
    }

    /// Takes in the results of a turn: choices with their mean losses.
    pub(crate) fn learn(&mut self, results: &[(Choice, f64)]) {
        for finding in &mut self.findings {
            finding.shortfall *= FADING;
            finding.turns *= FADING;
        }
        let best = results.iter().map(|r| r.1).fold(f64::INFINITY, f64::min);
        for (choice, score) in results.iter().filter(|r| r.1.is_finite()) {
            let shortfall = score - best;
            match self.findings.iter_mut().find(|f| &f.choice == choice) {
                Some(f) => {
                    f.shortfall += shortfall;
                    f.turns += 1.0;
                }
                None => self.findings.push(Finding { choice: choice.clone(), shortfall, turns: 1.0 }),
            }
        }
        self.findings.sort_by(|a, b| b.turns.total_cmp(&a.turns));
        self.findings.truncate(MAX_CHOICES);
    }

    /// The choices to start a search from, best first.
    pub(crate) fn best(&self) -> Vec<Past> {
        let mut ranked: Vec<(f64, &Finding)> =
            self.findings.iter().filter(|f| f.turns > 0.0).map(|f| (f.shortfall / f.turns, f)).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranked.into_iter().map(|(score, f)| Past { proposal: proposal(&f.choice), score }).collect()
    }
}

/// A choice in the words of the search.
pub(crate) fn proposal(choice: &Choice) -> Proposal {
    let Choice { algorithm, parameters, strategy } = choice.clone();
    Proposal { algorithm, parameters, strategy }
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{Algorithm, Parameters, Strategy};

    use super::*;

    fn window(rows: u64) -> Choice {
        let strategy = Strategy::Window { rows };
        Choice { algorithm: Algorithm::Linear, parameters: Parameters::new(), strategy }
    }

    #[test]
    fn one_lucky_turn_does_not_outweigh_many_good_ones() {
        let mut memory = Memory::default();
        for _ in 0..5 {
            memory.learn(&[(window(1), 0.50), (window(2), 0.60)]);
        }
        // in this turn the second is the best, and the first falls behind a little
        assert!(memory.on_the_whole(&window(1), 0.03) < memory.on_the_whole(&window(2), 0.0));
    }

    #[test]
    fn old_findings_fade() {
        let mut memory = Memory::default();
        memory.learn(&[(window(1), 0.50), (window(2), 0.60)]);
        for _ in 0..3 {
            memory.learn(&[(window(1), 0.70), (window(2), 0.50)]);
        }
        assert_eq!(memory.best().first().map(|p| p.proposal.strategy), Some(Strategy::Window { rows: 2 }));
    }
}
