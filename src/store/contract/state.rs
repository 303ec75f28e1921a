//! The state of handlers: entries, their versions, quotas and ends; steps; the fence around both.

use super::{
    copies::{copy_all, import},
    *,
};
use crate::domain::execution::{Hashes, Progress};

const WIDE: Quota = Quota { entries: 100, bytes: 1 << 20 };

fn edit(owner: Owner, key: &str, change: Change) -> Edit {
    Edit { owner, key: key.to_owned(), change, fence: None, quota: WIDE, audit: None }
}

fn set(value: Value) -> Change {
    Change::Set { value, ttl: None, expected: Expected::Any }
}

const DELETE: Change = Change::Delete { expected: Expected::Any };

impl Bench {
    fn edit(&self, edit: Edit) -> Result<Edited, StoreError> {
        self.wait(self.store().edit(edit))
    }

    /// Sets a shared entry; returns its version.
    fn set(&self, key: &str, value: Value) -> u64 {
        version(&self.edit(edit(Owner::Shared, key, set(value))))
    }

    fn entry(&self, owner: Owner, key: &str) -> Option<Entry> {
        self.wait(self.store().entry(owner, key.to_owned())).expect("it reads")
    }

    fn keys(&self, owner: Owner, query: EntryQuery) -> (Vec<String>, bool) {
        let EntryPage { entries, more } = self.wait(self.store().entries(owner, query)).expect("it reads");
        (entries.into_iter().map(|(key, _)| key).collect(), more)
    }

    fn all_keys(&self, owner: Owner) -> Vec<String> {
        self.keys(owner, EntryQuery { limit: 1000, ..EntryQuery::default() }).0
    }

    fn stored(&self, kind: &str) -> u64 {
        let statistics = self.wait(self.store().statistics(false)).expect("it counts");
        statistics["collections"][kind]["count"].as_u64().expect("a count")
    }

    fn finish(&self, fence: Fence, time: Millis, step: FinishedStep) -> Result<(), StoreError> {
        self.wait(self.store().finish_step(fence, time, step))
    }

    fn steps(&self, task: TaskId, time: Millis) -> Vec<FinishedStep> {
        self.wait(self.store().steps(task, time)).expect("it reads")
    }

    fn scheduled_for(&self, task: TaskId, execution: ExecutionId) -> Millis {
        let row = self.wait(self.store().execution(task, execution)).expect("it reads").expect("it is there");
        row.scheduled_for
    }
}

fn version(edited: &Result<Edited, StoreError>) -> u64 {
    match edited {
        Ok(Edited::Set(entry)) => entry.version,
        other => panic!("nothing was set: {other:?}"),
    }
}

fn step(name: &str, number: u32) -> FinishedStep {
    FinishedStep { name: name.to_owned(), number, value: json!({ "of": name }), attempt: 1, duration: 5 }
}

pub(crate) fn an_entry_is_kept_under_its_key_with_a_version_that_grows(bench: &mut Bench) {
    assert_eq!(bench.entry(Owner::Shared, "a"), None);
    let first = bench.set("a", json!({"list": [1, null, "ä"], "n": 0.1}));
    let found = bench.entry(Owner::Shared, "a").expect("it is there");
    assert_eq!((found.version, found.expires_at), (first, None));
    assert_eq!(found.value, json!({"list": [1, null, "ä"], "n": 0.1}));
    let large = json!("x".repeat(64 * 1024));
    let second = bench.set("a", large.clone());
    assert!(second > first, "{second} after {first}");
    assert_eq!(bench.entry(Owner::Shared, "a").expect("it is there").value, large);
    assert_eq!(bench.edit(edit(Owner::Shared, "a", DELETE)).expect("it goes"), Edited::Removed);
    assert_eq!(bench.entry(Owner::Shared, "a"), None);
    assert_eq!(bench.edit(edit(Owner::Shared, "a", DELETE)).expect("it is gone"), Edited::Unchanged(None));
}

pub(crate) fn a_deleted_entry_that_is_made_again_shows_no_old_version(bench: &mut Bench) {
    let mut last = 0;
    for round in 0..6 {
        let version = bench.set("a", json!(round));
        assert!(version > last, "{version} after {last}");
        last = version;
        bench.edit(edit(Owner::Shared, "a", DELETE)).expect("it goes");
        if round % 2 == 1 {
            bench.reopen();
        }
    }
}

