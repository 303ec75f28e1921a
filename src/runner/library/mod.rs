//! The library: scripts of the runner that are not in the snapshot. An isolate that never asks for
//! one pays nothing for it.
//!
//! `op_isochron_library` compiles a script to a function and `runtime-js/05_library.js` calls it. After
//! the run that compiled a script first, the process keeps V8's code cache of it: the next isolates
//! compile neither the script nor its functions that have run.

pub(crate) mod scripts;

use std::{cell::RefCell, collections::HashMap};

use crate::runner::run::stack::keep_termination;
use deno_core::{
    JsRuntime,
    v8::{self, script_compiler as compiler},
};

/// The names that a script finds: CommonJS's three, and for a script that may reach ops its
/// primordials and the object that `runtime-js` shares. A script of Deno uses `__bootstrap` alone.
const NAMES: [&str; 5] = ["exports", "require", "module", "__bootstrap", "__isochron"];

thread_local! {
    /// Code caches by the script's name, of this process. Only V8 wrote them, from our own scripts.
    static CACHES: RefCell<HashMap<&'static str, Vec<u8>>> = RefCell::new(HashMap::new());
    /// Scripts that this isolate compiled without a code cache.
    static UNCACHED: RefCell<Vec<(&'static str, v8::Global<v8::Function>)>> = const { RefCell::new(Vec::new()) };
}

/// Makes the code caches that the run has shown to be missing, or drops the handles that they need.
/// Call it after each run, before the isolate goes.
pub(crate) fn end_run(runtime: &mut JsRuntime, make: bool) {
    let uncached = UNCACHED.take();
    if !make || uncached.is_empty() {
        return;
    }
    deno_core::scope!(scope, runtime);
    for (name, function) in uncached {
        if let Some(cache) = function.open(scope).create_code_cache() {
            CACHES.with_borrow_mut(|caches| caches.insert(name, cache.to_vec()));
        }
    }
}

/// Compiles a script: `[function]`, or `[undefined, error]`; the error is `undefined` if no script
/// has the name.
pub(crate) fn compile_script<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str) -> v8::Local<'s, v8::Array> {
    let undefined = v8::undefined(scope).into();
    let Some((name, text)) = scripts::find(name) else {
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
    name: &'static str,
    text: &'static str,
) -> Option<v8::Local<'s, v8::Function>> {
    let title = v8::String::new(scope, name)?;
    let text = if text.is_ascii() {
        v8::String::new_external_onebyte_static(scope, text.as_bytes())
    } else {
        v8::String::new(scope, text)
    }?;
    let mut names = [title; NAMES.len()];
    for (local, name) in names.iter_mut().zip(NAMES) {
        *local = v8::String::new(scope, name)?;
    }
    let origin = v8::ScriptOrigin::new(scope, title.into(), 0, 0, false, -1, None, false, false, false, None);
    let reason = compiler::NoCacheReason::NoReason;
    CACHES.with_borrow(|caches| {
        let (mut unit, options) = match caches.get(name) {
            Some(cache) => (
                compiler::Source::new_with_cached_data(text, Some(&origin), compiler::CachedData::new(cache)),
                compiler::CompileOptions::ConsumeCodeCache,
            ),
            None => (compiler::Source::new(text, Some(&origin)), compiler::CompileOptions::NoCompileOptions),
        };
        let function = compiler::compile_function(scope, &mut unit, &names, &[], options, reason)?;
        let accepted = unit.get_cached_data().is_some_and(|data| !data.rejected());
        if !accepted {
            let function = v8::Global::new(scope, function);
            UNCACHED.with_borrow_mut(|uncached| uncached.push((name, function)));
        }
        Some(function)
    })
}
