//! Names that a CommonJS module exports, by the forms that compilers and people write.

use std::collections::HashMap;

use super::{Kind, Scan, View, add};

/// Functions of compilers that pass the exports of a module on.
const STAR_FUNCTIONS: [&str; 4] = ["__exportStar", "__export", "_export_star", "__reExport"];

/// Reads the exported names and the modules that are passed on.
pub(super) fn read(view: &View<'_>, scan: &mut Scan) {
    // Tokens of objects that may still be read: nested objects would be read once per level.
    let mut budget = 2 * view.tokens.len();
    let mut required_as = HashMap::new();
    for at in 0..view.tokens.len() {
        match view.word(at) {
            Some("exports") => read_assignment(view, at, &mut budget, scan),
            Some("defineProperty") => {
                let name = exports_end(view, at + 2).filter(|end| view.is_mark(*end, ","));
                if let Some(name) = name.and_then(|end| view.string(end + 1)) {
                    add_name(scan, name);
                }
            }
            Some("keys") => read_loop_over(view, at, &required_as, scan),
            Some(word) if STAR_FUNCTIONS.contains(&word) && view.is_mark(at + 1, "(") => {
                let required = (at + 2..at + 10).find_map(|at| view.required(at));
                if let Some(specifier) = required {
                    add(&mut scan.passed_on, specifier);
                }
            }
            Some(name) if view.is_mark(at + 1, "=") => {
                if let Some(specifier) = (at + 2..at + 6).find_map(|at| view.required(at)) {
                    required_as.insert(name, specifier);
                }
            }
            _ => {}
        }
    }
}

/// The names that a module does not have as exports of its own: `default` is `module.exports`.
fn add_name(scan: &mut Scan, name: &str) {
    if name != "default" {
        add(&mut scan.names, name.to_owned());
    }
}

/// The place after `exports` or `module.exports`.
fn exports_end(view: &View<'_>, at: usize) -> Option<usize> {
    match view.word(at)? {
        "exports" => Some(at + 1),
        "module" if view.is_mark(at + 1, ".") && view.word(at + 2) == Some("exports") => Some(at + 3),
        _ => None,
    }
}

/// `exports.name = …`, `exports['name'] = …`, `module.exports = { name }`, `module.exports = require('x')`
fn read_assignment(view: &View<'_>, at: usize, budget: &mut usize, scan: &mut Scan) {
    let of_module = at >= 2 && view.is_mark(at - 1, ".") && view.word(at - 2) == Some("module");
    if view.is_property(at) && !of_module {
        return;
    }
    if view.is_mark(at + 1, ".") && view.is_mark(at + 3, "=") {
        if let Some(name) = view.word(at + 2) {
            add_name(scan, name);
        }
    } else if view.is_mark(at + 1, "[") && view.is_mark(at + 3, "]") && view.is_mark(at + 4, "=") {
        if let Some(name) = view.string(at + 2) {
            add_name(scan, name);
        }
    } else if view.is_mark(at + 1, "=") && of_module {
        // `module.exports = exports = { … }`
        let value = match exports_end(view, at + 2) {
            Some(end) if view.is_mark(end, "=") => end + 1,
            _ => at + 2,
        };
        if view.is_mark(value, "{") {
            read_object(view, value, budget, scan);
        } else if let Some(specifier) = view.required(value) {
            add(&mut scan.passed_on, specifier);
        }
    }
}

/// The keys of an object literal.
fn read_object(view: &View<'_>, open: usize, budget: &mut usize, scan: &mut Scan) {
    let depth = view.tokens[open].depth + 1;
    let mut is_key = true;
    for at in open + 1..view.tokens.len() {
        let token = view.tokens[at];
        if token.depth < depth || *budget == 0 {
            return;
        }
        *budget -= 1;
        if token.depth > depth {
            continue;
        }
        if view.is_mark(at, ",") {
            is_key = true;
        } else if is_key {
            match view.token(at) {
                Some((Kind::Word, "get" | "set" | "async")) if is_accessor(view, at) => continue,
                Some((Kind::Mark, "*")) => continue,
                Some((Kind::Word, name)) => add_name(scan, name),
                Some((Kind::Text, _)) => {
                    if let Some(name) = view.string(at) {
                        add_name(scan, name);
                    }
                }
                Some((Kind::Mark, "...")) => {
                    if let Some(specifier) = view.required(at + 1) {
                        add(&mut scan.passed_on, specifier);
                    }
                }
                _ => {}
            }
            is_key = false;
        }
    }
}

/// `get name` and its kin, but not a property of the name `get`.
fn is_accessor(view: &View<'_>, at: usize) -> bool {
    matches!(view.token(at + 1), Some((Kind::Word | Kind::Text, _))) || view.is_mark(at + 1, "*")
}

/// `Object.keys(x).forEach(…)` after `x = require('y')`, as Babel passes exports on.
fn read_loop_over(view: &View<'_>, at: usize, required_as: &HashMap<&str, String>, scan: &mut Scan) {
    let is_loop =
        view.is_mark(at + 1, "(") && view.is_mark(at + 3, ")") && view.word(at + 5) == Some("forEach");
    let name = view.word(at + 2).filter(|_| is_loop);
    if let Some(specifier) = name.and_then(|name| required_as.get(name)) {
        add(&mut scan.passed_on, specifier.clone());
    }
}

#[cfg(test)]
mod tests {
    use crate::handlers::scan::scan;

    #[test]
    fn names_are_found_in_the_forms_that_people_and_compilers_write() {
        for (text, names, passed_on) in [
            ("exports.a = exports.b = void 0; exports['c-d'] = 1; exports.e == 1", &["a", "b", "c-d"][..], &[][..]),
            ("Object.defineProperty(exports, '__esModule', { value: true });
              Object.defineProperty(module.exports, \"f\", { enumerable: true, get: function () { return x.f; } });", &["__esModule", "f"], &[]),
            ("module.exports = { a, b: 1, 'c': 2, get d() { return { x: 1 } }, async e() {}, *f() {}, get: 3, ...require('./g') }",
             &["a", "b", "c", "d", "e", "f", "get"], &["./g"]),
            ("0 && (module.exports = { x, y })", &["x", "y"], &[]),
            ("module.exports = require('./dist/index.js')", &[], &["./dist/index.js"]),
            ("module.exports = exports = { a }", &["a"], &[]),
            ("(0, tslib_1.__exportStar)(0); tslib_1.__exportStar(require('./a'), exports); __exportStar(require(\"./b\"), exports);", &[], &["./a", "./b"]),
            ("__reExport(index_exports, require('./c'), module.exports)", &[], &["./c"]),
            ("var _a = _interop(require('./a')); Object.keys(_a).forEach(function (key) { exports[key] = _a[key] })", &[], &["./a"]),
            ("(function (global, factory) { factory(exports) })(this, (function (exports) { exports.x = 1; exports.default = 2 }))", &["x"], &[]),
            ("x.exports.no = 1; other = { exports: 1 }", &[], &[]),
        ] {
            let found = scan(text);
            assert_eq!((found.names, found.passed_on), (own(names), own(passed_on)), "{text}");
        }
    }

    fn own(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
