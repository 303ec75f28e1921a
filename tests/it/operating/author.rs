//! The author's loop: `new`, `init`, `check`, `run --watch`, and names that are nearly right.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc,
    thread,
};

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Home, Options, PATIENCE, signal_process, until};

#[test]
fn a_new_handler_runs_and_the_types_are_written_once() {
    let home = Home::new();
    let made = home.run(&["new", "hello"]);
    assert_eq!(made.code(), Some(0), "{made:?}");
    assert_snapshot!(made.out(), @r#"
    wrote tasks/hello.js
    wrote tasks/jsconfig.json
    wrote tasks/isochron.d.ts

    Try it:       isochron run hello --params '{"name": "Ada"}' --watch
    Check it:     isochron check
    Schedule it:  in tasks/tasks.json, or over the API
    "#);
    let ran = home.run(&["run", "hello", "--params", r#"{"name": "Ada"}"#]);
    assert!(ran.out().starts_with("Hello, Ada! This is hello, attempt 1 of 1.\n"), "{ran:?}");
    let types = home.tasks().join("isochron.d.ts");
    fs::write(&types, "mine").expect("written");
    let nested = home.run(&["new", "reports/sales.js"]);
    assert_eq!(nested.code(), Some(0), "{nested:?}");
    assert!(!nested.out().contains("isochron.d.ts"), "{nested:?}");
    assert_eq!(fs::read_to_string(types).expect("the types"), "mine");
    let text = fs::read_to_string(home.tasks().join("reports/sales.js")).expect("the handler");
    assert!(text.contains("import('../isochron')"), "{text}");
    assert_eq!(home.run(&["check"]).code(), Some(0));
}

#[test]
fn new_overwrites_nothing_and_refuses_names_that_no_handler_has() {
    let home = Home::new();
    home.write("hello", "module.exports = () => 'mine'");
    for arguments in [["new", "hello"].as_slice(), &["new", "hello", "--ts"], &["new", "hello.ts"]] {
        let made = home.run(arguments);
        assert_eq!(made.code(), Some(1), "{made:?}");
        assert!(made.err().contains("tasks/hello.js is there already"), "{made:?}");
    }
    for name in ["../hello", "a b", "", "/etc/x", "a//b"] {
        let made = home.run(&["new", name]);
        assert_eq!(made.code(), Some(2), "{made:?}");
    }
    let text = fs::read_to_string(home.tasks().join("hello.js")).expect("the handler");
    assert_eq!(text, "module.exports = () => 'mine'");
}

/// All files below a folder, without packages.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path).iter().map(|below| Path::new(&entry.file_name()).join(below)));
        } else {
            found.push(entry.file_name().into());
        }
    }
    found.sort();
    found
}

#[test]
fn init_writes_every_file_that_isochron_ships_and_leaves_those_that_are_there() {
    let home = Home::new();
    home.write("cleanup-logs", "module.exports = () => 'mine'");
    let made = home.run(&["init"]);
    assert_eq!(made.code(), Some(0), "{made:?}");
    assert!(made.out().contains("1 file was there already and stays as it is"), "{made:?}");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks");
    let names = files_below(&shipped);
    assert_eq!(files_below(&home.tasks()), names, "each file of tasks/ is in the binary");
    for name in names.iter().filter(|name| *name != Path::new("cleanup-logs.js")) {
        assert!(
            fs::read(home.tasks().join(name)).expect("ours") == fs::read(shipped.join(name)).expect("theirs")
        );
    }
    let text = fs::read_to_string(home.tasks().join("cleanup-logs.js")).expect("the handler");
    assert_eq!(text, "module.exports = () => 'mine'");
}

