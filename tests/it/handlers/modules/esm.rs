//! ES modules: V8's own, with CommonJS beside them.

use serde_json::json;

use super::{refusal_of, result_of, run_handler, write_all};
use crate::harness::{Server, field};

#[test]
fn a_file_is_an_es_module_by_its_ending_or_by_its_text() {
    let server = Server::start();
    write_all(
        &server,
        &[
            (
                "by-ending.mjs",
                "export default (params, ctx) => [typeof require, typeof module, this === undefined, ctx.attempt]",
            ),
            ("by-export.js", "export default async () => typeof require"),
            (
                "by-import.js",
                "import { a } from './lib/a.mjs'; export { default } from './lib/handler.mjs'; void a;",
            ),
            ("by-await.js", "const { a } = await import('./lib/a.mjs'); export default () => a;"),
            (
                "by-meta.js",
                "const url = import.meta.url; export { f as default }; function f() { return url }",
            ),
            ("by-name.js", "const module = 1; const exports = 2; export default () => module + exports"),
            ("plain.cjs", "module.exports = () => typeof require"),
            ("deep/er/nested.mjs", "export default () => import.meta.dirname"),
            ("lib/a.mjs", "export const a = 'a'"),
            ("lib/handler.mjs", "export default () => 'imported'"),
        ],
    );
    for (handler, result) in [
        ("by-ending", json!(["undefined", "undefined", true, 1])),
        ("by-export", json!("undefined")),
        ("by-import", json!("imported")),
        ("by-await", json!("a")),
        ("by-meta", json!("file:///tasks/by-meta.js")),
        ("by-name", json!(3)),
        ("plain", json!("function")),
        ("deep/er/nested", json!("/tasks/deep/er")),
    ] {
        assert_eq!(result_of(&server, handler), result, "{handler}");
    }
    let listed = server.client().get("/admin/handlers").expect(200);
    let files: Vec<_> =
        listed["handlers"].as_array().expect("a list").iter().map(|file| &file["file"]).collect();
    assert!(
        files.contains(&&json!("tasks/by-ending.mjs")) && files.contains(&&json!("tasks/plain.cjs")),
        "{files:?}"
    );
}

#[test]
fn imports_are_live_cyclic_and_evaluated_once() {
    let server = Server::start();
    write_all(
        &server,
        &[
            ("counter.mjs", "console.log('counter'); export let n = 0; export const up = () => { n += 1 };"),
            ("even.mjs", "import { odd } from './odd.mjs'; export const even = (n) => n === 0 || odd(n - 1);"),
            ("odd.mjs", "import { even } from './even.mjs'; export const odd = (n) => n !== 0 && even(n - 1);"),
            ("late.mjs", "await null; export const late = 'late';"),
            (
                "handler.mjs",
                "import { n, up } from './counter.mjs'; import * as counter from './counter.mjs';
                 import { even } from './even.mjs'; import { late } from './late.mjs'; import data from './data.json' with { type: 'json' };
                 export default async () => {
                   up();
                   const again = await import('./counter.mjs'), other = await import('./counter.mjs?other');
                   return [n, counter.n, again === counter, other.n, even(10), late, data.rows, Object.keys(counter)];
                 }",
            ),
            ("data.json", "{ \"rows\": [1] }"),
        ],
    );
    let execution = run_handler(&server, "handler");
    assert_eq!(execution["result"], json!([1, 1, true, 0, true, "late", [1], ["n", "up"]]), "{execution}");
    assert_eq!(execution["output"].as_array().map(Vec::len), Some(2), "one line per instance");
}

#[test]
fn import_meta_says_where_a_file_is() {
    let server = Server::start();
    write_all(
        &server,
        &[
            (
                "lib/a b.mjs",
                "const { url, dirname, filename, resolve } = import.meta;
                 export default [url, dirname, filename, resolve('./x y.mjs'), resolve('../handler.mjs?q')];",
            ),
            ("lib/x y.mjs", ""),
            (
                "handler.mjs",
                "import where from './lib/a%20b.mjs'; import same from 'file:///tasks/lib/a%20b.mjs';
                 export default () => [...where, where === same, import.meta.main];",
            ),
        ],
    );
    assert_eq!(
        result_of(&server, "handler"),
        json!([
            "file:///tasks/lib/a%20b.mjs",
            "/tasks/lib",
            "/tasks/lib/a b.mjs",
            "file:///tasks/lib/x%20y.mjs",
            "file:///tasks/handler.mjs?q",
            true,
            true
        ])
    );
}

#[test]
fn commonjs_and_es_modules_load_each_other() {
    let server = Server::start();
    write_all(
        &server,
        &[
            (
                "lib/names.cjs",
                "exports.a = 1; exports['b'] = 2; Object.defineProperty(exports, 'c', { enumerable: true, get() { return 3 } });",
            ),
            (
                "lib/star.js",
                "__exportStar(require('./names.cjs'), exports); exports.d = 4; function __exportStar(m, e) { Object.assign(e, m) }",
            ),
            ("lib/function.cjs", "module.exports = () => 'called'; module.exports.extra = 5;"),
            ("lib/esm.mjs", "export default 'default'; export const named = 'named';"),
            ("lib/slow.mjs", "await null; export default 1;"),
            (
                "from-esm.mjs",
                "import names, { a, b, c } from './lib/names.cjs'; import * as star from './lib/star.js';
                 import f, { extra } from './lib/function.cjs';
                 export default () => [a, b, c, names.a, star.a, star.d, star.default.d, f(), extra];",
            ),
            (
                "from-cjs.js",
                "const { default: byDefault, named } = require('./lib/esm.mjs');
                 module.exports = async () => {
                   const { default: imported } = await import('./lib/esm.mjs');
                   let code; try { require('./lib/slow.mjs') } catch (error) { code = error.code }
                   const slow = await import('./lib/slow.mjs');
                   const same = (await import('./lib/names.cjs')).default === require('./lib/names.cjs');
                   return [byDefault, named, imported, code, slow.default, same, typeof (await import('node:util')).inspect, (await import('util')).default === require('util')];
                 }",
            ),
        ],
    );
    assert_eq!(result_of(&server, "from-esm"), json!([1, 2, 3, 1, 1, 4, 4, "called", 5]));
    assert_eq!(
        result_of(&server, "from-cjs"),
        json!(["default", "named", "default", "ERR_REQUIRE_ASYNC_MODULE", 1, true, "function", true])
    );
}

