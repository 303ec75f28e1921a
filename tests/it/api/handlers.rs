//! The list of handlers is fresh, and not slowed by a file that does not load.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Server, Stopwatch, task, until};

/// The handlers, and the time that the answer took.
fn list(server: &Server) -> (Vec<Value>, Duration) {
    let stopwatch = Stopwatch::start();
    let mut answer = server.client().get("/admin/handlers").expect(200);
    (answer["handlers"].as_array_mut().map(std::mem::take).expect("handlers"), stopwatch.elapsed())
}

#[test]
fn files_that_take_long_to_load_do_not_hold_up_the_list() {
    let server = Server::start();
    for name in ["slow-a", "slow-b", "slow-c"] {
        server.home.write(name, &format!("for (;;); // {name}"));
    }
    server.home.write("well", "module.exports = () => 1");
    let mut round = 0;
    let first = until("a list does not wait for three checks of five seconds", || {
        let (first, took) = list(&server);
        if took < Duration::from_secs(4) {
            return Some(first);
        }
        // The machine stood still: changed files are checked anew.
        round += 1;
        for name in ["slow-a", "slow-b", "slow-c"] {
            server.home.write(name, &format!("for (;;); // {name} {round}"));
        }
        None
    });
    assert!(first[..3].iter().all(|handler| handler["checking"] == true), "{first:?}");
    let checking = |handlers: &[Value]| handlers.iter().filter(|h| h["checking"] == true).count();

    let done = until("every check has an end", || {
        let (handlers, _) = list(&server);
        (checking(&handlers) == 0).then_some(handlers)
    });
    for handler in &done[..3] {
        assert!(handler["error"].as_str().is_some_and(|error| error.contains("timed out")), "{handler}");
    }
    assert_eq!(done[3]["error"], Value::Null);
    // A new check would be seen under way.
    let (again, _) = list(&server);
    assert_eq!(again, done, "the results are kept");

    // A changed file is checked again.
    server.home.write("slow-a", "module.exports = () => 1");
    let changed = until("the changed file is checked", || {
        let (handlers, _) = list(&server);
        (checking(&handlers) == 0).then_some(handlers)
    });
    assert_eq!(changed[0]["error"], Value::Null);
}

#[test]
fn a_missing_file_that_comes_later_shows_at_once() {
    let server = Server::start();
    server.home.write("needs", "const lib = require('./lib/there'); module.exports = () => lib");
    until("its mistake is found", || {
        let (before, _) = list(&server);
        before[0]["error"].as_str().is_some_and(|error| error.contains("lib/there")).then_some(())
    });
    server.home.write("lib/there", "module.exports = 1");
    until("it loads", || {
        let (after, _) = list(&server);
        let needs = after.iter().find(|handler| handler["name"] == "needs").expect("listed");
        (needs.get("checking").is_none() && needs["error"].is_null()).then_some(())
    });
}

#[test]
fn a_file_in_a_language_that_does_not_run_is_named() {
    let server = Server::start();
    for end in ["tsx", "jsx", "json"] {
        server.home.write(&format!("typed-{end}.{end}"), "export default () => 1");
        let body = task("typed", &format!("typed-{end}"), "0 0 1 1 *", &json!({}));
        let message = server.client().post("/admin/scheduler", &body).message(400);
        assert!(message.contains(&format!("tasks/typed-{end}.{end} is there")), "{message}");
        assert!(message.contains(".mjs, .ts"), "{message}");
    }
}