pub(crate) fn an_edit_that_expects_another_version_changes_nothing(bench: &mut Bench) {
    let expecting = |expected| Change::Set { value: json!("new"), ttl: None, expected };
    let try_set = |bench: &Bench, expected| bench.edit(edit(Owner::Shared, "a", expecting(expected)));
    assert_eq!(try_set(bench, Expected::Version(1)).expect("it answers"), Edited::Unchanged(None));
    let first = version(&try_set(bench, Expected::Absent));
    assert_eq!(try_set(bench, Expected::Absent).expect("it answers"), Edited::Unchanged(Some(first)));
    let second = version(&try_set(bench, Expected::Version(first)));
    assert_eq!(
        try_set(bench, Expected::Version(first)).expect("it answers"),
        Edited::Unchanged(Some(second))
    );
    let delete = |expected| edit(Owner::Shared, "a", Change::Delete { expected });
    assert_eq!(
        bench.edit(delete(Expected::Version(first))).expect("it answers"),
        Edited::Unchanged(Some(second))
    );
    assert_eq!(bench.edit(delete(Expected::Version(second))).expect("it goes"), Edited::Removed);
}

pub(crate) fn a_number_grows_and_keeps_the_time_of_its_end(bench: &mut Bench) {
    let add = |bench: &Bench, by| bench.edit(edit(Owner::Shared, "n", Change::Increment { by }));
    let value = |edited: Result<Edited, StoreError>| match edited {
        Ok(Edited::Set(entry)) => (entry.value, entry.expires_at),
        other => panic!("{other:?}"),
    };
    assert_eq!(value(add(bench, 2.0)), (json!(2), None));
    assert_eq!(value(add(bench, -0.5)), (json!(1.5), None));
    let ends = Change::Set { value: json!(7), ttl: Some(HOUR), expected: Expected::Any };
    bench.edit(edit(Owner::Shared, "n", ends)).expect("it is set");
    assert_eq!(value(add(bench, 1.0)), (json!(8), Some(START + HOUR)));
    bench.now.store(START + HOUR, Ordering::Relaxed);
    assert_eq!(value(add(bench, 1.0)), (json!(1), None), "the old number is gone");
    bench.set("n", json!("text"));
    let refused = add(bench, 1.0).expect_err("it is no number").to_string();
    assert!(refused.contains("a string"), "{refused}");
}

pub(crate) fn entries_are_listed_in_the_order_of_their_keys_page_by_page(bench: &mut Bench) {
    let keys = ["a", "a/", "a/1", "a/10", "a/2", "a0", "b", "ä", "\u{0}", "💥"];
    for key in keys {
        bench.set(key, json!(key));
    }
    let mut sorted: Vec<_> = keys.map(str::to_owned).to_vec();
    sorted.sort();
    assert_eq!(bench.all_keys(Owner::Shared), sorted);
    let query = |prefix: &str, after: Option<&str>, limit| EntryQuery {
        prefix: prefix.to_owned(),
        after: after.map(str::to_owned),
        limit,
    };
    let page = |prefix, after, limit| bench.keys(Owner::Shared, query(prefix, after, limit));
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(page("a/", None, 2), (owned(&["a/", "a/1"]), true));
    assert_eq!(page("a/", Some("a/1"), 2), (owned(&["a/10", "a/2"]), false));
    assert_eq!(page("a/", Some("a"), 1), (owned(&["a/"]), true), "a cursor before the prefix");
    assert_eq!(page("a/", Some("b"), 5), (Vec::new(), false), "a cursor after it");
    assert_eq!(page("zz", None, 5), (Vec::new(), false));
}

pub(crate) fn owners_do_not_see_one_anothers_entries(bench: &mut Bench) {
    let [one, two] = ["one", "two"].map(|name| Owner::Task(bench.hourly(name).id));
    for (owner, value) in [(one, 1), (two, 2), (Owner::Shared, 3)] {
        bench.edit(edit(owner, "key", set(json!(value)))).expect("it is set");
    }
    bench.edit(edit(two, "more", set(json!(0)))).expect("it is set");
    for (owner, value) in [(one, 1), (two, 2), (Owner::Shared, 3)] {
        assert_eq!(bench.entry(owner, "key").map(|entry| entry.value), Some(json!(value)));
    }
    assert_eq!((bench.all_keys(one).len(), bench.all_keys(two).len()), (1, 2));
    let nobody = Owner::Task(TaskId(bench.next_id()));
    let refused = bench.edit(edit(nobody, "key", set(json!(1))));
    assert!(matches!(refused, Err(StoreError::NotFound)), "{refused:?}");
}

