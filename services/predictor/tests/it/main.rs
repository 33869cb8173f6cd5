//! The predictor as its clients see it: gRPC over a socket, with a log, a store and a bus that tests hold in their hands, or
//! with real ones that are killed.

mod answers;
mod disk;
mod journal;
mod live;
mod make;
mod outage;
mod rig;
mod swaps;
