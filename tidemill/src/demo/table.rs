//! What the demo found, as a table.

use std::time::Instant;

use super::parcels::{MOMENTS, Moment, ROWS};
use super::watch::{Books, Happened};

/// Rows that are averaged before and after a moment.
const SPAN: usize = 600;

/// Whether each row was answered rightly; none where nobody answered.
pub(super) type Hits = Vec<Option<bool>>;

/// The whole table: accuracy around each moment, reactions, and the books.
pub(super) fn render(
    first_alone: &Hits,
    with_loop: &Hits,
    sent_at: &[Instant],
    books: &Books,
    answered: usize,
    lost: usize,
) -> String {
    let mut text = format!(
        "\n{:<22} {:<24} {:>8} {:>8} {:>10}\n",
        "moment", "accuracy of", "before", "after", "recovered"
    );
    for (index, moment) in MOMENTS.iter().enumerate() {
        let end = MOMENTS.get(index + 1).map_or(ROWS, |next| next.row);
        for (name, hits) in [("first model, left alone", first_alone), ("the loop", with_loop)] {
            text.push_str(&format!(
                "{:<22} {:<24} {:>8} {:>8} {:>10}\n",
                if name == "the loop" { String::new() } else { format!("{} @{}", moment.name, moment.row) },
                name,
                share(hits, moment.row.saturating_sub(SPAN), moment.row),
                share(hits, moment.row, moment.row + SPAN),
                share(hits, end.saturating_sub(SPAN), end),
            ));
        }
        text.push_str(&format!("{:<22} {}\n", "", reaction(*moment, end, sent_at, books)));
    }
    text.push_str(&format!(
        "\nrows sent {ROWS}, answered {answered}, joined {}, quarantined {}, lost {lost}\n",
        books.joined.len(),
        books.quarantined.len(),
    ));
    text.push_str(&format!("turns ended {}, promotions {}\n", books.turns_closed, books.promotions.len()));
    text
}

fn share(hits: &Hits, from: usize, to: usize) -> String {
    let known: Vec<bool> = hits.iter().skip(from).take(to.saturating_sub(from)).filter_map(|h| *h).collect();
    if known.is_empty() {
        return "-".to_owned();
    }
    format!("{:.3}", known.iter().filter(|h| **h).count() as f64 / known.len() as f64)
}

fn reaction(moment: Moment, end: usize, sent_at: &[Instant], books: &Books) -> String {
    let since = |what: &str, list: &[Happened]| {
        let hit = list.iter().find(|h| h.row >= moment.row && h.row < end);
        match (hit, sent_at.get(moment.row)) {
            (Some(h), Some(began)) => {
                let seconds = h.at.saturating_duration_since(*began).as_secs_f64();
                format!("{what} after {} rows ({seconds:.1} s)", h.row - moment.row)
            }
            _ => format!("no {what}"),
        }
    };
    format!("{}, {}", since("alert", &books.alerts), since("promotion", &books.promotions))
}