pub(crate) fn an_entry_whose_time_has_passed_is_never_shown_and_goes(bench: &mut Bench) {
    let ends = |ttl| Change::Set { value: json!(1), ttl: Some(ttl), expected: Expected::Any };
    bench.edit(edit(Owner::Shared, "soon", ends(1000))).expect("it is set");
    bench.edit(edit(Owner::Shared, "later", ends(HOUR))).expect("it is set");
    let first = version(&bench.edit(edit(Owner::Shared, "again", ends(1000))));
    assert_eq!(bench.entry(Owner::Shared, "soon").and_then(|entry| entry.expires_at), Some(START + 1000));
    bench.now.store(START + 999, Ordering::Relaxed);
    assert_eq!(bench.all_keys(Owner::Shared).len(), 3);
    bench.now.store(START + 1000, Ordering::Relaxed);
    assert_eq!(bench.entry(Owner::Shared, "soon"), None);
    assert_eq!(bench.all_keys(Owner::Shared), ["later"]);
    // An edit finds nothing, and the new entry has a version of its own.
    let again = Change::Set { value: json!(2), ttl: None, expected: Expected::Absent };
    assert!(version(&bench.edit(edit(Owner::Shared, "again", again))) > first);
    // An entry that is set for good in time stays.
    bench.set("later", json!("for good"));
    bench.now.store(START + 2 * HOUR, Ordering::Relaxed);
    for _ in 0..2 {
        bench.set("other", json!(1));
    }
    assert_eq!(bench.all_keys(Owner::Shared), ["again", "later", "other"]);
    assert_eq!(bench.stored("entries"), 3, "the others are removed");
    bench.reopen();
    assert_eq!(bench.all_keys(Owner::Shared), ["again", "later", "other"]);
}

pub(crate) fn more_entries_or_bytes_than_the_quota_are_refused(bench: &mut Bench) {
    let quota = Quota { entries: 3, bytes: 10_000 };
    let task = Owner::Task(bench.hourly("task").id);
    let set = |bench: &Bench, key: &str, value: Value, ttl| {
        let change = Change::Set { value, ttl, expected: Expected::Any };
        bench.edit(Edit { quota, ..edit(task, key, change) })
    };
    let refused = |result: Result<Edited, StoreError>, words: &str| {
        let error = result.expect_err("it is too much").to_string();
        assert!(error.contains(words), "{error}");
    };
    for (key, ttl) in [("a", None), ("b", Some(1000)), ("c", None)] {
        set(bench, key, json!(1), ttl).expect("it fits");
    }
    refused(set(bench, "d", json!(1), None), "3 entries already");
    assert_eq!(bench.entry(task, "d"), None);
    set(bench, "c", json!(2), None).expect("no entry more");
    // Another owner has a quota of its own.
    bench.set("d", json!(1));
    bench.now.store(START + 1000, Ordering::Relaxed);
    set(bench, "d", json!(1), None).expect("one of them has passed");
    refused(set(bench, "d", json!("x".repeat(10_000)), None), "10000 are the most");
    assert_eq!(bench.entry(task, "d").map(|entry| entry.value), Some(json!(1)));
    set(bench, "d", json!("x".repeat(9000)), None).expect("it fits");
    refused(set(bench, "c", json!("x".repeat(1000)), None), "10000 are the most");
    set(bench, "d", json!(1), None).expect("it becomes smaller");
    set(bench, "c", json!("x".repeat(1000)), None).expect("there is room again");
    bench.reopen();
    refused(set(bench, "e", json!(1), None), "3 entries already");
}

pub(crate) fn a_run_that_is_over_writes_nothing(bench: &mut Bench) {
    let task = bench.hourly("task");
    let first = bench.run_by_hand(task.id, START);
    let by = |execution, owner, change| Edit {
        fence: Some(Fence { task: task.id, execution }),
        ..edit(owner, "key", change)
    };
    for owner in [Owner::Task(task.id), Owner::Shared] {
        bench.edit(by(first, owner, set(json!("first")))).expect("it is in progress");
    }
    bench.end(task.id, first, START + 1);
    let second = bench.run_by_hand(task.id, START + 2);
    for owner in [Owner::Task(task.id), Owner::Shared] {
        bench.edit(by(second, owner, set(json!("second")))).expect("it is in progress");
        for change in [set(json!("late")), DELETE, Change::Increment { by: 1.0 }] {
            let refused = bench.edit(by(first, owner, change));
            assert!(
                matches!(refused, Err(StoreError::State(StateError::NotRunning(id))) if id == first),
                "{refused:?}"
            );
        }
        assert_eq!(bench.entry(owner, "key").map(|entry| entry.value), Some(json!("second")));
    }
    bench.end(task.id, second, START + 3);
    bench.wait(bench.store().delete(task.id, None)).expect("it goes");
    bench.edit(by(second, Owner::Shared, set(json!("late")))).expect_err("its task is gone");
    assert_eq!(bench.entry(Owner::Shared, "key").map(|entry| entry.value), Some(json!("second")));
}