#[test]
fn errors_have_the_place_in_the_file() {
    let server = Server::start();
    write_all(
        &server,
        &[
            ("throws.mjs", "import { fail } from './lib/fail.mjs';\nexport default () => {\n  fail();\n};"),
            ("lib/fail.mjs", "export function fail() {\n    throw new TypeError('no');\n}"),
            ("broken.mjs", "export default 1;\nconst a = ;\n"),
            ("loads.mjs", "const x = 1;\n\n  null.x;\nexport default 1"),
            ("name.mjs", "\nimport { missing } from './lib/fail.mjs';\nexport default () => missing;"),
            ("file.mjs", "import './lib/missing.mjs';"),
            ("json.mjs", "import data from './data.json'; export default () => data;"),
            ("data.json", "1"),
            ("empty.mjs", "export const a = 1, b = 2"),
            ("rejects.mjs", "await Promise.reject(new RangeError('late'));"),
            ("inner.mjs", "import './lib/deep.mjs'; export default () => 1;"),
            ("lib/deep.mjs", "\n  export const a = b"),
        ],
    );
    let execution = run_handler(&server, "throws");
    assert_eq!(
        field(&execution, ["error", "stack"]),
        [
            json!("TypeError: no"),
            json!("at fail (tasks/lib/fail.mjs:2:11)\nat default (tasks/throws.mjs:3:3)")
        ]
    );
    for (handler, words) in [
        ("broken", "tasks/broken.mjs:2:11: SyntaxError: Unexpected token ';'\n  const a = ;\n            ^"),
        ("loads", "TypeError: Cannot read properties of null (reading 'x'), at tasks/loads.mjs:3:8"),
        (
            "name",
            "tasks/name.mjs:2:10: SyntaxError: The requested module './lib/fail.mjs' does not provide an export named 'missing'",
        ),
        ("file", "Cannot find module './lib/missing.mjs' from tasks/file.mjs"),
        ("json", "with { type: 'json' }"),
        ("empty", "an object with a, b; a handler exports a function: export default"),
        ("rejects", "RangeError: late, at tasks/rejects.mjs:1:22"),
        ("inner", "ReferenceError: b is not defined, at tasks/lib/deep.mjs:2:20"),
    ] {
        let error = refusal_of(&server, handler);
        assert!(error.contains(words), "{handler}: {error}");
    }
}

#[test]
fn a_dynamic_import_that_fails_is_a_rejection_and_never_the_end_of_the_runner() {
    let server = Server::start();
    write_all(
        &server,
        &[
            (
                "fails.mjs",
                "const code = async (specifier, options) => { try { await import(specifier, options); return 'loaded' } catch (error) { return error.code ?? error.message } };
                 const once = async () => { try { await import('./throws.mjs') } catch (error) { return error } };
                 export default async () => [
                   await code('./none.mjs'), await code('none'), await code('https://example.com/x.mjs'), await code('node:fs'),
                   await code('../out.mjs'), await code('./throws.mjs'), (await once()) === (await once()),
                   await code('./data.json', { with: { type: 'css' } }), await code({ toString() { throw new Error('text') } }),
                 ]",
            ),
            ("throws.mjs", "throw new Error('thrown')"),
            ("data.json", "1"),
            ("deep.js", "module.exports = () => { function f(value) { f(import(0)) } f() }"),
            ("cycle.mjs", "export const self = await import('./cycle.mjs').then(() => 1, () => 2); export default () => self"),
            ("never.mjs", "await new Promise(() => {}); export default () => 1"),
        ],
    );
    assert_eq!(
        result_of(&server, "fails"),
        json!([
            "ERR_MODULE_NOT_FOUND",
            "ERR_MODULE_NOT_FOUND",
            "ERR_UNSUPPORTED_ESM_URL_SCHEME",
            "ERR_MODULE_NOT_FOUND",
            "ERR_MODULE_NOT_FOUND",
            "thrown",
            true,
            "ERR_IMPORT_ATTRIBUTE_UNSUPPORTED",
            "text"
        ])
    );
    let deep = run_handler(&server, "deep");
    assert!(deep["reason"] == "exception" && deep["error"].to_string().contains("call stack"), "{deep}");
    for handler in ["never", "cycle"] {
        assert!(refusal_of(&server, handler).contains("can never settle"));
    }
    server.check_health();
}

/// A load check runs the file, its top-level `await` included, and not the handler.
#[test]
fn a_handler_that_waits_while_it_loads_is_checked_to_its_end() {
    let server = Server::start();
    let wait = "await new Promise((go) => setTimeout(go, 20));";
    write_all(
        &server,
        &[
            ("waits.mjs", &format!("{wait} export default async () => {{ {wait} return 'waited' }}")),
            ("fails.mjs", &format!("{wait} throw new Error('after waiting')")),
            ("nothing.mjs", &format!("{wait} export default 7")),
        ],
    );
    assert_eq!(result_of(&server, "waits"), "waited");
    assert!(refusal_of(&server, "fails").contains("after waiting"));
    assert!(refusal_of(&server, "nothing").contains("an object whose default is a number"));
}
