//! Unpacking: the current bundle as a folder of this server.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{task::spawn_blocking, time::sleep};

use super::{
    BundleError, Bundles,
    bundle::{FileEntry, Manifest},
};
use crate::handlers::{
    files::Files,
    shelf::{Coming, Supply},
};

/// A run that cannot learn its bundle tries again this often.
const TRIES: u32 = 5;
/// Between two tries.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Supply for Bundles {
    fn files(&self) -> Coming<'_> {
        Box::pin(async {
            let mut tries = 1;
            loop {
                match self.files_of_current().await {
                    Ok(files) => return Ok(files),
                    Err(BundleError::Store(error)) if tries < TRIES => {
                        tracing::warn!(%error, "the current bundle of handlers is not known yet");
                        tries += 1;
                        sleep(AGAIN_AFTER).await;
                    }
                    Err(error) => return Err(format!("the handlers cannot be had from the store: {error}")),
                }
            }
        })
    }
}

impl Bundles {
    /// The files of the current bundle.
    async fn files_of_current(&self) -> Result<Files, BundleError> {
        let id = self.current().await?.ok_or_else(|| {
            BundleError::Invalid("none have been pushed yet: isochron handlers push DIR".to_owned())
        })?;
        let mut unpacked = self.unpacked.lock().await;
        if let Some((last, _, files)) = &*unpacked
            && *last == id
        {
            return Ok(files.clone());
        }
        let bundle = self.find(&id).await?.ok_or_else(|| BundleError::NotFound(id.clone()))?;
        let manifest = Arc::new(self.manifest(&bundle).await?);
        let folder = self.next_folder();
        let files = Files::unpacked(&folder);
        let former =
            unpacked.as_ref().map(|(_, manifest, files)| (manifest.clone(), files.root().to_owned()));
        self.unpack(&manifest, &folder, former).await?;
        tracing::info!(bundle = id, files = manifest.len(), "the handlers' bundle is unpacked");
        *unpacked = Some((id, manifest, files.clone()));
        Ok(files)
    }

    /// Writes the files of a bundle. Files that the former bundle has too are not read again.
    async fn unpack(
        &self,
        manifest: &Arc<Manifest>,
        folder: &Path,
        former: Option<(Arc<Manifest>, PathBuf)>,
    ) -> Result<(), BundleError> {
        let failed = |error: io::Error| {
            BundleError::Invalid(format!("they cannot be unpacked into {}: {error}", folder.display()))
        };
        let (of_thread, target) = (manifest.clone(), folder.to_owned());
        let linked = spawn_blocking(move || link_all(&of_thread, &target, former.as_ref())).await;
        let left = linked.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed)?;
        for path in left {
            let Some(FileEntry { chunks, .. }) = manifest.get(&path) else { continue };
            let (bytes, target) = (self.join(chunks).await?, folder.join(path));
            let written = spawn_blocking(move || fs::write(target, bytes)).await;
            written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed)?;
        }
        Ok(())
    }
}

/// Makes the folders, and links the files that the former bundle has. Returns those that it has not.
fn link_all(
    manifest: &Manifest,
    folder: &Path,
    former: Option<&(Arc<Manifest>, PathBuf)>,
) -> io::Result<Vec<String>> {
    fs::create_dir_all(folder)?;
    let mut left = Vec::new();
    for (path, file) in manifest {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let is_linked = former.is_some_and(|(manifest, root)| {
            manifest.get(path) == Some(file) && fs::hard_link(root.join(path), &target).is_ok()
        });
        if !is_linked {
            left.push(path.clone());
        }
    }
    Ok(left)
}
