//! Faults by seed: the same seed strikes at the same places.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A producer sends a message again under another id.
    ProducerRepeats,
    /// The bus delivers an input again.
    Redelivered,
    /// A service dies and begins anew from the log.
    Restarted,
    /// A worker reports twice.
    WorkerRepeats,
}

/// How often each fault strikes; none by default.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rng: Option<ChaCha8Rng>,
}

impl Faults {
    /// Faults of this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { rng: Some(ChaCha8Rng::seed_from_u64(seed)) }
    }

    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let probability = match fault {
            Fault::ProducerRepeats | Fault::Redelivered | Fault::WorkerRepeats => 0.1,
            // Beginning anew folds everything again, so it is kept rare.
            Fault::Restarted => 0.005,
        };
        self.rng.as_mut().is_some_and(|rng| draw(rng) < probability)
    }
}

fn draw(rng: &mut impl Rng) -> f64 {
    rng.random::<f64>()
}
