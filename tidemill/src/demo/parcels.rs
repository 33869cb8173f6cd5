//! The stream of the demo: parcels that arrive late or not, and how the world changes under the model. Pure, by seed.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidemill_domain::{PredictionId, Value};

use crate::producer::Row;

/// Something that happens to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The row at which it begins.
    pub(super) row: usize,
    /// What it is, for people.
    pub(super) name: &'static str,
}

/// Rows of the story.
pub(super) const ROWS: usize = 9_000;
/// A scale sends text in the place of the load.
pub(super) const CORRUPTION: Moment = Moment { row: 2_600, name: "one field corrupted" };
/// How many rows are corrupted.
const CORRUPTED: usize = 200;
/// Winter: longer ways, heavier loads, more rain; what makes a parcel late stays the same.
pub(super) const SHIFT: Moment = Moment { row: 4_000, name: "covariate shift" };
/// A ring road opens: zones and distances mean something else.
pub(super) const CONCEPT: Moment = Moment { row: 6_000, name: "change of concept" };
/// All of them, in order.
pub(super) const MOMENTS: [Moment; 3] = [CORRUPTION, SHIFT, CONCEPT];

const ZONES: [&str; 5] = ["north", "south", "east", "west", "centre"];
const VEHICLES: [&str; 3] = ["bike", "van", "truck"];

/// A parcel: what is known when it leaves, and whether it arrives late.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) row: Row,
    pub(super) label: Value,
}

/// The parcels of the story, the same for the same seed.
pub(super) fn parcels(seed: u64) -> Vec<Parcel> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..ROWS).map(|index| parcel(index, &mut rng)).collect()
}

fn parcel(index: usize, rng: &mut ChaCha8Rng) -> Parcel {
    let winter = index >= SHIFT.row;
    let (way, weight, rain_share) = if winter { (26.0, 320.0, 0.55) } else { (15.0, 180.0, 0.25) };
    let distance = way * (0.2 + 1.6 * rng.random::<f64>());
    let load = weight * (0.1 + 1.8 * rng.random::<f64>());
    let rain = if rng.random::<f64>() < rain_share { 8.0 * rng.random::<f64>() } else { 0.0 };
    let hour = rng.random_range(6..22_u8);
    let zone = rng.random_range(0..ZONES.len());
    let vehicle = rng.random_range(0..VEHICLES.len());
    let courier = rng.random_range(0..200_u32);
    let rush = f64::from(u8::from(matches!(hour, 7..=9 | 16..=18)));
    let hardship = if index < CONCEPT.row {
        let zone_effect = [0.8, -0.9, 0.2, -0.4, 1.4][zone];
        let vehicle_effect = [-0.7, 0.1, 0.9][vehicle];
        0.14 * (distance - 16.0)
            + 0.004 * (load - 200.0)
            + 0.3 * rain
            + 1.2 * rush
            + zone_effect
            + vehicle_effect
    } else {
        let zone_effect = [-1.2, 1.3, -0.3, 0.9, -1.6][zone];
        let vehicle_effect = [1.4, 0.0, -0.9][vehicle];
        -0.08 * (distance - 26.0) + 0.004 * (load - 300.0) + 0.3 * rain - 0.9 * rush
            + zone_effect
            + vehicle_effect
    };
    let late = rng.random::<f64>() < 1.0 / (1.0 + (-1.8 * (hardship - 0.6)).exp());
    let corrupted = (CORRUPTION.row..CORRUPTION.row + CORRUPTED).contains(&index);
    let text = |s: &str| Value::Text(s.to_owned());
    let load = if corrupted { text("ERR 7") } else { Value::Number((load * 10.0).round() / 10.0) };
    let cells = [
        ("distance_km", Value::Number((distance * 100.0).round() / 100.0)),
        ("load_kg", load),
        ("rain_mm", Value::Number((rain * 10.0).round() / 10.0)),
        ("hour", Value::Number(f64::from(hour))),
        ("zone", text(ZONES[zone])),
        ("vehicle", text(VEHICLES[vehicle])),
    ];
    let features = cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let row = Row {
        id: PredictionId::new(format!("parcel-{index}")),
        entity: Some(format!("courier-{courier}")),
        features,
    };
    Parcel { row, label: text(if late { "late" } else { "punctual" }) }
}

/// Writes parcels as CSV, the label in the last column.
pub(super) fn write(parcels: &[Parcel], path: &Path) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_path(path)?;
    let features = parcels.first().map(|parcel| parcel.row.features.as_slice()).unwrap_or_default();
    writer.write_record(features.iter().map(|(name, _)| name.as_str()).chain(["outcome"]))?;
    for parcel in parcels {
        let cells = parcel.row.features.iter().map(|(_, value)| value).chain([&parcel.label]);
        writer.write_record(cells.map(|value| value.category().unwrap_or_default()))?;
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_the_same_for_the_same_seed_and_has_its_moments() {
        let story = parcels(7);
        assert_eq!(story.len(), ROWS);
        let text_load = |p: &Parcel| matches!(p.row.features[1].1, Value::Text(_));
        assert_eq!(story.iter().filter(|p| text_load(p)).count(), CORRUPTED);
        let late = |p: &&Parcel| p.label == Value::Text("late".into());
        let share = story.iter().filter(late).count() as f64 / ROWS as f64;
        assert!((0.25..0.75).contains(&share), "{share}");
        assert_eq!(parcels(7)[8_999].label, story[8_999].label);
    }
}
