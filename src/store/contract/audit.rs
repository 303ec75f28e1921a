//! The audit: by time, by task, and until its time is over.

use super::*;
use crate::{
    domain::{
        alerts::PausedBy,
        audit::{Action, Actor, FieldChange, Holder, Target, Via},
        binding::{Binding, Content, Rewrite},
        draft::Draft,
    },
    store::copy::{Cursor, Import, Record},
};

fn record(time: Millis, actor: &str, action: &str, task: Option<&Task>) -> Audit {
    let holder = Holder { name: actor.to_owned(), via: Via::Token, ..Holder::default() };
    let record = Actor { holder, ..Actor::default() }.record(Action::Run, time);
    let record = Audit { action: action.to_owned(), ..record };
    match task {
        Some(task) => record.about(task),
        None => record.on(Target::new("token", "ci")),
    }
}

fn add(bench: &Bench, record: Audit) {
    bench.wait(bench.store().add_audit(record)).expect("it is kept");
}

/// All records that a query finds, page by page.
fn all(bench: &Bench, query: &AuditQuery) -> Vec<Audit> {
    let (mut found, mut query) = (Vec::new(), query.clone());
    loop {
        let page = bench.wait(bench.store().audits(query.clone())).expect("it reads");
        assert!(page.records.len() <= query.limit && page.complete, "{page:?}");
        found.extend(page.records.into_iter().map(|(_, record)| record));
        match page.next {
            Some(next) => query.before = Some(next),
            None => return found,
        }
    }
}

/// Furnishes a store with records: five times, two at each, by two actors, about two tasks and none.
fn furnish(bench: &mut Bench) -> ([Task; 2], Vec<Audit>) {
    let tasks = [bench.hourly("one"), bench.hourly("two")];
    let mut records = Vec::new();
    for number in 0..30_u8 {
        let time = START + Millis::from(number / 2) - 20;
        let actor = if number % 3 == 0 { "alice" } else { "bob" };
        let action = if number % 5 == 0 { "pause" } else { "run" };
        let task = [None, Some(&tasks[0]), Some(&tasks[1]), Some(&tasks[0])][usize::from(number % 4)];
        records.push(record(time, actor, action, task));
    }
    for record in &records {
        add(bench, record.clone());
    }
    records.reverse();
    (tasks, records)
}

pub(crate) fn records_are_found_newest_first_by_task_actor_action_and_time(bench: &mut Bench) {
    let (tasks, records) = furnish(bench);
    let narrow = |query: &AuditQuery| -> Vec<Audit> {
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let fits = |audit: &&Audit| {
            query.task.is_none_or(|task| audit.task_id == Some(task))
                && is(&query.actor, &audit.actor.as_ref().expect("an actor").name)
                && is(&query.action, &audit.action)
                && (query.from..=query.until).contains(&audit.time)
        };
        records.iter().filter(fits).cloned().collect()
    };
    for round in [false, true] {
        if round {
            bench.reopen();
        }
        for task in [None, Some(tasks[0].id), Some(tasks[1].id)] {
            for (actor, action) in [(None, None), (Some("alice"), None), (Some("bob"), Some("pause"))] {
                for (from, until) in [(Millis::MIN, Millis::MAX), (START - 17, START - 9), (START, START)] {
                    for limit in [1, 4, 100] {
                        let (actor, action) = (actor.map(str::to_owned), action.map(str::to_owned));
                        let query = AuditQuery { task, actor, action, from, until, before: None, limit };
                        assert_eq!(all(bench, &query), narrow(&query), "{query:?}");
                    }
                }
            }
        }
    }
    let nobody = AuditQuery { task: Some(TaskId(bench.next_id())), ..AuditQuery::default() };
    assert_eq!(all(bench, &nobody), []);
}

pub(crate) fn a_page_goes_on_where_it_ended_while_records_are_added(bench: &mut Bench) {
    let (tasks, records) = furnish(bench);
    let query = AuditQuery { limit: 10, ..AuditQuery::default() };
    let first = bench.wait(bench.store().audits(query.clone())).expect("it reads");
    add(bench, record(START + 5, "carol", "run", Some(&tasks[0])));
    let rest = all(bench, &AuditQuery { before: first.next, ..query });
    let found: Vec<_> = first.records.into_iter().map(|(_, record)| record).chain(rest).collect();
    assert_eq!(found, records);
}

pub(crate) fn many_records_that_a_filter_refuses_end_a_page(bench: &mut Bench) {
    let task = bench.hourly("one");
    let _all = bench.runtime.enter();
    let added: Vec<_> = (0..AuditQuery::MOST_LOOKED_AT + 10)
        .map(|_| bench.store().add_audit(record(START, "bob", "run", Some(&task))))
        .collect();
    let added = added.into_iter().map(|answer| bench.wait(answer));
    added.for_each(|answer| answer.expect("it is kept"));
    for task in [None, Some(task.id)] {
        let query = AuditQuery { task, actor: Some("alice".to_owned()), ..AuditQuery::default() };
        let page = bench.wait(bench.store().audits(query.clone())).expect("it reads");
        assert_eq!((page.records.len(), page.complete), (0, false));
        let page = bench.wait(bench.store().audits(AuditQuery { before: page.next, ..query }));
        let page = page.expect("it reads");
        assert_eq!((page.records.len(), page.next, page.complete), (0, None, true));
    }
}

