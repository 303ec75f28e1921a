//! Stack traces of the handler's own files, without the frames of `runtime-js`.

use std::fmt::Write;

use deno_core::v8;

/// Longest stack or error text that leaves the runner, in bytes.
pub(crate) const LONGEST: usize = 8 * 1024;

/// Makes `error.stack`. Replaces deno_core's callback, which hands out call sites
/// (`Error.prepareStackTrace`), shows `ext:` frames and panics in a terminated isolate.
pub(crate) fn prepare<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    error: v8::Local<'s, v8::Value>,
    sites: v8::Local<'s, v8::Array>,
) -> v8::Local<'s, v8::Value> {
    let mut text = headline(scope, error);
    for index in 0..sites.length() {
        let Some(site) = site_text(scope, sites, index) else { break };
        if !is_internal(&site) {
            text.push_str("\n    at ");
            text.push_str(&site);
        }
    }
    match v8::String::new(scope, &text) {
        Some(text) => text.into(),
        None => v8::undefined(scope).into(),
    }
}

/// `name: message`, as `Error.prototype.toString` writes it.
fn headline<'s>(scope: &mut v8::PinScope<'s, '_>, error: v8::Local<'s, v8::Value>) -> String {
    let Ok(error) = v8::Local::<v8::Object>::try_from(error) else { return String::new() };
    let name = text_property(scope, error, "name").unwrap_or_else(|| "Error".into());
    let message = text_property(scope, error, "message").unwrap_or_default();
    match (name.is_empty(), message.is_empty()) {
        (_, true) => name,
        (true, false) => message,
        (false, false) => format!("{name}: {message}"),
    }
}

/// A property as a text. Runs the handler's getter and `toString`.
fn text_property<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    of: v8::Local<'s, v8::Object>,
    name: &str,
) -> Option<String> {
    v8::tc_scope!(let tc, scope);
    let name = v8::String::new(tc, name)?;
    let value = of.get(tc, name.into()).filter(|value| !value.is_undefined());
    let text = value.and_then(|value| value.to_string(tc)).map(|text| text.to_rust_string_lossy(tc));
    keep_termination(tc);
    text
}

/// Terminates JavaScript again if this scope has caught a termination, and says whether it has. V8
/// forgets a caught termination at the end of the scope, and the handler would run on. Call this
/// after each call into JavaScript.
pub(crate) fn keep_termination(scope: &v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>) -> bool {
    let terminated = scope.has_terminated();
    if terminated {
        scope.terminate_execution();
    }
    terminated
}

/// `fn (tasks/x.js:3:9)`, by V8's own call site, which no handler can reach or patch.
fn site_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    sites: v8::Local<'s, v8::Array>,
    index: u32,
) -> Option<String> {
    v8::tc_scope!(let tc, scope);
    let site = v8::Local::<v8::Object>::try_from(sites.get_index(tc, index)?).ok()?;
    let name = v8::String::new(tc, "toString")?;
    let to_string = v8::Local::<v8::Function>::try_from(site.get(tc, name.into())?).ok()?;
    let text = to_string.call(tc, site.into(), &[]);
    keep_termination(tc);
    Some(text?.to_rust_string_lossy(tc))
}

fn is_internal(site: &str) -> bool {
    site.starts_with("ext:") || site.contains("(ext:") || site.starts_with("async ext:")
}

/// The frames of the JavaScript that runs now, as [`frames`] writes them.
pub(crate) fn current_frames(scope: &mut v8::PinScope<'_, '_>) -> String {
    let Some(trace) = v8::StackTrace::current_stack_trace(scope, 16) else { return String::new() };
    let mut text = String::new();
    for index in 0..trace.get_frame_count() {
        let Some(frame) = trace.get_frame(scope, index) else { break };
        let Some(file) = frame.get_script_name(scope) else { continue };
        let file = file.to_rust_string_lossy(scope);
        if file.starts_with("ext:") {
            continue;
        }
        let function = frame.get_function_name(scope).map(|name| name.to_rust_string_lossy(scope));
        let (line, column) = (frame.get_line_number(), frame.get_column());
        let separator = if text.is_empty() { "" } else { "\n" };
        let _ = match function.filter(|name| !name.is_empty()) {
            Some(name) => write!(text, "{separator}at {name} ({file}:{line}:{column})"),
            None => write!(text, "{separator}at {file}:{line}:{column}"),
        };
    }
    text
}

/// The lines of a `stack` that are frames in one of `files`, one per line, trimmed.
pub(crate) fn frames<'a>(stack: &str, files: &(impl Iterator<Item = &'a str> + Clone)) -> String {
    let mut kept = String::new();
    for line in stack.lines().map(str::trim).filter(|line| line.starts_with("at ")) {
        let Some(position) = position(line) else { continue };
        let in_file = |file: &str| position.strip_prefix(file).is_some_and(is_line_and_column);
        if files.clone().any(in_file) {
            if !kept.is_empty() {
                kept.push('\n');
            }
            kept.push_str(line);
        }
    }
    kept
}

/// `tasks/x.js:3:9` of `at fn (tasks/x.js:3:9)` or `at tasks/x.js:3:9`.
fn position(frame: &str) -> Option<&str> {
    match frame.strip_suffix(')') {
        Some(open) => open.rfind('(').map(|at| &open[at + 1..]),
        None => {
            let frame = frame.strip_prefix("at ")?;
            Some(frame.strip_prefix("async ").unwrap_or(frame))
        }
    }
}

/// `:3:9`
fn is_line_and_column(text: &str) -> bool {
    let mut parts = text.split(':');
    parts.next() == Some("")
        && parts.by_ref().take(2).all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        && parts.next().is_none()
}

/// Cuts a text to at most `longest` bytes, at a character.
pub(crate) fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        let end = text.floor_char_boundary(longest.saturating_sub('…'.len_utf8()));
        text.truncate(end);
        text.push('…');
    }
    text
}
