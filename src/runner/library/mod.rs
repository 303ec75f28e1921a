//! The library: scripts of the runner that are not in the snapshot. An isolate that never asks for
//! one pays nothing for it.
//!
//! `op_isochron_library` compiles a script to a function and `runtime-js/05_library.js` calls it.

pub(crate) mod scripts;

use crate::runner::run::stack::keep_termination;
use deno_core::v8::{self, script_compiler as compiler};

/// The names that a script finds: CommonJS's three, and for a script that may reach ops its
/// primordials and the object that `runtime-js` shares. A script of Deno uses `__bootstrap` alone.
const NAMES: [&str; 5] = ["exports", "require", "module", "__bootstrap", "__isochron"];

/// Compiles a script: `[function]`, or `[undefined, error]`; the error is `undefined` if no script
/// has the name.
pub(crate) fn compile_script<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str) -> v8::Local<'s, v8::Array> {
    let undefined = v8::undefined(scope).into();
    let Some(text) = scripts::find(name) else {
        return v8::Array::new_with_elements(scope, &[undefined, undefined]);
    };
    let compiled = {
        v8::tc_scope!(let tc, scope);
        compile(tc, name, text).ok_or_else(|| {
            keep_termination(tc);
            tc.exception()
        })
    };
    match compiled {
        Ok(function) => v8::Array::new_with_elements(scope, &[function.into()]),
        Err(error) => v8::Array::new_with_elements(scope, &[undefined, error.unwrap_or(undefined)]),
    }
}

fn compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &str,
    text: &'static str,
) -> Option<v8::Local<'s, v8::Function>> {
    let name = v8::String::new(scope, name)?;
    let text = if text.is_ascii() {
        v8::String::new_external_onebyte_static(scope, text.as_bytes())
    } else {
        v8::String::new(scope, text)
    }?;
    let mut names = [name; NAMES.len()];
    for (local, name) in names.iter_mut().zip(NAMES) {
        *local = v8::String::new(scope, name)?;
    }
    let origin = v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, -1, None, false, false, false, None);
    let mut unit = compiler::Source::new(text, Some(&origin));
    let (options, reason) = (compiler::CompileOptions::NoCompileOptions, compiler::NoCacheReason::NoReason);
    compiler::compile_function(scope, &mut unit, &names, &[], options, reason)
}
