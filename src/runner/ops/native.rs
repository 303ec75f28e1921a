//! Native functions of the library.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use std::{cell::RefCell, rc::Rc};

use deno_core::{OpState, op2, v8};
use deno_error::JsErrorBox;

use crate::runner::native;

/// Calls a native function by its name, such as `compression.write`.
#[op2(reentrant)]
pub(crate) fn op_isochron_native<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] name: String,
    arguments: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    native::call(scope, &state, &name, arguments)
}