pub(crate) fn the_entries_of_a_deleted_task_go_with_it(bench: &mut Bench) {
    let task = bench.hourly("task");
    let change = Change::Set { value: json!(1), ttl: Some(1000), expected: Expected::Any };
    bench.edit(edit(Owner::Task(task.id), "key", change)).expect("it is set");
    bench.set("shared", json!(1));
    bench.wait(bench.store().delete(task.id, None)).expect("it goes");
    // The removal goes on beside later changes.
    for _ in 0..4 {
        bench.set("shared", json!(2));
    }
    assert_eq!(bench.stored("entries"), 1);
    assert_eq!(bench.all_keys(Owner::Task(task.id)), [""; 0]);
}

pub(crate) fn finished_steps_stay_until_their_occurrence_is_over(bench: &mut Bench) {
    let retries = Definition { max_retries: 2, overlap: Overlap::Allow, ..definition("@hourly") };
    let task = bench.create("task", retries).id;
    let [first, other] = [1, 2].map(|n| bench.run_by_hand(task, START + n));
    let [time, other_time] = [first, other].map(|execution| bench.scheduled_for(task, execution));
    let fence = |execution| Fence { task, execution };
    for (number, name) in (0..).zip(["b", "a", "ü\0"]) {
        bench.finish(fence(first), time, step(name, number)).expect("it is in progress");
    }
    bench.finish(fence(other), other_time, step("a", 0)).expect("it is in progress");
    let all = [step("b", 0), step("a", 1), step("ü\0", 2)];
    assert_eq!(bench.steps(task, time), all, "in the order in which they finished");
    assert_eq!(bench.steps(task, other_time), [step("a", 0)]);

    // The attempt fails: the occurrence goes on.
    let failed = Box::new(Verdict::failed(Reason::Lost, "lost"));
    let ended = Input::Ended { execution: first, verdict: failed };
    bench.step(task, START + 10, ended).expect("it is in progress");
    bench.reopen();
    assert_eq!(bench.steps(task, time), all);
    let due = bench.read(task).due().expect("a retry");
    let retry = bench.step(task, due, Input::Due).expect("it is due").start.remove(0);
    assert_eq!((retry.attempt, retry.occurrence.scheduled_for), (2, time));
    assert_eq!(bench.steps(task, time), all);
    bench.finish(fence(retry.execution), time, step("c", 3)).expect("it is in progress");
    bench.end(task, retry.execution, due + 1);
    assert_eq!(bench.steps(task, time), [], "the occurrence is over");
    assert_eq!(bench.steps(task, other_time), [step("a", 0)], "the other one is not");
    bench.end(task, other, due + 2);
    assert_eq!(bench.stored("steps"), 0);
}

pub(crate) fn a_run_that_is_over_finishes_no_step(bench: &mut Bench) {
    let task = bench.create("task", Definition { max_retries: 1, ..definition("@hourly") }).id;
    let first = bench.run_by_hand(task, START);
    let time = bench.scheduled_for(task, first);
    let failed = Box::new(Verdict::failed(Reason::Timeout, "too long"));
    bench.step(task, START + 10, Input::Ended { execution: first, verdict: failed }).expect("it runs");
    let fence = Fence { task, execution: first };
    let refused = bench.finish(fence, time, step("late", 0));
    assert!(matches!(refused, Err(StoreError::State(StateError::NotRunning(_)))), "{refused:?}");
    let progress = Progress { fraction: 0.5, text: None };
    let refused =
        bench.wait(bench.store().note_run(fence, RunNote { progress: Some(progress), hashes: None }));
    assert!(matches!(refused, Err(StoreError::State(StateError::NotRunning(_)))), "{refused:?}");
    assert_eq!((bench.stored("steps"), bench.steps(task, time)), (0, Vec::new()));
}

