//! The shell of automl-trainer.
