//! Small histories of a loop, and what the console makes of them.

mod decisions;
mod history;
mod lists;
mod status;
mod why;

use crate::view::View;
