//! What to try next: a small portfolio that earlier turns improve, then neighbours of the best and random draws.
//!
//! Starting a search from what was best on earlier data is the cheap half of meta-learning (Feurer et al. 2015, Initializing
//! Bayesian hyperparameter optimization via meta-learning). Must not run or score trials.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tidemill_domain::{Algorithm, Parameters, Strategy};

use crate::space;

/// What a trial fits, and on which rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The family of learners.
    pub algorithm: Algorithm,
    /// All its hyper-parameters.
    pub parameters: Parameters,
    /// Which rows it learns from.
    pub strategy: Strategy,
}

/// A proposal that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// What was tried.
    pub proposal: Proposal,
    /// How it went; smaller is better, NaN is worst.
    pub score: f64,
}

/// A hyper-parameter that differs from its default, if one does.
type Setting = Option<(&'static str, f64)>;

/// How many proposals of earlier turns the portfolio starts from.
const REMEMBERED: usize = 3;
/// The share of later proposals that are neighbours of a good one; the rest are drawn from the whole space.
const LOCAL: f64 = 0.65;
/// How many of the best of this turn have neighbours.
const LEADERS: usize = 3;
/// Draws per proposal before the search gives up finding a new one.
const MOST_DRAWS: usize = 40;

/// The next `n` proposals, none of which is in `done` or twice in the answer; fewer where the space holds no more.
///
/// `past_best` are winners of earlier turns, the newest first; `done` are trials of this turn. Proposals of algorithms or
/// strategies that are not given are left out. The same arguments give the same answer, and asking for more gives the same
/// ones first.
#[must_use]
pub fn propose(
    algorithms: &[Algorithm],
    strategies: &[Strategy],
    past_best: &[Past],
    done: &[Past],
    seed: u64,
    n: usize,
) -> Vec<Proposal> {
    let mut found: Vec<Proposal> = Vec::new();
    if algorithms.is_empty() || strategies.is_empty() {
        return found;
    }
    let allowed = |p: &Proposal| algorithms.contains(&p.algorithm) && strategies.contains(&p.strategy);
    let tried = |p: &Proposal| done.iter().any(|d| d.proposal == *p);
    for proposal in portfolio(strategies, past_best) {
        if found.len() < n && allowed(&proposal) && !tried(&proposal) && !found.contains(&proposal) {
            found.push(proposal);
        }
    }
    let mut leaders: Vec<&Past> = done.iter().filter(|p| allowed(&p.proposal)).collect();
    leaders.sort_by(|a, b| a.score.total_cmp(&b.score));
    leaders.truncate(LEADERS);
    if leaders.is_empty() {
        leaders.extend(past_best.iter().filter(|p| allowed(&p.proposal)).take(1));
    }
    // A turn that has gone on draws other numbers than one that begins.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(done.len() as u64);
    while found.len() < n {
        let new = (0..MOST_DRAWS).find_map(|_| {
            let proposal = draw(algorithms, strategies, &leaders, &mut rng);
            (!tried(&proposal) && !found.contains(&proposal)).then_some(proposal)
        });
        match new {
            Some(proposal) => found.push(proposal),
            None => break,
        }
    }
    found
}

/// What every turn tries first: the winners of earlier turns, then cheap and strong settings on every strategy.
fn portfolio(strategies: &[Strategy], past_best: &[Past]) -> Vec<Proposal> {
    let mut list: Vec<Proposal> = past_best.iter().take(REMEMBERED).map(|p| p.proposal.clone()).collect();
    // Each line goes over all strategies before the next one begins.
    let (plain, knots, fine) = (None, Some(("knots", 4.0)), Some(("max_bin", 255.0)));
    let lines: [&[(Algorithm, Setting)]; 3] = [
        &[(Algorithm::Linear, plain), (Algorithm::Boosting, plain)],
        &[(Algorithm::Mlp, plain)],
        &[(Algorithm::Linear, knots), (Algorithm::Boosting, fine)],
    ];
    for line in lines {
        for strategy in strategies {
            for (algorithm, setting) in line {
                let given: Parameters =
                    setting.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
                let parameters = space::complete(*algorithm, &given);
                list.push(Proposal { algorithm: *algorithm, parameters, strategy: *strategy });
            }
        }
    }
    list
}

/// A neighbour of a leader, or a draw from the whole space.
fn draw(
    algorithms: &[Algorithm],
    strategies: &[Strategy],
    leaders: &[&Past],
    rng: &mut ChaCha8Rng,
) -> Proposal {
    let any_strategy = strategies[rng.random_range(0..strategies.len())];
    if !leaders.is_empty() && rng.random::<f64>() < LOCAL {
        // The best has twice the neighbours of the second.
        let rank = rng.random_range(0..(1 << leaders.len()) - 1_u32);
        let leader = &leaders[leaders.len() - 1 - (rank + 1).ilog2() as usize].proposal;
        let parameters = space::perturb(leader.algorithm, &leader.parameters, rng);
        let strategy = if rng.random::<f64>() < 0.3 { any_strategy } else { leader.strategy };
        return Proposal { algorithm: leader.algorithm, parameters, strategy };
    }
    let weight = |a: Algorithm| match a {
        Algorithm::Boosting => 5,
        Algorithm::Ensemble => 0,
        Algorithm::Linear => 4,
        Algorithm::Mlp => 3,
    };
    let mut ticket = rng.random_range(0..algorithms.iter().map(|a| weight(*a)).sum::<u32>());
    let mut algorithm = algorithms[0];
    for candidate in algorithms {
        algorithm = *candidate;
        match ticket.checked_sub(weight(algorithm)) {
            Some(rest) => ticket = rest,
            None => break,
        }
    }
    Proposal { algorithm, parameters: space::sample(algorithm, rng), strategy: any_strategy }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    const STRATEGIES: [Strategy; 3] =
        [Strategy::All, Strategy::Window { rows: 5000 }, Strategy::Window { rows: 1000 }];

    fn past(algorithm: Algorithm, strategy: Strategy, score: f64) -> Past {
        let parameters = space::sample(algorithm, &mut ChaCha8Rng::seed_from_u64(score.to_bits()));
        Past { proposal: Proposal { algorithm, parameters, strategy }, score }
    }

    #[test]
    fn winners_then_defaults_then_draws() {
        let winner = past(Algorithm::Boosting, STRATEGIES[1], 0.4);
        let found = propose(&Algorithm::ALL, &STRATEGIES, std::slice::from_ref(&winner), &[], 7, 30);
        assert_eq!(found.len(), 30);
        assert_eq!(found[0], winner.proposal);
        assert_eq!(found[1].algorithm, Algorithm::Linear);
        assert_eq!(found[2].algorithm, Algorithm::Boosting);
        let early: Vec<Strategy> = found[1..7].iter().map(|p| p.strategy).collect();
        assert!(STRATEGIES.iter().all(|s| early.contains(s)));
        assert!(found[7..10].iter().all(|p| p.algorithm == Algorithm::Mlp));
    }

    #[test]
    fn neighbours_gather_round_the_best() {
        let done: Vec<Past> = (0..8)
            .map(|i| past(Algorithm::ALL[i % 2], STRATEGIES[0], if i == 4 { 0.1 } else { i as f64 }))
            .collect();
        let found = propose(&Algorithm::ALL, &STRATEGIES[..1], &[], &done, 3, 100);
        let same = found.iter().filter(|p| p.algorithm == done[4].proposal.algorithm).count();
        assert!(same > 50, "{same}");
    }

    #[test]
    fn a_used_up_space_ends_the_search() {
        assert!(propose(&[], &STRATEGIES, &[], &[], 1, 5).is_empty());
        assert!(propose(&Algorithm::ALL, &[], &[], &[], 1, 5).is_empty());
    }

    proptest! {
        #[test]
        fn new_allowed_and_deterministic(
            seed: u64,
            n in 0..40_usize,
            scores in proptest::collection::vec(prop_oneof![0.0..1.0, Just(f64::NAN)], 0..12),
        ) {
            let done: Vec<Past> = scores.iter().enumerate()
                .map(|(i, s)| Past { score: *s, ..past(Algorithm::ALL[i % 3], STRATEGIES[i % 3], i as f64) })
                .collect();
            let algorithms = [Algorithm::Linear, Algorithm::Boosting];
            let found = propose(&algorithms, &STRATEGIES[1..], &done, &done, seed, n);
            prop_assert_eq!(found.len(), n);
            for (i, p) in found.iter().enumerate() {
                prop_assert!(!found[..i].contains(p));
                prop_assert!(done.iter().all(|d| d.proposal != *p));
                prop_assert!(algorithms.contains(&p.algorithm) && STRATEGIES[1..].contains(&p.strategy));
                prop_assert_eq!(space::check(p.algorithm, &p.parameters), Ok(()));
            }
            let fewer = propose(&algorithms, &STRATEGIES[1..], &done, &done, seed, n / 2);
            prop_assert_eq!(&found[..n / 2], &fewer[..]);
        }
    }
}
