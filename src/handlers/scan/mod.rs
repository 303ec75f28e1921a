//! Scan: the kind of a module, the files that it asks for and the names that it exports, as far as its
//! text shows them.
//!
//! The text is not parsed. A wrong guess costs time or a name, never more: V8 has the last word on
//! the kind of a module, and a file that was not foreseen is asked for when it is wanted.

mod exported;
mod tokens;

use self::tokens::{Kind, Token, tokens};
use crate::domain::source::Way;

/// The most specifiers, and the most names, that are kept of a file.
const MOST: usize = 4096;

/// The result of scanning a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Whether it has statements of an ES module, or `import.meta`.
    pub(super) module: bool,
    /// The specifiers that it asks for while it loads.
    pub(super) wanted: Vec<(Way, String)>,
    /// The names that a CommonJS module exports.
    pub(super) names: Vec<String>,
    /// The specifiers of the modules whose exports a CommonJS module exports as well.
    pub(super) passed_on: Vec<String>,
}

/// The most brackets within each other in a text.
pub(super) fn deepest(text: &str) -> u32 {
    tokens(text).iter().map(|token| token.depth).max().unwrap_or(0)
}

/// Scans a text.
pub(super) fn scan(text: &str) -> Scan {
    let tokens = tokens(text);
    let view = View { text, tokens: &tokens };
    let mut scan = Scan::default();
    for (at, token) in tokens.iter().enumerate() {
        match view.word(at) {
            Some("import") if !view.is_property(at) => view.read_import(at, &mut scan),
            Some("export") if !view.is_property(at) => view.read_export(at, &mut scan),
            Some("require") if token.functions == 0 && !view.is_property(at) => {
                if let Some(specifier) = view.required(at) {
                    add(&mut scan.wanted, (Way::Require, specifier));
                }
            }
            _ => {}
        }
    }
    if !scan.module {
        exported::read(&view, &mut scan);
    }
    scan
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if list.len() < MOST && !list.contains(&item) {
        list.push(item);
    }
}

/// The tokens with their text.
struct View<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl<'a> View<'a> {
    fn token(&self, at: usize) -> Option<(Kind, &'a str)> {
        let token = self.tokens.get(at)?;
        Some((token.kind, self.text.get(token.start as usize..token.end as usize)?))
    }

