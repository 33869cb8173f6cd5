//! The view in SQL: the same log gives the same answers on SQLite and on a real Postgres, whatever happens to the view between.

#[allow(dead_code, reason = "each crate that builds a log uses another part of this")]
#[path = "../core/src/tests/history.rs"]
mod history;
#[path = "../src/tests/questions.rs"]
mod questions;
#[path = "../src/tests/story.rs"]
mod story;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use tidemill_bus::Extent;
use tidemill_console::{Answer, Log, Shared, Source, SqlError, SqlView, router};
use tidemill_console_core::View;
use tidemill_domain::{Algorithm, Timestamp};
use tidemill_events::emit::Outgoing;
use tidemill_events::training::{Purpose, TurnOutcome};
use tidemill_events::{Partition, Recorded};
use tidemill_view::{Database, PostgresServer, values};
use tower::ServiceExt;

const ROWS: Source = Source::Quarantine(Partition(0));
const SOURCES: [Source; 2] = [Source::Loops, ROWS];
const MADE: Timestamp = Timestamp(77);

/// Nothing is written here.
struct NoLog;

impl Log for NoLog {
    fn tenure(&self) -> Answer<'_, u64> {
        Box::pin(std::future::ready(Ok(1)))
    }

    fn publish(&self, _: Outgoing, _: Option<u64>) -> Answer<'_, Option<u64>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

fn extent(last: u64) -> Extent {
    Extent { first: 1, last, created: MADE }
}

fn open(place: &str) -> SqlView {
    SqlView::open(place, &SOURCES).unwrap_or_else(|e| unreachable!("{e}"))
}

/// Reads on from where the view is, so many events at a time; how many it read.
async fn read_on(view: &SqlView, source: Source, log: &[Recorded], batch: usize) -> usize {
    let last = log.last().map_or(0, |e| e.sequence);
    let mut at = view.begin(source, MADE, &extent(last)).await.unwrap_or_else(|e| unreachable!("{e:?}"));
    let left: Vec<Recorded> = log.iter().filter(|e| e.sequence > at).cloned().collect();
    for events in left.chunks(batch) {
        let upto = events.last().map_or(at, |e| e.sequence);
        let passed_over = view.write(source, at, upto, events).await;
        assert_eq!(passed_over.unwrap_or_else(|e| unreachable!("{e:?}")), 0);
        at = upto;
    }
    view.caught_up(source);
    left.len()
}

/// Every answer, as it is sent.
async fn answers(view: &Arc<SqlView>, log: &[Recorded]) -> Vec<(String, String)> {
    answers_to(&questions::QUESTIONS.map(|(question, _)| question), view, log).await
}

async fn answers_to(questions: &[&str], view: &Arc<SqlView>, log: &[Recorded]) -> Vec<(String, String)> {
    let shared = Arc::new(Shared::default());
    shared.fold(log);
    shared.caught_up();
    let router = router(shared, Arc::new(NoLog), Arc::clone(view));
    let mut answers = Vec::new();
    for question in questions {
        let request = Request::get(*question).body(Body::empty()).unwrap_or_else(|e| unreachable!("{e}"));
        let answer = router.clone().oneshot(request).await.unwrap_or_else(|e| unreachable!("{e}"));
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap_or_default();
        answers.push(((*question).to_owned(), format!("{status} {}", String::from_utf8_lossy(&bytes))));
    }
    answers
}

