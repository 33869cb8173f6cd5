//! Tables for the screen: columns as wide as their widest cell. Pure.

use tidemill_console_core::Since;

use super::words;

/// Where a column leans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lean {
    Left,
    Right,
}

/// A table with a head; the last column is not filled up.
pub(super) fn table(head: &[(&str, Lean)], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
        cells.chain([head[column].0]).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let titles: Vec<String> = head.iter().map(|(title, _)| (*title).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for ((cell, (_, lean)), width) in row.iter().zip(head).zip(&widths) {
            let width = *width;
            match lean {
                Lean::Left => line.push_str(&format!("{cell:<width$}  ")),
                Lean::Right => line.push_str(&format!("{cell:>width$}  ")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The lines under a list that say what is not in it.
pub(super) fn rest(shown: usize, total: u64, gone: u64, since: Option<Since>, what: &str) -> String {
    let more = total.saturating_sub(shown as u64);
    let mut text = match (more, gone) {
        (0, 0) => String::new(),
        (more, 0) => format!("({more} more {what}: see --limit)\n"),
        (0, gone) => format!("({gone} older {what} are no longer on the log)\n"),
        (more, gone) => {
            format!("({more} more {what}: see --limit; {gone} older ones are no longer on the log)\n")
        }
    };
    if let Some(Since { sequence, time }) = since {
        text += &format!(
            "(the log begins at message {sequence}, of {}: what is older is gone)\n",
            words::time(time)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let rows = [["a", "1", "x y"], ["bcd", "22", ""]].map(|row| row.map(str::to_owned).to_vec());
        let text = table(&[("NAME", Lean::Left), ("N", Lean::Right), ("REST", Lean::Left)], &rows);
        assert_eq!(text, "NAME   N  REST\na      1  x y\nbcd   22\n");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let rest = |total, gone, since| rest(3, total, gone, since, "turns");
        assert_eq!(rest(3, 0, None), "");
        assert_eq!(rest(5, 0, None), "(2 more turns: see --limit)\n");
        assert!(rest(3, 9, None).starts_with("(9 older turns"));
        assert!(rest(5, 9, None).starts_with("(2 more turns: see --limit; 9 older"));
        let since = Since { sequence: 12, time: tidemill_domain::Timestamp(0) };
        assert!(rest(3, 0, Some(since)).starts_with("(the log begins at message 12, of 1970-01-01"));
    }
}
