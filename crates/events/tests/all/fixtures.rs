//! What was once written must be readable for ever: `fixtures/<aggregate>.<event>/v1.json` holds a message of each type as it
//! was written when the type was new, and `fixtures/index.txt` the hash of each file.
//!
//! A fixture is never edited. A **new** type gets its example in `examples.rs` and its fixture by
//!
//! ```text
//! TIDEMILL_NEW_FIXTURES=1 cargo test -p tidemill-events fixtures
//! ```
//!
//! which writes only files that are in no index, and never touches one that is. Where an event must change in a way that old
//! messages do not fit, it gets a new version of its type, with a fixture of its own beside the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tidemill_domain::ContentHash;
use tidemill_events::Recorded;
use tidemill_events::emit::Outgoing;
use tidemill_events::wire::{self, Incoming};

use crate::examples::{NOON, TYPES, all, number};

#[derive(Serialize, Deserialize)]
struct Fixture {
    subject: String,
    headers: BTreeMap<String, String>,
    /// The payload as it was sent: text for JSON, hexadecimal digits for Arrow.
    payload: String,
    /// What it says.
    recorded: Recorded,
}

const SEQUENCE: u64 = 17;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// `dev.tidemill.alert.changed.v1` lies in `alert.changed/v1.json`.
fn file_of(type_name: &str) -> String {
    let short = type_name.strip_prefix("dev.tidemill.").unwrap();
    let (name, version) = short.rsplit_once('.').unwrap();
    format!("{name}/{version}.json")
}

fn index() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("index.txt")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(file, hash)| (file.to_owned(), hash.to_owned()))
        .collect()
}

fn is_text(fixture: &Fixture) -> bool {
    fixture.headers["content-type"] == wire::JSON
}

fn payload_of(fixture: &Fixture) -> Vec<u8> {
    if is_text(fixture) {
        return fixture.payload.clone().into_bytes();
    }
    let digits = fixture.payload.as_bytes();
    digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
}

fn read(fixture: &Fixture) -> Recorded {
    let payload = payload_of(fixture);
    let headers = fixture.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let incoming =
        Incoming { subject: &fixture.subject, sequence: SEQUENCE, time: NOON, headers, payload: &payload };
    wire::decode(&incoming).unwrap()
}

/// The event as its writer would write it again.
fn again(recorded: &Recorded) -> Outgoing {
    let Recorded { subject, meta, event, .. } = recorded.clone();
    Outgoing { subject, meta, event, content: None }
}

fn write_new(known: &BTreeMap<String, String>) {
    let mut index = known.clone();
    for out in all() {
        let file = file_of(out.event.type_name());
        if known.contains_key(&file) {
            continue;
        }
        let message = wire::encode(&out, NOON, Some(TRACE)).unwrap();
        let recorded = wire::decode(&message.incoming(SEQUENCE, NOON)).unwrap();
        // Headers that are not believed on intake subjects are gone now.
        let message = wire::encode(&again(&recorded), NOON, Some(TRACE)).unwrap();
        let headers: BTreeMap<_, _> =
            message.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let payload = if headers["content-type"] == wire::JSON {
            String::from_utf8(message.payload).unwrap()
        } else {
            message.payload.iter().map(|b| format!("{b:02x}")).collect()
        };
        let fixture = Fixture { subject: message.subject, headers, payload, recorded };
        let text = serde_json::to_string_pretty(&fixture).unwrap() + "\n";
        let path = folder().join(&file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        index.insert(file, ContentHash::of(text.as_bytes()).to_string());
    }
    let lines: String = index.iter().map(|(file, hash)| format!("{file} {hash}\n")).collect();
    fs::write(folder().join("index.txt"), lines).unwrap();
}

#[test]
fn every_type_has_an_example() {
    let numbers: BTreeSet<_> = all().iter().filter_map(|out| number(&out.event)).collect();
    assert_eq!(numbers, (0..TYPES).collect());
}

#[test]
fn what_was_once_written_is_still_read_and_written() {
    if std::env::var_os("TIDEMILL_NEW_FIXTURES").is_some() {
        write_new(&index());
    }
    let index = index();
    for out in all() {
        let file = file_of(out.event.type_name());
        assert!(index.contains_key(&file), "{file} is missing: see the top of fixtures.rs");
    }
    for (file, hash) in &index {
        let text = fs::read_to_string(folder().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(ContentHash::of(text.as_bytes()).as_str(), hash, "{file} was changed; fixtures never are");
        let fixture: Fixture = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        let recorded = read(&fixture);
        assert_eq!(recorded, fixture.recorded, "{file}");
        let again =
            wire::encode(&again(&recorded), NOON, Some(TRACE)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let headers: BTreeMap<_, _> =
            again.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        assert_eq!((&again.subject, &headers), (&fixture.subject, &fixture.headers), "{file}");
        if is_text(&fixture) {
            assert_eq!(String::from_utf8(again.payload).unwrap(), fixture.payload, "{file}");
        } else {
            assert_eq!(wire::decode(&again.incoming(SEQUENCE, NOON)).unwrap(), recorded, "{file}");
        }
    }
}
