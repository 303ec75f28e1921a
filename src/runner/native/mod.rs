//! Native functions that few handlers use: compression, patterns of URLs, cryptography.
//!
//! Each op costs every isolate time, so one op (`op_isochron_native`) calls them all by name. Their
//! arguments come from `runtime-js/web` in an array that no handler can reach.

mod arguments;
mod compression;
mod patterns;
mod subtle;

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, v8};
use deno_error::JsErrorBox;

pub(crate) use self::arguments::Arguments;

/// The result of a native function.
pub(crate) enum Answer {
    /// Nothing.
    Nothing,
    /// A number.
    Number(u32),
    /// A condition.
    Flag(bool),
    /// A `Uint8Array`.
    Bytes(Vec<u8>),
    /// An array of `Uint8Array`s.
    List(Vec<Vec<u8>>),
    /// JSON text.
    Json(String),
}

/// What every native function returns.
pub(crate) type Outcome = Result<Answer, JsErrorBox>;

/// Calls a native function.
///
/// # Errors
/// An error whose class is a JavaScript error or the name of a `DOMException`.
pub(crate) fn call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &Rc<RefCell<OpState>>,
    name: &str,
    arguments: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let arguments = Arguments::read(scope, arguments)?;
    let answer = match name.split_once('.') {
        Some(("compression", function)) => compression::call(state, function, &arguments),
        Some(("pattern", function)) => patterns::call(function, &arguments),
        Some(("subtle", function)) => subtle::call(function, &arguments),
        _ => Err(JsErrorBox::generic(format!("there is no native function {name}"))),
    }?;
    to_value(scope, answer).ok_or_else(|| JsErrorBox::range_error("the result is too large"))
}

fn to_value<'s>(scope: &mut v8::PinScope<'s, '_>, answer: Answer) -> Option<v8::Local<'s, v8::Value>> {
    Some(match answer {
        Answer::Nothing => v8::undefined(scope).into(),
        Answer::Number(number) => v8::Integer::new_from_unsigned(scope, number).into(),
        Answer::Flag(flag) => v8::Boolean::new(scope, flag).into(),
        Answer::Bytes(bytes) => to_bytes(scope, bytes)?,
        Answer::List(list) => {
            let items = list.into_iter().map(|bytes| to_bytes(scope, bytes)).collect::<Option<Vec<_>>>()?;
            v8::Array::new_with_elements(scope, &items).into()
        }
        Answer::Json(text) => v8::String::new(scope, &text)?.into(),
    })
}

fn to_bytes<'s>(scope: &mut v8::PinScope<'s, '_>, bytes: Vec<u8>) -> Option<v8::Local<'s, v8::Value>> {
    let length = bytes.len();
    let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
    Some(v8::Uint8Array::new(scope, buffer, 0, length)?.into())
}
