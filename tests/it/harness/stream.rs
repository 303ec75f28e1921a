//! A stream of server-sent events, read as a browser reads it.

use std::io::{BufRead, BufReader};

use serde_json::Value;
use ureq::{Body, BodyReader};

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Happening {
    pub(crate) name: String,
    /// The id of the last event that had one.
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// An open stream; it is closed on drop.
pub(crate) struct Stream {
    reader: BufReader<BodyReader<'static>>,
    id: String,
}

impl Stream {
    pub(crate) fn new(body: Body) -> Self {
        Self { reader: BufReader::with_capacity(1024, body.into_reader()), id: String::new() }
    }

    /// The id that a browser would send when it comes back now.
    pub(crate) fn last_id(&self) -> &str {
        &self.id
    }

    /// Reads events until one has a name; fails the test if the stream ends before.
    #[track_caller]
    pub(crate) fn until(&mut self, name: &str) -> Vec<Happening> {
        let mut seen = Vec::new();
        loop {
            let next = self.next().unwrap_or_else(|| panic!("the stream ended after {seen:?}"));
            seen.push(next);
            if seen.last().is_some_and(|last| last.name == name) {
                return seen;
            }
        }
    }
}

impl Iterator for Stream {
    type Item = Happening;

    /// The next event; `None` at the end of the stream, also if it broke off.
    fn next(&mut self) -> Option<Happening> {
        let (mut name, mut data) = (String::new(), String::new());
        // An id counts from the end of its event on.
        let mut id = self.id.clone();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap_or_default() == 0 {
                return None;
            }
            let line = line.trim_end_matches('\n');
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() && name.is_empty() => self.id.clone_from(&id),
                "" if line.is_empty() => {
                    self.id = id;
                    let data = serde_json::from_str(&data).unwrap_or_else(|e| panic!("{e} in {data}"));
                    return Some(Happening { name, id: self.id.clone(), data });
                }
                "id" => value.clone_into(&mut id),
                "event" => value.clone_into(&mut name),
                "data" => data.push_str(value),
                _ => {}
            }
        }
    }
}
