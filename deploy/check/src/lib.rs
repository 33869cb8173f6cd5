//! Nothing but tests: that what lies in `deploy/` and `docs/` says what the code does. See `tests/check`.
