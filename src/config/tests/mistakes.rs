//! Mistakes: each is named with its key, value and place; no text shows a token.

use std::ffi::OsString;

use super::*;

const TOKEN: &str = "hunter2-hunter2-hunter2";

#[test]
fn wrong_values_name_key_value_origin_and_what_is_allowed() {
    let file: Pairs = &[
        (
            "\n[runners]\nmax = 5000",
            "`runners.max` is 5000 in isochron.toml, line 3; allowed: an integer from 1 to 1024 (processes)",
        ),
        (
            "runners.min = 0",
            "`runners.min` is 0 in isochron.toml, line 1; allowed: an integer from 1 to 1024",
        ),
        ("shutdownGrace = \"30000\"", "`shutdownGrace` is \"30000\" in"),
        ("shutdownGrace = -1", "`shutdownGrace` is -1 in"),
        ("shutdownGrace = 1.5", "`shutdownGrace` is 1.5 in"),
        ("shutdownGrace = 99999999999999999999", "`shutdownGrace` is 99999999999999999999 in"),
        (
            "limits.heap = \"15 MiB\"",
            "is \"15 MiB\" in isochron.toml, line 1; allowed: a size from 16 MiB to 850 MiB: bytes, or",
        ),
        ("limits.heap = \"851 MiB\"", "`limits.heap` is \"851 MiB\""),
        ("limits.heap = \"128 MB\"", "`limits.heap` is \"128 MB\""),
        ("limits.heap = \"128  MiB\"", "`limits.heap` is"),
        ("limits.heap = \"99999999999999999 GiB\"", "`limits.heap` is"),
        ("limits.heap = \"MiB\"", "`limits.heap` is \"MiB\""),
        (
            "engine.eval = \"yes\"",
            "`engine.eval` is \"yes\" in isochron.toml, line 1; allowed: true or false",
        ),
        ("engine.eval = 1", "`engine.eval` is 1 in"),
        ("tasks = 5", "`tasks` is 5 in isochron.toml, line 1; allowed: a path"),
        ("tasks = \"\"", "`tasks` is \"\""),
        ("timezone = []", "`timezone` is an array in"),
        ("timezone = {}", "`timezone` is a table in"),
        ("systemHandlers = \"a\"", "`systemHandlers` is \"a\" in"),
        ("systemHandlers = [\"a\", \"../b\"]", "`systemHandlers` is \"../b\" in"),
        (
            "systemHandlers = [1]",
            "`systemHandlers` is 1 in isochron.toml, line 1; allowed: names of handlers",
        ),
        (
            "runners = 5",
            "`runners` is 5 in isochron.toml, line 1; allowed: a table with min, max, recycleAfter, rewind",
        ),
        ("[[runners]]\nmin = 1", "`runners` is an array in"),
    ];
    for (text, expected) in file {
        let message = message(from_file(text));
        assert!(message.contains(expected), "{text}: {message}");
    }
    let env: &[(&str, &str, &str)] = &[
        (
            "ISOCHRON_RUNNERS__MAX",
            "many",
            "`ISOCHRON_RUNNERS__MAX` is \"many\" in the environment; allowed: an integer",
        ),
        ("ISOCHRON_RUNNERS__MAX", "+5", "is \"+5\" in"),
        ("ISOCHRON_RUNNERS__MAX", "", "is \"\" in"),
        (
            "ISOCHRON_LOG_FORMAT",
            "xml",
            "`ISOCHRON_LOG_FORMAT` is \"xml\" in the environment; allowed: pretty or json",
        ),
        ("ISOCHRON_LOG", " ", "`ISOCHRON_LOG` is \" \" in"),
        ("ISOCHRON_ENGINE__EVAL", "1", "`ISOCHRON_ENGINE__EVAL` is \"1\" in"),
        (
            "ISOCHRON_SYSTEM_HANDLERS",
            "a,,b",
            "`ISOCHRON_SYSTEM_HANDLERS` is \"\" in the environment; allowed: names",
        ),
        ("ISOCHRON_TASKS", "a\0b", "`ISOCHRON_TASKS` is \"a\\0b\" in"),
    ];
    for (name, value, expected) in env {
        let message = message(from_env(name, value));
        assert!(message.contains(expected), "{name}: {message}");
    }
    let listen = message(load_all(&[("listen", "localhost:80\u{1b}")], &[], None));
    assert!(
        listen
            .starts_with("`--listen` is \"localhost:80\\u{1b}\" on the command line; allowed: an IP address"),
        "{listen}"
    );
    let format = message(load_all(&[("logFormat", "x")], &[], None));
    assert!(format.starts_with("`--log-format` is \"x\" on the command line"), "{format}");
    let long = message(from_env("ISOCHRON_LISTEN", &"é".repeat(1000)));
    assert!(long.chars().count() < 300, "{long}");
}

