//! `require`: files of `tasks/` and nothing else.

use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use serde_json::json;

use super::super::{messages, run_all};
use crate::harness::{Options, Server, field, task};

#[test]
fn files_and_folders_are_found_as_in_node() {
    let server = Server::start();
    server.home.write(
        "lib/util",
        "exports.double = (n) => 2 * n; exports.where = [__filename, __dirname, module.id];",
    );
    server.home.write("lib/index", "module.exports = 'the index';");
    server.home.write(
        "lib/deep/inner",
        "module.exports = [require('../util').double(4), require('..'), require('../../data')];",
    );
    server.home.write("data.json", r#"{ "rows": [1, 2, { "three": null }] }"#);
    server.home.write("data.min", "not this one");
    server.home.write("plain.cjs", "module.exports = 'cjs';");
    server.home.write("both", "module.exports = 'js';");
    server.home.write("both.json", "\"json\"");
    let source = "const util = require('./lib/util');
        module.exports = () => ({
          double: util.double(21),
          with: require('./lib/util.js') === util,
          same: require('./lib/../lib/./util') === util,
          where: util.where,
          own: [__filename, __dirname],
          index: require('./lib'),
          slash: require('./lib/'),
          inner: require('./lib/deep/inner'),
          data: require('./data.json'),
          guess: require('./data') === require('./data.json'),
          cjs: require('./plain.cjs'),
          both: [require('./both'), require('./both.json')],
          module: [typeof module, typeof exports, typeof require, module.exports === exports],
        });";
    let [execution] = run_all(&server, [source]);
    assert_eq!(
        execution["result"],
        json!({
            "double": 42, "with": true, "same": true,
            "where": ["/tasks/lib/util.js", "/tasks/lib", "/tasks/lib/util.js"],
            "own": ["/tasks/case-1.js", "/tasks"],
            "index": "the index", "slash": "the index",
            "inner": [8, "the index", { "rows": [1, 2, { "three": null }] }],
            "data": { "rows": [1, 2, { "three": null }] }, "guess": true, "cjs": "cjs", "both": ["js", "json"],
            "module": ["object", "object", "function", false]
        }),
        "{}",
        execution["error"]
    );
}

#[test]
fn cycles_see_what_has_been_exported_so_far() {
    let server = Server::start();
    server.home.write("a", "exports.early = 'a'; const b = require('./b'); exports.late = b.seen;");
    server.home.write(
        "b",
        "const a = require('./a'); exports.seen = [a.early, a.late]; exports.later = () => a.late;",
    );
    server.home.write("self", "exports.own = require('./self') === exports;");
    let source = "module.exports = () => [require('./a'), require('./b').later(), require('./self').own]";
    let [execution] = run_all(&server, [source]);
    assert_eq!(execution["result"], json!([{ "early": "a", "late": ["a", null] }, ["a", null], true]));
}

#[test]
fn a_module_runs_once_per_run_and_one_that_threw_is_tried_again() {
    let server = Server::start();
    server.home.write("once", "console.log('once'); module.exports = {};");
    server.home.write("throws", "console.log('throws'); throw new Error('not yet');");
    let source = "module.exports = () => {
        const same = require('./once') === require('./once');
        for (let n = 0; n < 2; n++) { try { require('./throws') } catch (error) { console.log(error.message) } }
        return same;
    };";
    let [execution] = run_all(&server, [source]);
    assert_eq!(execution["result"], true);
    assert_eq!(messages(&execution), ["once", "throws", "not yet", "throws", "not yet"]);
}

