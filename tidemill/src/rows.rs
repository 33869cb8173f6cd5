//! Rows of a CSV file: one header line, the last column is the target.

use std::path::{Path, PathBuf};

use tidemill_domain::{Schema, Value};

/// Mistakes that are listed of one file.
const MAX_MISTAKES: usize = 20;

/// A CSV file in memory.
#[derive(Debug)]
pub struct Table {
    /// The names of the columns.
    pub names: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// Why a file is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// When a line cannot be read.
    #[error("{}: {}", path.display(), mistakes.join("\n  "))]
    Lines {
        /// The file.
        path: PathBuf,
        /// What is wrong, line by line.
        mistakes: Vec<String>,
    },
    /// When the file cannot be opened.
    #[error("{}: the file cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: csv::Error,
    },
}

impl Table {
    /// Reads a file whole.
    ///
    /// # Errors
    /// When the file cannot be opened, or with every line that is wrong (up to twenty).
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let open = csv::ReaderBuilder::new().flexible(true).from_path(path);
        let mut reader = open.map_err(|source| TableError::Open { path: path.to_owned(), source })?;
        let mut mistakes = Vec::new();
        let names: Vec<String> = match reader.headers() {
            Ok(headers) => headers.iter().map(|h| h.trim().to_owned()).collect(),
            Err(error) => {
                mistakes.push(format!("line 1: {error}"));
                Vec::new()
            }
        };
        check_names(&names, &mut mistakes);
        let mut rows = Vec::new();
        for (index, record) in reader.records().enumerate() {
            let line = index + 2;
            match record {
                Ok(record) if record.len() == names.len() => {
                    rows.push(record.iter().map(Value::from_csv).collect());
                }
                Ok(record) => {
                    mistakes.push(format!(
                        "line {line}: {} cells, the header has {}",
                        record.len(),
                        names.len()
                    ));
                }
                Err(error) => mistakes.push(format!("line {line}: {error}")),
            }
            if mistakes.len() >= MAX_MISTAKES {
                mistakes.push("and maybe more: mend these first".to_owned());
                break;
            }
        }
        if rows.is_empty() && mistakes.is_empty() {
            mistakes.push("there are no rows below the header".to_owned());
        }
        if mistakes.is_empty() {
            Ok(Self { names, rows })
        } else {
            Err(TableError::Lines { path: path.to_owned(), mistakes })
        }
    }

    /// The rows with their cells in the order of a schema: its features, then its target.
    ///
    /// # Errors
    /// With every column that the schema names and the file lacks.
    pub fn in_order_of(&self, schema: &Schema) -> Result<Vec<Vec<Value>>, Vec<String>> {
        let wanted: Vec<&String> =
            schema.features.iter().map(|f| &f.name).chain([&schema.target.name]).collect();
        let mut missing = Vec::new();
        let mut positions = Vec::new();
        for name in wanted {
            match self.names.iter().position(|n| n == name) {
                Some(position) => positions.push(position),
                None => missing.push(format!("column \"{name}\" of the loop is not in the file")),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        Ok(self.rows.iter().map(|row| positions.iter().map(|p| row[*p].clone()).collect()).collect())
    }
}

fn check_names(names: &[String], mistakes: &mut Vec<String>) {
    if names.len() < 2 {
        mistakes
            .push("line 1: at least one feature and the target are expected, separated by commas".to_owned());
    }
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            mistakes.push(format!("line 1: column {} has no name", i + 1));
        } else if names[..i].contains(name) {
            mistakes.push(format!("line 1: column name \"{name}\" is used twice"));
        }
    }
}
