//! The admin token: from the environment, or in a file of the data directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{clock::random_token, config::Config, domain::access::record::TokenHash};

/// Reads the token and says where a user finds it. The environment takes precedence over the file; without
/// either, writes a new token to the file.
pub(super) fn admin_token(config: &Config) -> anyhow::Result<(TokenHash, String)> {
    if let Some(secret) = &config.admin_token {
        return Ok((TokenHash::of(secret.expose().as_bytes()), "from ISOCHRON_ADMIN_TOKEN".to_owned()));
    }
    let path = config.data.join("admin-token");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = random_token();
            write_token(&path, &token).with_context(|| format!("write {}", path.display()))?;
            token
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    anyhow::ensure!(
        text.len() >= 16,
        "the token in {} is shorter than 16 characters: delete the file to have a new one made",
        path.display()
    );
    Ok((TokenHash::of(text.as_bytes()), format!("in {}", path.display())))
}

/// Writes the file atomically, readable by its owner only (mode 0600).
fn write_token(path: &Path, token: &str) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let unfinished: PathBuf = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
