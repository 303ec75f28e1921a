//! The frames that server and runner exchange over their socket pair.
//!
//! A frame is a four-byte little-endian length followed by that many bytes of
//! postcard. Both directions are capped at [`MAX_FRAME`]; a longer frame, or one
//! that does not decode, ends the connection, and with it the runner.
//!
//! A conversation: the server sends [`ToRunner::Start`] once; the runner answers
//! [`FromRunner::Ready`] when its next isolate stands; then, once per run,
//! [`ToRunner::Run`], any number of [`FromRunner::Line`], [`FromRunner::Usage`] and
//! [`FromRunner::Call`] (each answered by [`ToRunner::Reply`]), one
//! [`FromRunner::Done`], and `Ready` again.

use std::{
    fmt,
    io::{self, Read, Write},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use crate::domain::source::{Source, SourceKind};

use crate::domain::execution::{Level, Reason, Trigger, Usage};

/// The largest frame either side accepts, in bytes.
pub const MAX_FRAME: usize = 32 * 1024 * 1024;

/// What the server says.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToRunner {
    /// First and once: settings that hold for the life of the process.
    Start(Settings),
    /// Run, or only load, one handler.
    Run(Box<Run>),
    /// End the run with this id, if it is still the one running.
    Cancel {
        /// The `run` of the [`Run`] meant.
        run: u64,
    },
    /// The answer to a [`FromRunner::Call`].
    Reply {
        /// The `call` of the question.
        call: u32,
        /// What came of it; an error is a sentence for the handler's author.
        answer: Result<Answer, String>,
    },
}

/// What the runner says.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromRunner {
    /// An isolate stands and waits for a [`ToRunner::Run`].
    Ready {
        /// Names the engine's version and flags; code caches are valid for one engine only.
        engine: String,
        /// How well the runner is caged; said once, by the first.
        cage: Option<Cage>,
    },
    /// One call of the console.
    Line {
        /// Epoch milliseconds.
        time: i64,
        /// Which method wrote it.
        level: Level,
        /// The formatted text, without its final newline.
        message: String,
    },
    /// The output limit was reached: the lines after this one are not sent.
    OutputCut,
    /// What the run has used so far.
    Usage(Usage),
    /// The handler wants something that only the server can do.
    Call {
        /// Chosen by the runner, unique within a run.
        call: u32,
        /// What it wants.
        want: Want,
    },
    /// A limit was reached that the process may not survive: the reason holds if it dies now.
    Dying(Reason),
    /// The run is over.
    Done(Box<Done>),
}

impl FromRunner {
    /// Its name, for people. The rest of it is of any length and of a handler's making.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "Ready",
            Self::Line { .. } => "Line",
            Self::OutputCut => "OutputCut",
            Self::Usage(_) => "Usage",
            Self::Call { .. } => "Call",
            Self::Dying(_) => "Dying",
            Self::Done(_) => "Done",
        }
    }
}

/// What holds a runner besides its isolates and its process. Shown as `full: Landlock ABI 7, seccomp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cage {
    /// How much of it this system has.
    pub level: CageLevel,
    /// For people: the parts, and why one lacks.
    pub text: String,
}

/// How much of the cage a system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CageLevel {
    /// All of it.
    Full,
    /// A part of it.
    Partial,
    /// None: a handler is held by its isolate and its process alone.
    ProcessBoundary,
}

impl fmt::Display for Cage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            CageLevel::Full => "full",
            CageLevel::Partial => "partial",
            CageLevel::ProcessBoundary => "process boundary only",
        };
        write!(f, "{level}: {}", self.text)
    }
}

/// Settings of one runner process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// JS heap in bytes.
    pub heap: u64,
    /// All ArrayBuffers of a run together, in bytes.
    pub buffers: u64,
    /// CPU milliseconds of one run.
    pub cpu: u64,
    /// Bytes of console output of one run.
    pub output_bytes: u64,
    /// Lines (console calls) of one run.
    pub output_lines: u64,
    /// Characters of the JSON text of a result that are kept whole.
    pub result: u64,
    /// Whether handlers see `WebAssembly`.
    pub web_assembly: bool,
    /// Whether `eval` and `new Function` work.
    pub eval: bool,
}

/// How far to go with a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Load it, call it and wait for its result.
    Call,
    /// Only load it and look at what it exports.
    Load,
}

/// One run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// Tells this run from earlier ones of the same process.
    pub run: u64,
    /// Call or load.
    pub mode: Mode,
    /// The handler's own file.
    pub entry: Source,
    /// The parameters as JSON text.
    pub params: String,
    /// What the handler sees as `ctx`.
    pub context: Context,
    /// Wall-clock milliseconds for the whole run.
    pub timeout: u64,
    /// Whether `require('isochron:system')` works.
    pub system: bool,
}

