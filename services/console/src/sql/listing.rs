//! A list of records: filters, an order, and pages that stay where they are while rows come in. It must not know what is
//! listed.
//!
//! A page ends with the key of its last row, and the next one begins after that key; rows that came meanwhile are before the
//! first page, or in their place of the order.

use serde::de::DeserializeOwned;
use tidemill_console_core::{Page, Refused};
use tidemill_view::{Row, Transaction, Value, values};

use super::error::SqlError;
use super::rows::read;

/// The most that a page may hold.
pub(crate) const MAX_PAGE: u64 = 1_000;
/// What it holds unless asked otherwise.
pub(crate) const DEFAULT_PAGE: u64 = 100;

/// The column that an order goes by, before the place on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The place on the log alone, newest first.
    Newest,
    /// Whole numbers, the greatest first or last.
    Int { column: &'static str, falling: bool },
    /// Numbers, the greatest first or last.
    Real { column: &'static str, falling: bool },
}

/// What is asked for.
pub(super) struct Listing<'a> {
    pub(super) table: &'static str,
    pub(super) loop_id: &'a str,
    /// Columns and what they must hold.
    pub(super) filters: Vec<(&'static str, Value)>,
    pub(super) by: By,
    pub(super) limit: u64,
    /// Where the page before ended.
    pub(super) after: Option<&'a str>,
}

/// A text of SQL with its values.
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// Binds a value and gives the name under which the text refers to it.
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }
}

impl Listing<'_> {
    /// The page.
    pub(super) async fn page<T: DeserializeOwned>(&self, tx: &mut Transaction) -> Result<Page<T>, SqlError> {
        if !(1..=MAX_PAGE).contains(&self.limit) {
            let what = format!("limit is {}, but a page holds 1 to {MAX_PAGE} items", self.limit);
            return Err(Refused::invalid(what, "ask for less, and for more with after=NEXT").into());
        }
        let mut chosen = self.chosen();
        let count = format!("SELECT COUNT(*) FROM {} WHERE {}", self.table, chosen.text);
        let total = tx.one(&count, chosen.values.clone()).await?;
        let total = total.map(|row| row.count(0)).transpose()?.unwrap_or(0);
        if let Some(after) = self.after {
            let beyond = self.beyond(after, &mut chosen)?;
            chosen.text = format!("{} AND {beyond}", chosen.text);
        }
        let (column, order) = match self.by {
            By::Newest => ("sequence", "sequence DESC".to_owned()),
            By::Int { column, falling } | By::Real { column, falling } => {
                (column, format!("{column} {}, sequence DESC", if falling { "DESC" } else { "ASC" }))
            }
        };
        let limit = chosen.bind((self.limit + 1).into());
        let Sql { text, values } = chosen;
        let sql = format!(
            "SELECT doc, sequence, {column} FROM {} WHERE {text} ORDER BY {order} LIMIT {limit}",
            self.table
        );
        let rows = tx.all(&sql, values).await?;
        let size = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let last = if rows.len() > size { rows.get(size - 1) } else { None };
        let next = last.map(|row| self.key(row)).transpose()?;
        let items = rows.iter().take(size).map(|row| read(row, 0)).collect::<Result<_, _>>()?;
        Ok(Page { items, total, gone: 0, next, since: None })
    }

    fn chosen(&self) -> Sql {
        let mut sql = Sql { text: "loop_id = $1".to_owned(), values: values![self.loop_id] };
        for (column, value) in &self.filters {
            let value = sql.bind(value.clone());
            sql.text += &format!(" AND {column} = {value}");
        }
        sql
    }

    /// The rows beyond a key.
    fn beyond(&self, after: &str, sql: &mut Sql) -> Result<String, SqlError> {
        let wrong = || {
            let what = format!("after is \"{after}\", which is no end of a page in this order");
            SqlError::from(Refused::invalid(
                what,
                "use the \"next\" of the page before, with the same question",
            ))
        };
        let (key, sequence) = match after.split_once('_') {
            Some((key, sequence)) => (Some(key), sequence),
            None => (None, after),
        };
        let sequence = sequence.parse::<u64>().map_err(|_| wrong())?;
        let sequence = sql.bind(sequence.into());
        let (column, falling, key) = match (self.by, key) {
            (By::Newest, None) => return Ok(format!("sequence < {sequence}")),
            (By::Int { column, falling }, Some(key)) => {
                (column, falling, Value::Int(key.parse().map_err(|_| wrong())?))
            }
            (By::Real { column, falling }, Some(key)) => {
                let number: f64 = key.parse().map_err(|_| wrong())?;
                (column, falling, Value::Real(number))
            }
            (By::Newest, Some(_)) | (By::Int { .. } | By::Real { .. }, None) => return Err(wrong()),
        };
        let (key, than) = (sql.bind(key), if falling { "<" } else { ">" });
        Ok(format!("({column} {than} {key} OR ({column} = {key} AND sequence < {sequence}))"))
    }

    /// The key of a row. Numbers are written so that they are read back to the last bit.
    fn key(&self, row: &Row) -> Result<String, SqlError> {
        let sequence = row.count(1)?;
        Ok(match self.by {
            By::Newest => sequence.to_string(),
            By::Int { .. } => format!("{}_{sequence}", row.int(2)?),
            By::Real { .. } => format!("{:e}_{sequence}", row.real(2)?),
        })
    }
}
