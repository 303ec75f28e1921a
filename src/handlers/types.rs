//! Types: TypeScript becomes JavaScript by blanks in place of its types, so that every line and column
//! stays.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use swc_common::{
    SourceMap,
    errors::{DiagnosticBuilder, Emitter, Handler},
    sync::Lrc,
};
use swc_ts_fast_strip::{Mode, Options, operate};

use super::{folder::SHOWN, scan::deepest};
use crate::domain::{lock::lock, panic::line_of};

/// The largest file with types, in bytes: the parser recurses once per byte at worst.
const LARGEST: usize = 256 * 1024;
/// The stack of the parser's thread, in bytes. Its memory is taken as it is used.
const STACK: usize = 1024 * 1024 * 1024;
/// The most brackets within each other.
const DEEPEST: u32 = 256;
/// The time that the parser has. There are texts for which it would take years.
const PATIENCE: Duration = Duration::from_secs(10);

/// The beginning of a decorator, which the parser has no words for.
const DECORATOR: &str = "@";

/// The forms that have no JavaScript in their place: the parser's words, and the way to write them.
const REFUSED: [(&str, &str); 7] = [
    (
        DECORATOR,
        "Decorators are no part of JavaScript yet: call the function itself, as in const A = decorate(class { … })",
    ),
    ("enum", "an enum is not supported: use an object, as in const Color = { Red: 0, Green: 1 } as const"),
    ("namespace", "a namespace is not supported: use a file of its own, or an object"),
    ("import equals", "import x = … is not supported: use import x from '…' or const x = require('…')"),
    ("export assignment", "export = … is not supported: use export default … or module.exports = …"),
    (
        "parameter property",
        "a parameter property is not supported: declare the field and assign it in the constructor",
    ),
    ("`module` keyword", "module x { } is not supported: use a file of its own, or an object"),
];

/// The text of a file without its types.
///
/// # Errors
/// A sentence for the author that begins with the place.
pub(super) fn strip(path: &str, text: &str) -> Result<String, String> {
    if text.len() > LARGEST {
        return Err(format!(
            "{SHOWN}{path} has {} bytes; a file with types has at most {LARGEST}",
            text.len()
        ));
    }
    if deepest(text) > DEEPEST {
        return Err(format!("{SHOWN}{path} has more than {DEEPEST} brackets within each other"));
    }
    let (path, text) = (path.to_owned(), text.to_owned());
    let file = path.clone();
    let (done, result) = mpsc::sync_channel(1);
    let work = move || {
        let stripped = catch_unwind(AssertUnwindSafe(|| strip_here(&path, &text)))
            .unwrap_or_else(|panic| Err(format!("{SHOWN}{path} cannot be parsed: {}", line_of(&*panic))));
        // Nobody waits any more if it has taken too long.
        let _ = done.send(stripped);
    };
    let worker = thread::Builder::new().name("types".into()).stack_size(STACK).spawn(work);
    worker.map_err(|error| format!("no thread for the parser of types: {error}"))?;
    result
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| Err(format!("{SHOWN}{file} takes longer than {} s to parse", PATIENCE.as_secs())))
}

fn strip_here(path: &str, text: &str) -> Result<String, String> {
    let found = Arc::new(Mutex::new(None));
    let handler = Handler::with_emitter(false, false, Box::new(FirstError(found.clone())));
    let options = Options {
        module: match path.rsplit_once('.') {
            Some((_, "mts")) => Some(true),
            Some((_, "cts")) => Some(false),
            _ => None,
        },
        mode: Mode::StripOnly,
        deprecated_ts_module_as_error: Some(true),
        ..Options::default()
    };
    let sources = Lrc::new(SourceMap::default());
    let stripped = operate(&sources, &handler, text.to_owned(), options);
    let first = lock(&found).take();
    match (stripped, first) {
        (Ok(output), None) => Ok(output.code),
        (_, Some((message, at))) => Err(explain(path, text, &message, at)),
        (Err(error), None) => Err(format!("{SHOWN}{path} cannot be parsed: {}", error.message)),
    }
}

/// Keeps the first error: its message and its place in the text.
struct FirstError(Arc<Mutex<Option<(String, usize)>>>);