#[test]
fn check_reports_every_problem_at_once_with_its_position() {
    let home = Home::new();
    home.write("good", "const help = require('./lib/help');\nmodule.exports = () => help.seven;");
    home.write("lib/help", "exports.seven = 7;");
    home.write("broken", "module.exports = () => {\n  const answer = 6 * );\n};");
    home.write("number", "module.exports = 7;");
    home.write("throws", "throw new Error('at once');");
    home.write(
        "tasks.json",
        "{ \"tasks\": [\n  { \"name\": \"one\", \"description\": \"\", \"handler\": \"goood\", \"schedule\": \"now\" }\n] }",
    );
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(1), "{checked:?}");
    assert_snapshot!(checked.out(), @r#"
    tasks/broken.js:2:22: SyntaxError: Unexpected token ')'
        const answer = 6 * );
                           ^
    tasks/number.js: exports a number; a handler exports a function: module.exports = async (params, ctx) => { … }
    tasks/throws.js:1:7: at once
    tasks/tasks.json:2:50: task "one": there is no handler "goood" (did you mean "good"?)
    4 handlers and 1 task in tasks.json: 4 problems
    "#);
    let checked = home.run(&["check", "--json"]);
    assert_eq!(checked.code(), Some(1), "{checked:?}");
    let told: Value = serde_json::from_str(&checked.out()).expect("JSON");
    assert_eq!((&told["handlers"], &told["tasks"]), (&json!(4), &json!(1)));
    let problems = told["problems"].as_array().expect("problems");
    let broken = problems.iter().find(|problem| problem["file"] == "tasks/broken.js").expect("it is broken");
    assert_eq!((&broken["line"], &broken["column"]), (&json!(2), &json!(22)));
    assert_eq!(problems.len(), 4);

    for name in ["broken.js", "number.js", "throws.js"] {
        fs::remove_file(home.tasks().join(name)).expect("removed");
    }
    home.write("goood", "module.exports = () => {}");
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(0), "{checked:?}");
    assert_eq!(checked.out(), "2 handlers and 1 task in tasks.json: no problem\n");
}

#[test]
fn check_reports_mistakes_of_tasks_json_beside_handlers_that_are_missing_or_do_not_load() {
    let home = Home::new();
    home.write("good", "module.exports = () => 1;");
    home.write("broken", "module.exports = ( => 1;");
    let task = |name: &str, handler: &str, more: &str| {
        format!(
            "  {{ \"name\": \"{name}\", \"description\": \"\", \"handler\": \"{handler}\", \"schedule\": \"now\"{more} }}"
        )
    };
    let tasks =
        [task("one", "broken", ""), task("two", "goood", ", \"maxRetries\": 11"), task("ok!", "good", "")];
    home.write("tasks.json", &format!("{{ \"tasks\": [\n{}\n] }}", tasks.join(",\n")));
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(1), "{checked:?}");
    assert_snapshot!(checked.out(), @r#"
    tasks/broken.js:1:20: SyntaxError: Unexpected token '=>'
      module.exports = ( => 1;
                         ^^
    tasks/tasks.json:2:50: task "one": the handler "broken" does not load: tasks/broken.js:1:20: SyntaxError: Unexpected token '=>'
    tasks/tasks.json:3:50: task "two": there is no handler "goood" (did you mean "good"?)
    tasks/tasks.json:3:92: task "two": maxRetries must be a whole number from 0 to 10, not 11
    2 handlers and 2 tasks in tasks.json: 4 problems
    "#);
}

#[test]
fn check_tells_of_channels_that_the_settings_do_not_have() {
    let home = Home::new();
    home.write("good", "module.exports = () => 1;");
    let channel = "[alerts.ops]\nkind = \"slack\"\nurl = \"http://127.0.0.1:9\"\n";
    std::fs::write(home.path().join("isochron.toml"), channel).expect("the settings written");
    let tasks = r#"{ "tasks": [
  { "name": "one", "description": "", "handler": "good", "schedule": "@daily", "alerts": [{ "channel": "ops" }, { "channel": "opps" }] }
] }"#;
    home.write("tasks.json", tasks);
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(1), "{checked:?}");
    assert_snapshot!(checked.out(), @r#"
    tasks/tasks.json:2:13: task "one": alerts[1].channel "opps" is no channel (did you mean "ops"?); known are ops
    1 handler and 1 task in tasks.json: 1 problem
    "#);
}

