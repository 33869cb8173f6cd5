//! `tidemill`: see the library for what it does.

fn main() -> std::process::ExitCode {
    tidemill::main()
}
