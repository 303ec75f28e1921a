//! `require`: files of the handlers' folder.

use tokio::task::spawn_blocking;

use crate::{domain::source::Source, handlers::files::Files};

/// The file that `require(specifier)` in the file `from` stands for.
///
/// # Errors
/// A sentence for the handler's author.
pub(super) async fn find(files: &Files, from: String, specifier: String) -> Result<Source, String> {
    let files = files.clone();
    spawn_blocking(move || files.require(&from, &specifier))
        .await
        .unwrap_or_else(|error| Err(format!("reading a module failed: {error}")))
}