impl Emitter for FirstError {
    fn emit(&mut self, diagnostic: &mut DiagnosticBuilder<'_>) {
        // The first file of a source map starts at 1.
        let place = diagnostic.span.primary_span().map_or(0, |span| span.lo.0.saturating_sub(1) as usize);
        lock(&self.0).get_or_insert_with(|| (diagnostic.message(), place));
    }
}

/// `tasks/x.ts:3:5: SyntaxError: …`
fn explain(path: &str, text: &str, message: &str, at: usize) -> String {
    let before = text.get(..at.min(text.len())).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count() + 1;
    let is_decorator = text.get(at..).is_some_and(|rest| rest.starts_with('@'));
    let refused =
        REFUSED.iter().find(|(words, _)| message.contains(words) || is_decorator && *words == DECORATOR);
    let message = refused.map_or_else(|| message.replace('\n', " "), |(_, advice)| (*advice).to_owned());
    format!("{SHOWN}{path}:{line}:{column}: SyntaxError: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_blanks_and_every_place_stays() {
        let text = "import type { A } from './a'\nconst x: number = 1 as any, y = <T,>(z: T) => z!;\nexport { x };\n";
        let stripped = strip("x.ts", text).expect("stripped");
        assert_eq!(stripped.len(), text.len());
        assert!(!stripped.contains("number") && !stripped.contains("type"), "{stripped}");
        assert_eq!(stripped.find("z!"), None);
        for word in ["x", "= 1", "export { x }"] {
            assert_eq!(stripped.find(word).is_some(), text.contains(word), "{word}");
        }
        assert_eq!(stripped.find("export { x }"), text.find("export { x }"));
    }

    #[test]
    fn forms_without_a_counterpart_are_refused_with_their_place_and_what_to_write() {
        for (text, place, words) in [
            ("const a = 1;\n  enum Color { Red }", "tasks/x.ts:2:3", "as const"),
            ("namespace N { export const a = 1 }", "tasks/x.ts:1:1", "a file of its own"),
            ("module N { export const a = 1 }", "tasks/x.ts:1:1", "a file of its own"),
            ("import fs = require('fs')", "tasks/x.ts:1:1", "const x = require"),
            ("export = 1", "tasks/x.ts:1:1", "module.exports"),
            ("class A { constructor(private a: string) {} }", "tasks/x.ts:1:", "in the constructor"),
            ("const log = (x: any) => x;\n@log class A {}", "tasks/x.ts:2:1", "Decorators are no part"),
            ("const a: = 1", "tasks/x.ts:1:10", "SyntaxError"),
        ] {
            let error = strip("x.ts", text).expect_err(text);
            assert!(
                error.starts_with(place) && error.contains(words) && !error.contains('\n'),
                "{text}: {error}"
            );
        }
    }

    /// The parser recurses; a stack that overflows would end the server.
    #[test]
    fn no_nesting_ends_the_process() {
        const DEPTH: usize = 3_000;
        for (open, middle, close) in [
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("{", "", "}"),
            ("!", "1", ""),
            ("a=>", "1", ""),
            ("- ", "1", ""),
            ("if(a)", "1", ""),
            ("a?b:", "c", ""),
            ("a+", "a", ""),
            ("a", "", ".b"),
            ("a", "", "()"),
            ("new ", "a", ""),
            ("`${", "1", "}`"),
            ("let a: A<", "B", ">"),
            ("let a: ", "B", "[]"),
            ("x=", "1", ""),
            ("if(a){}else ", "1", ""),
            ("type A = (a:", "B", ")=>C"),
            ("keyof ", "A", ""),
            ("await ", "1", ""),
            ("class A extends ", "B", "{}"),
            ("function f(){", "", "}"),
            ("a:", "1", ""),
            ("{a:", "1", "}"),
            ("a,", "b", ""),
            ("a**", "b", ""),
            ("a as ", "b", ""),
        ] {
            let depth = DEPTH.min(LARGEST / (open.len() + close.len()));
            let text = format!("x={}{middle}{}", open.repeat(depth), close.repeat(depth));
            let _ = strip("x.ts", &text);
            let text = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
            let _ = strip("x.ts", &text);
            let text = format!("type X = {}{middle}{}", open.repeat(depth), close.repeat(depth));
            let _ = strip("x.ts", &text);
        }
    }
}
