//! Lists of tasks, compared with a model that scans all tasks.

use super::*;
use crate::domain::facts::{LastOutcome, Occurrence, PendingRetry};

/// A task in any state, with few different values, so that many tasks share some.
fn arbitrary(bench: &mut Bench, chance: &Chance, number: usize) -> Task {
    let name = format!("{} {number}", chance.among(&["nightly Report", "nightly", "ÄRGER", "ärger", "x"]));
    let mut task = bench.task(&name, definition("@hourly"));
    scramble(&mut task, chance);
    task.definition.handler = chance.among(&["a", "a/b", "ab"]).to_owned();
    task
}

fn scramble(task: &mut Task, chance: &Chance) {
    let occurrence = Occurrence::planned(START);
    let facts = &mut task.facts;
    facts.paused = chance.below(4) == 0;
    facts.next = chance.among(&[None, Some(-5), Some(START), Some(START + 1), Some(START + HOUR)]);
    facts.retries = match chance.below(4) {
        0 => vec![PendingRetry { attempt: 2, due: START + 7, occurrence, failed: None }],
        _ => Vec::new(),
    };
    facts.last = chance.among(&[None, Some(LastOutcome::Completed), Some(LastOutcome::Failed)]);
    task.definition.recurring = chance.below(2) == 0;
    let tags: &[&str] = chance.among(&[&[], &["x"], &["xy", "x"], &["x y", "ä"]]);
    task.definition.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    task.updated_at = START + chance.among(&[-1, 0, 1, 2]);
}

fn naive(tasks: &[Task], query: &TaskQuery) -> Page<Task> {
    let mut chosen: Vec<&Task> = tasks
        .iter()
        .filter(|task| query.status.is_none_or(|status| status == task.status()))
        .filter(|task| query.handler.as_ref().is_none_or(|handler| *handler == task.definition.handler))
        .filter(|task| query.tag.as_ref().is_none_or(|tag| task.definition.tags.contains(tag)))
        .filter(|task| {
            let handler = &task.definition.handler;
            query.bound.as_ref().is_none_or(|bound| bound.iter().any(|pattern| pattern.matches(handler)))
        })
        .filter(|task| {
            let part = query.name.as_ref().map(|part| part.to_lowercase());
            part.is_none_or(|part| task.definition.name.to_lowercase().contains(&part))
        })
        .collect();
    match query.sort {
        TaskSort::Name => chosen.sort_by_key(|task| task.definition.name.as_bytes()),
        TaskSort::CreatedAt => chosen.sort_by_key(|task| task.id),
        TaskSort::UpdatedAt => chosen.sort_by_key(|task| (task.updated_at, task.id)),
        TaskSort::NextRun => chosen.sort_by_key(|task| (task.next_run(), task.id)),
    }
    if query.direction == Direction::Descending {
        chosen.reverse();
    }
    if query.sort == TaskSort::NextRun {
        // Stable: tasks without a next run move to the end in their order.
        chosen.sort_by_key(|task| task.next_run().is_none());
    }
    let total = chosen.len() as u64;
    Page { items: chosen.into_iter().skip(query.skip).take(query.limit).cloned().collect(), total }
}

pub(crate) fn lists_of_tasks_agree_with_a_naive_model(bench: &mut Bench) {
    let chance = Chance::new(3);
    let mut tasks: Vec<_> = (0..80).map(|number| arbitrary(bench, &chance, number)).collect();
    for task in &tasks {
        bench.wait(bench.store().create(task.clone(), None)).expect("it is created");
    }
    agree(bench, &tasks, &chance);
    for task in &mut tasks[20..60] {
        let mut changed = task.clone();
        scramble(&mut changed, &chance);
        *task = changed.clone();
        let decide: Decision = Box::new(move |_, _| Ok(Step::to(changed.clone())));
        bench.wait(bench.store().change(task.id, decide, None, None)).expect("it changes");
    }
    for task in tasks.drain(50..70) {
        bench.wait(bench.store().delete(task.id, None)).expect("it goes");
    }
    agree(bench, &tasks, &chance);
    bench.reopen();
    agree(bench, &tasks, &chance);
}

