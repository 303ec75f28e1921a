//! Processes that die at work, and the state afterwards.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{ENDLESS, Options, Server, cell_of, field, signal_process, task, until};

#[test]
fn after_a_kill_of_the_server_every_task_is_there_and_what_ran_is_lost_or_tried_again() {
    let mut server = Server::start();
    let nightly = server.create_dormant("nightly", "module.exports = () => 1", &json!({}));
    let held = server.create_dormant("held", "module.exports = () => 1", &json!({ "maxRetries": 4 }));
    server.act(&held, "pause").expect(200);
    server.run(&nightly);

    server.home.write("endless", ENDLESS);
    server.home.write(
        "second-try",
        "module.exports = async (params, ctx) => {
           console.log('attempt', ctx.attempt);
           if (ctx.attempt === 1) await new Promise((go) => setTimeout(go, 86_400_000));
           return 'done';
         };",
    );
    let lost = server.create(&task("at most once", "endless", "now", &json!({})));
    let retries = json!({ "maxRetries": 1, "retryDelay": 1000 });
    let retried = server.create(&task("at least once", "second-try", "now", &retries));
    server.until_output(&lost);
    server.until_output(&retried);
    let before = [server.task(&nightly), server.task(&held)];
    assert!(server.runners().len() >= 2, "a runner for each run: {:?}", server.runners());
    let orphans = server.below();

    server.kill();
    server.start_again();

    assert_eq!([server.task(&nightly), server.task(&held)], before);
    let task = server.until_status(&lost, "failed");
    assert_eq!(task["nextRun"], json!(null));
    let rows = server.executions(&lost);
    assert_eq!(rows.len(), 1, "without retries a handler runs at most once: {rows:?}");
    assert_eq!(field(&rows[0], ["status", "reason"]), [json!("failed"), json!("lost")]);
    assert_eq!(rows[0]["output"][0]["message"], "started", "what it had written is kept");

    server.until_status(&retried, "completed");
    let rows = server.executions(&retried);
    assert_eq!(
        field(&rows[0], ["status", "attempt", "result"]),
        [json!("completed"), json!(2), json!("done")]
    );
    assert_eq!(field(&rows[1], ["status", "reason", "attempt"]), [json!("failed"), json!("lost"), json!(1)]);

    let list = server.client().get("/admin/scheduler").expect(200);
    assert_eq!(list["total"], 4);
    let alive = |process: &u32| std::path::Path::new(&format!("/proc/{process}/exe")).exists();
    until("the dead server's processes end", || (!orphans.iter().any(alive)).then_some(()));
}

#[test]
fn the_death_of_a_runner_ends_one_run_whose_output_is_kept_and_another_takes_its_place() {
    for signal in [Signal::KILL, Signal::SEGV] {
        let server = Options::default().set("RUNNERS__MAX", "1").start();
        let id = server.create_dormant("endless", ENDLESS, &json!({}));
        server.act(&id, "run").expect(200);
        server.until_output(&id);
        let [runner] = server.runners()[..] else { panic!("one runner") };
        // Rust's handler ignores the first SIGSEGV that no fault has caused.
        until("the runner dies", || {
            let alive = server.runners().contains(&runner);
            if alive {
                signal_process(runner, signal);
            }
            (!alive).then_some(())
        });

        server.until_status(&id, "failed");
        let rows = server.executions(&id);
        assert_eq!(field(&rows[0], ["status", "reason"]), [json!("failed"), json!("crashed")], "{signal:?}");
        assert_eq!(rows[0]["output"][0]["message"], "started");
        assert!(!rows[0]["error"].as_str().unwrap_or_default().is_empty());
        server.check_health();
        let runners = server.runners();
        assert!(!runners.is_empty() && !runners.contains(&runner), "{runners:?} after {runner}");
    }
}

#[test]
fn an_idle_runner_that_dies_is_replaced_before_anybody_misses_it() {
    let server = Server::start();
    let [idle] = server.runners()[..] else { panic!("one runner") };
    signal_process(idle, Signal::KILL);
    until("another runner is there", || {
        let ready = server.client().get("/ready");
        (ready.status == 200 && server.runners().iter().any(|runner| *runner != idle)).then_some(())
    });
    server.check_health();
    let rows = server.client().get("/admin/scheduler?status=failed").expect(200);
    assert_eq!(rows["total"], 0);
}

#[test]
fn whichever_process_of_a_runner_dies_the_next_run_is_made() {
    let server = Options::default().set("RUNNERS__MIN", "1").set("RUNNERS__MAX", "1").start();
    let id = server.create_dormant("two", "module.exports = () => 2", &json!({}));
    // Without rewind there is none of them.
    for name in ["cell", "blank", "template"] {
        let runner = server.runners()[0];
        server.named(name).into_iter().for_each(|process| signal_process(process, Signal::KILL));
        if name == "template" {
            signal_process(runner, Signal::KILL);
        }
        until("a run is made", || {
            (server.act(&id, "run?wait=true").expect(200)["execution"]["result"] == 2).then_some(())
        });
    }
    assert_eq!(
        server.named("cell").is_some(),
        server.log().contains("the template of the runners has ended")
    );
}

#[test]
fn a_second_server_on_the_same_data_says_which_process_holds_it() {
    let server = Server::start();
    let second = server.home.run(&["--listen", "127.0.0.1:0"]);
    assert_eq!(second.code(), Some(1), "{second:?}");
    let (error, holder) = (second.err(), server.pid().to_string());
    let names_it = error.split(|c: char| !c.is_ascii_digit()).any(|number| number == holder);
    assert!(names_it, "{holder} is not named: {error}");
    assert!(error.contains("data"), "the directory is not named: {error}");
    assert_eq!(second.out(), "", "it says that it listens");
    server.check_health();
}

#[test]
fn a_task_deleted_while_it_runs_is_cancelled_first_and_its_history_goes_with_it() {
    let server = Server::start();
    let id = server.create_dormant("endless", ENDLESS, &json!({}));
    server.act(&id, "run").expect(200);
    server.until_output(&id);
    server.client().delete(&format!("/admin/scheduler/{id}")).expect(200);
    assert_eq!(server.client().get(&format!("/admin/scheduler/{id}")).message(404), "Task not found");
    assert_eq!(server.client().get(&format!("/admin/scheduler/{id}/executions")).status, 404);
    until("its runner is free", || {
        (server.client().get("/ready").body["runners"]["idle"] == 1).then_some(())
    });
    // The task's name is free again.
    server.create_dormant("endless", ENDLESS, &json!({}));
}

#[test]
fn the_death_of_a_runner_that_checks_a_handler_is_not_the_handlers_fault() {
    let server = Server::start();
    server.home.write(
        "slow-to-load",
        "for (;;) {
           const start = Date.now();
           while (Date.now() - start < 50);
           try { require('./gate.json'); break; } catch {}
         }
         module.exports = () => 'loaded';",
    );
    let busy = |runner: &u32| {
        let process = cell_of(*runner);
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        // Hundredths of a second in user mode; a start takes few.
        fields.nth(11).and_then(|ticks| ticks.parse().ok()).is_some_and(|ticks: u64| ticks > 30)
    };
    std::thread::scope(|scope| {
        let created = scope.spawn(|| server.create(&task("slow", "slow-to-load", "@yearly", &json!({}))));
        let runner = until("a runner is busy with it", || server.runners().into_iter().find(busy));
        signal_process(runner, Signal::KILL);
        server.open_gate();
        let id = created.join().expect("it is created");
        assert_eq!(server.run(&id)["result"], "loaded");
    });
}
