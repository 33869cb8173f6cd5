//! From a URL to a place that holds objects. It must not know what they are.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use crate::error::{Error, Result};

/// Opens the place. Other kinds than folders and memory come here, behind cargo features, as `s3` with `object_store/aws`.
pub(crate) fn open(url: &str) -> Result<Arc<dyn ObjectStore>> {
    match url.split_once(':') {
        Some(("memory", "" | "//")) => Ok(Arc::new(InMemory::new())),
        Some(("file", path)) => match path.strip_prefix("//") {
            Some(path) if path.starts_with('/') => folder(url, Path::new(path)),
            Some(_) | None => Err(Error::Unsupported { url: url.to_owned() }),
        },
        Some((scheme, _)) if is_scheme(scheme) => Err(Error::Unsupported { url: url.to_owned() }),
        Some(_) | None if url.is_empty() => Err(Error::Unsupported { url: url.to_owned() }),
        Some(_) | None => folder(url, Path::new(url)),
    }
}

/// Letters, digits, `+`, `-` and `.`, two at least: what stands before the first colon of a URL.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn folder(url: &str, path: &Path) -> Result<Arc<dyn ObjectStore>> {
    let failed = |source| Error::Place { url: url.to_owned(), source };
    let made = std::fs::create_dir_all(path).map_err(|source| object_store::Error::Generic {
        store: "LocalFileSystem",
        source: Box::new(source),
    });
    made.map_err(failed)?;
    // An event that names an object must not outlive it in a power cut, so writing waits for the disk.
    Ok(Arc::new(LocalFileSystem::new_with_prefix(path).map_err(failed)?.with_fsync(true)))
}