fn agree(bench: &Bench, tasks: &[Task], chance: &Chance) {
    let statuses: Vec<_> = TaskStatus::ALL.into_iter().map(Some).chain([None; 6]).collect();
    for sort in [TaskSort::Name, TaskSort::NextRun, TaskSort::CreatedAt, TaskSort::UpdatedAt] {
        for direction in [Direction::Ascending, Direction::Descending] {
            for _ in 0..60 {
                let query = TaskQuery {
                    status: chance.among(&statuses),
                    handler: chance
                        .among(&[None, None, Some("a"), Some("a/b"), Some("none")])
                        .map(str::to_owned),
                    tag: chance.among(&[None, None, Some("x"), Some("xy"), Some("none")]).map(str::to_owned),
                    bound: chance
                        .among(&[None, None, None, Some("a/*"), Some("a"), Some("*")])
                        .map(|pattern| vec!["x".parse().expect("one"), pattern.parse().expect("one")]),
                    name: chance
                        .among(&[None, None, Some("REPORT"), Some("är"), Some("1")])
                        .map(str::to_owned),
                    after: None,
                    sort,
                    direction,
                    skip: chance.among(&[0, 0, 1, 5, 40, 79, usize::MAX]),
                    limit: chance.among(&[1, 10, 100]),
                    newest: 0,
                };
                let found = bench.wait(bench.store().tasks(query.clone())).expect("it reads");
                let items = found.items.into_iter().map(|view| view.task).collect();
                assert_eq!(Page { items, total: found.total }, naive(tasks, &query), "{query:?}");
            }
        }
    }
}

pub(crate) fn a_list_goes_on_after_a_task_in_the_order_of_creation(bench: &mut Bench) {
    let tasks: Vec<_> = (0..9)
        .map(|number| {
            let tags = if number % 2 == 0 { vec!["even".to_owned()] } else { Vec::new() };
            bench.create(&format!("task {number}"), Definition { tags, ..definition("@hourly") })
        })
        .collect();
    let after = |id, tag: Option<&str>, limit| {
        let query = TaskQuery { after: Some(id), tag: tag.map(str::to_owned), limit, ..everything() };
        let page = bench.wait(bench.store().tasks(query)).expect("it reads");
        (page.items.into_iter().map(|view| view.task.id).collect::<Vec<_>>(), page.total)
    };
    let ids = |numbers: &[usize]| numbers.iter().map(|number| tasks[*number].id).collect::<Vec<_>>();
    assert_eq!(after(TaskId(Ulid(0)), Some("even"), 2), (ids(&[0, 2]), 5));
    assert_eq!(after(tasks[2].id, Some("even"), 9), (ids(&[4, 6, 8]), 3));
    assert_eq!(after(tasks[6].id, None, 9), (ids(&[7, 8]), 2));
    assert_eq!(after(tasks[8].id, None, 9), (vec![], 0));
}

pub(crate) fn a_page_of_tasks_has_the_newest_executions_of_each(bench: &mut Bench) {
    let (busy, idle) = (bench.hourly("busy"), bench.hourly("idle"));
    let rows: Vec<_> = (0..4).map(|n| bench.row(&busy, ExecutionStatus::Completed, START + n)).collect();
    bench.write_rows(busy.id, rows.clone());
    let newest: Vec<_> = rows.into_iter().rev().take(3).collect();
    let page = bench.wait(bench.store().tasks(TaskQuery { newest: 3, ..everything() })).expect("it reads");
    let views =
        [TaskView { task: busy.clone(), newest: newest.clone() }, TaskView { task: idle, newest: vec![] }];
    assert_eq!(page, Page { items: views.to_vec(), total: 2 });
    let view = bench.wait(bench.store().task_view(busy.id, 2)).expect("it reads").expect("it is there");
    assert_eq!(view, TaskView { task: busy, newest: newest[..2].to_vec() });
    let none = bench.wait(bench.store().task_view(TaskId(Ulid(1)), 2)).expect("it reads");
    assert_eq!(none, None);
}
