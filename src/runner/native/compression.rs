//! `CompressionStream` and `DecompressionStream`: one coder per stream, by its number.

use std::{cell::RefCell, collections::HashMap, io::Write, rc::Rc};

use deno_core::OpState;
use deno_error::JsErrorBox;
use flate2::{
    Compression,
    write::{DeflateDecoder, DeflateEncoder, GzDecoder, GzEncoder, ZlibDecoder, ZlibEncoder},
};

use super::{Answer, Arguments, Outcome};
use crate::runner::run::session::Session;

/// Streams of compression that a run may have open: each takes up to 300 KiB.
const MOST_OPEN: usize = 100;

/// The open coders of an isolate, in its `OpState`.
#[derive(Default)]
struct Coders {
    last: u32,
    open: HashMap<u32, Coder>,
}

enum Coder {
    Gzip(GzEncoder<Output>),
    Deflate(ZlibEncoder<Output>),
    DeflateRaw(DeflateEncoder<Output>),
    Gunzip(GzDecoder<Output>),
    Inflate(ZlibDecoder<Output>),
    InflateRaw(DeflateDecoder<Output>),
}

/// Takes what a coder writes, up to a limit.
struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(std::io::Error::other(Full));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("one chunk decompresses to more than limits.buffers allows: write smaller chunks")]
struct Full;

/// `new(format, decompress)`, `write(number, bytes)`, `finish(number)`, `drop(number)`.
pub(super) fn call(state: &Rc<RefCell<OpState>>, function: &str, arguments: &Arguments) -> Outcome {
    let mut state = state.borrow_mut();
    let limit = usize::try_from(state.borrow::<Session>().settings.buffers).unwrap_or(usize::MAX);
    if state.try_borrow::<Coders>().is_none() {
        state.put(Coders::default());
    }
    let coders = state.borrow_mut::<Coders>();
    let number = arguments.number(0);
    match function {
        "new" => coders.open(arguments.text(0), arguments.number(1) == 1, limit),
        "write" => coders.get(number)?.write(arguments.bytes(1)),
        "finish" => {
            coders.get(number)?;
            match coders.open.remove(&number) {
                Some(coder) => coder.finish(),
                None => Ok(Answer::Nothing),
            }
        }
        _ => {
            coders.open.remove(&number);
            Ok(Answer::Nothing)
        }
    }
}

impl Coders {
    fn open(&mut self, format: &str, decompress: bool, limit: usize) -> Outcome {
        if self.open.len() >= MOST_OPEN {
            let text = format!("a run has at most {MOST_OPEN} streams of compression open: end some first");
            return Err(JsErrorBox::type_error(text));
        }
        let output = Output { bytes: Vec::new(), limit };
        let level = Compression::default();
        let coder = match (format, decompress) {
            ("gzip", false) => Coder::Gzip(GzEncoder::new(output, level)),
            ("gzip", true) => Coder::Gunzip(GzDecoder::new(output)),
            ("deflate", false) => Coder::Deflate(ZlibEncoder::new(output, level)),
            ("deflate", true) => Coder::Inflate(ZlibDecoder::new(output)),
            ("deflate-raw", false) => Coder::DeflateRaw(DeflateEncoder::new(output, level)),
            ("deflate-raw", true) => Coder::InflateRaw(DeflateDecoder::new(output)),
            _ => {
                let text =
                    format!("{format} is not available: the formats are gzip, deflate and deflate-raw");
                return Err(JsErrorBox::type_error(text));
            }
        };
        self.last += 1;
        self.open.insert(self.last, coder);
        Ok(Answer::Number(self.last))
    }

    fn get(&mut self, number: u32) -> Result<&mut Coder, JsErrorBox> {
        self.open.get_mut(&number).ok_or_else(|| JsErrorBox::type_error("the stream has ended"))
    }
}

impl Coder {
    fn write(&mut self, bytes: &[u8]) -> Outcome {
        let written = match self {
            Self::Gzip(coder) => coder.write_all(bytes).map(|()| coder.get_mut()),
            Self::Deflate(coder) => coder.write_all(bytes).map(|()| coder.get_mut()),
            Self::DeflateRaw(coder) => coder.write_all(bytes).map(|()| coder.get_mut()),
            // Bytes behind the end of the compressed data are an error.
            Self::Gunzip(coder) => write_exactly(coder, bytes).map(|()| coder.get_mut()),
            Self::Inflate(coder) => write_exactly(coder, bytes).map(|()| coder.get_mut()),
            Self::InflateRaw(coder) => write_exactly(coder, bytes).map(|()| coder.get_mut()),
        };
        let output = written.map_err(|error| describe(&error))?;
        Ok(Answer::Bytes(std::mem::take(&mut output.bytes)))
    }

    fn finish(self) -> Outcome {
        let output = match self {
            Self::Gzip(coder) => coder.finish(),
            Self::Deflate(coder) => coder.finish(),
            Self::DeflateRaw(coder) => coder.finish(),
            Self::Gunzip(coder) => coder.finish(),
            Self::Inflate(coder) => coder.finish(),
            Self::InflateRaw(coder) => coder.finish(),
        };
        Ok(Answer::Bytes(output.map_err(|error| describe(&error))?.bytes))
    }
}

fn write_exactly(coder: &mut impl Write, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match coder.write(bytes)? {
            0 => return Err(std::io::Error::other("bytes follow the end of the compressed data")),
            written => bytes = &bytes[written..],
        }
    }
    coder.flush()
}

fn describe(error: &std::io::Error) -> JsErrorBox {
    if error.get_ref().and_then(|inner| inner.downcast_ref::<Full>()).is_some() {
        return JsErrorBox::range_error(error.to_string());
    }
    JsErrorBox::type_error(format!("the compressed data is damaged: {error}"))
}