#[test]
fn a_fresh_folder_passes_check_and_examples_that_lack_packages_are_a_note() {
    let home = Home::new();
    assert_eq!(home.run(&["init"]).code(), Some(0));
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(0), "{checked:?}");
    assert_snapshot!(checked.out(), @r"
    note: tasks/examples/sales-report.ts: this example runs once its packages are there: the comment at its start names them
    10 handlers: no problem
    ");
    let changed = fs::read_to_string(home.tasks().join("examples/sales-report.ts")).expect("it is there");
    home.write("examples/sales-report.ts", &format!("{changed}\n"));
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(1), "the author's own file is no example: {checked:?}");
}

#[test]
fn files_that_cannot_be_handlers_are_noted_with_the_reason() {
    let home = Home::new();
    home.write("good", "module.exports = require('./lib/date.utils');");
    home.write("lib/date.utils.js", "module.exports = () => 1;");
    for name in ["view.tsx", "my handler.js", ".eslintrc.js", "isochron.d.ts", "node_modules/a.b/index.x.js"]
    {
        home.write(name, "");
    }
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(0), "{checked:?}");
    assert_snapshot!(checked.out(), @r#"
    note: tasks/my handler.js: it is no handler, only a file that handlers may require: "my handler" is no handler's name, which has letters, digits, - and _, with / between folders, and at most 200 characters
    note: tasks/view.tsx: a handler's file ends in .js, .cjs, .mjs, .ts, .cts, .mts, not in .tsx: handlers have no JSX
    1 handler: no problem
    "#);
    let server = Options::default().start_in(home).expect("it starts");
    let listed = server.client().get("/admin/handlers").expect(200);
    let files: Vec<_> =
        listed["ignored"].as_array().expect("a list").iter().map(|file| &file["file"]).collect();
    assert_eq!(files, ["tasks/lib/date.utils.js", "tasks/my handler.js", "tasks/view.tsx"]);
}

