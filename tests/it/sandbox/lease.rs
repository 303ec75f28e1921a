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

/// Whether a run outlives a lease of so many milliseconds, which is renewed while it goes on.
fn goes_on_beyond(lease: i64) -> bool {
    let mut runner = Runner::start(&[]);
    // It is over, but there is no run yet.
    runner.send(&ToRunner::Lease { until: after(0) });
    runner.send(&ToRunner::Lease { until: after(lease) });
    let time = lease + 1000;
    runner.run(&format!("module.exports = () => new Promise((done) => setTimeout(() => done(7), {time}));"));
    runner.send(&ToRunner::Lease { until: after(lease + 120_000) });
    let done = runner.until_done_or_ended();
    // Fails if it has ended.
    let _ = runner.process.kill();
    runner.process.wait().expect("it ends");
    done.is_some_and(|done| format!("{:?}", done.end).contains('7'))
}

#[test]
fn a_renewed_lease_lets_a_run_go_on_and_one_without_a_run_ends_nothing() {
    // A machine that stands still for a second renews no lease of a second.
    assert!([1000, 5000, 25_000].into_iter().any(goes_on_beyond), "the run ends with the first lease");
}
