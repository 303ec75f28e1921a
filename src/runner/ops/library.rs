//! Scripts of the library.

#![expect(clippy::needless_pass_by_value, reason = "op2 decides how arguments come")]

use deno_core::{op2, v8};

use crate::runner::library;

/// Compiles a script of the library: `[function]`, or `[undefined, error]`.
#[op2(reentrant)]
pub(crate) fn op_isochron_library<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] name: String,
) -> v8::Local<'s, v8::Array> {
    library::compile_script(scope, &name)
}
