//! Compiling: a source's text as V8 takes it, and errors a person can read.

use std::fmt::Write;

use crate::runner::run::stack::keep_termination;
use deno_core::v8::{self, script_compiler as compiler};
use isochron::{domain::source::is_typescript, runtime::protocol::SourceKind};

/// An error of the compiler.
pub(crate) struct Failure<'s> {
    error: Option<v8::Local<'s, v8::Value>>,
    /// Position, message, source line and caret, for the handler's author.
    text: Option<String>,
    /// `tasks/x.js:3:12`
    position: Option<String>,
    /// Whether only an ES module may have this text.
    pub(crate) is_es: bool,
}

impl<'s> Failure<'s> {
    /// The error that `scope` has caught while it compiled or linked `file`.
    pub(crate) fn caught(
        scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, 's, v8::HandleScope<'_>>>,
        kind: SourceKind,
    ) -> Self {
        keep_termination(scope);
        let message = scope.message();
        let position = message.map(|message| position(scope, message));
        let said = message.map(|message| message.get(scope).to_rust_string_lossy(scope));
        let said = said.as_deref().map(|said| said.strip_prefix("Uncaught ").unwrap_or(said));
        let text = match (message, &position, said) {
            (Some(message), Some(position), Some(said)) => {
                Some(explain(scope, message, position, said, kind))
            }
            _ => None,
        };
        Self { error: scope.exception(), text, position, is_es: said.is_some_and(is_es_module) }
    }

    /// `[undefined, error, text, position]`
    pub(crate) fn into_array<'a>(
        self,
        scope: &mut v8::PinScope<'a, '_>,
        file: &str,
    ) -> v8::Local<'a, v8::Array>
    where
        's: 'a,
    {
        let undefined = v8::undefined(scope).into();
        let text = self.text.unwrap_or_else(|| format!("{file} cannot be compiled"));
        let [text, position] = [Some(text), self.position].map(|text| {
            let text = text.and_then(|text| v8::String::new(scope, &text));
            text.map_or(undefined, Into::into)
        });
        v8::Array::new_with_elements(scope, &[undefined, self.error.unwrap_or(undefined), text, position])
    }
}

/// A text with its origin, and a code cache if there is one.
pub(crate) fn unit<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    file: &str,
    text: v8::Local<'s, v8::String>,
    cache: Option<&[u8]>,
    is_module: bool,
) -> Option<(compiler::Source, compiler::CompileOptions)> {
    let name = v8::String::new(scope, file)?;
    let origin =
        v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, -1, None, false, false, is_module, None);
    Some(match cache {
        Some(cache) => (
            compiler::Source::new_with_cached_data(text, Some(&origin), compiler::CachedData::new(cache)),
            compiler::CompileOptions::ConsumeCodeCache,
        ),
        None => (compiler::Source::new(text, Some(&origin)), compiler::CompileOptions::NoCompileOptions),
    })
}

/// The text as a V8 string, without a byte order mark. ASCII, as most files are, is not copied into
/// V8's heap.
pub(crate) fn source_string<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    text: String,
) -> Option<v8::Local<'s, v8::String>> {
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
    said: &str,
    kind: SourceKind,
) -> String {
    let column = message.get_start_column();
    let mut text = format!("{position}: {said}");
    if let Some(source) = message.get_source_line(scope) {
        let source = source.to_rust_string_lossy(scope);
        let width = message.get_end_column().saturating_sub(column).max(1);
        push_excerpt(&mut text, &source, column, width);
    }
    text.push_str(hint(position, said, character(scope, message)).unwrap_or_default());
    if kind == SourceKind::Script && is_es_module(said) {
        text.push_str(
            "\nThis file is a CommonJS module: use require('./file') instead of import and module.exports = … \
             instead of export, or give the file the ending .mjs.",
        );
    }
    text
}

/// The character at which V8 stopped.
fn character<'s>(scope: &mut v8::PinScope<'s, '_>, message: v8::Local<'s, v8::Message>) -> Option<char> {
    let line = message.get_source_line(scope)?.to_rust_string_lossy(scope);
    line.chars().nth(message.get_start_column())
}

/// A line of advice for mistakes whose message does not say how to mend them.
fn hint(position: &str, said: &str, character: Option<char>) -> Option<&'static str> {
    let file = position.rsplitn(3, ':').last().unwrap_or_default();
    if character == Some('@') {
        return Some(
            "\nDecorators are no part of JavaScript yet: call the function itself, as in \
             const Service = decorate(class { … }).",
        );
    }
    (is_typescript(file) && said.contains("does not provide an export named")).then_some(
        "\nIf it is a type, such as an interface, write import type { … }, or import { type … }: types are \
         taken out of each file by itself.",
    )
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

/// Whether V8's message says that the text may be an ES module: `import` and its kin, top-level
/// `await`, or a declaration of one of the five names of CommonJS.
fn is_es_module(said: &str) -> bool {
    const SIGNS: [&str; 9] = [
        "Cannot use import statement outside a module",
        "Unexpected token 'export'",
        "Cannot use 'import.meta' outside a module",
        "await is only valid in async functions and the top level bodies of modules",
        "Identifier 'module' has already been declared",
        "Identifier 'exports' has already been declared",
        "Identifier 'require' has already been declared",
        "Identifier '__filename' has already been declared",
        "Identifier '__dirname' has already been declared",
    ];
    SIGNS.iter().any(|sign| said.contains(sign))
}
