//! The programs of the workspace and the variables that each of them reads, from their own definitions.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Command};
use tidemill_service::Common;

use crate::files::root;

/// Variables that OpenTelemetry defines, and the services read.
const TELEMETRY: [&str; 3] =
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SERVICE_NAME"];

/// The services of the workspace that are programs, by folder.
pub(crate) fn services() -> BTreeSet<String> {
    let folders = std::fs::read_dir(root().join("services")).unwrap().map(|entry| entry.unwrap().path());
    let programs = folders.filter(|folder| folder.join("src/main.rs").is_file());
    programs.map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// Every program of the image.
pub(crate) fn programs() -> BTreeSet<String> {
    let mut programs: BTreeSet<String> = services().iter().map(|name| format!("tidemill-{name}")).collect();
    programs.insert("tidemill".to_owned());
    programs
}

/// The definition of a program's command line.
fn command(program: &str) -> Option<Command> {
    if program == "tidemill" {
        return Some(tidemill::command());
    }
    let common = Common::augment_args(Command::new("service"));
    Some(match program.strip_prefix("tidemill-").filter(|name| services().contains(*name))? {
        "automl-trainer" => tidemill_automl_trainer::Options::augment_args(common),
        "console" => tidemill_console::Options::augment_args(common),
        "predictor" => tidemill_predictor::Options::augment_args(common),
        _ => common,
    })
}

/// The variables that a program reads; nothing if there is no such program.
pub(crate) fn variables(program: &str) -> Option<BTreeMap<String, String>> {
    let command = command(program)?;
    let mut found = BTreeMap::new();
    collect(&command, &mut found);
    if program != "tidemill" {
        found.extend(TELEMETRY.iter().map(|name| ((*name).to_owned(), String::new())));
    }
    Some(found)
}

fn collect(command: &Command, found: &mut BTreeMap<String, String>) {
    for argument in command.get_arguments() {
        if let Some(name) = argument.get_env() {
            let default = argument.get_default_values().first().map(|d| d.to_string_lossy().into_owned());
            found.insert(name.to_string_lossy().into_owned(), default.unwrap_or_default());
        }
    }
    for inner in command.get_subcommands() {
        collect(inner, found);
    }
}

/// What is wrong with variables that are set for a program.
pub(crate) fn unknown<'a>(place: &str, program: &str, set: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    match variables(program) {
        None => vec![format!("{place}: there is no program \"{program}\"")],
        Some(known) => {
            let unknown = set.into_iter().filter(|name| !known.contains_key(*name));
            unknown.map(|name| format!("{place}: {program} knows no {name}")).collect()
        }
    }
}

#[test]
fn options_that_a_service_has_are_known_here() {
    for name in services() {
        let main = std::fs::read_to_string(root().join("services").join(&name).join("src/main.rs")).unwrap();
        let has_own = main.contains("options: ");
        let common =
            variables("tidemill-none").is_none().then(|| Common::augment_args(Command::new("x"))).unwrap();
        let own = command(&format!("tidemill-{name}")).unwrap().get_arguments().count();
        assert_eq!(
            has_own,
            own > common.get_arguments().count(),
            "{name}: its options are to be added in this file"
        );
    }
}