#[test]
fn a_value_that_is_replaced_is_checked_all_the_same() {
    let text = message(load_all(&[("listen", "127.0.0.1:1")], &[], Some("listen = \"x\"")));
    assert!(text.starts_with("`listen` is \"x\" in isochron.toml"), "{text}");
}

#[test]
fn unknown_names_stop_the_start_and_bring_a_proposal() {
    let file: Pairs = &[
        (
            "\n\nshutdwonGrace = 5",
            "unknown setting: `shutdwonGrace` is 5 in isochron.toml, line 3; did you mean `shutdownGrace`?",
        ),
        ("shutdown_grace = 5", "did you mean `shutdownGrace`?"),
        ("[runnerz]\nmin = 5", "`runnerz.min` is 5 in isochron.toml, line 2; did you mean `runners.min`?"),
        ("[runners]\nmx = 5", "did you mean `runners.max`?"),
        ("outputBytes = 5", "did you mean `limits.outputBytes`?"),
        (
            "\"runners.min\" = 5",
            "`\"runners.min\"` is 5 in isochron.toml, line 1; did you mean `runners.min`?",
        ),
        ("limits.heap.size = 5", "`limits.heap` is a table"),
        (
            "colour = \"red\"",
            "`colour` is \"red\" in isochron.toml, line 1; known are listen, tasks, data, logFormat",
        ),
        ("[empty]", "unknown setting: `empty` is a table in"),
        ("config = \"other.toml\"", "unknown setting: `config`"),
        ("b = 1\na = 2", "`b` is 1"),
    ];
    for (text, expected) in file {
        let message = message(from_file(text));
        assert!(message.contains(expected), "{text}: {message}");
    }
    let env: Pairs = &[
        ("ISOCHRON_RUNNERS_MAX", "did you mean `ISOCHRON_RUNNERS__MAX`?"),
        ("ISOCHRON_SHUTDOWNGRACE", "did you mean `ISOCHRON_SHUTDOWN_GRACE`?"),
        ("ISOCHRON_OUTPUT_LINES", "did you mean `ISOCHRON_LIMITS__OUTPUT_LINES`?"),
        (
            "ISOCHRON_LIMITS__HEPA",
            "`ISOCHRON_LIMITS__HEPA` is \"5\" in the environment; did you mean `ISOCHRON_LIMITS__HEAP`?",
        ),
        ("ISOCHRON_PORT", "known are ISOCHRON_LISTEN, ISOCHRON_TASKS"),
        ("ISOCHRON_", "unknown setting: `ISOCHRON_`"),
        ("ISOCHRON_listen", "did you mean `ISOCHRON_LISTEN`?"),
    ];
    for (name, expected) in env {
        let message = message(from_env(name, "5"));
        assert!(message.contains(expected), "{name}: {message}");
    }
    let others = load_all(&[], &[("PATH", "/bin"), ("isochron_x", "1"), ("ISOCHRONX", "1")], None);
    others.unwrap();
    let flag = message(load_all(&[("lisen", "x")], &[], None));
    assert_eq!(flag, "unknown setting: `--lisen` is \"x\" on the command line; did you mean `--listen`?");
    let not_a_flag = message(load_all(&[("runners.max", "5")], &[], None));
    assert!(not_a_flag.ends_with("known are --listen, --tasks, --data, --log-format, --log"), "{not_a_flag}");
}

#[test]
fn the_admin_token_comes_from_the_environment_only() {
    let config = from_env("ISOCHRON_ADMIN_TOKEN", TOKEN).unwrap();
    assert_eq!(config.admin_token.as_ref().map(Secret::expose), Some(TOKEN));
    let reason = "does not belong in a file";
    for key in
        ["adminToken", "admin_token", "ADMIN-TOKEN", "adminTokn", "auth.adminToken", "runners.adminToken"]
    {
        let message = message(from_file(&format!("{key} = \"{TOKEN}\"")));
        assert!(message.contains(reason) && message.contains(key), "{message}");
        assert!(message.contains("ISOCHRON_ADMIN_TOKEN"), "{message}");
    }
    let flag = message(load_all(&[("adminToken", TOKEN)], &[], None));
    assert!(
        flag.starts_with("unknown setting: `--admin-token` (value not shown) on the command line"),
        "{flag}"
    );
    for short in
        ["", "hunter2", "hunter2-hunter2", "hunter2-hunter2 x", "hunter2-hunter2-é", "hunter2-hunter2\n"]
    {
        let text = message(from_env("ISOCHRON_ADMIN_TOKEN", short));
        assert!(text.starts_with(
            "`ISOCHRON_ADMIN_TOKEN` (value not shown) in the environment; allowed: at least 16"
        ));
    }
}