/// What must hold at any place; gives the answers.
async fn every_answer_at(place: &str) -> Vec<(String, String)> {
    let (story, refused) = (story::story(), story::refused());
    let log = story.log;
    let view = Arc::new(open(place));
    read_on(&view, Source::Loops, &log, 256).await;
    read_on(&view, ROWS, &refused, 256).await;
    let expected = answers(&view, &log).await;
    let wrong = expected.iter().filter(|(_, answer)| answer.starts_with('5')).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{wrong:#?}");

    // A console that starts again goes on where the view is; nothing is counted twice.
    view.close().await;
    let view = Arc::new(open(place));
    assert_eq!(read_on(&view, Source::Loops, &log, 256).await, 0);
    assert_eq!(read_on(&view, ROWS, &refused, 256).await, 0);
    assert_eq!(answers(&view, &log).await, expected, "after a restart, at {place}");

    // Dropped and built anew, in other batches, by two consoles at once: one of them goes on, the other sees that it did.
    view.drop_all().await.unwrap_or_else(|e| unreachable!("{e:?}"));
    let other = open(place);
    let half = log.len() / 2;
    read_on(&view, Source::Loops, &log[..half], 3).await;
    let at = other
        .begin(Source::Loops, MADE, &extent(log.len() as u64))
        .await
        .unwrap_or_else(|e| unreachable!("{e:?}"));
    assert_eq!(at, half as u64);
    read_on(&view, Source::Loops, &log[..half + 1], 1).await;
    let late = other.write(Source::Loops, at, at + 1, &log[half..half + 1]).await;
    assert!(matches!(late, Err(SqlError::Moved)), "{late:?}");
    read_on(&other, Source::Loops, &log, 7).await;
    read_on(&view, Source::Loops, &log, 7).await;
    read_on(&view, ROWS, &refused, 1).await;
    assert_eq!(answers(&view, &log).await, expected, "dropped and built anew, at {place}");
    other.close().await;

    // A view of tables that are not ours, of another log, or of one that went back, is built anew.
    for spoil in [
        "UPDATE view_version SET version = 'another'",
        "UPDATE view_version SET log = 'another'",
        "UPDATE positions SET log = 'another'",
        "UPDATE positions SET sequence = sequence + 1000000",
        "DROP TABLE view_version",
    ] {
        view.close().await;
        let db = Database::open(place).unwrap_or_else(|e| unreachable!("{e}"));
        let mut tx = db.write().await.unwrap_or_else(|e| unreachable!("{e:?}"));
        tx.run(spoil, values![]).await.unwrap_or_else(|e| unreachable!("{e:?}"));
        tx.run("UPDATE turns SET doc = '{}'", values![]).await.unwrap_or_else(|e| unreachable!("{e:?}"));
        tx.commit().await.unwrap_or_else(|e| unreachable!("{e:?}"));
        db.close().await;
        let again = Arc::new(open(place));
        assert_eq!(read_on(&again, Source::Loops, &log, 64).await, log.len(), "{spoil}");
        read_on(&again, ROWS, &refused, 64).await;
        assert_eq!(answers(&again, &log).await, expected, "{spoil}, at {place}");
        again.close().await;
    }

    // What the database will never take is passed over and counted, and keeps nothing else away.
    let view = open(place);
    view.drop_all().await.unwrap_or_else(|e| unreachable!("{e:?}"));
    assert!(matches!(view.begin(Source::Loops, MADE, &extent(3)).await, Ok(0)));
    let doubled = [&log[0], &log[0], &log[1], &log[2]].map(Clone::clone);
    let passed_over = view.write(Source::Loops, 0, 3, &doubled).await;
    assert!(matches!(passed_over, Ok(1)), "{passed_over:?}");
    assert!(matches!(view.begin(Source::Loops, MADE, &extent(3)).await, Ok(3)));
    view.close().await;
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_log_answers_alike_on_sqlite_and_postgres() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let server = PostgresServer::start().await.unwrap_or_else(|e| unreachable!("{e}"));
    let file = dir.path().join("a folder").join("view 100%.db");
    let on_sqlite = every_answer_at(&file.to_string_lossy()).await;
    let on_postgres = every_answer_at(&server.url()).await;
    for (sqlite, postgres) in on_sqlite.iter().zip(&on_postgres) {
        assert_eq!(sqlite, postgres);
    }
}

#[tokio::test]
async fn of_two_versions_the_one_that_came_last_has_the_view() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let place = dir.path().join("view.db").to_string_lossy().into_owned();
    let (log, older) = (story::story().log, open(&place));
    read_on(&older, Source::Loops, &log[..5], 5).await;
    let db = Database::open(&place).unwrap_or_else(|e| unreachable!("{e}"));
    let mut tx = db.write().await.unwrap_or_else(|e| unreachable!("{e:?}"));
    tx.run("UPDATE view_version SET version = 'newer'", values![])
        .await
        .unwrap_or_else(|e| unreachable!("{e:?}"));
    tx.commit().await.unwrap_or_else(|e| unreachable!("{e:?}"));
    let late = older.write(Source::Loops, 5, 6, &log[5..6]).await;
    assert!(matches!(late, Err(SqlError::Moved)), "{late:?}");
    let again = older.begin(Source::Loops, MADE, &extent(6)).await;
    assert!(matches!(again, Err(SqlError::Superseded)), "{again:?}");
    // One that starts now is the last one, whatever its version.
    let last = open(&place);
    assert_eq!(read_on(&last, Source::Loops, &log, 64).await, log.len());
    // The same holds for the log of somebody else; but our own stream may be made anew.
    let stranger = open(&place);
    let theirs = Extent { first: 1, last: 6, created: Timestamp(99) };
    assert!(matches!(stranger.begin(Source::Loops, theirs.created, &theirs).await, Ok(0)));
    for source in SOURCES {
        let late = last.begin(source, MADE, &extent(6)).await;
        assert!(matches!(late, Err(SqlError::Superseded)), "{late:?}");
    }
    let anew = Extent { created: Timestamp(111), ..theirs };
    assert!(matches!(stranger.begin(Source::Loops, anew.created, &anew).await, Ok(0)));
}

