//! CommonJS modules: text to function, with V8's code cache.
//!
//! The text is compiled as the body of a function with the five CommonJS names, not
//! wrapped in more text, so every line and column is the file's.

use std::{cell::RefCell, rc::Rc};

use crate::runner::{
    isolate::engine,
    modules::compiled::{Failure, source_string, unit},
    run::{
        files::Compiled,
        session::{Purpose, Session},
    },
};
use deno_core::{
    OpState,
    v8::{self, script_compiler as compiler},
};
use isochron::runtime::protocol::{Source, SourceKind};

const NAMES: [&str; 5] = ["exports", "require", "module", "__filename", "__dirname"];
/// Largest code cache that is sent, in bytes.
const LARGEST_CACHE: usize = 4 * 1024 * 1024;
/// Largest sum of one run's code caches, in bytes: they share a frame with the result.
const LARGEST_TOTAL: usize = 16 * 1024 * 1024;

/// Takes the text and the cache of a file out of the session.
pub(super) fn take_source(state: &Rc<RefCell<OpState>>, index: usize) -> Option<Source> {
    let mut state = state.borrow_mut();
    let run = state.borrow_mut::<Session>().run.as_mut()?;
    run.files.take_source(index)
}

/// Compiles file `index` of the session: `[function]`, `[]` for an ES module, or
/// `[undefined, error, text, position]`.
pub(crate) fn compile_module<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &Rc<RefCell<OpState>>,
    index: usize,
) -> v8::Local<'s, v8::Array> {
    let Some(Source { file, kind, text, cache, .. }) = take_source(state, index) else {
        return v8::Array::new(scope, 0);
    };
    let text = source_string(scope, text);
    let keep = |compiled: Compiled| {
        let mut state = state.borrow_mut();
        if let Some(run) = state.borrow_mut::<Session>().run.as_mut() {
            run.files.keep(index, compiled);
        }
    };
    match compile(scope, &file, text, cache.as_deref(), kind) {
        Ok((function, accepted)) => {
            if !accepted {
                keep(Compiled::Function(v8::Global::new(scope, function)));
            }
            v8::Array::new_with_elements(scope, &[function.into()])
        }
        Err(failure) => match text.filter(|_| kind == SourceKind::Unmarked && failure.is_es) {
            Some(text) => {
                keep(Compiled::Text(v8::Global::new(scope, text)));
                v8::Array::new(scope, 0)
            }
            None => failure.into_array(scope, &file),
        },
    }
}

/// Compiles a module to a function; says whether V8 accepted its code cache.
fn compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    file: &str,
    text: Option<v8::Local<'s, v8::String>>,
    cache: Option<&[u8]>,
    kind: SourceKind,
) -> Result<(v8::Local<'s, v8::Function>, bool), Failure<'s>> {
    v8::tc_scope!(let tc, scope);
    let compiled = text.and_then(|text| try_compile(tc, file, text, cache));
    compiled.ok_or_else(|| Failure::caught(tc, kind))
}

fn try_compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    file: &str,
    text: v8::Local<'s, v8::String>,
    cache: Option<&[u8]>,
) -> Option<(v8::Local<'s, v8::Function>, bool)> {
    let mut names = [text; NAMES.len()];
    for (local, name) in names.iter_mut().zip(NAMES) {
        *local = v8::String::new(scope, name)?;
    }
    let (mut unit, options) = unit(scope, file, text, cache, false)?;
    let reason = compiler::NoCacheReason::NoReason;
    let function = compiler::compile_function(scope, &mut unit, &names, &[], options, reason)?;
    engine::reseed();
    let accepted = cache.is_some() && unit.get_cached_data().is_some_and(|data| !data.rejected());
    Some((function, accepted))
}

/// Makes code caches for the files that were compiled without one. Call it after the run: a code
/// cache holds the functions that have run.
pub(crate) fn make_caches(
    scope: &mut v8::PinScope<'_, '_>,
    state: &Rc<RefCell<OpState>>,
) -> Vec<([u8; 32], Vec<u8>)> {
    let mut state = state.borrow_mut();
    let session = state.borrow_mut::<Session>();
    let Some(run) = session.run.as_mut().filter(|_| session.purpose == Purpose::Serving) else {
        return Vec::new();
    };
    let mut room = LARGEST_TOTAL;
    let mut caches = Vec::new();
    for (key, compiled) in run.files.take_uncached() {
        let cache = match compiled {
            Compiled::Function(function) => function.open(scope).create_code_cache(),
            Compiled::Module(module) => {
                let module = v8::Local::new(scope, module);
                // V8 keeps no script of a module that threw.
                if module.get_status() == v8::ModuleStatus::Errored {
                    continue;
                }
                module.get_unbound_module_script(scope).create_code_cache()
            }
            Compiled::Text(_) => continue,
        };
        if let Some(cache) = cache.filter(|cache| cache.len() <= LARGEST_CACHE.min(room)) {
            room -= cache.len();
            caches.push((key, cache.to_vec()));
        }
    }
    caches
}
