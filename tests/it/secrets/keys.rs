//! The key, the commands, copies and rotations.

use std::{fs, os::unix::fs::PermissionsExt, thread::sleep, time::Duration};

use serde_json::json;

use super::{err, out, run, secret, secret_of, set};
use crate::harness::{DeafPort, Home, Options, Server};

/// The server's own place of the key.
fn key_file(home: &Home) -> std::path::PathBuf {
    home.data().join("secret-key")
}

#[test]
fn the_commands_work_without_a_server_and_beside_one() {
    let home = Home::new();
    let made = secret(&home, &["set", "TOKEN", "--handlers", "reports/*,sales"], "the value\n");
    assert_eq!(
        (made.status.code(), out(&made)),
        (Some(0), "the secret TOKEN is set for reports/*, sales\n".into()),
        "{made:?}"
    );
    let mode = fs::metadata(key_file(&home)).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bare = secret(&home, &["set", "BARE", "--env"], "two\nlines\r\n");
    assert!(out(&bare).contains("no handler may read it yet"), "{bare:?}");
    let list = "BARE   no handler  (in process.env)\nTOKEN  reports/*, sales\n";
    assert_eq!(out(&secret(&home, &["list"], "")), list);

    let deaf = DeafPort::new();
    let mut server = Options::default().start_in(home).expect("it starts");
    // The server listens on a port of its own choice, which the command has to be told.
    let address = server.client().address().to_owned();
    let beside = |arguments: &[&str], input: &str| {
        let mut command = server.home.command(&[&["secret"], arguments].concat());
        command.env("ISOCHRON_LISTEN", &address);
        secret_of(command, input)
    };
    assert_eq!(out(&beside(&["list"], "")), list);
    let changed = beside(&["set", "TOKEN", "--handlers", "*", "--env=false"], "new value");
    assert_eq!(out(&changed), "the secret TOKEN is set for *\n", "{changed:?}");
    assert_eq!(run(&server, "reads", "return (await ctx.secrets.get('TOKEN')).length")["result"], 9);
    assert_eq!(out(&beside(&["delete", "BARE"], "")), "the secret BARE is deleted\n");
    let gone = beside(&["delete", "BARE"], "");
    assert_eq!(gone.status.code(), Some(1));
    assert!(err(&gone).contains("404 Not Found Secret not found"), "{gone:?}");
    let rotation = beside(&["rotate-key"], "");
    assert_eq!(rotation.status.code(), Some(1));
    assert!(err(&rotation).contains("stop the server, rotate the key"), "{rotation:?}");
    let elsewhere = secret_of(
        {
            let mut command = server.home.command(&["secret", "list"]);
            command.env("ISOCHRON_LISTEN", deaf.address().to_string());
            command
        },
        "",
    );
    assert!(err(&elsewhere).contains("--listen"), "{elsewhere:?}");
    server.kill();
    let rotated = secret(&server.home, &["rotate-key"], "");
    assert_eq!(out(&rotated), "1 secrets are encrypted with a new key\n", "{rotated:?}");
    server.start_again();
    assert_eq!(run(&server, "reads-again", "return (await ctx.secrets.get('TOKEN')).length")["result"], 9);
}

#[test]
fn wrong_input_of_the_commands_is_refused_with_words_that_hide_it() {
    let home = Home::new();
    for (arguments, input, code, words) in [
        (&["set", "A-B"][..], "hunter2-value", 2, "is no name"),
        (&["set", "A"], "", 2, "must not be empty"),
        (&["set", "A"], "\n", 2, "must not be empty"),
        (&["set", "A", "--handlers", "rep*"], "hunter2-value", 2, "--handlers rep*"),
        (&["set", "A"], &"hunter2".repeat(10_000), 2, "at most 65536"),
        (&["list"], "", 1, "there is no store"),
        (&["delete", "A"], "", 1, "there is no store"),
        (&["rotate-key"], "hunter2-value", 2, "holds no key"),
    ] {
        let refused = secret(&home, arguments, input);
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {refused:?}");
        assert!(err(&refused).contains(words) && !err(&refused).contains("hunter2"), "{refused:?}");
    }
    assert!(!home.data().exists(), "nothing is made");
    for key in ["", "hunter2-hunter2-hunter2", &"ab".repeat(31)] {
        let refused = home.command(&["serve"]).env("ISOCHRON_SECRET_KEY", key).output().expect("it runs");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("ISOCHRON_SECRET_KEY` (value not shown)"), "{said}");
        assert!(
            said.contains("32 bytes as 64 hexadecimal digits or as base64") && !said.contains("hunter2"),
            "{said}"
        );
    }
}

