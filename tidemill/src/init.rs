//! `tidemill init`: a commented loop file from a CSV file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use tidemill_domain::infer::infer;
use tidemill_domain::spec::write::to_yaml;
use tidemill_domain::{LoopId, LoopSpec};

use crate::rows::Table;
use crate::say;

/// From what, and whereto.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill init --csv stream.csv --name electricity -o loop.yaml\n\n\
    The last column is the target. Exit codes: 0 written, 1 failed, 2 the input is refused.")]
pub(crate) struct Args {
    /// The file: one header line, the last column is the target
    #[arg(long)]
    csv: PathBuf,
    /// The name of the loop; without it that of the file
    #[arg(long)]
    name: Option<String>,
    /// Where to write; without it standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{} exists already: remove it, or choose another name with -o", .0.display())]
    Exists(PathBuf),
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> ExitCode {
    let table = match Table::read(&args.csv) {
        Ok(table) => table,
        Err(error) => return say::failure(say::REFUSED, &error),
    };
    let name = args.name.clone().unwrap_or_else(|| name_of(&args.csv));
    let name = match LoopId::new(name) {
        Ok(name) => name,
        Err(error) => return say::failure(say::REFUSED, &error),
    };
    let text = to_yaml(&LoopSpec::with_defaults(name, infer(&table.names, &table.rows)));
    match write(args.output.as_ref(), &text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ InitError::Exists(_)) => say::failure(say::REFUSED, &error),
        Err(error) => say::failure(say::FAILED, &error),
    }
}

fn write(output: Option<&PathBuf>, text: &str) -> Result<(), InitError> {
    let Some(path) = output else {
        say::line(text.trim_end());
        return Ok(());
    };
    let created = std::fs::File::options().write(true).create_new(true).open(path);
    let written = created.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    match written {
        Ok(()) => {
            say::line(format!("{} written; next: tidemill apply -f {}", path.display(), path.display()));
            Ok(())
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(InitError::Exists(path.clone())),
        Err(source) => Err(InitError::Write { path: path.clone(), source }),
    }
}

/// A loop name made of a file name: what a name may not hold becomes a dash.
pub(crate) fn name_of(path: &std::path::Path) -> String {
    let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().to_lowercase());
    let dashed: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    dashed.trim_matches('-').to_owned()
}
