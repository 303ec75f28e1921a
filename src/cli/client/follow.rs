//! A stream of events that goes on when the connection breaks.

use std::{
    io::{BufRead, BufReader},
    thread::sleep,
    time::Duration,
};

use serde_json::Value;
use ureq::BodyReader;

use super::{Client, Done, Failure};
use crate::cli::tell;

/// The wait before the connection is tried again: at first, and at most.
const TRIED_AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// An event of a stream.
pub(super) struct Message {
    pub(super) name: String,
    pub(super) data: Value,
}

/// A stream that is read to its end, over as many connections as that takes.
pub(super) struct Stream<'a> {
    client: &'a Client,
    path: String,
    reader: Option<BufReader<BodyReader<'static>>>,
    last: Option<String>,
    wait: Duration,
}

impl<'a> Stream<'a> {
    /// Opens a stream.
    ///
    /// # Errors
    /// When it is refused, or no server answers.
    pub(super) fn open(client: &'a Client, path: String) -> Done<Self> {
        let reader = Some(BufReader::new(client.open(&path, None)?.into_body().into_reader()));
        Ok(Self { client, path, reader, last: None, wait: TRIED_AGAIN_AFTER.0 })
    }

    /// The next event, for as long as it takes. A broken connection is made again, and goes on after the last event.
    ///
    /// # Errors
    /// When the server refuses the stream.
    pub(super) fn next(&mut self) -> Done<Message> {
        loop {
            let Some(reader) = &mut self.reader else {
                self.open_again()?;
                continue;
            };
            match read(reader, &mut self.last) {
                Some(told) if told.name == "bye" => self.reader = None,
                Some(told) => {
                    self.wait = TRIED_AGAIN_AFTER.0;
                    return Ok(told);
                }
                None => self.reader = None,
            }
        }
    }

    fn open_again(&mut self) -> Done {
        if self.wait == TRIED_AGAIN_AFTER.0 {
            tell("isochron: the connection is lost, and is made again");
        }
        sleep(self.wait);
        self.wait = (2 * self.wait).min(TRIED_AGAIN_AFTER.1);
        match self.client.open(&self.path, self.last.as_deref()) {
            Ok(answer) => self.reader = Some(BufReader::new(answer.into_body().into_reader())),
            // No server answers yet, or it has no room for a stream.
            Err(Failure::Other(_) | Failure::Refused(503, _)) => {}
            Err(refused) => return Err(refused),
        }
        Ok(())
    }
}

/// Reads one event; `None` when the connection has ended.
fn read(reader: &mut impl BufRead, last: &mut Option<String>) -> Option<Message> {
    let (mut name, mut data) = (String::new(), String::new());
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\n', '\r']);
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() && !name.is_empty() => {
                return Some(Message { name, data: serde_json::from_str(&data).unwrap_or_default() });
            }
            "id" => *last = Some(value.to_owned()),
            "event" => value.clone_into(&mut name),
            "data" => data.push_str(value),
            _ => {}
        }
    }
}
