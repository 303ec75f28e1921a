//! CommonJS modules: text to function, with V8's code cache, and errors a person can read.
//!
//! The text is compiled as the body of a function with the five CommonJS names, not
//! wrapped in more text, so every line and column is the file's.

use std::{cell::RefCell, fmt::Write, rc::Rc};

use crate::runner::run::{
    session::{Purpose, Session},
    stack::keep_termination,
};
use deno_core::{
    OpState,
    v8::{self, script_compiler as compiler},
};
use isochron::runtime::protocol::Source;

const NAMES: [&str; 5] = ["exports", "require", "module", "__filename", "__dirname"];
/// Largest code cache that is sent, in bytes.
const LARGEST_CACHE: usize = 4 * 1024 * 1024;
/// Largest sum of one run's code caches, in bytes: they share a frame with the result.
const LARGEST_TOTAL: usize = 16 * 1024 * 1024;

/// Compiles file `index` of the session: `[function]` or `[undefined, error, text, position]`.
pub(crate) fn compile_module<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &Rc<RefCell<OpState>>,
    index: usize,
) -> v8::Local<'s, v8::Array> {
    let source = {
        let mut state = state.borrow_mut();
        let run = state.borrow_mut::<Session>().run.as_mut();
        let Some(file) = run.and_then(|run| run.files.get_mut(index)) else {
            return v8::Array::new(scope, 0);
        };
        let Source { file: name, kind, hash, text, cache } = &mut file.source;
        let (text, cache) = (std::mem::take(text), cache.take());
        Source { file: name.clone(), kind: *kind, hash: *hash, text, cache }
    };
    let file = source.file.clone();
    match compile(scope, source) {
        Ok((function, accepted)) => {
            if !accepted {
                let uncached = v8::Global::new(scope, function);
                let mut state = state.borrow_mut();
                if let Some(run) = state.borrow_mut::<Session>().run.as_mut() {
                    run.files[index].uncached = Some(uncached);
                }
            }
            v8::Array::new_with_elements(scope, &[function.into()])
        }
        Err(Failure { error, text, position }) => {
            let text = text.unwrap_or_else(|| format!("{file} cannot be compiled"));
            let undefined = v8::undefined(scope).into();
            let [text, position] = [Some(text), position].map(|text| {
                let text = text.and_then(|text| v8::String::new(scope, &text));
                text.map_or(undefined, Into::into)
            });
            v8::Array::new_with_elements(scope, &[undefined, error.unwrap_or(undefined), text, position])
        }
    }
}

struct Failure<'s> {
    error: Option<v8::Local<'s, v8::Value>>,
    /// Position, message, source line and caret, for the handler's author.
    text: Option<String>,
    /// `tasks/x.js:3:12`
    position: Option<String>,
}

type Compiled<'s> = (v8::Local<'s, v8::Function>, bool);

/// Compiles a module to a function; says whether V8 accepted its code cache.
fn compile<'s>(scope: &mut v8::PinScope<'s, '_>, source: Source) -> Result<Compiled<'s>, Failure<'s>> {
    v8::tc_scope!(let tc, scope);
    let compiled = try_compile(tc, source);
    compiled.ok_or_else(|| {
        keep_termination(tc);
        let message = tc.message();
        let position = message.map(|message| position(tc, message));
        let text = message.zip(position.as_ref()).map(|(message, position)| explain(tc, message, position));
        Failure { error: tc.exception(), text, position }
    })
}

fn try_compile<'s>(scope: &mut v8::PinScope<'s, '_>, source: Source) -> Option<Compiled<'s>> {
    let name = v8::String::new(scope, &source.file)?;
    let text = source_string(scope, source.text)?;
    let mut names = [name; NAMES.len()];
    for (local, name) in names.iter_mut().zip(NAMES) {
        *local = v8::String::new(scope, name)?;
    }
    let origin = v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, -1, None, false, false, false, None);
    let none = compiler::CompileOptions::NoCompileOptions;
    let (mut unit, options) = match &source.cache {
        Some(cache) => (
            compiler::Source::new_with_cached_data(text, Some(&origin), compiler::CachedData::new(cache)),
            compiler::CompileOptions::ConsumeCodeCache,
        ),
        None => (compiler::Source::new(text, Some(&origin)), none),
    };
    let reason = compiler::NoCacheReason::NoReason;
    let function = compiler::compile_function(scope, &mut unit, &names, &[], options, reason)?;
    let accepted = source.cache.is_some() && unit.get_cached_data().is_some_and(|data| !data.rejected());
    Some((function, accepted))
}

/// The text as a V8 string, without a byte order mark. ASCII, as most files are, is not copied into
/// V8's heap.
fn source_string<'s>(scope: &mut v8::PinScope<'s, '_>, text: String) -> Option<v8::Local<'s, v8::String>> {
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    if text.is_ascii() {
        v8::String::new_external_onebyte(scope, text.into_bytes().into_boxed_slice())
    } else {
        v8::String::new(scope, &text)
    }
}

/// ```text
/// tasks/x.js:3:12: SyntaxError: Unexpected token ')'
///   const a = );
///             ^
/// ```
fn explain<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    message: v8::Local<'s, v8::Message>,
    position: &str,
) -> String {
    let error = message.get(scope).to_rust_string_lossy(scope);
    let error = error.strip_prefix("Uncaught ").unwrap_or(&error);
    let column = message.get_start_column();
    let mut text = format!("{position}: {error}");
    if let Some(source) = message.get_source_line(scope) {
        let source = source.to_rust_string_lossy(scope);
        let width = message.get_end_column().saturating_sub(column).max(1);
        push_excerpt(&mut text, &source, column, width);
    }
    if is_es_module(error) {
        text.push_str(
            "\nHandlers are CommonJS modules: use require('./file') instead of import, \
             and module.exports = … instead of export.",
        );
    }
    text
}

fn position<'s>(scope: &mut v8::PinScope<'s, '_>, message: v8::Local<'s, v8::Message>) -> String {
    let file = message.get_script_resource_name(scope).map(|name| name.to_rust_string_lossy(scope));
    let line = message.get_line_number(scope).unwrap_or_default();
    format!("{}:{line}:{}", file.unwrap_or_default(), message.get_start_column() + 1)
}

/// Appends a source line and, under it, carets; of a long line 120 characters around them.
fn push_excerpt(text: &mut String, line: &str, column: usize, width: usize) {
    let start = column.saturating_sub(60);
    let shown: String = line.chars().skip(start).take(120).collect();
    // Tabs stay tabs, so that the caret is under its character.
    let indent: String =
        shown.chars().take(column - start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let left = shown.chars().count().saturating_sub(column - start).max(1);
    let _ = write!(text, "\n  {shown}\n  {indent}{}", "^".repeat(width.min(left)));
}

fn is_es_module(error: &str) -> bool {
    const SIGNS: [&str; 4] = [
        "Cannot use import statement outside a module",
        "Unexpected token 'export'",
        "Cannot use 'import.meta' outside a module",
        "await is only valid in async functions and the top level bodies of modules",
    ];
    SIGNS.iter().any(|sign| error.contains(sign))
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
    for file in &mut run.files {
        let Some(function) = file.uncached.take() else { continue };
        let Some(cache) = function.open(scope).create_code_cache() else { continue };
        if cache.len() <= LARGEST_CACHE.min(room) {
            room -= cache.len();
            caches.push((file.source.hash, cache.to_vec()));
        }
    }
    caches
}
