//! Runners of a server that shares its store: they end at the end of its lease, even if it stands still.

use isochron::{
    clock::{Clock, SystemClock},
    runtime::protocol::ToRunner,
};

use super::runner::Runner;

/// So many milliseconds from now, by the clock of leases.
fn after(millis: i64) -> u64 {
    (SystemClock.boot() + millis).unsigned_abs()
}

#[test]
fn a_runner_ends_in_the_middle_of_a_run_when_the_lease_of_a_server_that_stands_still_is_over() {
    let mut runner = Runner::start(&[]);
    let until = after(1500);
    runner.send(&ToRunner::Lease { until });
    runner.run("module.exports = () => { for (;;); };");
    let status = runner.process.wait().expect("it ends");
    let late = SystemClock.boot() - until.cast_signed();
    assert_eq!(status.code(), Some(1));
    assert!((0..30_000).contains(&late), "it ended {late} ms after the end of the lease");
}

#[test]
fn a_renewed_lease_lets_a_run_go_on_and_one_without_a_run_ends_nothing() {
    let mut runner = Runner::start(&[]);
    // It is over, but there is no run yet.
    runner.send(&ToRunner::Lease { until: after(0) });
    runner.send(&ToRunner::Lease { until: after(1000) });
    runner.run("module.exports = () => new Promise((done) => setTimeout(() => done(7), 2000));");
    runner.send(&ToRunner::Lease { until: after(60_000) });
    let end = format!("{:?}", runner.until_done().end);
    assert!(end.contains('7'), "{end}");
    runner.process.kill().expect("it lives");
    runner.process.wait().expect("it ends");
}
