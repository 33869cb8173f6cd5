//! Tests of whether two samples come from one distribution: numbers by Kolmogorov-Smirnov, categories by chi-square,
//! means by Welch.
//!
//! They take sketches as well as rows, agree with SciPy's functions of the same names, and answer `None` where a test is
//! not defined. They must not know which p-value is small enough: that is policy, and corrected in [`crate::multiple`].

mod chi2;
mod kolmogorov;
mod ks;
mod welch;

pub use chi2::{Chi2Test, chi2_test, chi2_test_counts};
pub use kolmogorov::kolmogorov_sf;
pub use ks::{KsTest, ks_test, ks_test_sketches, ks_test_weighted};
pub use welch::{MeanDifference, mean_difference};