#[test]
fn check_reads_tasks_jsonc_and_names_a_second_file() {
    let home = Home::new();
    home.write("tasks.jsonc", "{ \"tasks\": [ // none\n ], }");
    assert_eq!(home.run(&["check"]).code(), Some(0));
    home.write("tasks.json", "{ \"tasks\": [] }");
    let checked = home.run(&["check"]);
    assert_eq!(checked.code(), Some(1), "{checked:?}");
    assert!(checked.out().contains("tasks/tasks.json: tasks/tasks.jsonc is there as well"), "{checked:?}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let home = Home::new();
    for arguments in [["check", "--tasks", "elsewhere"].as_slice(), &["run", "x", "--tasks", "elsewhere"]] {
        let ran = home.run(arguments);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        assert!(ran.err().contains("there is no folder elsewhere"), "{ran:?}");
    }
}

#[test]
fn a_name_that_is_nearly_right_is_told_the_nearest() {
    let home = Home::new();
    home.write("greet", "module.exports = () => 1");
    home.write("reports/sales", "module.exports = () => 1");
    let cases = [
        (["run", "gret"], 1, "did you mean \"greet\"?"),
        (["run", "Greet"], 1, "did you mean \"greet\"?"),
        (["run", "sales"], 1, "did you mean \"reports/sales\"?"),
        (["rnu", "greet"], 2, "'run'"),
        (["chekc", "--json"], 2, "'check'"),
    ];
    for (arguments, code, words) in cases {
        let ran = home.run(&arguments);
        assert_eq!(ran.code(), Some(code), "{ran:?}");
        assert!(ran.err().contains(words), "{ran:?}");
    }
    let far = home.run(&["run", "something-else"]);
    assert!(!far.err().contains("did you mean"), "{far:?}");
    let by_file = home.run(&["run", "tasks/reports/sales.js"]);
    assert_eq!((by_file.code(), by_file.out().as_str()), (Some(0), "1\n"), "{by_file:?}");
}

#[test]
fn run_with_watch_runs_again_at_each_save_of_the_handler_or_a_file_it_requires() {
    let home = Home::new();
    home.write("lib/words", "exports.word = 'one';");
    home.write(
        "speak",
        "const { word } = require('./lib/words');\nmodule.exports = () => console.log(word);",
    );
    let mut command = home.command(&["run", "speak", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let (lines, said) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().expect("its errors"));
    let errors = lines.clone();
    thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(errors.send(line))));
    let stdout = BufReader::new(child.stdout.take().expect("its output"));
    thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(lines.send(line))));
    // The two streams come in any order.
    let mut unread = Vec::<String>::new();
    let mut wait_for = |words: &str| loop {
        if let Some(at) = unread.iter().position(|line| line.contains(words)) {
            unread.remove(at);
            return;
        }
        unread.push(
            said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it never said {words}: {unread:?}")),
        );
    };
    let waiting = "waiting for a file in tasks to be saved";
    wait_for("one");
    wait_for(waiting);
    home.write("lib/words", "exports.word = 'two, longer';");
    wait_for("lib/words.js was saved");
    wait_for("two, longer");
    wait_for(waiting);
    home.write("speak", "module.exports = ( => 'broken';");
    wait_for("SyntaxError");
    wait_for(waiting);
    home.write("speak", "module.exports = () => { console.log('loops'); for (;;); }");
    wait_for("loops");
    home.write("speak", "module.exports = () => 'it goes on';");
    wait_for("it goes on");
    wait_for(waiting);
    signal_process(child.id(), Signal::INT);
    let status = until("it ends", || child.try_wait().expect("its state"));
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_run_keeps_its_state_in_the_folder_of_data_and_otherwise_in_memory() {
    let home = Home::new();
    let source = "module.exports = async (params, ctx) => {
      const times = await ctx.kv.increment('times');
      console.log('time %d', times);
      if (params.wait) await new Promise((go) => setTimeout(go, 86_400_000));
      return times;
    };";
    home.write("counts", source);
    for arguments in [["run", "counts"].as_slice(), &["run", "counts", "--ephemeral"]] {
        let ran = home.run(arguments);
        assert_eq!((ran.code(), ran.out().as_str()), (Some(0), "time 1\n1\n"), "{ran:?}");
    }
    assert!(!home.data().exists(), "a run in memory leaves nothing behind");
    let run = ["run", "counts", "--data", "data"];
    assert_eq!(home.run(&run).out(), "time 1\n1\n");
    let waits = [run.as_slice(), &["--params", "{\"wait\": true}"]].concat();
    let mut child =
        home.command(&waits).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert_eq!(line, "time 2\n");
    let meanwhile = home.run(&run);
    assert_eq!(meanwhile.code(), Some(1), "{meanwhile:?}");
    assert!(meanwhile.err().contains("is in use by another isochron"), "{meanwhile:?}");
    signal_process(child.id(), Signal::KILL);
    until("it ends", || child.try_wait().expect("its state"));
    assert_eq!(home.run(&run).out(), "time 3\n3\n", "a run that was killed holds up no later one");
    let both = home.run(&[run.as_slice(), &["--ephemeral"]].concat());
    assert_eq!(both.code(), Some(2), "{both:?}");
    assert!(both.err().contains("--ephemeral keeps state in memory only"), "{both:?}");
    let source = "module.exports = (params, ctx) =>
      ctx.idempotencyKey === `${ctx.taskId}/${ctx.scheduledFor}` && ctx.taskId;";
    home.write("key", source);
    let key = home.run(&["run", "key"]).out();
    assert!(key.starts_with("\"task-"), "{key}");

    let server = Options::default().start_in(home).expect("it starts");
    let list = server.client().get("/admin/scheduler").expect(200);
    assert_eq!((&list["total"], &list["tasks"][0]["status"]), (&json!(1), &json!("paused")), "{list}");
}