pub(crate) fn old_records_go_and_the_others_stay(bench: &mut Bench) {
    let (tasks, records) = furnish(bench);
    let before = START - 12;
    let kept = records.iter().filter(|record| record.time >= before).count();
    let mut removed = 0;
    loop {
        match bench.wait(bench.store().remove_audits(before)).expect("it goes") {
            0 => break,
            part => removed += part,
        }
    }
    assert_eq!(removed as usize, records.len() - kept);
    for task in [None, Some(tasks[0].id), Some(tasks[1].id)] {
        let left = all(bench, &AuditQuery { task, ..AuditQuery::default() });
        assert!(!left.is_empty() && left.iter().all(|record| record.time >= before), "{left:?}");
        if task.is_none() {
            assert_eq!(left.len(), kept);
        }
    }
    bench.reopen();
    assert_eq!(bench.store().report().rebuilt, Vec::<String>::new());
    let removal = bench.wait(bench.store().remove_history(START + 1, false)).expect("it goes");
    assert_eq!(removal.audit as usize, kept);
    assert_eq!(all(bench, &AuditQuery { task: Some(tasks[0].id), ..AuditQuery::default() }), []);
}

pub(crate) fn a_change_of_a_task_tells_its_fields(bench: &mut Bench) {
    let task = bench.hourly("one");
    let body = json!({ "schedule": "@daily", "params": { "a": 1 } });
    let draft = Draft::read(body.as_object().expect("an object")).expect("it is right");
    let decide = bench.decision(START, Input::Update(Box::new(draft)));
    let given = Some(record(START, "alice", "update", Some(&task)));
    bench.wait(bench.store().change(task.id, decide, None, given)).expect("it changes");
    let found = all(bench, &AuditQuery { task: Some(task.id), ..AuditQuery::default() });
    let change = |field: &str, from, to| FieldChange { field: field.to_owned(), from, to };
    assert_eq!(
        found[0].changes,
        [change("schedule", json!("@hourly"), json!("@daily")), change("params.a", json!(null), json!(1))]
    );
}

pub(crate) fn a_pause_by_an_alert_is_recorded_without_a_request(bench: &mut Bench) {
    let task = bench.hourly("one");
    let decide: Decision = Box::new(|task, now| {
        let mut task = task.clone();
        task.facts.paused = true;
        let (by, why) = ("alert".to_owned(), "it has failed 2 times in a row".to_owned());
        task.facts.paused_by = Some(Box::new(PausedBy { by, since: now, why }));
        Ok(Step::to(task))
    });
    bench.wait(bench.store().change(task.id, decide, None, None)).expect("it pauses");
    let found = all(bench, &AuditQuery { task: Some(task.id), ..AuditQuery::default() });
    let [record] = &found[..] else { panic!("one: {found:?}") };
    assert_eq!((record.action.as_str(), record.time), ("pause", START));
    assert_eq!(
        record.actor.as_ref().map(|actor| (actor.name.as_str(), actor.via)),
        Some(("alert", Via::System))
    );
    assert_eq!(record.reason.as_deref(), Some("it has failed 2 times in a row"));
}

pub(crate) fn edits_and_bindings_are_recorded_if_they_are_made(bench: &mut Bench) {
    let edit = |expected, action: &str| Edit {
        owner: Owner::Shared,
        key: "a".to_owned(),
        change: Change::Set { value: json!(5), ttl: None, expected },
        fence: None,
        quota: Quota { entries: 10, bytes: 1000 },
        audit: Some(Box::new(record(START, "alice", action, None))),
    };
    bench.wait(bench.store().edit(edit(Expected::Any, "first"))).expect("it is made");
    bench.wait(bench.store().edit(edit(Expected::Absent, "none"))).expect("it is not made");
    let binding = Binding {
        name: "A".to_owned(),
        content: Content::Plain("v".to_owned()),
        handlers: Vec::new(),
        env: false,
        created_at: START,
        updated_at: START,
    };
    let rewrite: Rewriting = Box::new(move |_, _| Ok(vec![Rewrite::Put(binding.clone())]));
    let given = Some(record(START, "alice", "second", None));
    bench.wait(bench.store().rewrite(rewrite, given.clone())).expect("it is made");
    let refuse: Rewriting = Box::new(|_, _| Err(crate::domain::binding::Rejected::TooMany));
    bench.wait(bench.store().rewrite(refuse, given)).expect_err("it is refused");
    let found = all(bench, &AuditQuery::default());
    let actions: Vec<_> = found.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(actions, ["second", "first"]);
    assert_eq!(found[1].changes[0].field, "version");
}

pub(crate) fn the_audit_is_in_a_copy_with_its_order(bench: &mut Bench) {
    let (tasks, records) = furnish(bench);
    let (mut copied, mut cursor) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = cursor {
        let part = bench.wait(bench.store().export(from)).expect("it exports");
        copied.extend(part.records);
        cursor = part.rest;
    }
    let mut other = Bench::new(bench.open);
    let copied: Vec<Record> = copied;
    other.wait(other.store().import(Import::Records(copied))).expect("it is empty");
    other.wait(other.store().import(Import::Complete)).expect("it is whole");
    for _ in 0..2 {
        assert_eq!(all(&other, &AuditQuery::default()), records);
        let of_task = all(&other, &AuditQuery { task: Some(tasks[1].id), ..AuditQuery::default() });
        assert!(!of_task.is_empty() && of_task.iter().all(|record| record.task_id == Some(tasks[1].id)));
        other.reopen();
        assert_eq!(other.store().report().rebuilt, Vec::<String>::new());
    }
}
