//! The shell of console.
