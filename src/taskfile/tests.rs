//! A folder with a file of tasks, a scheduler and a store in memory.

use std::{fs, io};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::SystemClock,
    domain::{
        execution::{Ending, Verdict},
        facts::Task,
        source::Source,
        step::{Policy, Refused},
    },
    events::Events,
    handlers::{LoadCheck, Loader, files::Files},
    runtime::{Invocation, Later, Runner},
    scheduler::{Actor, ControlError},
    store::{
        Direction, StoreError, TaskQuery, TaskSort,
        memory::{MemoryStore, disk::Disk},
    },
};

/// Completes every run, and loads every file that does not say `broken`.
struct Willing;

impl Runner for Willing {
    fn run(&self, _: Invocation) -> Later<'_, Verdict> {
        Box::pin(async { Verdict::of(Ending::Completed { result: json!(null) }) })
    }

    fn capacity(&self) -> usize {
        1
    }
}

impl Loader for Willing {
    fn load<'a>(&'a self, _: &'a str, entry: Source) -> Later<'a, io::Result<LoadCheck>> {
        let error = entry.text.contains("broken").then(|| "tasks/hello.js:1:1: it is broken".to_owned());
        Box::pin(async { Ok(LoadCheck { error, modules: Vec::new() }) })
    }
}

struct Scene {
    folder: TempDir,
    store: Arc<dyn Store>,
    scheduler: Arc<Scheduler>,
    file: TaskFile,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(SystemClock);
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::open(&Arc::new(Disk::default()), Arc::new(|| SystemClock.now())));
        let scheduler = Scheduler::new(
            store.clone(),
            Arc::new(Willing),
            clock.clone(),
            Events::default(),
            Policy::default(),
        );
        let file = TaskFile::new(Parts {
            folder: folder.path().to_owned(),
            scheduler: scheduler.clone(),
            store: store.clone(),
            catalog: Catalog::new(Files::new(folder.path()), Arc::new(Willing)),
            clock,
            defaults: defaults(),
        });
        let scene = Self { folder, store, scheduler, file };
        scene.write("hello.js", "");
        scene
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).expect("removed");
    }

    /// Reads the file as the server does at its start; returns the problems.
    async fn start(&mut self) -> Vec<String> {
        self.file.start().await;
        lock(&self.file.state()).problems.clone()
    }

    async fn apply(&mut self, tasks: &str) -> Vec<String> {
        self.write("tasks.json", tasks);
        self.start().await
    }

    async fn tasks(&self) -> Vec<Task> {
        let query = TaskQuery {
            status: None,
            handler: None,
            tag: None,
            after: None,
            bound: None,
            name: None,
            sort: TaskSort::Name,
            direction: Direction::Ascending,
            skip: 0,
            limit: 100,
            newest: 0,
        };
        self.store.tasks(query).await.expect("it reads").items.into_iter().map(|view| view.task).collect()
    }

    /// `name schedule file` of each task, with `paused` behind it.
    async fn shown(&self) -> Vec<String> {
        let shown = self.tasks().await.into_iter().map(|task| {
            let paused = if task.facts.paused { " paused" } else { "" };
            let file = task.managed_by().unwrap_or("-");
            format!("{} {} {file}{paused}", task.definition.name, task.definition.schedule)
        });
        shown.collect()
    }

    async fn task(&self, name: &str) -> Task {
        let tasks = self.tasks().await;
        tasks.into_iter().find(|task| task.definition.name == name).expect("the task is there")
    }
}

fn defaults() -> Defaults {
    Defaults { timezone: chrono_tz::UTC, keep_executions: 100 }
}

fn actor() -> Actor {
    Actor::of_system("test", "test".to_owned())
}

/// The text of a file with these tasks, `name schedule` each.
fn file(tasks: &[&str]) -> String {
    let tasks: Vec<_> = tasks
        .iter()
        .map(|task| {
            let (name, schedule) = task.split_once(' ').expect("a schedule");
            json!({"name": name, "description": "", "handler": "hello", "schedule": schedule, "recurring": true})
        })
        .collect();
    json!({ "tasks": tasks }).to_string()
}

