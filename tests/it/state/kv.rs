//! `ctx.kv`: the functions, as handlers call them.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Home, Options, Server};

/// Runs the body of a handler and returns its result.
fn result(server: &Server, name: &str, body: &str) -> Value {
    let source = format!(
        "const told = async (call) => {{ try {{ return await call() }} catch (error) {{ return error.message }} }};
         module.exports = async (params, {{ kv }}) => {{ {body} }};"
    );
    let execution = server.run_source(name, &source, &json!({}));
    assert_eq!(execution["status"], "completed", "{execution}");
    execution["result"].clone()
}

#[test]
fn entries_are_set_read_counted_listed_and_deleted() {
    let server = Server::start();
    let found = result(
        &server,
        "all",
        "const first = await kv.set('a', { list: [1, 2.5, 'ü', null] });
         const got = [await kv.get('a'), await kv.get('none'), await kv.entry('none')];
         const entry = await kv.entry('a');
         const counted = [await kv.increment('n'), await kv.increment('n', 2.5), await kv.increment('n', -3)];
         const swapped = [
           await kv.compareAndSet('a', first, 'second'), await kv.compareAndSet('a', first, 'third'),
           await kv.compareAndSet('new', undefined, 1), await kv.compareAndSet('new', undefined, 2),
         ];
         for (let n = 0; n < 5; n++) await kv.set(`list/${n}`, n);
         const page = await kv.list({ prefix: 'list/', limit: 3 });
         const rest = await kv.list({ prefix: 'list/', limit: 3, cursor: page.cursor });
         const deleted = [await kv.delete('a'), await kv.delete('a'), await kv.get('a')];
         return {
           first, got, counted, swapped, deleted, same: entry.version === first, ends: entry.expiresAt,
           pages: [page, rest].map(({ entries, cursor }) => [entries.map(({ key, value }) => [key, value]), cursor]),
           fields: Object.keys(page.entries[0]), keys: (await kv.list()).entries.map(({ key }) => key),
         };",
    );
    assert_eq!(found["got"], json!([{ "list": [1, 2.5, "ü", null] }, null, null]));
    assert_eq!((&found["same"], &found["ends"]), (&json!(true), &json!(null)));
    assert_eq!(found["counted"], json!([1, 3.5, 0.5]));
    assert_eq!(found["swapped"], json!([true, false, true, false]));
    assert_eq!(found["deleted"], json!([true, false, null]));
    assert_eq!(found["fields"], json!(["key", "value", "version", "expiresAt"]));
    assert_eq!(
        found["pages"],
        json!([
            [[["list/0", 0], ["list/1", 1], ["list/2", 2]], "list/2"],
            [[["list/3", 3], ["list/4", 4]], null]
        ])
    );
    assert_eq!(found["keys"], json!(["list/0", "list/1", "list/2", "list/3", "list/4", "n", "new"]));
}

#[test]
fn a_wrong_argument_is_refused_with_a_sentence_and_changes_nothing() {
    let server = Server::start();
    let found = result(
        &server,
        "wrong",
        "return await Promise.all([
           () => kv.get(7), () => kv.get(''), () => kv.get('k'.repeat(513)), () => kv.get('\\ud800'),
           () => kv.set('k', undefined), () => kv.set('k', () => 1), () => kv.set('k', 1n),
           () => kv.set('k', 'x'.repeat(65536)), () => kv.set('k', 1, { ttl: 0 }), () => kv.set('k', 1, 5),
           () => { let deep = 1; for (let n = 0; n < 130; n++) deep = [deep]; return kv.set('k', deep) },
           () => kv.increment('k', NaN), () => kv.list({ limit: 1001 }), () => kv.compareAndSet('k', 'v', 1),
           () => kv.set('k', 1, { tll: 5 }), () => kv.list({ prefx: 'a' }),
           () => kv.compareAndSet('k', undefined, 1, { prefix: 'a' }),
           async () => { await kv.shared.set('text', 'x'); return kv.shared.increment('text') },
           async () => (await kv.list()).entries,
         ].map(told));",
    );
    let expected = [
        "a key is a string, not 7",
        "a key is not empty",
        "a key has at most 512 bytes, this one has 513",
        "a key has half of a surrogate pair",
        "the value for \"k\" is undefined, which has no JSON form",
        "the value for \"k\" is a function, which has no JSON form",
        "Do not know how to serialize a BigInt",
        "the value for \"k\" has 65538 bytes as JSON; 65536 are the most",
        "ttl is a whole number of milliseconds from 1 on, not 0",
        "the options are an object, not 5",
        "a value is nested over 120 levels",
        "increment adds a number, not NaN",
        "limit is a whole number from 1 to 1000, not 1001",
        "version is a whole number from 1 to 9007199254740991, not \"v\"",
        "\"tll\" is no option here; there is ttl",
        "\"prefx\" is no option here; there are prefix, limit, cursor",
        "\"prefix\" is no option here; there is ttl",
        "increment needs a number under the key, and there is a string",
    ];
    for (index, words) in expected.iter().enumerate() {
        assert_eq!(found[index], *words);
    }
    assert_eq!(found[expected.len()], json!([]));
}

