//! Loading models: from the store by hash, checked, and paired with the schema under which they were trained.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tidemill_bus::error::Cause;
use tidemill_bus::{Backoff, chain};
use tidemill_domain::{Code, ContentHash, LoopId, ModelVersion, Schema};
use tidemill_learn::{BundleError, Model};
use tidemill_predictor_core::Router;
use tidemill_store::Store;
use tokio::task::JoinError;
use tracing::{info, warn};

use crate::counted::Counted;
use crate::serving::{Scorer, Serving};

/// Where artefacts lie.
pub trait Artefacts: Send + Sync + 'static {
    /// The bytes that hash to `hash`.
    ///
    /// # Errors
    /// When they are not there, or not to be had right now.
    fn artefact(&self, hash: &ContentHash) -> impl Future<Output = Result<Bytes, Cause>> + Send;
}

impl Artefacts for Store {
    async fn artefact(&self, hash: &ContentHash) -> Result<Bytes, Cause> {
        Ok(Self::artefact(self, hash).await?)
    }
}

/// Why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("{code} the artefact {0} cannot be read", code = Code::ModelUnloadable)]
    Artefact(ContentHash, #[source] Cause),
    #[error("{code} the artefact {0} is no model", code = Code::ModelUnloadable)]
    Bundle(ContentHash, #[source] BundleError),
    #[error("{code} what lies under {wanted} hashes to {found}", code = Code::ObjectDamaged)]
    Damaged { wanted: ContentHash, found: ContentHash },
    #[error("{code} reading the artefact {0} was interrupted", code = Code::ModelUnloadable)]
    Interrupted(ContentHash, #[source] JoinError),
    #[error("{code} the model was trained under the schema {0}, which no spec of the loop had", code = Code::SchemaDiffers)]
    Schema(ContentHash),
}

/// Schemas of a loop by their hash.
pub(crate) type Schemas = BTreeMap<ContentHash, Arc<Schema>>;

/// What shall be in force.
pub(crate) struct Wanted {
    pub(crate) loop_id: LoopId,
    pub(crate) router: Router,
    pub(crate) schemas: Schemas,
    /// Models that are loaded already.
    pub(crate) known: BTreeMap<ModelVersion, Arc<Scorer>>,
}

/// Loads what can be loaded at once, and passes over the rest.
pub(crate) async fn load_some<A: Artefacts>(
    artefacts: &A,
    wanted: &Wanted,
    counted: &Counted,
) -> Arc<Serving> {
    let Wanted { loop_id, router, schemas, .. } = wanted;
    let mut scorers = BTreeMap::new();
    for (version, hash) in router.wanted() {
        match load(artefacts, &version, &hash, schemas).await {
            Ok(scorer) => {
                scorers.insert(version, Arc::new(scorer));
            }
            Err(error) => {
                counted.load_failures.inc();
                warn!(%loop_id, model = %version, error = chain(&error), "a kept model cannot be loaded");
            }
        }
    }
    Arc::new(Serving { router: router.clone(), scorers })
}

/// Loads everything that is wanted, trying again until it is there.
pub(crate) async fn load_all<A: Artefacts>(
    artefacts: Arc<A>,
    wanted: Wanted,
    counted: Counted,
) -> Arc<Serving> {
    let Wanted { loop_id, router, schemas, known } = wanted;
    let mut scorers = BTreeMap::new();
    for (version, hash) in router.wanted() {
        if let Some(scorer) = known.get(&version) {
            scorers.insert(version, Arc::clone(scorer));
            continue;
        }
        let mut backoff = Backoff::default();
        let scorer = loop {
            match load(&*artefacts, &version, &hash, &schemas).await {
                Ok(scorer) => break scorer,
                Err(error) => {
                    counted.load_failures.inc();
                    warn!(%loop_id, model = %version, error = chain(&error), "a model cannot be loaded yet, the routes stay");
                }
            }
            tokio::time::sleep(backoff.pause()).await;
        };
        info!(%loop_id, model = %version, "model loaded");
        scorers.insert(version, Arc::new(scorer));
    }
    Arc::new(Serving { router, scorers })
}

async fn load<A: Artefacts>(
    artefacts: &A,
    version: &ModelVersion,
    hash: &ContentHash,
    schemas: &Schemas,
) -> Result<Scorer, LoadError> {
    let bytes = artefacts.artefact(hash).await.map_err(|e| LoadError::Artefact(hash.clone(), e))?;
    // Large models take a while to read, which must not hold up requests.
    let read = tokio::task::spawn_blocking(move || (ContentHash::of(&bytes), Model::from_bytes(&bytes)));
    let (found, model) = read.await.map_err(|e| LoadError::Interrupted(hash.clone(), e))?;
    if found != *hash {
        return Err(LoadError::Damaged { wanted: hash.clone(), found });
    }
    let model = model.map_err(|e| LoadError::Bundle(hash.clone(), e))?;
    let schema = schemas.get(model.schema_hash()).cloned();
    let schema = schema.ok_or_else(|| LoadError::Schema(model.schema_hash().clone()))?;
    Ok(Scorer { version: version.clone(), model, schema })
}