    fn word(&self, at: usize) -> Option<&'a str> {
        self.token(at).and_then(|(kind, text)| (kind == Kind::Word).then_some(text))
    }

    fn is_mark(&self, at: usize, mark: &str) -> bool {
        self.token(at) == Some((Kind::Mark, mark))
    }

    /// The value of a string literal. One with an escape is left alone.
    fn string(&self, at: usize) -> Option<&'a str> {
        let (kind, text) = self.token(at)?;
        let inner = text.get(1..text.len().checked_sub(1)?)?;
        (kind == Kind::Text && !inner.contains('\\')).then_some(inner)
    }

    /// Whether a word is the name of a property: `x.word`.
    fn is_property(&self, at: usize) -> bool {
        at > 0 && (self.is_mark(at - 1, ".") || self.is_mark(at - 1, "?."))
    }

    /// The specifier of `require('x')` at its first word.
    fn required(&self, at: usize) -> Option<String> {
        let is_call =
            self.word(at) == Some("require") && self.is_mark(at + 1, "(") && self.is_mark(at + 3, ")");
        self.string(at + 2).filter(|_| is_call).map(str::to_owned)
    }

    fn read_import(&self, at: usize, scan: &mut Scan) {
        if self.is_mark(at + 1, ".") {
            scan.module |= self.word(at + 2) == Some("meta");
            return;
        }
        if self.tokens[at].depth != 0 {
            return;
        }
        if let Some(specifier) = self.string(at + 1) {
            scan.module = true;
            add(&mut scan.wanted, (Way::Import, specifier.to_owned()));
        } else if self.word(at + 1).is_some() || self.is_mark(at + 1, "{") || self.is_mark(at + 1, "*") {
            self.read_from(at + 1, scan);
        }
    }

    fn read_export(&self, at: usize, scan: &mut Scan) {
        const DECLARATIONS: [&str; 7] = ["default", "const", "let", "var", "function", "class", "async"];
        if self.tokens[at].depth != 0 {
            return;
        }
        if self.word(at + 1).is_some_and(|word| DECLARATIONS.contains(&word)) {
            scan.module = true;
        } else if self.is_mark(at + 1, "{") {
            scan.module = true;
            let end = (at + 2..self.tokens.len()).find(|end| self.tokens[*end].depth == 0);
            if let Some(end) = end.filter(|end| self.word(end + 1) == Some("from")) {
                self.read_from(end, scan);
            }
        } else if self.is_mark(at + 1, "*") {
            self.read_from(at + 1, scan);
        }
    }

    /// Reads up to `from 'x'` of a statement.
    fn read_from(&self, start: usize, scan: &mut Scan) {
        for at in start..self.tokens.len() {
            let is_next = at > start && matches!(self.word(at), Some("import" | "export"));
            if self.is_mark(at, ";") || is_next && self.tokens[at].depth == 0 {
                return;
            }
            if self.word(at) == Some("from")
                && self.tokens[at].depth == 0
                && let Some(specifier) = self.string(at + 1)
            {
                scan.module = true;
                return add(&mut scan.wanted, (Way::Import, specifier.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> (bool, Vec<String>) {
        let scan = scan(text);
        let names = scan.wanted.into_iter().map(|(way, specifier)| match way {
            Way::Import => format!("import {specifier}"),
            Way::Require => format!("require {specifier}"),
        });
        (scan.module, names.collect())
    }

    #[test]
    fn statements_of_es_modules_are_found_and_other_words_are_not() {
        for (text, module, files) in [
            ("import './a'", true, &["import ./a"][..]),
            (
                "import a, { b as c } from \"./a\"; import * as d from './b' with { type: 'json' }",
                true,
                &["import ./a", "import ./b"],
            ),
            (
                "export { a } from './a'\nexport * from './b'; export * as c from './c'",
                true,
                &["import ./a", "import ./b", "import ./c"],
            ),
            ("export const from = 1", true, &[]),
            ("export { a }; const from = './x'", true, &[]),
            ("export default function () {}", true, &[]),
            ("console.log(import.meta.url)", true, &[]),
            ("const { a } = await import('./a')", false, &[]),
            ("// import './a'\n/* export default 1 */ module.exports = `import x from './a'`", false, &[]),
            ("const x = { import: 1, export: 2 }; x.import; x?.export", false, &[]),
            ("if (a) /import x from '.'/.test(b); c = a / b; export default 1 / 2", true, &[]),
            ("const a = `${`${1}`} import './x'`; require('./b')", false, &["require ./b"]),
            ("a = b\n/export/g\nexports.x = 1", false, &[]),
            ("exports.import = '\\'; import \"x\"'", false, &[]),
            ("#!/usr/bin/env import './a'\nrequire('./b')", false, &["require ./b"]),
            ("return /[/]'/.test(x) || require('./a')", false, &["require ./a"]),
        ] {
            let expected: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
            assert_eq!(wanted(text), (module, expected), "{text}");
        }
    }

    #[test]
    fn only_requires_that_loading_reaches_are_wanted() {
        let text = "const a = require('./a'), b = (0, _i(require(\"./b\")));
            function f() { require('./no') }
            const g = () => { return require('./no') }, h = { m() { require('./no') } };
            if (a) { require('./c') } else { x.require('./no'); require(a) }
            for (const x of y) { require('./d') }";
        let files = ["a", "b", "c", "d"].map(|name| format!("require ./{name}"));
        assert_eq!(wanted(text), (false, files.to_vec()));
    }

    #[test]
    fn no_text_makes_the_scan_fail() {
        let pieces = [
            "`${",
            "`",
            "'",
            "/",
            "\\",
            "é",
            "(",
            "}",
            "export",
            " import ",
            "\n",
            "{",
            "require('x')",
            "1.",
            "*/",
            "/*",
            "=>",
        ];
        let mut state = 1_u32;
        for _ in 0..3000 {
            let text: String = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    pieces[(state >> 16) as usize % pieces.len()]
                })
                .collect();
            scan(&text);
        }
        scan(&"(".repeat(1_000_000));
        scan(&"`${".repeat(300_000));
        for endless in [
            "import a ",
            "export * as ",
            "module.exports = { ",
            "var x = require('x'); Object.keys(x).forEach(",
        ] {
            scan(&endless.repeat(100_000));
        }
    }
}
