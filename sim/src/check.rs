//! Invariants, checked on what a world wrote.
