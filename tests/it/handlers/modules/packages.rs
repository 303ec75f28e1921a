//! Packages of `tasks/node_modules`.

use std::os::unix::fs::symlink;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{result_of, run_handler, write_all};
use crate::harness::Server;

#[test]
fn packages_resolve_as_in_node() {
    let server = Server::start();
    write_all(
        &server,
        &[
            ("node_modules/main/package.json", r#"{ "name": "main", "main": "lib/entry" }"#),
            ("node_modules/main/lib/entry.js", "module.exports = ['main', require('dep'), require('./sub')]"),
            ("node_modules/main/lib/sub/index.js", "module.exports = __filename"),
            ("node_modules/main/node_modules/dep/index.js", "module.exports = 'nested'"),
            ("node_modules/dep/index.js", "module.exports = 'outer'"),
            ("node_modules/@scope/dual/package.json",
             r##"{ "name": "@scope/dual", "exports": { ".": { "node": "./node.js", "import": "./i.mjs", "require": "./r.cjs" }, "./parts/*": "./src/*.js", "./package.json": "./package.json" },
                "imports": { "#own": "./src/own.js", "#dep": "dep" } }"##),
            ("node_modules/@scope/dual/i.mjs", "import own from '#own'; export default ['import', own.default ?? own]"),
            ("node_modules/@scope/dual/r.cjs", "module.exports = ['require', require('#dep'), require('@scope/dual/parts/own')]"),
            ("node_modules/@scope/dual/src/own.js", "module.exports = 'own'"),
            ("node_modules/typed/package.json", r#"{ "type": "module", "main": "./index.js" }"#),
            ("node_modules/typed/index.js", "const ok = 1; export { ok, ok as default }"),
            ("node_modules/old/package.json", r#"{ "main": "./old.cjs", "module": "./new.js" }"#),
            ("node_modules/old/old.cjs", "exports.form = 'commonjs'"),
            ("node_modules/old/new.js", "export { form } from './form'"),
            ("node_modules/old/form.js", "export const form = 'esm'"),
            ("handler.js",
             "const code = (name) => { try { return typeof require(name) } catch (error) { return error.code } };
              module.exports = async () => ({
                main: require('main'), outer: require('dep'), dual: require('@scope/dual'), imported: (await import('@scope/dual')).default,
                typed: require('typed').ok, old: [require('old').form, (await import('old')).form],
                resolved: [require.resolve('main'), require.resolve('@scope/dual')],
                codes: ['@scope/dual/src/own.js', '@scope/dual/parts/none', '@scope/none', 'none', 'main/none', '@scope/dual/package.json'].map(code),
              })"),
        ],
    );
    assert_eq!(
        result_of(&server, "handler"),
        json!({
            "main": ["main", "nested", "/tasks/node_modules/main/lib/sub/index.js"], "outer": "outer",
            "dual": ["require", "outer", "own"], "imported": ["import", "own"], "typed": 1, "old": ["commonjs", "esm"],
            "resolved": ["/tasks/node_modules/main/lib/entry.js", "/tasks/node_modules/@scope/dual/r.cjs"],
            "codes": ["ERR_PACKAGE_PATH_NOT_EXPORTED", "MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "object"]
        })
    );
}

#[test]
fn links_between_packages_work_inside_the_folder_and_nowhere_else() {
    let server = Server::start();
    write_all(
        &server,
        &[
            ("node_modules/.store/a@1/node_modules/a/index.js", "module.exports = ['a', require('b')]"),
            ("node_modules/.store/b@1/node_modules/b/index.js", "module.exports = 'b'"),
            (
                "handler.js",
                "module.exports = () => { let out; try { out = require('out') } catch (error) { out = error.message } return [require('a'), out] }",
            ),
        ],
    );
    let modules = server.home.tasks().join("node_modules");
    symlink(".store/a@1/node_modules/a", modules.join("a")).expect("a link");
    symlink("../../b@1/node_modules/b", modules.join(".store/a@1/node_modules/b")).expect("a link");
    std::fs::create_dir(server.home.path().join("out")).expect("made");
    std::fs::write(server.home.path().join("out/index.js"), "module.exports = 'out'").expect("written");
    symlink("../../out", modules.join("out")).expect("a link");
    let result = result_of(&server, "handler");
    assert_eq!(result[0], json!(["a", "b"]));
    assert!(result[1].to_string().contains("leads out of the handlers' folder"), "{result}");
}

#[test]
fn modules_that_no_handler_has_say_what_to_use_instead() {
    let server = Server::start();
    write_all(
        &server,
        &[
            ("node_modules/native/package.json", r#"{ "main": "build/x.node" }"#),
            ("node_modules/native/build/x.node", "ELF"),
            ("handler.js", "module.exports = () => ['fs', 'node:fs/promises', 'https', 'child_process', 'worker_threads', 'native', 'left-pad']
                .map((name) => { try { return require(name) } catch (error) { return error.message } })"),
        ],
    );
    let said = result_of(&server, "handler");
    for (index, words) in [
        "tasks/handler.js asks for Node's module 'fs', which is not here: a handler has no file system",
        "'node:fs/promises', which is not here: a handler has no file system",
        "'https', which is not here: use fetch",
        "cannot start programs",
        "one thread",
        "tasks/node_modules/native/build/x.node is a native addon",
        "npm install left-pad",
    ]
    .iter()
    .enumerate()
    {
        assert!(said[index].as_str().is_some_and(|text| text.contains(words)), "{words}: {}", said[index]);
    }
}

#[test]
fn packages_that_are_native_addons_are_refused_by_their_name() {
    let server = Server::start();
    write_all(
        &server,
        &[
            (
                "node_modules/better-sqlite3/package.json",
                r#"{ "name": "better-sqlite3", "main": "lib/index.js" }"#,
            ),
            (
                "node_modules/better-sqlite3/lib/index.js",
                "module.exports = require('bindings')('better_sqlite3.node')",
            ),
            ("node_modules/sharp/package.json", r#"{ "name": "sharp", "binary": { "napi_versions": [9] } }"#),
            ("node_modules/sharp/index.js", "require('detect-libc')"),
            (
                "node_modules/@napi-rs/uuid/package.json",
                r#"{ "name": "@napi-rs/uuid", "napi": { "name": "uuid" } }"#,
            ),
            ("node_modules/@napi-rs/uuid/index.js", "const { existsSync } = require('fs')"),
            ("node_modules/fallback/package.json", r#"{ "name": "fallback" }"#),
            (
                "node_modules/fallback/index.js",
                "try { module.exports = require('node-gyp-build')(__dirname) } catch { module.exports = 'plain' }",
            ),
            (
                "handler.js",
                "module.exports = () => ['better-sqlite3', 'sharp', '@napi-rs/uuid', 'fallback']
                .map((name) => { try { return require(name) } catch (error) { return error.message } })",
            ),
        ],
    );
    let addon = |name: &str| {
        format!(
            "tasks/node_modules/{name} is a native addon, which no handler can load: use a package of pure JavaScript"
        )
    };
    let expected = [addon("better-sqlite3"), addon("sharp"), addon("@napi-rs/uuid"), "plain".to_owned()];
    assert_eq!(result_of(&server, "handler"), json!(expected));
}

#[test]
fn a_package_of_a_thousand_files_is_one_call_to_the_server() {
    let server = Server::start();
    let count = 1000;
    let index: String = (0..count).map(|n| format!("exports.f{n} = require('./f{n}.js');\n")).collect();
    server.home.write("node_modules/many/index.js", &index);
    for n in 0..count {
        server.home.write(&format!("node_modules/many/f{n}.js"), &format!("module.exports = {n}"));
    }
    // 10,000 calls are the most; each missing file is one.
    let source = "const many = require('many');
        module.exports = () => {
          let calls = 0;
          try { for (;; calls++) try { require('./none') } catch (error) { if (error.code !== 'MODULE_NOT_FOUND') throw error } } catch {}
          return [many.f999, 10_000 - calls];
        }";
    server.home.write("handler.js", source);
    let result = result_of(&server, "handler");
    assert_eq!(result[0], 999);
    assert!(result[1].as_u64().is_some_and(|calls| calls <= 3), "{result}");
}

#[test]
fn an_execution_records_one_hash_over_all_files() {
    let server = Server::start();
    let files = [
        ("handler.js", "const a = require('a'); module.exports = () => a"),
        ("node_modules/a/index.js", "module.exports = require('./b.json')"),
        ("node_modules/a/b.json", "1"),
    ];
    write_all(&server, &files);
    let hash = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines = |files: &[(&str, &str)]| {
        files.iter().map(|(name, text)| format!("{}  tasks/{name}\n", hash(text))).collect::<String>()
    };
    let sorted = [files[0], files[2], files[1]];
    let execution = run_handler(&server, "handler");
    assert_eq!(execution["filesHash"], hash(&lines(&sorted)), "{execution}");
    assert_eq!(execution["handlerHash"], hash(files[0].1));
}
