//! The shell of monitor.
