//! The shell of predictor.
