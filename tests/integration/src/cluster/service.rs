//! The services as processes: names of their programs, and the roles that they play.

use std::path::PathBuf;

use tidemill_events::stream::roles;

use crate::HarnessError;

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Joins predictions and labels.
    Ingest,
    /// Checks rows.
    Validator,
    /// Measures windows.
    Monitor,
    /// Leads the search and runs its trials.
    Trainer,
    /// Judges candidates.
    Evaluator,
    /// Moves traffic.
    Deployer,
    /// Answers people.
    Console,
    /// Answers rows.
    Predictor,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ingest,
        Self::Validator,
        Self::Monitor,
        Self::Trainer,
        Self::Evaluator,
        Self::Deployer,
        Self::Console,
        Self::Predictor,
    ];

    /// Those that decide about the loop as a whole.
    pub const CONTROL: [Self; 3] = [Self::Trainer, Self::Evaluator, Self::Deployer];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Validator => "validator",
            Self::Monitor => "monitor",
            Self::Trainer => "automl-trainer",
            Self::Evaluator => "evaluator",
            Self::Deployer => "deployer",
            Self::Console => "console",
            Self::Predictor => "predictor",
        }
    }

    /// The parts of it of which one replica at a time is active, or, without such, the part that tells how it is.
    #[must_use]
    pub fn parts(self) -> Vec<String> {
        let of_us = |role: &str| {
            role.strip_prefix(self.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let parts: Vec<String> = roles(1).into_iter().map(|r| r.name).filter(|r| of_us(r)).collect();
        if parts.is_empty() { vec![self.name().to_owned()] } else { parts }
    }

    /// Its program, beside the test or benchmark that runs.
    pub(crate) fn program(self) -> Result<PathBuf, HarnessError> {
        let exe = std::env::current_exe().map_err(HarnessError::Folder)?;
        let folder = exe.ancestors().skip(1).find(|f| !f.ends_with("deps"));
        let path = folder.map(|f| f.join(format!("tidemill-{}", self.name()))).unwrap_or_default();
        if path.is_file() { Ok(path) } else { Err(HarnessError::NotBuilt { path }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_played_by_one_service() {
        let played: Vec<String> = Service::ALL.into_iter().flat_map(Service::parts).collect();
        for role in roles(1) {
            assert_eq!(played.iter().filter(|p| **p == role.name).count(), 1, "{}", role.name);
        }
        assert_eq!(Service::Predictor.parts(), ["predictor"]);
    }
}