#[test]
fn nothing_outside_the_folder_can_be_required() {
    let server = Server::start();
    let outside = server.home.path().join("secret.js");
    std::fs::write(&outside, "module.exports = 'secret'").expect("written");
    std::fs::create_dir(server.home.path().join("private")).expect("made");
    std::fs::write(server.home.path().join("private/key.js"), "module.exports = 'secret'").expect("written");
    symlink(&outside, server.home.tasks().join("link.js")).expect("a link");
    symlink(server.home.path().join("private"), server.home.tasks().join("folder")).expect("a link");
    symlink("/etc/passwd", server.home.tasks().join("passwd.json")).expect("a link");
    server.home.write("lib/inside", "module.exports = require('../../secret')");
    server.home.write("real", "module.exports = 'inside'");
    symlink("real.js", server.home.tasks().join("alias.js")).expect("a link");
    let names = [
        "../secret",
        "../secret.js",
        "./../secret",
        "./lib/../../secret",
        "./lib/inside",
        "./link",
        "./folder/key",
        "./passwd.json",
        "../../etc/passwd",
        "/etc/passwd",
        "../tasks/../secret",
        "./nothing",
        "",
        "fs",
        "node:fs",
        "lodash",
        "child_process",
        "secret",
        "file:///etc/passwd",
        "isochron:system",
        "isochron:nothing",
        "./lib",
        "..",
    ];
    let source = format!(
        "module.exports = () => {}.map((name) => {{
           try {{ return ['found', JSON.stringify(require(name))] }} catch (error) {{ return [error.name, error.message] }}
         }})",
        json!(names)
    );
    let sources = [&source, "module.exports = () => require('./alias')", "module.exports = () => require(7)"];
    let [execution, inside, wrong] = run_all(&server, sources);
    let answers = execution["result"].as_array().unwrap_or_else(|| panic!("{execution}"));
    let told: Vec<_> = names
        .iter()
        .zip(answers)
        .map(|(name, answer)| format!("{name:?}: {}", answer[1].as_str().expect("a text")))
        .collect();
    assert!(answers.iter().all(|answer| answer[0] != "found"), "{told:#?}");
    assert!(!execution["result"].to_string().contains("root:"), "the file's content shows");
    assert_snapshot!(told.join("\n"), @r#"
    "../secret": Cannot require '../secret' from tasks/case-1.js: it leads out of the handlers' folder
    "../secret.js": Cannot require '../secret.js' from tasks/case-1.js: it leads out of the handlers' folder
    "./../secret": Cannot require './../secret' from tasks/case-1.js: it leads out of the handlers' folder
    "./lib/../../secret": Cannot require './lib/../../secret' from tasks/case-1.js: it leads out of the handlers' folder
    "./lib/inside": Cannot require '../../secret' from tasks/lib/inside.js: it leads out of the handlers' folder
    "./link": Cannot read tasks/link.js: it is a link that leads out of the handlers' folder
    "./folder/key": Cannot read tasks/folder/key: it is a link that leads out of the handlers' folder
    "./passwd.json": Cannot read tasks/passwd.json: it is a link that leads out of the handlers' folder
    "../../etc/passwd": Cannot require '../../etc/passwd' from tasks/case-1.js: it leads out of the handlers' folder
    "/etc/passwd": Cannot require '/etc/passwd' from tasks/case-1.js: it leads out of the handlers' folder
    "../tasks/../secret": Cannot require '../tasks/../secret' from tasks/case-1.js: it leads out of the handlers' folder
    "./nothing": Cannot find module './nothing' from tasks/case-1.js; looked for tasks/nothing as it is, with .js, .cjs, .mjs, .json, .ts, .cts, .mts, and for an index file in it
    "": Cannot find module '' from tasks/case-1.js: it is neither the name of a package nor a path that starts with ./ or ../
    "fs": tasks/case-1.js asks for Node's module 'fs', which is not here: a handler has no file system; use params, ctx.kv or fetch
    "node:fs": tasks/case-1.js asks for Node's module 'node:fs', which is not here: a handler has no file system; use params, ctx.kv or fetch
    "lodash": Cannot find module 'lodash' from tasks/case-1.js: there is no package lodash in tasks/node_modules (npm install lodash), and a file of tasks/ is named by a path that starts with ./ or ../
    "child_process": tasks/case-1.js asks for Node's module 'child_process', which is not here: a handler cannot start programs
    "secret": Cannot find module 'secret' from tasks/case-1.js: there is no package secret in tasks/node_modules (npm install secret), and a file of tasks/ is named by a path that starts with ./ or ../
    "file:///etc/passwd": Cannot find module 'file:///etc/passwd' from tasks/case-1.js: it is neither the name of a package nor a path that starts with ./ or ../
    "isochron:system": require('isochron:system') is only for handlers named in the server's systemHandlers setting
    "isochron:nothing": Cannot find module 'isochron:nothing' from tasks/case-1.js: it is neither the name of a package nor a path that starts with ./ or ../
    "./lib": Cannot find module './lib' from tasks/case-1.js; looked for tasks/lib as it is, with .js, .cjs, .mjs, .json, .ts, .cts, .mts, and for an index file in it
    "..": Cannot require '..' from tasks/case-1.js: it leads out of the handlers' folder
    "#);
    assert_eq!(inside["result"], "inside", "a link that stays inside is a file like any other");
    assert_eq!(wrong["reason"], "exception");
}