/// The handler's `ctx`, without its signal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// `task-…`
    pub task_id: String,
    /// The task's name.
    pub task_name: String,
    /// `exec-…`
    pub execution_id: String,
    /// 1-based.
    pub attempt: u32,
    /// 1 + `maxRetries`.
    pub max_attempts: u32,
    /// What started it; serialised by its name.
    pub trigger: Trigger,
    /// The planned time, epoch milliseconds.
    pub scheduled_for: f64,
}

/// A question of a handler to the server.
#[derive(Debug, Serialize, Deserialize)]
pub enum Want {
    /// `require(specifier)` from the file `from` (a [`Source::file`]).
    Module {
        /// The requiring file.
        from: String,
        /// What stands in the parentheses.
        specifier: String,
    },
    /// A function of `isochron:system`.
    System {
        /// Its name.
        method: String,
        /// Its one argument, as JSON text.
        argument: String,
    },
}

/// The answer to a [`Want`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The file that a module name stands for.
    Module(Source),
    /// A value as JSON text.
    Json(String),
}

/// How a run ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// The `run` of the [`Run`].
    pub run: u64,
    /// What came of it.
    pub end: End,
    /// What it used.
    pub usage: Usage,
    /// Code caches made by this run: hash of the source, bytes.
    pub caches: Vec<([u8; 32], Vec<u8>)>,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// The handler loaded and exports a function ([`Mode::Load`] only).
    Loaded,
    /// It returned; the result as JSON text, already cut to size.
    Returned {
        /// JSON text.
        result: String,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: Reason,
        /// One text for people.
        error: String,
        /// Frames in the handler's own files, one per line, or nothing.
        stack: Option<String>,
        /// What it returned, if it did: JSON text, already cut to size.
        result: Option<String>,
    },
}

/// Writes one frame.
///
/// # Errors
/// When the writer fails or the frame would be larger than [`MAX_FRAME`].
pub fn write_frame<T: Serialize>(writer: &mut impl Write, frame: &T) -> io::Result<()> {
    writer.write_all(&encode(frame)?)
}

/// One frame as bytes, its length in front.
///
/// # Errors
/// When it would be larger than [`MAX_FRAME`].
pub fn encode<T: Serialize>(frame: &T) -> io::Result<Vec<u8>> {
    let mut bytes = postcard::to_extend(frame, vec![0; 4]).map_err(io::Error::other)?;
    let length = bytes.len() - 4;
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a frame of {length} bytes is over {MAX_FRAME}")));
    }
    bytes[..4].copy_from_slice(&u32::try_from(length).map_err(io::Error::other)?.to_le_bytes());
    Ok(bytes)
}

/// Reads one frame; `None` at a clean end of the stream.
///
/// # Errors
/// When the stream ends inside a frame, the length is over [`MAX_FRAME`] or the bytes are no frame.
pub fn read_frame<T: DeserializeOwned>(reader: &mut impl Read) -> io::Result<Option<T>> {
    let mut head = [0; 4];
    match reader.read(&mut head)? {
        0 => return Ok(None),
        n => reader.read_exact(&mut head[n..])?,
    }
    let length = frame_length(head)?;
    // Not made ready as a whole: what is announced may never come.
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    decode(&bytes).map(Some)
}

/// The length that a frame's head announces.
///
/// # Errors
/// When it is over [`MAX_FRAME`].
pub fn frame_length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a frame announces {length} bytes, over {MAX_FRAME}")));
    }
    Ok(length)
}

/// A frame's body as a value.
///
/// # Errors
/// When the bytes are no frame, or more than one.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let (frame, rest) = postcard::take_from_bytes(bytes).map_err(|e| invalid(e.to_string()))?;
    if rest.is_empty() { Ok(frame) } else { Err(invalid(format!("a frame ends {} bytes early", rest.len()))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_after_a_frame_within_its_length_are_an_error() {
        let bytes = encode(&FromRunner::OutputCut).expect("encodes");
        assert!(matches!(decode(&bytes[4..]), Ok(FromRunner::OutputCut)));
        assert!(decode::<FromRunner>(&[&bytes[4..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_frame_takes_no_more_memory_than_has_come_of_it() {
        let mut asked = 0;
        let mut reader = Asked { bytes: &[0xff, 0xff, 0xff, 0x01, 0x00], most: &mut asked };
        let error = read_frame::<FromRunner>(&mut reader).expect_err("the rest is missing");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(asked <= 64 * 1024, "{asked} bytes were made ready for one");
    }

    /// Remembers how much room it was offered.
    struct Asked<'a> {
        bytes: &'a [u8],
        most: &'a mut usize,
    }

    impl Read for Asked<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            *self.most = into.len().max(*self.most);
            self.bytes.read(into)
        }
    }
}
