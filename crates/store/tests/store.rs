//! What is stored comes back as it was, or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidemill_domain::sample::CleanLabel;
use tidemill_domain::{
    CleanRow, ContentHash, Feature, FeatureKind, LabelSource, ModelVersion, Output, PredictionId, Schema,
    Scored, Target, TargetKind, Timestamp, Value,
};
use tidemill_events::dataset::{Located, RowRange, SegmentRef, segment_hash};
use tidemill_store::{Error, Object, Store};

fn schema() -> Schema {
    let feature = |name: &str, kind| Feature { name: name.into(), kind, required: false };
    Schema {
        features: vec![
            feature("label", FeatureKind::Numeric { min: None, max: None }),
            feature("day", FeatureKind::Categorical { values: None }),
            feature("x", FeatureKind::Numeric { min: None, max: None }),
        ],
        target: Target { name: "direction".into(), kind: TargetKind::Categorical { classes: None } },
        entity: None,
        slices: Vec::new(),
    }
}

fn row(index: u64) -> CleanRow {
    let x = index as f64 / 7.0;
    let output =
        Output::Classes(vec![("down".into(), 1.0 - 1.0 / (1.0 + x)), ("up".into(), 1.0 / (1.0 + x))]);
    let time = Timestamp(1_772_366_400_000_000 + i64::try_from(index).unwrap());
    CleanRow {
        prediction_id: PredictionId::new(format!("p-{index}")),
        entity: index.is_multiple_of(2).then(|| format!("meter-{index}")),
        time,
        features: vec![Value::Number(x), Value::Text((index % 7).to_string()), Value::Missing],
        scored: vec![Scored { version: ModelVersion::new("m-1"), output }],
        label: Some(CleanLabel { value: Value::Text("up".into()), source: LabelSource::Human, time }),
    }
}

async fn put(store: &Store, rows: &[CleanRow]) -> SegmentRef {
    let hash = segment_hash(rows);
    store.put_segment(&hash, &schema(), rows).await.unwrap();
    SegmentRef { hash, rows: rows.len() as u64 }
}

fn file_of(folder: &Path, hash: &ContentHash) -> PathBuf {
    folder.join("segments").join(&hash.as_str()[..2]).join(format!("{hash}.parquet"))
}

#[tokio::test]
async fn artefacts_come_back_and_are_named_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let file_url = format!("file://{}", folder.path().join("new/deep").display());
    for url in ["memory:", &file_url, folder.path().to_str().unwrap()] {
        let store = Store::open(url).unwrap();
        for bytes in [b"model".as_slice(), b""] {
            let hash = store.put_artefact(bytes).await.unwrap();
            assert_eq!(hash, ContentHash::of(bytes));
            assert_eq!(store.put_artefact(bytes).await.unwrap(), hash);
            assert_eq!(store.artefact(&hash).await.unwrap(), bytes);
            assert!(store.exists(Object::Artefact(&hash)).await.unwrap());
            assert!(!store.exists(Object::Segment(&hash)).await.unwrap());
            for _ in 0..2 {
                store.delete(Object::Artefact(&hash)).await.unwrap();
                assert!(matches!(store.artefact(&hash).await, Err(Error::Missing { .. })));
            }
        }
    }
}

#[tokio::test]
async fn places_that_are_not_built_in_are_refused_with_those_that_are() {
    for url in ["s3://bucket/x", "gs://bucket", "http://host", "file:relative", "file://host/path", ""] {
        let error = Store::open(url).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{url}: {error}");
        assert!(error.to_string().contains("file:///path, a plain path, or memory:"));
    }
    assert!(matches!(Store::open("/proc/nothing/here"), Err(Error::Place { .. })));
}

#[tokio::test]
async fn a_hash_cannot_lead_out_of_the_store() {
    let store = Store::open("memory:").unwrap();
    for evil in ["../../etc/passwd", "", "AB", &"g".repeat(64), &"A".repeat(64)] {
        let hash: ContentHash = serde_json::from_str(&format!("\"{evil}\"")).unwrap();
        assert!(matches!(store.artefact(&hash).await, Err(Error::BadName(_))), "{evil}");
        assert!(matches!(store.segment(&hash).await, Err(Error::BadName(_))), "{evil}");
    }
}

