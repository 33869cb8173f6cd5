//! Compiles the contracts with protox, so that nobody has to install protoc.

use std::error::Error;

const FILES: [&str; 3] = ["value.proto", "predictor.proto", "intake.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    let paths = FILES.map(|name| format!("tidemill/v1/{name}"));
    for path in &paths {
        println!("cargo::rerun-if-changed=proto/{path}");
    }
    let files = protox::compile(paths, ["proto"])?;
    // Ordered maps, so that equal messages have equal bytes.
    tonic_prost_build::configure().btree_map(".").compile_fds(files)?;
    Ok(())
}
