//! Pages that stay right while they are open.

use serde_json::json;

use super::{start, visit, write_handlers};
use crate::harness::{GATED, PATIENCE, Server, Stopwatch, task, until};

#[test]
fn a_list_shows_what_happens_without_a_reload() {
    let server = start();
    let id = server.create(&task("Brew coffee", "fail", "0 0 1 1 *", &json!({ "recurring": true })));
    let Some(browser) = visit("live", &server, "/tasks") else { return };
    browser.until_text("Active");
    browser.evaluate("window.untouched = true");
    server.run(&id);
    browser.until_text("the coffee is empty");
    server.act(&id, "pause").expect(200);
    browser.until_text("Paused");
    browser.click("link", "Brew coffee");
    browser.until_text("The last run failed");
    browser.evaluate("window.untouched = true");
    server.act(&id, "resume").expect(200);
    browser.until_text("Pause");
    server.run(&id);
    browser.until_text("1–2 of 2");
    assert_eq!(browser.evaluate("window.untouched"), true, "the page was loaded again");
}

#[test]
fn the_output_of_a_run_is_followed_to_its_end() {
    let server = Server::start();
    let id = server.create_at_gate("gated");
    let execution = server.executions(&id)[0]["id"].as_str().expect("an id").to_owned();
    let Some(browser) = visit("output", &server, &format!("/executions/{execution}")) else { return };
    browser.until_text("at the gate");
    browser.until_text("Running");
    browser.look("running");
    server.open_gate();
    browser.until_text("Completed");
    browser.until_text("through");
}

#[test]
fn lines_come_while_a_run_goes_on_and_a_link_leads_to_one() {
    let server = Server::start();
    let source = format!(
        "{GATED}\nconst wait = module.exports;\nmodule.exports = async () => {{ for (let i = 1; i <= 500; i += 1) console.log(`line ${{i}}`); await wait(); for (let i = 501; i <= 3000; i += 1) console.log(`line ${{i}}`); }};"
    );
    server.home.write("long", &source);
    let id = server.create(&task("Long", "long", "now", &json!({})));
    server.until_output(&id);
    let execution = server.executions(&id)[0]["id"].as_str().expect("an id").to_owned();
    let Some(browser) = visit("lines", &server, &format!("/executions/{execution}")) else { return };
    browser.until_text("line 500");
    server.open_gate();
    browser.until_text("line 3000");
    browser.until_text("Completed");
    let lines = || browser.evaluate("document.querySelectorAll('.line').length");
    assert_eq!(lines(), 3001);
    let numbers = browser.evaluate(
        "[...document.querySelectorAll('.line')].every((line, index) => line.id === `L${index + 1}`)",
    );
    assert_eq!(numbers, true, "a line is missing or told twice");
    browser.go(&format!("/executions/{execution}#L2990"));
    browser.reload();
    browser.until_text("line 3000");
    until("the line is marked", || {
        let marked = "document.querySelector('.marked')?.innerText.includes('line 2989')";
        (browser.evaluate(marked) == true).then_some(())
    });
    browser.fill("Search the output", "line 2999");
    browser.until_text("1 found");
    browser.fill("Levels", "errors");
    assert_eq!(browser.evaluate("getComputedStyle(document.querySelector('.line')).display"), "none");
}

#[test]
fn a_page_tells_that_it_is_not_live_and_mends_itself() {
    let mut server = Server::start();
    write_handlers(&server.home);
    server.create(&task("Say hello", "greet", "0 0 1 1 *", &json!({ "recurring": true })));
    let Some(browser) = visit("lost", &server, "/tasks") else { return };
    browser.until_text("Say hello");
    browser.until_live();
    server.kill();
    browser.until_text("Not live since");
    browser.picture("lost");
    let port = browser.base().rsplit(':').next().expect("a port").to_owned();
    server.start_again_on(&port);
    server.create(&task("Came later", "greet", "0 0 1 1 *", &json!({ "recurring": true })));
    browser.until_text("Came later");
    browser.until_no_text("Not live since");
}

/// Notes how long the page did not answer, and the time between two frames of a scroll to its end.
const SMOOTHNESS: &str = "new Promise((done) => {
  const log = document.querySelector('.log');
  log.scrollTop = 0;
  const gaps = [];
  let last = performance.now();
  const step = (now) => {
    gaps.push(now - last);
    last = now;
    if (log.scrollTop + log.clientHeight >= log.scrollHeight - 2 || gaps.length > 600) {
      gaps.sort((a, b) => a - b);
      done({ frames: gaps.length, median: gaps[Math.floor(gaps.length / 2)], height: log.scrollHeight });
    } else {
      log.scrollTop += 800;
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
})";

#[test]
fn ten_thousand_lines_come_and_scroll_without_a_stop() {
    let server = Server::start();
    let source = format!(
        "{GATED}\nconst wait = module.exports;\nmodule.exports = async () => {{ await wait(); for (let i = 1; i <= 10000; i += 1) console.log(`line ${{i}} of a long output`); }};"
    );
    server.home.write("long", &source);
    let id = server.create(&task("Long", "long", "now", &json!({})));
    server.until_output(&id);
    let execution = server.executions(&id)[0]["id"].as_str().expect("an id").to_owned();
    let Some(browser) = visit("ten-thousand", &server, &format!("/executions/{execution}")) else { return };
    browser.until_text("at the gate");
    browser.evaluate(
        "window.blocked = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) window.blocked = Math.max(window.blocked, one.duration); }).observe({ type: 'longtask' })",
    );
    server.open_gate();
    // The text of the whole page would take the page's own time.
    until("the run has ended", || {
        let status = browser.evaluate("document.querySelector('h1').innerText");
        status.as_str().is_some_and(|status| status.contains("Completed")).then_some(())
    });
    until("all lines are there", || {
        (browser.evaluate("document.querySelectorAll('.line').length") == 10_001).then_some(())
    });
    let blocked = browser.evaluate("window.blocked").as_f64().expect("a time");
    let scroll = browser.evaluate(SMOOTHNESS);
    println!("blocked for {blocked} ms at most; {scroll}");
    // Far above the figures of a quiet machine, 50 ms and 17 ms: other tests run beside this one. A page that
    // adds its lines one by one does not answer for many seconds.
    assert!(blocked < 5000.0, "the page did not answer for {blocked} ms");
    assert!(scroll["median"].as_f64().is_some_and(|median| median < 1000.0), "{scroll}");
    browser.picture("end");
    // The page of an ended run has the end of its output, and all of it for those who ask.
    browser.reload();
    browser.until_text("lines are left out");
    browser.click("link", "Show all lines");
    browser.until_text("line 1 of a long output");
    assert_eq!(browser.evaluate("document.querySelectorAll('.line').length"), 10_001);
}

#[test]
fn eight_tabs_are_open_and_each_answers() {
    let server = start();
    let id = server.create(&task("Brew coffee", "fail", "0 0 1 1 *", &json!({ "recurring": true })));
    let Some(browser) = visit("tabs", &server, "/tasks") else { return };
    browser.until_live();
    for tab in 2..=8 {
        let watch = Stopwatch::start();
        browser.open_tab("/tasks");
        browser.until_text("Brew coffee");
        // A page whose connections are all taken would wait for ever.
        assert!(watch.elapsed() < PATIENCE, "tab {tab} took {:?}", watch.elapsed());
    }
    browser.until_live();
    server.run(&id);
    browser.until_text("the coffee is empty");
}
