//! Checks that several parts of a model share when it is read.

/// Whether all numbers are finite.
pub(crate) fn finite(mut numbers: impl Iterator<Item = f64>) -> Result<(), String> {
    if numbers.all(f64::is_finite) { Ok(()) } else { Err("a number is not finite".to_owned()) }
}