#[test]
fn no_text_made_here_holds_the_token() {
    let config = from_env("ISOCHRON_ADMIN_TOKEN", TOKEN).unwrap();
    let wrong = [
        from_env("ISOCHRON_ADMIN_TOKEN", "hunter2"),
        from_env("ISOCHRON_ADMIN_TOKN", "hunter2"),
        from_env("ISOCHRON_ADMINTOKEN", TOKEN),
        from_env("ISOCHRON_TOKEN", "hunter2"),
        from_env("ISOCHRON_ACCESS", TOKEN),
        load_all(&[("token", "hunter2")], &[], None),
        from_file("adminToken = \"hunter2\""),
        from_file("adminToken = \"hunter2"),
        from_file("adminToken = hunter2"),
        from_file("adminToken = 'hunter2' 'hunter2'"),
        from_file("adminToken = 'x'\nadminToken = 'hunter2'"),
        from_file("token = \"hunter2\""),
        from_file("[listen]\nadminToken = \"hunter2\""),
        from_file("listen = [{ adminToken = \"hunter2\" }]"),
        from_file("systemHandlers = [{ adminToken = \"hunter2\" }]"),
        from_file("runners = [\"hunter2\"]"),
        load_all(&[("listen", "x")], &[("ISOCHRON_ADMIN_TOKEN", TOKEN)], None),
    ];
    let mut shown = vec![format!("{config:?} {config:#?}")];
    for wrong in wrong {
        let wrong = wrong.unwrap_err();
        shown.push(format!("{wrong} {wrong:?} {wrong:#?}"));
    }
    for text in shown {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_broken_file_is_named_with_its_line() {
    let text = message(from_file("log = \"info\"\n[runners\nmin = 1"));
    assert!(text.starts_with("read configuration isochron.toml, line 2: "), "{text}");
    let twice = message(from_file("log = \"info\"\nlog = \"warn\""));
    assert!(twice.starts_with("read configuration isochron.toml, line 2: "), "{twice}");
}

#[cfg(unix)]
#[test]
fn only_our_own_variables_must_be_text() {
    use std::os::unix::ffi::OsStringExt;

    let bad = || OsString::from_vec(vec![b'h', 0xff]);
    let other = [(OsString::from("LANG"), bad()), ("ISOCHRON_LOG".into(), "warn".into())];
    assert_eq!(
        file::select_variables(other.into_iter()).unwrap(),
        [("ISOCHRON_LOG".to_owned(), "warn".to_owned())]
    );
    let ours = [(OsString::from("ISOCHRON_ADMIN_TOKEN"), bad())];
    let text = file::select_variables(ours.into_iter()).unwrap_err().to_string();
    assert_eq!(text, "`ISOCHRON_ADMIN_TOKEN` (value not shown) in the environment is not UTF-8");
}

#[test]
fn the_caller_can_refuse_what_only_it_can_judge() {
    let config = from_file("\ntimezone = \"Mars/Base\"").unwrap();
    assert_eq!(
        config.refuse("timezone", "an IANA time zone").to_string(),
        "`timezone` is \"Mars/Base\" in isochron.toml, line 2; allowed: an IANA time zone"
    );
}

#[test]
fn a_wrong_grant_is_an_error_that_names_it() {
    for (text, words) in [
        ("grants = 1", "`grants` is 1 in isochron.toml, line 1; allowed: a table"),
        ("grants.a = 1", "`grants.a` is 1"),
        ("grants.a.net = true", "`grants.a.net` is true in isochron.toml, line 1; allowed: false"),
        ("grants.a.net = ['127.1']", "`grants.a.net` is \"127.1\""),
        ("grants.a.nets = []", "unknown setting: `grants.a.nets`"),
        ("grants.\"../a\".net = []", "allowed: the name of a handler"),
        ("net.allow = ['10.0.0.1/8']", "`net.allow` is \"10.0.0.1/8\""),
        ("net.allow = 'a.example'", "`net.allow` is \"a.example\""),
    ] {
        let error = message(from_file(text));
        assert!(error.contains(words), "{text}: {error}");
    }
}
