//! The predictor as its clients see it: gRPC over a socket, with a log, a store and a bus that tests hold in their hands.

mod answers;
mod journal;
mod rig;
mod swaps;