#[test]
fn any_number_of_calls_at_once_is_done() {
    let server = Server::start();
    let found = result(
        &server,
        "many",
        "const keys = Array.from({ length: 300 }, (_, n) => `key ${n}`);
         await Promise.all(keys.map((key, n) => kv.set(key, n)));
         await Promise.all(keys.map(() => kv.increment('sum')));
         const values = await Promise.all(keys.map((key) => kv.get(key)));
         return [values.every((value, n) => value === n), await kv.get('sum')];",
    );
    assert_eq!(found, json!([true, 300]));
}

#[test]
fn entries_belong_to_their_task_outlive_a_kill_and_go_with_the_task() {
    let mut server = Server::start();
    let source = "module.exports = async ({ set }, { kv }) => {
        if (set) {
            await kv.set('own', set);
            await kv.shared.set('all', set);
        }
        return [await kv.get('own'), await kv.shared.get('all')];
    };";
    let [one, two] = ["one", "two"].map(|name| server.create_dormant(name, source, &json!({})));
    assert_eq!(server.run_with(&one, &json!({ "set": "x" }))["result"], json!(["x", "x"]));
    assert_eq!(server.run(&two)["result"], json!([null, "x"]));
    server.signal(Signal::KILL);
    server.exit();
    server.start_again();
    assert_eq!(server.run(&one)["result"], json!(["x", "x"]));
    server.client().delete(&format!("/admin/scheduler/{one}")).expect(200);
    assert_eq!(server.client().get(&format!("/admin/scheduler/{one}/kv")).message(404), "Task not found");
    assert_eq!(server.run(&two)["result"], json!([null, "x"]));
}

#[test]
fn an_entry_with_a_ttl_is_gone_when_its_time_has_passed() {
    let server = Server::start();
    let found = result(
        &server,
        "brief",
        "let entry, span, ttl = 300;
         // A machine that is slow to write needs a longer time.
         for (;; ttl *= 2) {
           const before = Date.now();
           await kv.set('brief', 1, { ttl });
           entry = await kv.entry('brief');
           if (entry) { span = [entry.expiresAt - before, entry.expiresAt - Date.now()]; break }
         }
         const { expiresAt } = entry;
         while (Date.now() < expiresAt) await new Promise((go) => setTimeout(go, expiresAt - Date.now() + 1));
         return [span[0] >= ttl && span[1] <= ttl, await kv.get('brief'), (await kv.list()).entries];",
    );
    assert_eq!(found, json!([true, null, []]));
}

#[test]
fn quotas_are_settings_of_the_server() {
    let server = Options::default().set("LIMITS__KV_ENTRIES", "2").set("LIMITS__KV_BYTES", "1024").start();
    let found = result(
        &server,
        "full",
        "await kv.set('a', 1);
         await kv.set('b', 1);
         const refused = [await told(() => kv.set('c', 1)), await told(() => kv.set('b', 'x'.repeat(2000)))];
         await kv.delete('a');
         await kv.set('c', 1);
         return refused;",
    );
    assert_eq!(
        found[0],
        "there are 2 entries already, the most that may be (limits.kvEntries): delete some first"
    );
    assert!(
        found[1].as_str().is_some_and(|text| text.ends_with("1024 are the most (limits.kvBytes)")),
        "{found}"
    );
}

#[test]
fn a_handler_that_patches_what_it_can_reads_and_writes_as_ever() {
    let server = Server::start();
    let found = result(
        &server,
        "patched",
        "for (const name of ['shared', 'key', 'call', 'next', 'ttl', 'value']) {
           Object.defineProperty(Object.prototype, name, { set() { throw new Error(`set ${name}`) }, configurable: true });
         }
         Array.prototype[Symbol.iterator] = () => { throw new Error('patched') };
         JSON.stringify = JSON.parse = () => 'patched';
         Promise.prototype.then = function () { throw new Error('patched') };
         Number.isInteger = () => true;
         await kv.set('a', 'value');
         const all = [];
         for (let n = 0; n < 40; n++) all[n] = kv.get('a');
         let same = 0;
         for (let n = 0; n < 40; n++) same += (await all[n]) === 'value' ? 1 : 0;
         return same;",
    );
    assert_eq!(found, json!(40));
}

#[test]
fn a_run_without_a_server_keeps_entries_and_steps_for_itself() {
    let home = Home::in_memory();
    home.write(
        "local",
        "module.exports = async (params, { kv, step, progress }) => {
           progress(0.5);
           return [await kv.increment('n'), await step('s', () => kv.increment('n')), await kv.shared.get('n')];
         };",
    );
    for _ in 0..2 {
        let done = home.run(&["run", "local"]);
        assert_eq!(done.code(), Some(0), "{}", done.err());
        let told: Value = serde_json::from_str(&done.out()).expect("JSON");
        assert_eq!(told, json!([1, 2, null]));
    }
}
