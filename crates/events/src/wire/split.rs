//! How large rows will be on the wire, so that cores can cut batches that fit into messages. It must not encode anything: a
//! core runs in the simulator too, where nothing is encoded.

use tidemill_domain::{CleanRow, Label, Output, PredictionRecord, Scored, Value};

use crate::event::Event;
use crate::intake::Refused;
use crate::sample::{CleanItem, Mark, SampleItem};

/// The size at which a batch of rows is closed: half of what a message may have.
pub const BATCH_BYTES: usize = 512 << 10;

/// The cost of an item beside its contents: offsets, instants and flags in each column.
const ITEM: usize = 128;
/// The longest number in JSON, with its comma.
const NUMBER: usize = 25;

/// Something that can say how large it is on the wire, at most.
pub trait Weigh {
    /// The size in bytes, rather too large than too small.
    fn weigh(&self) -> usize;
}

/// Cuts items into batches of at most [`BATCH_BYTES`], in order; an item that is larger stays alone.
#[must_use]
pub fn split<T: Weigh>(items: Vec<T>) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut left = 0;
    for item in items {
        let weight = item.weigh();
        match batches.last_mut() {
            Some(batch) if weight <= left => {
                batch.push(item);
                left -= weight;
            }
            _ => {
                batches.push(vec![item]);
                left = BATCH_BYTES.saturating_sub(weight);
            }
        }
    }
    batches
}

/// The weight of the rows of an event; nothing for others.
pub(super) fn weight_of(event: &Event) -> usize {
    match event {
        Event::Sample(items) => items.iter().map(Weigh::weigh).sum(),
        Event::Clean(items) => items.iter().map(Weigh::weigh).sum(),
        _ => 0,
    }
}

impl Weigh for SampleItem {
    fn weigh(&self) -> usize {
        match self {
            Self::Expired { prediction_id, .. } => ITEM + prediction_id.as_str().len(),
            Self::Labelled { record, label, earlier, .. } => {
                record.weigh() + label.weigh() + earlier.iter().map(Weigh::weigh).sum::<usize>()
            }
            Self::Mark(mark) => mark.weigh(),
            Self::Observed(record) => record.weigh(),
            Self::Refused(refused) => refused.weigh(),
        }
    }
}

impl Weigh for CleanItem {
    fn weigh(&self) -> usize {
        match self {
            Self::Expired { prediction_id } => ITEM + prediction_id.as_str().len(),
            Self::Labelled(row) | Self::Observed(row) => row.weigh(),
            Self::Mark(mark) => mark.weigh(),
        }
    }
}

impl Weigh for PredictionRecord {
    fn weigh(&self) -> usize {
        let features = self.features.iter().map(|(name, cell)| text(name) + value(cell)).sum::<usize>();
        let entity = self.entity.as_ref().map_or(0, String::len);
        ITEM + self.prediction_id.as_str().len() + entity + features + scored(&self.scored)
    }
}

impl Weigh for Label {
    fn weigh(&self) -> usize {
        ITEM + self.prediction_id.as_str().len() + value(&self.label)
    }
}

impl Weigh for CleanRow {
    fn weigh(&self) -> usize {
        let features = self.features.iter().map(value).sum::<usize>();
        let entity = self.entity.as_ref().map_or(0, String::len);
        let label = self.label.as_ref().map_or(0, |l| value(&l.value));
        ITEM + self.prediction_id.as_str().len() + entity + features + label + scored(&self.scored)
    }
}

impl Weigh for Refused {
    fn weigh(&self) -> usize {
        ITEM + text(&self.payload) + self.reasons.iter().map(|r| text(r)).sum::<usize>()
    }
}

impl Weigh for Mark {
    fn weigh(&self) -> usize {
        // Marks are rare and small beside rows; a mark that could not be written would not be published either.
        ITEM + serde_json::to_string(self).map_or(0, |json| json.len())
    }
}

fn scored(scored: &[Scored]) -> usize {
    let output = |o: &Output| match o {
        Output::Number(_) => NUMBER,
        Output::Classes(classes) => classes.iter().map(|(class, _)| text(class) + NUMBER + 3).sum(),
    };
    scored.iter().map(|s| 32 + text(s.version.as_str()) + output(&s.output)).sum()
}

fn value(value: &Value) -> usize {
    match value {
        Value::Number(_) | Value::Missing => NUMBER,
        // In a column of its own a text costs an offset, in JSON its quotes; a row of few texts costs less than a number more.
        Value::Text(s) => text(s) + size_of::<u64>(),
    }
}

/// A text in JSON, with quotes, comma and escapes.
fn text(text: &str) -> usize {
    let escaped = text.bytes().filter(|b| matches!(b, 0..0x20 | b'"' | b'\\')).count();
    text.len() + 4 + 5 * escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_cut_by_size_and_keep_their_order() {
        let refused = |n: usize| SampleItem::Refused(Refused { payload: "x".repeat(n), reasons: Vec::new() });
        let items =
            vec![refused(200 << 10), refused(200 << 10), refused(200 << 10), refused(600 << 10), refused(1)];
        let sizes: Vec<usize> = split(items).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert!(split(Vec::<SampleItem>::new()).is_empty());
    }
}
