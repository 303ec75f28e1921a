//! Texts of the settings that may be secrets: themselves, in the environment or in files.

use std::{env, fs};

use crate::domain::alerts::Given;

/// A channel that cannot be made ready.
#[derive(Debug, thiserror::Error)]
#[error("alerts.{channel}: {why}")]
pub struct OpenError {
    channel: String,
    why: String,
}

impl OpenError {
    pub(super) fn new(channel: &str, why: impl Into<String>) -> Self {
        Self { channel: channel.to_owned(), why: why.into() }
    }
}

/// Reads a text from its place. The error has the place and never the text.
pub(super) fn read(channel: &str, key: &str, given: &Given) -> Result<String, OpenError> {
    let read = match given {
        Given::Text(text) => Ok(text.clone()),
        Given::Variable(name) => {
            env::var(name).map_err(|_| format!("{key} is env:{name}, but the environment has no such text"))
        }
        Given::File(path) => fs::read_to_string(path)
            .map(|text| text.trim_end().to_owned())
            .map_err(|error| format!("{key} is file:{}, which cannot be read: {error}", path.display())),
    };
    match read {
        Ok(text) if text.is_empty() => Err(OpenError::new(channel, format!("{key} is empty"))),
        Ok(text) => Ok(text),
        Err(why) => Err(OpenError::new(channel, why)),
    }
}