#[test]
fn every_mistake_is_named_with_its_line_and_its_column() {
    let task = |more: &str| {
        format!(
            "{{ \"tasks\": [\n  {{ \"name\": \"one\", \"description\": \"\", \"handler\": \"hello\",\n    \
             \"schedule\": \"@daily\", \"recurring\": true{more} }}\n] }}"
        )
    };
    let cases = [
        ("tasks.json", String::new(), "tasks/tasks.json:1:1: the file is empty"),
        ("tasks.json", "[]".to_owned(), "tasks/tasks.json:1:1: the file must be an object"),
        ("tasks.json", "{}".to_owned(), "tasks/tasks.json:1:1: tasks is required"),
        ("tasks.json", "{\n \"tasks\": {} }".to_owned(), "tasks/tasks.json:2:11: tasks must be an array"),
        ("tasks.json", "{ \"tasks\": [],\n \"task\": 1 }".to_owned(), ":2:2: task is not known here"),
        ("tasks.json", "{ \"tasks\": [], \"tasks\": [] }".to_owned(), "\"tasks\" is given twice"),
        ("tasks.json", "{ \"tasks\": [], \"removed\": \"drop\" }".to_owned(), "\"keep\" or \"delete\""),
        ("tasks.json", "{ \"tasks\": [ 5 ] }".to_owned(), ":1:14: task 1 must be an object"),
        ("tasks.json", "{ \"tasks\": [ ] } // no".to_owned(), "name the file tasks.jsonc"),
        ("tasks.json", "{ \"tasks\": [],\n }".to_owned(), "name the file tasks.jsonc"),
        ("tasks.json", "{ \"tasks\": [\n }".to_owned(), "tasks/tasks.json:2:2: not valid JSON"),
        ("tasks.jsonc", "{ tasks: [] }".to_owned(), "tasks/tasks.jsonc:1:3: not valid JSON"),
        ("tasks.jsonc", "{ \"tasks\": [1e999] }".to_owned(), "task 1 must be"),
        ("tasks.json", task(", \"shedule\": 1"), ":3:46: task \"one\": shedule is not known here"),
        ("tasks.json", task(",\n \"maxRetries\": 11"), ":4:16: task \"one\": maxRetries must be a whole"),
        ("tasks.json", task(", \"name\": \"two\""), ":3:46: the key \"name\" is given twice"),
        ("tasks.json", task(",\n \"params\": { \"a\": 1e999 }"), ":4:19: 1e999 is not a number"),
        (
            "tasks.json",
            task(",\n \"params\": { \"a\": [ 1, {\n \"__proto__\": 1 } ] }"),
            ":5:15: task \"one\": params.a[1].__proto__ the key",
        ),
        ("tasks.json", "{ \"tasks\": [ { \"name\": \"ab\" } ] }".to_owned(), "name has 2 characters"),
        (
            "tasks.json",
            "{ \"tasks\": [ { \"name\": \"abc\" } ] }".to_owned(),
            ":1:14: task \"abc\": schedule is",
        ),
        (
            "tasks.json",
            task("").replace("@daily", "now"),
            "recurring must be false with the one-time schedule",
        ),
        (
            "tasks.json",
            task("").replace(
                "\n] }",
                ",\n  { \"name\": \"one\", \"description\": \"\", \"handler\": \"hello\", \
                                      \"schedule\": \"now\" }\n] }",
            ),
            ":4:13: the name \"one\" is taken by line 2",
        ),
    ];
    for (name, text, words) in cases {
        let findings = read(name, &text, &defaults(), 0).findings;
        let texts: Vec<_> = findings.iter().map(Finding::to_string).collect();
        assert!(texts.iter().any(|text| text.contains(words)), "{words}: {texts:#?} in {text}");
    }
    let several = "{ \"removed\": 1, \"tasks\": [ { \"name\": \"a\", \"x\": 1 }, { \"name\": \"b\" } ] }";
    let findings = read("tasks.json", several, &defaults(), 0).findings;
    assert!(findings.len() >= 8 && findings.is_sorted_by_key(|finding| finding.column), "{findings:#?}");
}

#[test]
fn comments_and_commas_at_the_end_are_fine_in_jsonc() {
    let text = "// All tasks.\n{ \"tasks\": [\n { /* at night */ \"name\": \"one\", \"description\": \"é\", \
                \"handler\": \"hello\", \"schedule\": \"@daily\", \"params\": { \"n\": 12345678901234567890 }, },\n],\n\
                \"removed\": \"delete\" }\n";
    let Reading { contents, findings, .. } = read("tasks.jsonc", text, &defaults(), 0);
    assert_eq!(findings, []);
    assert_eq!(contents.removed, Removed::Delete);
    let definition = &contents.tasks[0].definition;
    assert_eq!(definition.params["n"], json!(12_345_678_901_234_567_890_u64));
    assert_eq!(definition.description, "é");
}

