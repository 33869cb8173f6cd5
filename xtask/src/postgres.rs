//! Sees to it that Postgres is there, for the tests of the view. They start a server of their own; none needs to run.

use std::fs;
use std::path::Path;

use crate::install::{ensure as install, version_of};
use crate::run::Failure;

const HINT: &str = "Postgres is not installed. Debian, Ubuntu: apt-get install postgresql. macOS: brew install postgresql. \
                    Others: a package of Postgres, with initdb, pg_ctl and postgres in the PATH";

/// Where distributions keep its programs, a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Finds Postgres, or installs it where that is possible.
pub(crate) fn ensure() -> Result<(), Failure> {
    install("Postgres", "postgresql", HINT, || {
        let kept = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
        let programs = kept.map(|version| version.path().join("bin/initdb"));
        version_of(Path::new("initdb"))
            .or_else(|| programs.into_iter().find_map(|program| version_of(&program)))
    })
}