#[tokio::test]
async fn what_memory_let_go_is_found_in_the_view() {
    let mut history = history::History::new();
    history.dataset(100);
    for (n, name) in [(1, "old"), (2, "newer"), (3, "newest")] {
        history.promote(n, name, history::labels());
    }
    for n in 4..=300 {
        history.accept(n, history::labels());
        for i in 0..10 {
            let trial = format!("tides-{n}-{i}");
            history.plan(n, &trial, Algorithm::Linear, Purpose::Search);
            history.finish(n, &trial, Some(0.5), 1.0);
        }
        history.close(n, TurnOutcome::NoCandidate);
    }
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let view = Arc::new(open(&dir.path().join("view.db").to_string_lossy()));
    read_on(&view, Source::Loops, &history.log, 256).await;
    let asked = [
        ("turns?limit=1", "\"total\":300,"),
        ("trials?limit=1", "\"total\":2982,"),
        ("trials?turn=1&limit=1", "\"total\":4,"),
        ("why/m-old", "tides-1-001"),
    ];
    assert!(history.view.why(&history.loop_id, "m-old").is_err(), "memory has let it go");
    for (question, expected) in asked {
        let question = format!("/v1/loops/tides/{question}");
        for (_, answer) in answers_to(&[&question], &view, &history.log).await {
            assert!(answer.starts_with("200") && answer.contains(expected), "{question}: {answer}");
            assert!(!answer.contains("\"missing\":true"), "{question}: {answer}");
        }
    }
}

#[tokio::test]
async fn what_is_gone_is_said() {
    let story = story::story();
    let view = Arc::new(open("memory:"));
    // The stream has let the first ten messages go, and all rows before the eighth.
    let log: Vec<Recorded> =
        story.log.iter().filter(|e| e.sequence == 1 || e.sequence > 10).cloned().collect();
    let refused: Vec<Recorded> = story::refused().into_iter().filter(|e| e.sequence >= 8).collect();
    for (source, log, first) in [(Source::Loops, &log, 11), (ROWS, &refused, 8)] {
        let last = log.last().map_or(0, |e| e.sequence);
        let extent = Extent { first, last, created: MADE };
        let at = view.begin(source, MADE, &extent).await.unwrap_or_else(|e| unreachable!("{e:?}"));
        let written = view.write(source, at, last, log).await;
        assert_eq!(written.unwrap_or_else(|e| unreachable!("{e:?}")), 0);
        view.caught_up(source);
    }
    let answers = answers(&view, &log).await;
    let of = |question: &str| {
        let answer = answers.iter().find(|(asked, _)| asked == question).map_or("", |(_, answer)| answer);
        let json = answer.split_once('{').map_or(String::new(), |(_, rest)| format!("{{{rest}"));
        serde_json::from_str::<serde_json::Value>(&json).unwrap_or_default()
    };
    assert_eq!(of("/v1/loops/tides/turns")["since"]["sequence"].as_u64(), Some(11));
    assert_eq!(of("/v1/loops/tides/quarantine")["since"]["sequence"].as_u64(), Some(8));
    assert_eq!(of("/v1/loops/tides/quarantine")["total"].as_u64(), Some(2));
}

#[tokio::test]
async fn a_view_that_cannot_be_kept_says_where_and_why() {
    let error = SqlView::open("mysql://ann:secret@host/db", &SOURCES).err().map(|e| e.to_string());
    assert!(error.is_some_and(|e| e.contains("mysql://host/db") && e.contains("postgres://")));
    // Nobody listens there; the console starts all the same, and lists say so.
    let view = Arc::new(open("postgres://ann:secret@127.0.0.1:1/db"));
    let failed = view.begin(Source::Loops, MADE, &extent(1)).await;
    assert!(matches!(&failed, Err(SqlError::Database(_))), "{failed:?}");
    let asked = [("", "200"), ("/why/live", "200"), ("/turns", "503"), ("/quarantine", "503")];
    for (path, expected) in asked {
        let question = format!("/v1/loops/tides{path}");
        for (_, answer) in answers_to(&[&question], &view, &story::story().log).await {
            assert!(answer.starts_with(expected) && !answer.contains("secret"), "{question}: {answer}");
        }
    }
}