#[tokio::test]
async fn exactly_the_rows_asked_for_are_read() {
    let store = Store::open("memory:").unwrap();
    let rows: Vec<_> = (0..30).map(row).collect();
    let mut located = Located { start: 100, segments: Vec::new() };
    for part in rows.chunks(10) {
        located.segments.push(put(&store, part).await);
    }
    for (from, to) in [(100, 130), (100, 101), (109, 111), (110, 120), (115, 130), (120, 120)] {
        let found = store.rows(&located, RowRange { from, to }).await.unwrap();
        let bounds = |row: u64| usize::try_from(row - 100).unwrap();
        assert_eq!(found, rows[bounds(from)..bounds(to)], "{from} to {to}");
    }
    for (from, to) in [(99, 101), (129, 131), (0, 5)] {
        let error = store.rows(&located, RowRange { from, to }).await.unwrap_err();
        assert!(matches!(error, Error::Range { .. }), "{error}");
    }
    // A segment that is not needed may be gone.
    store.delete(Object::Segment(&located.segments[0].hash)).await.unwrap();
    assert_eq!(store.rows(&located, RowRange { from: 110, to: 112 }).await.unwrap().len(), 2);
    assert!(matches!(
        store.rows(&located, RowRange { from: 100, to: 112 }).await,
        Err(Error::Missing { .. })
    ));
    located.segments[1].rows = 9;
    let error = store.rows(&located, RowRange { from: 110, to: 112 }).await.unwrap_err();
    assert!(matches!(error, Error::Length { said: 9, found: 10, .. }), "{error}");
}

#[tokio::test]
async fn rows_under_another_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let (one, two) = ([row(1)], [row(2)]);
    let refused = store.put_segment(&segment_hash(&two), &schema(), &one).await.unwrap_err();
    assert!(matches!(refused, Error::WrongContent { .. }), "{refused}");
    // The files change places behind our back.
    let (one, two) = (put(&store, &one).await, put(&store, &two).await);
    fs::copy(file_of(folder.path(), &one.hash), file_of(folder.path(), &two.hash)).unwrap();
    let error = store.segment(&two.hash).await.unwrap_err();
    assert!(matches!(&error, Error::WrongContent { found, .. } if *found == one.hash), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn damage_is_found_and_mended_by_storing_again() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().to_str().unwrap();
    let rows: Vec<_> = (0..40).map(row).collect();
    let segment = put(&Store::open(url).unwrap(), &rows).await;
    let file = file_of(folder.path(), &segment.hash);
    let whole = fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(17) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&file, damaged).unwrap();
        // Each time a new store, whose cache is empty. Some bytes say nothing about the rows.
        match Store::open(url).unwrap().segment(&segment.hash).await {
            Ok(found) => assert_eq!(*found, rows),
            Err(error) => {
                assert!(matches!(error, Error::Damaged { .. } | Error::WrongContent { .. }), "{at}: {error}")
            }
        }
    }
    for length in [0, 3, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let error = Store::open(url).unwrap().segment(&segment.hash).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{length}: {error}");
    }
    let store = Store::open(url).unwrap();
    put(&store, &rows).await;
    assert_eq!(*store.segment(&segment.hash).await.unwrap(), rows);
    // Now it is remembered.
    fs::remove_file(&file).unwrap();
    assert_eq!(*store.segment(&segment.hash).await.unwrap(), rows);
    store.delete(Object::Segment(&segment.hash)).await.unwrap();
    assert!(matches!(store.segment(&segment.hash).await, Err(Error::Missing { .. })));
}

#[tokio::test]
async fn a_damaged_artefact_is_not_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let hash = store.put_artefact(b"model").await.unwrap();
    let file = folder.path().join("artefacts").join(&hash.as_str()[..2]).join(hash.as_str());
    fs::write(file, b"mode1").unwrap();
    assert!(matches!(store.artefact(&hash).await, Err(Error::WrongContent { .. })));
}