pub(crate) fn progress_is_in_the_row_of_the_run(bench: &mut Bench) {
    let task = bench.hourly("task").id;
    let execution = bench.run_by_hand(task, START);
    let row = |bench: &Bench| {
        bench.wait(bench.store().execution(task, execution)).expect("it reads").expect("it is there")
    };
    let before = row(bench);
    let progress = Progress { fraction: 0.25, text: Some("a quarter".to_owned()) };
    let fence = Fence { task, execution };
    let note = |bench: &Bench, progress, hashes| {
        bench.wait(bench.store().note_run(fence, RunNote { progress, hashes })).expect("it is in progress");
    };
    note(bench, Some(progress.clone()), None);
    let mut expected = Execution { progress: Some(progress), ..before };
    assert_eq!(row(bench), expected);
    let [handler, files] = ["aa", "bb"].map(str::to_owned);
    note(bench, None, Some(Hashes { handler: handler.clone(), files: files.clone() }));
    (expected.handler_hash, expected.files_hash) = (Some(handler), Some(files));
    assert_eq!(row(bench), expected, "each note leaves the rest as it is");
    bench.reopen();
    assert_eq!(row(bench), expected);
}

pub(crate) fn state_survives_reopening_and_copies(bench: &mut Bench) {
    let task = bench.hourly("task");
    let run = bench.run_by_hand(task.id, START);
    let time = bench.scheduled_for(task.id, run);
    bench.finish(Fence { task: task.id, execution: run }, time, step("a", 0)).expect("it is in progress");
    let owner = Owner::Task(task.id);
    for n in 0..30 {
        let ttl = (n % 3 == 0).then_some(HOUR);
        let change = Change::Set { value: json!("x".repeat(n * 1500)), ttl, expected: Expected::Any };
        bench.edit(edit(owner, &format!("key {n}"), change)).expect("it is set");
    }
    bench.set("shared", json!([1, 2]));
    let mut last = 0;
    for _ in 0..5 {
        last = bench.set("gone", json!(1));
    }
    bench.edit(edit(Owner::Shared, "gone", DELETE)).expect("it goes");
    let all = |bench: &Bench| {
        let query = EntryQuery { limit: 100, ..EntryQuery::default() };
        let entries = |owner| bench.wait(bench.store().entries(owner, query.clone())).expect("it reads");
        (entries(owner), entries(Owner::Shared), bench.steps(task.id, time))
    };
    let before = all(bench);
    assert_eq!((before.0.entries.len(), before.1.entries.len(), before.2.len()), (30, 1, 1));
    bench.reopen();
    assert_eq!(all(bench), before);

    let records = copy_all(bench, |_| {});
    let mut other = Bench::new(bench.open);
    import(&other, &records).expect("it is empty");
    for _ in 0..2 {
        assert_eq!(all(&other), before);
        assert_eq!(copy_all(&mut other, |_| {}), records);
        other.reopen();
        assert!(other.store().report().rebuilt.is_empty(), "{:?}", other.store().report());
    }
    assert!(other.set("gone", json!(1)) > last, "no version is given twice");
    // The ends and the quotas go on.
    other.now.store(START + HOUR, Ordering::Relaxed);
    other.set("shared", json!(1));
    other.set("shared", json!(1));
    assert_eq!((other.all_keys(owner).len(), other.stored("entries")), (20, 22));
}

pub(crate) fn many_entries_of_a_deleted_task_go_beside_other_changes(bench: &mut Bench) {
    let task = bench.hourly("task");
    let quota = Quota { entries: 10_000, ..WIDE };
    let edits = (0..1000).map(|n| {
        let change = Change::Set { value: json!(n), ttl: Some(1000 + n), expected: Expected::Any };
        bench.store().edit(Edit { quota, ..edit(Owner::Task(task.id), &n.to_string(), change) })
    });
    let edits: Vec<_> = edits.collect();
    bench.runtime.block_on(async {
        for edit in edits {
            edit.await.expect("it is set");
        }
    });
    bench.wait(bench.store().delete(task.id, None)).expect("it goes");
    bench.now.store(START + 1500, Ordering::Relaxed);
    for n in 0..40 {
        bench.set("other", json!(n));
    }
    assert_eq!(bench.stored("entries"), 1);
    bench.reopen();
    assert_eq!(bench.store().report().rebuilt, [""; 0]);
    assert_eq!(bench.set("other", json!(1)), 41);
}
