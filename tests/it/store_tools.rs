//! `isochron store`: what looks after the store of a server that is not running.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Server, task};

/// A server with some history, stopped, and what it told about it.
fn stopped() -> (Server, Vec<Value>) {
    let mut server = Server::start();
    let ran =
        server.create_dormant("report", "module.exports = () => { console.log('ä'); return 7; }", &json!({}));
    server.run(&ran);
    server.run(&ran);
    let failed =
        server.create_dormant("broken", "module.exports = () => { throw new Error('no'); }", &json!({}));
    server.run(&failed);
    let paused = server.create(&task("paused one", "report", "@hourly", &json!({ "recurring": true })));
    server.act(&paused, "pause").expect(200);
    let told = everything(&server);
    server.signal(Signal::TERM);
    server.exit();
    (server, told)
}

/// Everything that the API tells about the tasks.
fn everything(server: &Server) -> Vec<Value> {
    let list = server.client().get("/admin/scheduler?sortBy=name").expect(200);
    let tasks = list["tasks"].as_array().cloned().unwrap_or_default();
    let ids: Vec<_> = tasks.iter().map(|task| task["_key"].as_str().expect("an id").to_owned()).collect();
    tasks.into_iter().chain(ids.iter().flat_map(|id| server.executions(id))).collect()
}

#[test]
fn a_store_is_exported_and_imported_into_an_empty_one_where_the_server_goes_on() {
    let (mut server, before) = stopped();
    let exported = server.home.run(&["store", "export", "copy"]);
    assert_eq!(exported.code(), Some(0), "{exported:?}");
    assert!(exported.out().contains("3 tasks, 3 executions"), "{exported:?}");
    let mode = fs::metadata(server.home.path().join("copy")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "parameters may hold secrets");

    let into_the_same = server.home.run(&["store", "import", "copy"]);
    assert_eq!(into_the_same.code(), Some(1), "{into_the_same:?}");
    assert!(into_the_same.err().contains("not empty"), "{into_the_same:?}");

    fs::rename(server.home.data().join("store"), server.home.path().join("old")).expect("moved");
    let imported = server.home.run(&["store", "import", "copy"]);
    assert_eq!(imported.code(), Some(0), "{imported:?}");
    assert!(imported.out().contains("3 tasks, 3 executions"), "{imported:?}");
    let again = server.home.run(&["store", "export", "again"]);
    assert_eq!(again.code(), Some(0), "{again:?}");
    let records = |name: &str| {
        let text = fs::read_to_string(server.home.path().join(name)).expect("the file");
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines[1..lines.len() - 1].to_vec()
    };
    assert_eq!(records("again"), records("copy"));

    server.start_again();
    assert_eq!(everything(&server), before);
    let id = server.create(&task("another", "report", "now", &json!({})));
    server.until_status(&id, "completed");
}

#[test]
fn a_damaged_file_is_refused_with_its_line_and_nothing_comes_of_it() {
    let (mut server, _) = stopped();
    assert_eq!(server.home.run(&["store", "export", "copy"]).code(), Some(0));
    let copy = server.home.path().join("copy");
    let whole = fs::read(&copy).expect("the file");
    let cut = &whole[..whole.len() - 40];
    let mut changed = whole.clone();
    let at = whole.len() / 2;
    changed[at] ^= 4;
    fs::remove_dir_all(server.home.data().join("store")).expect("removed");
    for (bytes, words) in [(cut, "is missing"), (&changed, "line ")] {
        fs::write(&copy, bytes).expect("written");
        let imported = server.home.run(&["store", "import", "copy"]);
        assert_eq!(imported.code(), Some(1), "{imported:?}");
        assert!(
            imported.err().contains("cannot be imported") && imported.err().contains(words),
            "{imported:?}"
        );
    }
    server.start_again();
    assert_eq!(everything(&server), Vec::<Value>::new());
}

#[test]
fn the_tools_say_who_has_the_store_and_when_there_is_none() {
    let server = Server::start();
    for arguments in [&["store", "export", "copy"][..], &["store", "import", "copy"]] {
        let ran = server.home.run(arguments);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        assert!(ran.err().contains(&format!("process {}", server.pid())), "{ran:?}");
    }
    let ran = server.home.run(&["store", "export", "copy", "--data", "elsewhere"]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(ran.err().contains("no store in elsewhere/store"), "{ran:?}");
    assert!(!Path::new("elsewhere").exists(), "and makes none");
    for arguments in [&["store"][..], &["store", "export"], &["store", "mend"]] {
        assert_eq!(server.home.run(arguments).code(), Some(2), "{arguments:?}");
    }
}
