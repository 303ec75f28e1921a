//! Files with mistakes, and files that look like them.

use super::*;

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
            ":5:15: task \"one\": params.a[1].__proto__: the key",
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