#[tokio::test]
async fn files_are_open_to_other_tools() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let segment = put(&store, &[row(1), row(2)]).await;
    let file = fs::File::open(file_of(folder.path(), &segment.hash)).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names: Vec<_> =
        reader.schema().fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect();
    let expected = [
        "prediction_id: Utf8",
        "entity: Utf8",
        "time: Timestamp(µs, \"UTC\")",
        "feature.label: Float64",
        "feature.day: Utf8",
        "feature.x: Float64",
        "features: Utf8",
        "scored: Utf8",
        "label: Utf8",
        "label_source: Utf8",
        "label_time: Timestamp(µs, \"UTC\")",
    ];
    assert_eq!(names, expected);
    let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| metadata.iter().find(|e| e.key == key).and_then(|e| e.value.clone()).unwrap();
    assert_eq!(value("tidemill.segment"), segment.hash.to_string());
    assert_eq!(value("tidemill.schema_hash"), schema().hash().to_string());
    assert_eq!(serde_json::from_str::<Schema>(&value("tidemill.schema")).unwrap(), schema());
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>().prop_filter("finite", |x| x.is_finite()), Just(-0.0)]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![3 => number().prop_map(Value::Number), 1 => any::<String>().prop_map(Value::Text), 1 => Just(Value::Missing)]
}

fn any_row() -> impl Strategy<Value = CleanRow> {
    let classes = vec((any::<String>(), number()), 0..3).prop_map(Output::Classes);
    let output = prop_oneof![number().prop_map(Output::Number), classes];
    let scored = vec(
        (any::<String>(), output).prop_map(|(v, output)| Scored { version: ModelVersion::new(v), output }),
        0..3,
    );
    let label = (value(), any::<i64>()).prop_map(|(value, time)| CleanLabel {
        value,
        source: LabelSource::Rule,
        time: Timestamp(time),
    });
    let features = prop_oneof![4 => vec(value(), 3), 1 => vec(value(), 0..6)];
    (any::<String>(), option::of(any::<String>()), any::<i64>(), features, scored, option::of(label))
        .prop_map(|(id, entity, time, features, scored, label)| CleanRow {
            prediction_id: PredictionId::new(id),
            entity,
            time: Timestamp(time),
            features,
            scored,
            label,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_rows_come_back_bit_by_bit(rows in vec(any_row(), 0..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let store = Store::open("memory:").unwrap();
            let segment = put(&store, &rows).await;
            store.segment(&segment.hash).await.unwrap()
        });
        prop_assert_eq!(format!("{found:?}"), format!("{rows:?}"));
    }
}

#[tokio::test]
async fn of_the_snapshots_of_an_owner_one_is_kept() {
    let store = Store::open("memory:").unwrap();
    let old = store.put_snapshot("deployer", 1, b"old".to_vec()).await.unwrap();
    let new = store.put_snapshot("deployer", 2, b"new".to_vec()).await.unwrap();
    let other = store.put_snapshot("evaluator", 1, b"old".to_vec()).await.unwrap();
    assert_eq!(store.keep_snapshot("deployer", 2, &new).await.unwrap(), 1);
    assert_eq!(store.snapshot("deployer", 2, &new).await.unwrap(), "new");
    assert!(matches!(store.snapshot("deployer", 1, &old).await, Err(Error::Missing { .. })));
    assert_eq!(store.snapshot("evaluator", 1, &other).await.unwrap(), "old");
    assert_eq!(store.keep_snapshot("deployer", 2, &new).await.unwrap(), 0);
}

#[tokio::test]
async fn snapshots_lie_where_they_belong_and_nowhere_else() {
    let store = Store::open("memory:").unwrap();
    for owner in ["", "..", "a/b", "A"] {
        let stored = store.put_snapshot(owner, 1, Vec::new()).await;
        assert!(matches!(stored, Err(Error::BadName(_))), "{owner}");
    }
    let elsewhere: ContentHash = serde_json::from_str("\"../../artefacts\"").unwrap();
    assert!(matches!(store.snapshot("deployer", 1, &elsewhere).await, Err(Error::BadName(_))));
}
