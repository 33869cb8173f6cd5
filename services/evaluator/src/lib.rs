//! The shell of evaluator.
