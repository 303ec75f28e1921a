//! `isochron store`: the commands for the store of a stopped server.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Server, task, until};

/// A stopped server with some history, and its tasks as it had shown them.
fn stopped_server() -> (Server, Vec<Value>) {
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

/// All tasks and executions, as the API shows them.
fn everything(server: &Server) -> Vec<Value> {
    let list = server.client().get("/admin/scheduler?sortBy=name").expect(200);
    let tasks = list["tasks"].as_array().cloned().unwrap_or_default();
    let ids: Vec<_> = tasks.iter().map(|task| task["_key"].as_str().expect("an id").to_owned()).collect();
    tasks.into_iter().chain(ids.iter().flat_map(|id| server.executions(id))).collect()
}

#[test]
fn a_store_is_exported_and_imported_into_an_empty_one_where_the_server_goes_on() {
    let (mut server, before) = stopped_server();
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
    let fresh = server.home.run(&["store", "import", "copy", "--data", "new"]);
    assert_eq!(fresh.code(), Some(0), "{fresh:?}");
    let mode = fs::metadata(server.home.path().join("new")).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "records are for the owner only");
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
    let (mut server, _) = stopped_server();
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
fn a_store_is_verified_and_what_is_wrong_with_it_is_told() {
    let (mut server, before) = stopped_server();
    let verified = server.home.run(&["store", "verify"]);
    assert_eq!(verified.code(), Some(0), "{verified:?}");
    assert!(verified.out().contains("3 tasks, 3 executions, 2 pieces of output"), "{verified:?}");
    assert!(verified.out().contains("everything verifies"), "{verified:?}");

    // Older files, except for the number of the last acknowledged commit.
    let store = server.home.data().join("store");
    let earlier = server.home.path().join("earlier");
    copy_folder(&store, &earlier);
    server.start_again();
    assert_eq!(everything(&server), before, "a look changes nothing");
    server.create(&task("later", "report", "@hourly", &json!({ "recurring": true })));
    server.signal(Signal::TERM);
    server.exit();
    fs::copy(store.join("mark"), earlier.join("mark")).expect("copied");
    fs::remove_dir_all(&store).expect("removed");
    fs::rename(&earlier, &store).expect("moved");
    let verified = server.home.run(&["store", "verify"]);
    assert_eq!(verified.code(), Some(1), "{verified:?}");
    assert!(verified.out().contains("had been acknowledged"), "{verified:?}");
    let served = server.home.run(&["--listen", "127.0.0.1:0"]);
    assert_eq!(served.code(), Some(1), "{served:?}");
    assert!(served.err().contains("isochron store import <data>/backups/"), "{served:?}");
}

#[test]
fn a_running_server_backs_itself_up_and_that_brings_it_back() {
    let (mut server, _) = stopped_server();
    let backups = server.home.data().join("backups");
    fs::remove_dir_all(&backups).expect("the one of the empty store");
    server.start_again();
    let made = until("a backup is made", || {
        let ready = server.client().send(server.client().anonymous("GET", "/ready"), "").body;
        ready["store"]["backup"]["file"].as_str().map(str::to_owned)
    });
    let before = everything(&server);
    server.kill();
    fs::remove_dir_all(server.home.data().join("store")).expect("lost");
    let made = backups.join(made);
    let imported = server.home.run(&["store", "import", made.to_str().expect("a path")]);
    assert_eq!(imported.code(), Some(0), "{imported:?}");
    server.start_again();
    assert_eq!(everything(&server), before);
}

#[test]
fn files_that_cannot_be_read_stop_the_start_with_what_to_do() {
    let (server, _) = stopped_server();
    let file = server.home.data().join("store/db");
    let bytes = fs::read(&file).expect("the file");
    fs::write(&file, &bytes[..bytes.len() / 3]).expect("written");
    for arguments in [&["--listen", "127.0.0.1:0"][..], &["store", "verify"], &["store", "export", "copy"]] {
        let ran = server.home.run(arguments);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
    }
    let served = server.home.run(&["--listen", "127.0.0.1:0"]);
    assert!(served.err().contains("isochron store import <data>/backups/"), "{served:?}");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

#[test]
fn the_tools_say_who_has_the_store_and_when_there_is_none() {
    let server = Server::start();
    for arguments in [&["store", "verify"][..], &["store", "export", "copy"], &["store", "import", "copy"]] {
        let ran = server.home.run(arguments);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        assert!(ran.err().contains(&format!("process {}", server.pid())), "{ran:?}");
    }
    for arguments in
        [&["store", "export", "copy", "--data", "elsewhere"][..], &["store", "verify", "--data", "elsewhere"]]
    {
        let ran = server.home.run(arguments);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        assert!(ran.err().contains("no store in elsewhere/store"), "{ran:?}");
        assert!(!server.home.path().join("elsewhere").exists(), "and makes none");
    }
    for arguments in [&["store"][..], &["store", "export"], &["store", "mend"]] {
        assert_eq!(server.home.run(arguments).code(), Some(2), "{arguments:?}");
    }
}
