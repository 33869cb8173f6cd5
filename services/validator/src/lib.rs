//! The shell of validator.