#[test]
fn a_wrong_key_is_told_and_changes_nothing() {
    let mut server = Server::start();
    set(&server, "secrets", "TOKEN", &json!({ "value": "the value", "handlers": ["*"], "env": true }));
    assert!(server.client().get("/ready").expect(200).get("secrets").is_none());
    server.kill();
    let kept = fs::read(key_file(&server.home)).expect("the key");
    fs::remove_file(key_file(&server.home)).expect("removed");
    for wrong in [None, Some("07".repeat(32))] {
        if let Some(key) = &wrong {
            fs::write(key_file(&server.home), key).expect("written");
        }
        server.start_again();
        let ready = server.client().get("/ready").expect(200);
        let told = ready["secrets"].as_str().unwrap_or_default().to_owned();
        assert!(told.starts_with("1 secrets cannot be read") && !told.contains("TOKEN"), "{ready}");
        assert!(server.log().contains("1 secrets cannot be read"));
        let name = if wrong.is_none() { "no-key" } else { "wrong-key" };
        let asked = run(&server, name, "return await ctx.secrets.get('TOKEN')");
        assert!(
            asked["error"].to_string().contains("the secret TOKEN cannot be read: the key in "),
            "{asked}"
        );
        let in_env = run(&server, &format!("{name}-env"), "return process.env.TOKEN");
        assert!(
            in_env["error"].to_string().contains("the secret TOKEN cannot be read: the key in "),
            "{in_env}"
        );
        let others =
            run(&server, &format!("{name}-other"), "return [process.env.NODE_ENV, 'TOKEN' in process.env]");
        assert_eq!(others["result"], json!(["production", true]));
        let refused = server.client().put("/admin/secrets/NEW", &json!({ "value": "another" })).message(409);
        assert!(refused.contains("not the one that the others were set with"), "{refused}");
        server.kill();
        assert_eq!(key_file(&server.home).exists(), wrong.is_some());
    }
    fs::write(key_file(&server.home), kept).expect("written");
    fs::set_permissions(key_file(&server.home), fs::Permissions::from_mode(0o644)).expect("set");
    server.start_again();
    assert_eq!(run(&server, "reads", "return (await ctx.secrets.get('TOKEN')).length")["result"], 9);
    assert!(server.log().contains("other users could read the key"), "{}", server.log());
    let mode = fs::metadata(key_file(&server.home)).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_copy_holds_secrets_sealed_and_opens_with_the_same_key_only() {
    let home = Home::new();
    secret(&home, &["set", "TOKEN", "--handlers", "*"], "the very value");
    secret(&home, &["set", "OTHER"], "another value");
    let exported = home.run(&["store", "export", "copy"]);
    assert!(exported.out().contains("2 secrets, 0 variables"), "{exported:?}");
    assert!(exported.out().contains("the key of the secrets is not in it"), "{exported:?}");
    let copy = fs::read_to_string(home.path().join("copy")).expect("the copy");
    assert!(copy.contains("TOKEN") && !copy.contains("the very value"), "{copy}");
    let key = fs::read_to_string(key_file(&home)).expect("the key");
    assert!(!copy.contains(key.trim()));
    let verified = home.run(&["store", "verify"]);
    assert!(verified.out().contains("2 secrets") && verified.code() == Some(0), "{verified:?}");

    let other = Home::new();
    fs::copy(home.path().join("copy"), other.path().join("copy")).expect("copied");
    assert_eq!(other.run(&["store", "import", "copy"]).code(), Some(0));
    let refused = secret(&other, &["set", "NEW"], "x-value");
    assert!(err(&refused).contains("not the one that the others were set with"), "{refused:?}");
    assert!(!key_file(&other).exists());
    fs::copy(key_file(&home), key_file(&other)).expect("copied");
    let server = Options::default().start_in(other).expect("it starts");
    assert_eq!(run(&server, "reads", "return (await ctx.secrets.get('TOKEN')).length")["result"], 14);
    let again = server.client().delete("/admin/secrets/TOKEN");
    again.expect(200);
    let list = server.client().get("/admin/secrets").expect(200);
    assert_eq!(list["total"], 1);
}

#[test]
fn a_rotation_that_is_killed_at_any_moment_leaves_secrets_that_open() {
    let home = Home::in_memory();
    for name in ["A", "B", "C"] {
        secret(&home, &["set", name, "--handlers", "*"], &format!("the value of {name}"));
    }
    for round in 0..40_u64 {
        let mut child = home.command(&["secret", "rotate-key"]).spawn().expect("it starts");
        sleep(Duration::from_millis(2 * round));
        // Fails if it has ended by itself.
        let _ = child.kill();
        child.wait().expect("its end");
        // A change needs a key that opens every secret.
        let set = secret(&home, &["set", "C"], &format!("the value of round {round}"));
        assert_eq!(set.status.code(), Some(0), "round {round}: {set:?}");
    }
    let server = Options::default().start_in(home).expect("it starts");
    let body = "return [(await ctx.secrets.get('A')).slice(-5), (await ctx.secrets.get('B')).slice(-5), (await ctx.secrets.get('C')).slice(-5)]";
    assert_eq!(run(&server, "reads", body)["result"], json!([" of A", " of B", "nd 39"]));
}

#[test]
fn a_run_of_the_command_line_has_the_secrets_of_its_folder_of_data() {
    let home = Home::new();
    home.write(
        "calls",
        "module.exports = async (params, ctx) => { console.log('with', await ctx.secrets.get('TOKEN')); };",
    );
    let set = secret(&home, &["set", "TOKEN", "--handlers", "calls"], "a-long-value\n");
    assert!(set.status.success(), "{set:?}");
    let ran = home.run(&["run", "calls", "--data", "data"]);
    assert_eq!((ran.code(), ran.out().lines().next()), (Some(0), Some("with [secret TOKEN]")), "{ran:?}");
    let without = home.run(&["run", "calls"]);
    assert_eq!(without.code(), Some(1), "{without:?}");
    assert!(without.err().contains("isochron run --data DIR"), "{without:?}");
}

#[test]
fn a_command_on_the_store_is_in_the_audit() {
    let home = Home::new();
    assert_eq!(secret(&home, &["set", "KEY"], "the value of the secret").status.code(), Some(0));
    let server = Options::default().start_in(home).expect("it starts");
    let found = server.client().get("/admin/audit?action=set").expect(200);
    let record = &found["records"][0];
    assert_eq!(record["actor"], json!({ "name": "isochron secret", "via": "system" }));
    assert_eq!(record["target"], json!({ "kind": "secret", "id": "KEY" }));
    assert!(!found.to_string().contains("the value of the secret"));
}
