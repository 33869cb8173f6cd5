//! Keeps what is in force in the data folder, so that a predictor that starts while everything else is down answers with it.
//!
//! A loop's file is written once all its models are there, and models go only after every file is: whatever moment the
//! process ends at, what the files name can be loaded. It must not decide what is in force.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ffi::OsStr;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use tidemill_bus::error::Cause;
use tidemill_bus::{Backoff, chain};
use tidemill_domain::{ContentHash, LoopId, Schema};
use tidemill_predictor_core::Router;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::warn;

use crate::counted::{Counted, Damage};
use crate::data::Data;
use crate::load::Artefacts;
use crate::serving::{Serving, Snapshot};
use crate::shelf::Shelf;

/// A loop as it is kept: its route table and spec, and the schemas under which its models were trained.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) loop_id: LoopId,
    pub(crate) router: Router,
    pub(crate) schemas: Vec<Schema>,
}

/// Why a file of a loop cannot be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("its content does not hash to its first line")]
    Hash,
    #[error("it is no route table of this version")]
    Json(#[from] serde_json::Error),
    #[error("it is of loop {0}")]
    Misplaced(LoopId),
}

/// Why a loop is not kept.
#[derive(Debug, thiserror::Error)]
enum NotKept {
    #[error("the artefact {0} is not in the data folder")]
    Artefact(ContentHash, #[source] Cause),
    #[error("its file cannot be written")]
    Write(#[source] Cause),
}

/// Every loop whose file can be read. The others are counted and passed over.
pub(crate) fn read_all(data: &Data, counted: &Counted) -> Vec<Kept> {
    let paths = data.loop_files().unwrap_or_else(|error| {
        counted.damaged(Damage::LoopFile);
        warn!(%error, "the kept route tables cannot be listed");
        Vec::new()
    });
    let read = paths.iter().filter_map(|path| match read(path) {
        Ok(kept) => Some(kept),
        Err(error) => {
            counted.damaged(Damage::LoopFile);
            warn!(file = %path.display(), error = chain(&error), "a kept route table is damaged, it is passed over");
            None
        }
    });
    read.collect()
}

fn read(path: &Path) -> Result<Kept, Unreadable> {
    let text = fs::read_to_string(path)?;
    let (hash, body) = text.split_once('\n').ok_or(Unreadable::Hash)?;
    if ContentHash::of(body.as_bytes()).as_str() != hash {
        return Err(Unreadable::Hash);
    }
    let kept: Kept = serde_json::from_str(body)?;
    if path.file_stem() == Some(OsStr::new(kept.loop_id.as_str())) {
        Ok(kept)
    } else {
        Err(Unreadable::Misplaced(kept.loop_id))
    }
}

fn write(data: &Data, kept: &Kept) -> Result<(), Cause> {
    let body = serde_json::to_string(kept)?;
    let text = format!("{}\n{body}", ContentHash::of(body.as_bytes()));
    Ok(data.write(&data.loop_file(&kept.loop_id), text.as_bytes())?)
}

/// Keeps whatever comes into force, until it is dropped.
pub(crate) async fn keep<A: Artefacts>(
    shelf: Arc<Shelf<A>>,
    mut shown: watch::Receiver<Arc<Snapshot>>,
    counted: Counted,
) -> Infallible {
    let mut kept: BTreeMap<LoopId, Arc<Serving>> = BTreeMap::new();
    let mut backoff = Backoff::default();
    loop {
        let snapshot = Arc::clone(&shown.borrow_and_update());
        let mut is_all = true;
        for (loop_id, state) in &snapshot.loops {
            let serving = &state.serving;
            if kept.get(loop_id).is_some_and(|known| Arc::ptr_eq(known, serving)) {
                continue;
            }
            match keep_loop(&shelf, loop_id, serving).await {
                Ok(()) => {
                    kept.insert(loop_id.clone(), Arc::clone(serving));
                }
                Err(error) => {
                    is_all = false;
                    counted.disk_failures.inc();
                    warn!(%loop_id, error = chain(&error), "what is in force cannot be kept on disk yet");
                }
            }
        }
        if is_all {
            backoff.reset();
            // A table that is still being loaded may name models that the ones in force do not.
            if snapshot.is_current && snapshot.is_loaded() {
                clean(&shelf, &snapshot, &counted).await;
            }
            wait(&mut shown).await;
        } else {
            tokio::select! {
                () = wait(&mut shown) => {}
                () = sleep(backoff.pause()) => {}
            }
        }
    }
}

/// Waits until something else comes into force.
async fn wait(shown: &mut watch::Receiver<Arc<Snapshot>>) {
    if shown.changed().await.is_err() {
        // Nothing will any more.
        pending().await
    }
}

async fn keep_loop<A: Artefacts>(
    shelf: &Shelf<A>,
    loop_id: &LoopId,
    serving: &Serving,
) -> Result<(), NotKept> {
    // One that lacks a model was just read from here, and the whole one follows.
    if serving.router.position().is_none() || !serving.is_whole() {
        return Ok(());
    }
    for (_, hash) in serving.router.wanted() {
        if !shelf.kept.has(&hash) {
            // Reading it keeps it.
            shelf.artefact(&hash).await.map_err(|e| NotKept::Artefact(hash.clone(), e))?;
            if !shelf.kept.has(&hash) {
                return Err(NotKept::Artefact(hash, "it could not be written".into()));
            }
        }
    }
    let mut schemas: BTreeMap<ContentHash, Schema> = BTreeMap::new();
    for scorer in serving.scorers.values() {
        schemas.insert(scorer.schema.hash(), Schema::clone(&scorer.schema));
    }
    let schemas = schemas.into_values().collect();
    let kept = Kept { loop_id: loop_id.clone(), router: serving.router.clone(), schemas };
    let data = Arc::clone(&shelf.kept.data);
    let written = spawn_blocking(move || write(&data, &kept)).await;
    written.unwrap_or_else(|e| Err(e.into())).map_err(NotKept::Write)
}

/// Removes the artefacts that no table names.
async fn clean<A: Artefacts>(shelf: &Shelf<A>, snapshot: &Snapshot, counted: &Counted) {
    let wanted = snapshot.loops.values().flat_map(|state| state.serving.router.wanted());
    let wanted: BTreeSet<String> = wanted.map(|(_, hash)| hash.as_str().to_owned()).collect();
    let data = Arc::clone(&shelf.kept.data);
    let removed = spawn_blocking(move || -> io::Result<()> {
        for path in data.artefacts()? {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            // Unfinished files have longer names and are somebody's.
            if name.len() == 64 && !wanted.contains(name) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    });
    let error: Option<Cause> = match removed.await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.into()),
        Err(error) => Some(error.into()),
    };
    if let Some(error) = error {
        counted.disk_failures.inc();
        warn!(error = chain(&*error), "artefacts that no table names cannot be removed yet");
    }
}
