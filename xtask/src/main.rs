//! `cargo xtask demo | test | ci | bench | tidy`: the chores, each in one command.
//!
//! It has no dependencies, so that it is built in a moment on a fresh machine.

mod install;
mod nats;
mod postgres;
mod run;
mod tidy;

use std::process::ExitCode;

use run::{Failure, cargo};

const HELP: &str = "cargo xtask <command>

  demo [--keep]  build everything, start nats-server and all services, and tell a whole story of the loop
  test           every test, against a real nats-server and a real Postgres
  ci             what CI runs: format, lints, tests, docs, tidy
  bench [NAME]   measure: every figure as a ratio to its limit or to a peer of the same run
  tidy           the rules of the house that no compiler checks

nats-server, and for tests Postgres, are looked for, and installed where that is possible (Debian or Ubuntu, as root).";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let done = match command {
        "demo" => demo(rest),
        "test" => test(rest),
        "ci" => ci(),
        "bench" => bench(rest),
        "tidy" => tidy::main(),
        "help" | "--help" | "-h" => {
            run::say(HELP);
            Ok(())
        }
        other => Err(Failure::usage(format!("there is no command \"{other}\"\n\n{HELP}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            run::complain(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// Everything is built as one, so that demo and tests share every compiled dependency.
const BUILD: [&str; 3] = ["build", "--workspace", "--bins"];

fn demo(rest: &[String]) -> Result<(), Failure> {
    nats::ensure()?;
    run::say("building (the first time this compiles every dependency, which takes a while)");
    cargo(&BUILD)?;
    let mut command = vec!["demo".to_owned()];
    command.extend(rest.iter().cloned());
    run::program(&run::target_dir().join("debug").join("tidemill"), &command)
}

fn test(rest: &[String]) -> Result<(), Failure> {
    nats::ensure()?;
    postgres::ensure()?;
    run::say("building (the first time this compiles every dependency, which takes a while)");
    cargo(&BUILD)?;
    let mut command = vec!["test", "--workspace"];
    command.extend(rest.iter().map(String::as_str));
    cargo(&command)
}

fn ci() -> Result<(), Failure> {
    cargo(&["fmt", "--all", "--", "--check"])?;
    tidy::main()?;
    test(&[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn bench(rest: &[String]) -> Result<(), Failure> {
    nats::ensure()?;
    cargo(&["build", "--workspace", "--bins", "--release"])?;
    run::program(&run::target_dir().join("release").join("tidemill-bench"), rest)
}