#[test]
fn a_handler_behind_a_link_that_leads_out_does_not_exist() {
    let server = Server::start();
    std::fs::write(server.home.path().join("secret.js"), "module.exports = () => 'secret'").expect("written");
    symlink("../secret.js", server.home.tasks().join("out.js")).expect("a link");
    let body = json!({ "name": "out", "description": "", "handler": "out", "schedule": "now" });
    let answer = server.client().post("/admin/scheduler", &body).expect(400);
    assert_eq!(answer["details"][0]["field"], "handler");
    let listed = server.client().get("/admin/handlers").expect(200)["handlers"].to_string();
    assert!(!listed.contains("secret"), "{listed}");
}

#[test]
fn a_broken_module_shows_its_own_file_and_place() {
    let server = Server::start();
    server.home.write("bad.json", "{\n  \"a\": 1,\n  oops\n}");
    server.home.write("bad", "const a = 1;\nconst b = ;\n");
    server.home.write("worse", "module.exports = () => {\n  return undefined.x;\n};");
    let sources = [
        "module.exports = () => require('./bad.json')",
        "module.exports = () => require('./bad')",
        "module.exports = () => require('./worse')()",
        "module.exports = () => require('./nothing')",
    ];
    let told = run_all(&server, sources).map(|execution| {
        assert_eq!(field(&execution, ["status", "reason"]), [json!("failed"), json!("exception")]);
        format!(
            "{}\n{}",
            execution["error"].as_str().expect("a text"),
            execution["stack"].as_str().unwrap_or("-")
        )
    });
    assert_snapshot!(told.join("\n---\n"), @r#"
    SyntaxError: tasks/bad.json:3:3: Expected double-quoted property name in JSON at position 14 (line 3 column 3)
    at module.exports (tasks/case-1.js:1:24)
    ---
    tasks/bad.js:2:11: SyntaxError: Unexpected token ';'
      const b = ;
                ^
    -
    ---
    TypeError: Cannot read properties of undefined (reading 'x')
    at module.exports (tasks/worse.js:2:20)
    at module.exports (tasks/case-3.js:1:42)
    ---
    Cannot find module './nothing' from tasks/case-4.js; looked for tasks/nothing as it is, with .js, .cjs, .mjs, .json, .ts, .cts, .mts, and for an index file in it
    at module.exports (tasks/case-4.js:1:24)
    with { code: "MODULE_NOT_FOUND" }
    "#);
}

#[test]
fn only_the_handlers_that_the_settings_name_may_use_the_system() {
    let server = Options::default().set("SYSTEM_HANDLERS", "trusted,admin/stats").start();
    let source = "module.exports = async () => {
        const system = require('isochron:system');
        await system.put('key', { n: 1 });
        return [Object.isFrozen(system), Object.keys(system).sort(), await system.get('key'), await system.get('none')];
    };";
    let trusted = server.run_source("trusted", source, &json!({}));
    let result = json!([true, ["get", "put", "removeHistory", "statistics"], { "n": 1 }, null]);
    assert_eq!(trusted["result"], result, "{trusted}");
    let stats = server.run_source(
        "admin/stats",
        "module.exports = () => require('isochron:system').get('key')",
        &json!({}),
    );
    assert_eq!(stats["result"], json!({ "n": 1 }), "what one keeps the other finds");
    let other = server.run_source("other", source, &json!({}));
    assert_eq!(field(&other, ["status", "reason"]), [json!("failed"), json!("exception")]);
    assert!(other["error"].as_str().is_some_and(|text| text.contains("systemHandlers")), "{other}");
    // The rights of a system handler extend neither to files that it requires nor to files that require it.
    server.home.write("helper", "module.exports = require('./trusted')");
    let helper = server.run_source("user", "module.exports = () => require('./trusted')()", &json!({}));
    assert_eq!(helper["status"], "failed", "{helper}");
}

/// Creating a task loads its file, which runs the file's top-level code.
#[test]
fn a_file_is_checked_with_the_rights_of_its_own_name_however_deep_it_lies() {
    let server = Options::default().set("SYSTEM_HANDLERS", "cleanup,tasks").start();
    for name in ["tasks/cleanup", "tasks/tasks/cleanup", "tasks/tasks"] {
        server.home.write(name, "require('isochron:system'); module.exports = () => 1;");
        let refused = server.client().post("/admin/scheduler", &task(name, name, "0 0 1 1 *", &json!({})));
        let said = refused.expect(400).to_string();
        assert!(said.contains("systemHandlers"), "{name}: {said}");
    }
}
