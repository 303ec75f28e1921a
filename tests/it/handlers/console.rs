//! The console's lines: levels, formats, order.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{messages, run_all};
use crate::harness::Server;

/// `level message` for each line of output; more lines of a message are indented.
fn describe(execution: &Value) -> String {
    let lines = execution["output"].as_array().expect("lines").iter();
    let texts = lines.map(|line| {
        let message = line["message"].as_str().expect("a text").replace('\n', "\n      ");
        format!("{:5} {message}", line["level"].as_str().expect("a level"))
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_method_of_the_console_writes_at_its_level() {
    let server = Server::start();
    let source = "module.exports = () => {
        console.log('log'); console.info('info'); console.debug('debug'); console.warn('warn'); console.error('error');
        console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 1 });
        console.table([{ id: 1, name: 'one' }, { id: 2, name: 'two' }]);
        console.assert(true, 'not shown'); console.assert(1 > 2, 'shown %d', 1); console.assert(false);
        console.count(); console.count('x'); console.count(); console.countReset(); console.count();
        console.group('group'); console.log('inside\\ntwo lines'); console.group(); console.warn('deeper');
        console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('outside');
        console.log(); console.log('');
    };";
    let [execution] = run_all(&server, [source]);
    assert_snapshot!(describe(&execution), @r#"
    log   log
    info  info
    debug debug
    warn  warn
    error error
    log   { a: { b: [Object] } }
    log   ┌───────┬────┬───────┐
          │ (idx) │ id │ name  │
          ├───────┼────┼───────┤
          │     0 │  1 │ "one" │
          │     1 │  2 │ "two" │
          └───────┴────┴───────┘
    error Assertion failed: shown 1
    error Assertion failed
    log   default: 1
    log   x: 1
    log   default: 2
    log   default: 1
    log   group
    log     inside
            two lines
    warn      deeper
    log   outside
    log   
    log
    "#);
}

#[test]
fn values_are_formatted_as_in_node_and_deno() {
    let server = Server::start();
    let source = "class Point { constructor(x) { this.x = x } }
      module.exports = () => {
        console.log('%s is %d years and %i, %f, %j %o %O %%, %c.', 'Ada', '36.5', 36.5, '1.5', { a: 1 }, [1], { b: {} }, 'color: red', 'rest', 7);
        console.log('100%', 'and', 5, true, null, undefined);
        console.log({ a: 1, b: 'two', c: [3, { d: { e: { f: 1 } } }], g: () => 1, h: Symbol('s') });
        console.log([1, 'two', null, undefined, , 3n], [], {}, 'text', ['text']);
        console.log(new Map([['k', { v: 1 }]]), new Set([1, 'a']), new Date(0), /re/g, new Point(3));
        console.log(Promise.resolve(1), new Uint8Array([1, 2, 3]), new Error('seen').message);
        const cycle = { name: 'cycle' }; cycle.self = cycle; console.log(cycle);
        console.log(-0, 1e21, NaN, [,], Object.create(null), new (class extends Array {})(2));
        console.log(new Array(200).fill(7));
        console.log('unknown %x %', 1);
      };";
    let [execution] = run_all(&server, [source]);
    assert_snapshot!(describe(&execution), @r#"
    log   Ada is 36.5 years and 36, 1.5, {"a":1} [ 1 ] { b: {} } %, . rest 7
    log   100% and 5 true null undefined
    log   {
            a: 1,
            b: "two",
            c: [
              3,
              { d: { e: { f: 1 } } }
            ],
            g: [Function: g],
            h: Symbol(s)
          }
    log   [ 1, "two", null, undefined, <1 empty item>, 3n ] [] {} text [ "text" ]
    log   Map(1) { "k" => { v: 1 } } Set(2) { 1, "a" } 1970-01-01T00:00:00.000Z /re/g Point { x: 3 }
    log   Promise { 1 } Uint8Array(3) [ 1, 2, 3 ] seen
    log   <ref *1> { name: "cycle", self: [Circular *1] }
    log   -0 1e+21 NaN [ <1 empty item> ] [Object: null prototype] {} [ <2 empty items> ]
    log   [
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            7, 7, 7, 7,
            ... 100 more items
          ]
    log   unknown %x % 1
    "#);
}

#[test]
fn errors_are_written_with_the_place_they_come_from() {
    let server = Server::start();
    let source = "module.exports = () => {
        console.error(new TypeError('wrong'));
        console.log('caught', new Error('outer', { cause: new RangeError('inner') }));
        console.trace('here', 7);
        (function named() { console.trace() })();
    };";
    let [execution] = run_all(&server, [source]);
    assert_snapshot!(describe(&execution), @"
    error TypeError: wrong
              at module.exports (tasks/case-1.js:2:23)
    log   caught Error: outer
              at module.exports (tasks/case-1.js:3:31) {
            [cause]: RangeError: inner
                at module.exports (tasks/case-1.js:3:59)
          }
    error Trace: here 7
              at module.exports (tasks/case-1.js:4:17)
    error Trace
              at named (tasks/case-1.js:5:37)
              at module.exports (tasks/case-1.js:5:47)
    ");
}

#[test]
fn timers_of_the_console_say_how_long_something_took() {
    let server = Server::start();
    let source = "module.exports = async () => {
        console.time('t'); console.time();
        await new Promise((go) => setTimeout(go, 20));
        console.timeLog('t', 'so far'); console.timeEnd('t'); console.timeEnd(); console.timeEnd('never started');
    };";
    let [execution] = run_all(&server, [source]);
    let lines = messages(&execution);
    for (line, start) in lines.iter().zip(["t: ", "t: ", "default: "]) {
        let rest = line.strip_prefix(start).unwrap_or_else(|| panic!("{lines:?}"));
        let took: f64 = rest
            .split("ms")
            .next()
            .and_then(|n| n.trim().parse().ok())
            .unwrap_or_else(|| panic!("{lines:?}"));
        assert!((10.0..60_000.0).contains(&took), "{line}");
    }
    assert!(lines[0].ends_with("so far"), "{lines:?}");
    assert_eq!(lines.len(), 4, "a timer that was never started is warned of: {lines:?}");
}

#[test]
fn lines_keep_their_order_and_their_time_however_they_were_written() {
    let server = Server::start();
    let source = "module.exports = async () => {
        const levels = ['log', 'error', 'debug', 'warn', 'info'];
        for (let n = 0; n < 300; n++) {
          console[levels[n % 5]](n);
          if (n % 50 === 0) await new Promise((go) => setTimeout(go, 5));
        }
    };";
    let [execution] = run_all(&server, [source]);
    let numbers: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(messages(&execution), numbers);
    let lines = execution["output"].as_array().expect("lines");
    let times: Vec<_> = lines.iter().map(|line| line["time"].as_i64().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[299] > times[0], "every line has the same time");
    let start = execution["startTime"].as_i64().expect("a time");
    assert!(times[0] >= start - 5, "{} before the start at {start}", times[0]);
}

#[test]
fn a_console_is_an_object_that_a_handler_may_take_apart() {
    let server = Server::start();
    let sources = [
        "const { log } = console; module.exports = () => { log('taken'); [1, 2].forEach(console.info) }",
        "module.exports = () => { console.log = undefined; console.info('still'); return Object.keys(console).includes('warn') }",
        "module.exports = () => { console.log({ get a() { throw new Error('no look') } }); console.log('after') }",
        "module.exports = () => { console.log(new Proxy({}, { get() { throw new Error('trap') } })); console.log('after') }",
    ];
    let [taken, replaced, getter, proxy] = run_all(&server, sources);
    assert_eq!(messages(&taken), ["taken", "1 0 [ 1, 2 ]", "2 1 [ 1, 2 ]"]);
    assert_eq!((messages(&replaced), &replaced["result"]), (vec!["still"], &json!(true)));
    assert_eq!(messages(&getter), ["{ a: [Getter] }", "after"]);
    assert_eq!(messages(&proxy).last(), Some(&"after"));
    server.check_health();
}
