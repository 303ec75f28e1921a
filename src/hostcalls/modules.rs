//! `require` and `import`: files of the handlers' folder.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::{
    domain::source::Way,
    handlers::{files::Files, load::Given},
    runtime::protocol::Answer,
};

/// The file that a specifier in the file `from` means, with the files that it leads to.
pub(super) async fn load(
    files: &Files,
    given: &Arc<Given>,
    from: String,
    specifier: String,
    way: Way,
) -> Result<Answer, String> {
    let (files, given) = (files.clone(), Arc::clone(given));
    let work = move || files.load(&from, &specifier, way, &given);
    let loaded = spawn_blocking(work).await.map_err(|error| format!("reading a module failed: {error}"))?;
    Ok(loaded.map_or_else(Answer::Unresolved, Answer::Modules))
}

/// The name of the file that a specifier in the file `from` means, as JSON.
pub(super) async fn resolve(
    files: &Files,
    from: String,
    specifier: String,
    way: Way,
) -> Result<Answer, String> {
    let files = files.clone();
    let work = move || files.resolve(&from, &specifier, way);
    let resolved =
        spawn_blocking(work).await.map_err(|error| format!("looking for a module failed: {error}"))?;
    Ok(resolved
        .map_or_else(Answer::Unresolved, |file| Answer::Json(serde_json::Value::from(file).to_string())))
}
