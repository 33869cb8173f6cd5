//! The contracts for those who speak to Tidemill from outside: gRPC for the predictor, protobuf for intake.
//!
//! The files are in `proto/tidemill/v1`; JSON Schemas of the JSON records are in `schema`. Beside the generated code there
//! are only conversions: it must not know who serves or calls.

mod convert;
mod intake;

/// Version 1.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::large_futures,
        reason = "generated from the .proto files, where the documentation is"
    )]
    tonic::include_proto!("tidemill.v1");
}

pub use convert::{instant, response, timestamp};
pub use intake::{PROTOBUF, decode_intake, encode_labels, encode_predictions};