#[tokio::test]
async fn tasks_are_created_updated_and_released_and_an_unchanged_one_stays_to_the_millisecond() {
    let mut scene = Scene::new();
    assert_eq!(scene.apply(&file(&["one every 1h", "two @daily"])).await, [""; 0]);
    assert_eq!(scene.shown().await, ["one every 1h tasks.json", "two @daily tasks.json"]);
    let one = scene.task("one").await;
    assert_eq!(scene.apply(&file(&["one every 1h", "two @weekly", "three @daily"])).await, [""; 0]);
    assert_eq!(scene.task("one").await, one);
    assert_eq!(
        scene.shown().await,
        ["one every 1h tasks.json", "three @daily tasks.json", "two @weekly tasks.json"]
    );
    assert_eq!(scene.apply(&file(&["one every 1h"])).await, [""; 0]);
    assert_eq!(
        scene.shown().await,
        ["one every 1h tasks.json", "three @daily - paused", "two @weekly - paused"]
    );
    assert_eq!(scene.task("one").await, one);
}

#[tokio::test]
async fn a_task_that_comes_back_goes_on_unless_a_user_has_paused_or_touched_it() {
    let mut scene = Scene::new();
    let all = file(&["one @daily", "two @daily", "three @daily", "four @daily"]);
    scene.apply(&all).await;
    let two = scene.task("two").await;
    scene.scheduler.pause(two.id, &actor()).await.expect("it is not paused");
    scene.apply(&file(&[])).await;
    let three = scene.task("three").await;
    scene.scheduler.resume(three.id, &actor()).await.expect("it is paused");
    assert_eq!(
        scene.shown().await,
        ["four @daily - paused", "one @daily - paused", "three @daily -", "two @daily - paused"]
    );
    let problems = scene.apply(&all.replace("@daily", "@weekly")).await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("task \"three\" exists") && problems[0].contains("its schedule differs"));
    assert_eq!(scene.task("one").await.managed_by(), None, "a conflict changes no other task");
    scene.apply(&file(&["one @weekly", "two @weekly", "three @daily", "four @daily"])).await;
    assert_eq!(
        scene.shown().await,
        [
            "four @daily tasks.json",
            "one @weekly tasks.json",
            "three @daily tasks.json",
            "two @weekly tasks.json paused"
        ]
    );
}

#[tokio::test]
async fn removed_delete_takes_tasks_away_with_their_history() {
    let mut scene = Scene::new();
    scene.apply(&file(&["one @daily", "two @daily"])).await;
    let text = file(&["two @daily"]).replace("{\"tasks\"", "{\"removed\":\"delete\",\"tasks\"");
    assert_eq!(scene.apply(&text).await, [""; 0]);
    assert_eq!(scene.shown().await, ["two @daily tasks.json"]);
}

