//! Given these rows and marks, these windows and alerts: the monitor's cores from outside.

mod alerts;
mod boundaries;
mod chance;
mod merging;
mod parcels;
mod windows;
