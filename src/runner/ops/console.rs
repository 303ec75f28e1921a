//! The console: lines of output.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, op2, v8};
use isochron::domain::execution::Level;

use crate::runner::run::session::Session;

/// Sends one line of output; `false` once the output limit is reached.
#[op2(nofast)]
pub(crate) fn op_isochron_write<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[smi] level: u32,
    message: v8::Local<'s, v8::String>,
) -> bool {
    let room = state.borrow().borrow::<Session>().room();
    let Some(room) = room else { return state.borrow().borrow::<Session>().run.is_none() };
    let text = prefix(scope, message, room);
    let level = match level {
        0 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        4 => Level::Error,
        _ => Level::Log,
    };
    state.borrow_mut().borrow_mut::<Session>().write(level, text)
}

/// The beginning of a string, at most `room` bytes; the rest is not converted.
fn prefix<'s>(scope: &mut v8::PinScope<'s, '_>, text: v8::Local<'s, v8::String>, room: usize) -> String {
    // A UTF-16 unit is at most three bytes of UTF-8.
    if text.length() <= room / 3 {
        return text.to_rust_string_lossy(scope);
    }
    let mut bytes = vec![0; room.min(text.length().saturating_mul(3))];
    let written = text.write_utf8_v2(scope, &mut bytes, v8::WriteFlags::kReplaceInvalidUtf8, None);
    bytes.truncate(written);
    // V8 writes whole characters, so a cut text may be shorter than `room`. Spaces fill it up to
    // `room`, one byte over the limit, which tells `Session::write` that the text was cut.
    let cut = written < text.utf8_length(scope);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    while cut && text.len() < room {
        text.push(' ');
    }
    text
}