#[test]
fn a_predecessor_that_is_no_other_task_is_named_where_it_stands() {
    for (after, problem) in [
        (
            r#"{"task": "one", "taskId": "task-01arz3ndektsv4rrffq69g5fav", "on": "end"}"#,
            "is given beside after.taskId: give one of the two",
        ),
        (r#"{"task": 3, "on": "end"}"#, "must be the name of a task, not 3"),
        (r#"{"task": ["one"], "on": "end"}"#, "must be the name of a task, not an array"),
        (r#"{"task": "two", "on": "end"}"#, "is the task itself: name another one"),
    ] {
        let text = format!(
            "{{\"tasks\": [\n{{\"name\": \"two\", \"description\": \"\", \"handler\": \"hello\", \"after\": {after}}}]}}"
        );
        let reading = read("tasks.json", &text, &defaults(), 0);
        let found: Vec<_> = reading.findings.iter().map(ToString::to_string).collect();
        let column = text.lines().nth(1).and_then(|line| line.find(after)).expect("it is there");
        let [found] = found.as_slice() else { panic!("one mistake: {found:?}") };
        assert!(found.starts_with("tasks/tasks.json:2:"), "{found}");
        assert!(found.ends_with(&format!("task \"two\": after.task {problem}")), "{found}");
        let at: usize = found.split(':').nth(2).and_then(|text| text.parse().ok()).expect("a column");
        assert!(at > column, "{found}: the column is that of the value");
        assert!(reading.contents.tasks.is_empty());
    }
}

#[tokio::test]
async fn chains_are_deleted_and_turned_round_in_an_order_that_goes() {
    let mut scene = Scene::new();
    let chain = |tasks: &[(&str, Option<&str>)]| {
        let task = |(name, after): &(&str, Option<&str>)| {
            let after = after.map(|after| json!({ "task": after, "on": "end" }));
            json!({ "name": name, "description": "", "handler": "hello", "schedule": "never", "after": after })
        };
        json!({ "removed": "delete", "tasks": tasks.iter().map(task).collect::<Vec<_>>() }).to_string()
    };
    let names = ["one", "two", "three"];
    let forth = [(names[0], None), (names[1], Some(names[0])), (names[2], Some(names[1]))];
    assert_eq!(scene.apply(&chain(&forth)).await, [""; 0]);
    let back = [(names[0], Some(names[1])), (names[1], Some(names[2])), (names[2], None)];
    assert_eq!(scene.apply(&chain(&back)).await, [""; 0]);
    let first = scene.tasks().await.into_iter().find(|task| task.definition.name == names[0]);
    assert!(first.is_some_and(|task| task.definition.after.is_some()));
    assert_eq!(scene.apply(&chain(&[])).await, [""; 0]);
    assert!(scene.tasks().await.is_empty());
}

#[tokio::test]
async fn a_file_with_a_mistake_changes_nothing_and_is_read_again_when_its_handler_is_there() {
    let mut scene = Scene::new();
    scene.apply(&file(&["one @daily"])).await;
    let before = scene.tasks().await;
    for (handler, words) in [("nope", "no handler \"nope\""), ("bad", "it is broken")] {
        scene.write("bad.js", "broken");
        let text = file(&["two @daily", "one @weekly"]).replacen("hello", handler, 1);
        let problems = scene.apply(&text).await;
        assert!(problems.len() == 1 && problems[0].contains(words), "{problems:?}");
        assert!(problems[0].starts_with("tasks/tasks.json:1:"), "{problems:?}");
        assert_eq!(scene.tasks().await, before);
    }
    scene.write("bad.js", "");
    assert_eq!(scene.start().await, [""; 0]);
    assert_eq!(scene.shown().await, ["one @weekly tasks.json", "two @daily tasks.json"]);
}

#[tokio::test]
async fn mistakes_of_every_kind_are_reported_in_one_round() {
    let mut scene = Scene::new();
    let contents = read("tasks.json", &file(&["mine @daily"]), &defaults(), 0).contents;
    scene.scheduler.create(contents.tasks[0].definition.clone(), &actor()).await.expect("the name is free");
    scene.write("bad.js", "broken");
    let task = |name: &str, handler: &str, more: &str| {
        format!(
            "{{ \"name\": \"{name}\", \"description\": \"\", \"handler\": \"{handler}\", \
             \"schedule\": \"now\"{more} }}"
        )
    };
    let tasks = [
        task("one", "nope", ", \"maxRetries\": 11, \"recurring\": true"),
        task("two", "bad", ""),
        task("mine", "hello", ""),
        task("four", "hello", ", \"recurring\": true"),
    ];
    let problems = scene.apply(&format!("{{ \"tasks\": [\n{}\n] }}", tasks.join(",\n"))).await;
    let expected = [
        (":2:", "task \"one\": handler no handler \"nope\""),
        (":2:", "task \"one\": maxRetries must be"),
        (":2:", "task \"one\": recurring must be false"),
        (":3:", "task \"two\": handler tasks/hello.js:1:1: it is broken"),
        (":4:", "task \"mine\" exists and is not managed by a file"),
        (":5:", "task \"four\": recurring must be false"),
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for ((line, words), problem) in expected.into_iter().zip(&problems) {
        assert!(problem.contains(line) && problem.contains(words), "{line} {words}: {problems:#?}");
    }
    assert_eq!(scene.shown().await, ["mine @daily -"]);
}

#[tokio::test]
async fn a_link_that_leads_out_of_the_folder_is_not_followed() {
    let mut scene = Scene::new();
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("x.json"), file(&["one @daily"])).expect("written");
    std::os::unix::fs::symlink(outside.path().join("x.json"), scene.folder.path().join("tasks.json"))
        .expect("linked");
    let problems = scene.start().await;
    assert_eq!(
        problems,
        ["tasks/tasks.json: cannot be read: it is a link that leads out of the handlers' folder"]
    );
    scene.remove("tasks.json");
    scene.write("real.json", &file(&["one @daily"]));
    std::os::unix::fs::symlink("real.json", scene.folder.path().join("tasks.json")).expect("linked");
    assert_eq!(scene.start().await, [""; 0]);
    assert_eq!(scene.shown().await, ["one @daily tasks.json"]);
}

#[tokio::test]
async fn the_mistakes_of_the_text_before_are_not_shown_while_a_new_one_is_applied() {
    let mut scene = Scene::new();
    scene.apply("{}").await;
    let state = scene.file.state();
    assert_eq!(lock(&state).problems.len(), 1);
    scene.write("tasks.json", &file(&["one @daily"]));
    // The first step of an application reads the store; the state is seen before its second.
    let mut applying = Box::pin(scene.file.start());
    let seen = std::future::poll_fn(|context| {
        let mut seen = None;
        if applying.as_mut().poll(context).is_pending() && lock(&state).problems.is_empty() {
            seen = Some(lock(&state).tasks);
        }
        match seen {
            Some(tasks) => std::task::Poll::Ready(tasks),
            None => std::task::Poll::Pending,
        }
    });
    assert_eq!(seen.await, 0, "the new text is not applied yet");
    applying.await;
    assert_eq!(lock(&state).tasks, 1);
}

#[tokio::test]
async fn users_cannot_change_or_delete_a_task_of_the_file_but_can_pause_and_run_it() {
    let mut scene = Scene::new();
    scene.apply(&file(&["one @daily"])).await;
    let id = scene.task("one").await.id;
    let draft = || {
        crate::domain::draft::Draft::read(json!({"timeout": 500}).as_object().expect("an object"))
            .expect("valid")
    };
    let refused = |error: ControlError| match error {
        ControlError::Store(StoreError::Refused(Refused::Managed(file))) => file,
        other => panic!("{other}"),
    };
    assert_eq!(
        scene.scheduler.update(id, draft(), &actor()).await.map_err(refused),
        Err("tasks.json".into())
    );
    assert_eq!(scene.scheduler.delete(id, &actor()).await.map_err(refused), Err("tasks.json".into()));
    scene.scheduler.pause(id, &actor()).await.expect("pause works");
    scene.scheduler.resume(id, &actor()).await.expect("resume works");
    scene.scheduler.run_by_hand(id, None, &actor()).await.expect("run works");
    scene.apply(&file(&[])).await;
    scene.scheduler.update(id, draft(), &actor()).await.expect("it is the user's now");
    scene.scheduler.delete(id, &actor()).await.expect("it is the user's now");
}

#[tokio::test]
async fn an_equal_task_is_adopted_and_the_other_name_of_the_file_takes_over() {
    let mut scene = Scene::new();
    let Reading { contents, .. } = read("tasks.json", &file(&["one @daily"]), &defaults(), 0);
    let definition = contents.tasks[0].definition.clone();
    let made = scene.scheduler.create(definition, &actor()).await.expect("the name is free");
    scene.apply(&file(&["one @daily"])).await;
    let adopted = scene.task("one").await;
    assert_eq!(
        (adopted.id, adopted.managed_by(), &adopted.facts),
        (made.id, Some("tasks.json"), &made.facts)
    );
    scene.remove("tasks.json");
    scene.write("tasks.jsonc", &file(&["one @daily"]));
    assert_eq!(scene.start().await, [""; 0]);
    assert_eq!(scene.shown().await, ["one @daily tasks.jsonc"]);
    scene.write("tasks.json", &file(&[]));
    let problems = scene.start().await;
    assert_eq!(problems, ["tasks/tasks.json: tasks/tasks.jsonc is there as well: keep one of the two"]);
    assert_eq!(scene.shown().await, ["one @daily tasks.jsonc"]);
}

#[tokio::test]
async fn tasks_are_released_when_their_file_is_removed_but_not_when_the_folder_is_gone() {
    let mut scene = Scene::new();
    scene.apply(&file(&["one @daily"])).await;
    let moved = scene.folder.path().with_extension("moved");
    fs::rename(scene.folder.path(), &moved).expect("moved");
    let problems = scene.start().await;
    assert!(problems[0].contains("folder of the handlers is not there"), "{problems:?}");
    assert_eq!(scene.shown().await, ["one @daily tasks.json"]);
    fs::rename(&moved, scene.folder.path()).expect("moved back");
    scene.remove("tasks.json");
    assert_eq!(scene.start().await, [""; 0]);
    assert_eq!(scene.shown().await, ["one @daily - paused"]);
}

#[tokio::test]
async fn two_watchers_at_once_end_at_the_same_tasks() {
    let mut scene = Scene::new();
    let names: Vec<_> = (0..20).map(|n| format!("task-{n} @daily")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    scene.write("tasks.json", &file(&names));
    let parts = &scene.file.parts;
    let mut other = TaskFile::new(Parts {
        folder: parts.folder.clone(),
        scheduler: parts.scheduler.clone(),
        store: parts.store.clone(),
        catalog: parts.catalog.clone(),
        clock: parts.clock.clone(),
        defaults: parts.defaults.clone(),
    });
    tokio::join!(scene.file.start(), other.start());
    assert_eq!(lock(&scene.file.state()).problems, [""; 0]);
    assert_eq!(lock(&other.state()).problems, [""; 0]);
    assert_eq!(scene.tasks().await.len(), 20);
}
