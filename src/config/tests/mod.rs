//! What is in force: the defaults, the origins, the values, the reference.

mod mistakes;

use std::fs;

use super::*;

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn load_all(flags: Pairs<'_>, env: Pairs<'_>, file: Option<&str>) -> Result<Config, ConfigError> {
    let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(&flags, env, file.map(|text| (Path::new("isochron.toml"), text)), 4)
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    load_all(&[], &[], Some(text))
}

fn from_env(name: &str, value: &str) -> Result<Config, ConfigError> {
    load_all(&[], &[(name, value)], None)
}

fn message(result: Result<Config, ConfigError>) -> String {
    match result {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(wrong) => wrong.to_string(),
    }
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = load_all(&[], &[], None).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8686");
    assert_eq!((config.tasks, config.data), ("tasks".into(), "data".into()));
    assert_eq!((config.log_format, config.log.as_str()), (None, "info"));
    assert!(config.admin_token.is_none());
    assert_eq!((config.timezone.as_str(), config.shutdown_grace), ("UTC", 30_000));
    assert_eq!(config.runners, Runners { min: 4, max: 16, recycle_after: 1000, rewind: true });
    let mib = 1 << 20;
    let limits = Limits {
        cpu: 60_000,
        heap: 128 * mib,
        buffers: 64 * mib,
        resident: 512 * mib,
        output_bytes: mib,
        output_lines: 10_000,
        result: 10_000,
        fetch_body: 10 * mib,
        fetches: 1000,
        kv_entries: 10_000,
        kv_bytes: 16 * mib,
    };
    assert_eq!(config.limits, limits);
    assert_eq!((config.misfire_after, config.catch_up_window), (60_000, 86_400_000));
    assert_eq!((config.catch_up_max, config.history_keep), (100, 100));
    assert_eq!((config.store.path, config.store.cache), ("data/store".into(), 64 * mib));
    assert_eq!(config.engine, Engine { web_assembly: false, eval: true });
    assert_eq!(config.system_handlers, ["cleanup-logs", "database-stats"]);
}

#[test]
fn the_later_origin_wins() {
    let file = "listen = \"127.0.0.1:1\"\nlogFormat = \"json\"\ntimezone = \"Asia/Tokyo\"\n";
    let env: Pairs = &[("ISOCHRON_LISTEN", "127.0.0.1:2"), ("ISOCHRON_LOG_FORMAT", "pretty")];
    let flags: Pairs = &[("listen", "127.0.0.1:3")];
    let cases = [
        (&[] as Pairs, &[] as Pairs, None, 8686, None),
        (&[], &[], Some(file), 1, Some(LogFormat::Json)),
        (&[], env, Some(file), 2, Some(LogFormat::Pretty)),
        (flags, env, Some(file), 3, Some(LogFormat::Pretty)),
        (flags, &[], Some(file), 3, Some(LogFormat::Json)),
    ];
    for (flags, env, file, port, format) in cases {
        let config = load_all(flags, env, file).unwrap();
        assert_eq!((config.listen.port(), config.log_format), (port, format));
        let zone = if file.is_some() { "Asia/Tokyo" } else { "UTC" };
        assert_eq!(config.timezone, zone);
    }
}

#[test]
fn every_key_has_a_place_in_the_file_and_a_variable() {
    for key in KEYS.iter().filter(|key| !key.secret()) {
        let preset = key.preset.unwrap_or(match key.name {
            "logFormat" => "json",
            "store.path" | "store.ca" => "elsewhere",
            "store.url" => "postgres://user:password@host/isochron",
            "publicUrl" => "https://ops.example.com/isochron",
            "trustedProxies" => "127.0.0.1, 10.0.0.0/8",
            "tokens.maxAge" => "3600000",
            "otel.endpoint" | "cluster.address" => "http://localhost:4318",
            "net.allow" | "net.deny" => "db.local:5432, 10.0.0.0/8",
            _ => "7",
        });
        from_env(&key.variable(), preset).unwrap();
        let typed = match key.accept {
            value::Accept::Count { .. } | value::Accept::Switch { .. } => preset.to_owned(),
            value::Accept::Names { .. } => "[\"cleanup-logs\", 'reports/sales']".to_owned(),
            value::Accept::List { .. } => "['127.0.0.1', '10.0.0.0/8']".to_owned(),
            value::Accept::NetRules { .. } => "['*.example.com:443', '[fd00::/8]:80']".to_owned(),
            _ => format!("{preset:?}"),
        };
        let config = from_file(&format!("{} = {typed}", key.name)).unwrap();
        assert!(matches!(config.origins.get(key.name).unwrap().origin, Origin::File { line: 1, .. }));
    }
    let variables: Vec<_> = settings().map(|row| row.variable).collect();
    for variable in
        ["ISOCHRON_SHUTDOWN_GRACE", "ISOCHRON_LIMITS__OUTPUT_BYTES", "ISOCHRON_ENGINE__WEB_ASSEMBLY"]
    {
        assert!(variables.iter().any(|known| known == variable), "{variable}");
    }
}

#[test]
fn a_server_among_many_has_a_name_an_address_and_a_lease() {
    let config = from_file(
        "[cluster]\nname = \"north 1\"\naddress = \"http://10.0.0.5:8686\"\nlease = 3000\npoll = 250",
    )
    .unwrap();
    let (name, address) = (Some("north 1".to_owned()), Some("http://10.0.0.5:8686".to_owned()));
    assert_eq!(config.cluster, ClusterConfig { name, address, lease: 3000, poll: 250 });
    let preset = ClusterConfig { name: None, address: None, lease: 30_000, poll: 1000 };
    assert_eq!(from_file("").unwrap().cluster, preset);
    let long = format!("cluster.name = '{}'", "n".repeat(101));
    for wrong in [
        "cluster.lease = 2999",
        "cluster.lease = 300001",
        "cluster.poll = 99",
        "cluster.name = ''",
        "cluster.name = ' north'",
        "cluster.name = \"a\\nb\"",
        &long,
        "cluster.address = '10.0.0.5:8686'",
        "cluster.address = 'ftp://10.0.0.5'",
        "cluster.address = 'http://user:password@10.0.0.5'",
    ] {
        from_file(wrong).expect_err(wrong);
    }
}

#[test]
fn values_land_where_they_belong() {
    let config = from_file(
        "tasks = \"t\"\ndata = \"d\"\nlimits.heap = \"256MiB\"\nlimits.buffers = 0x200000\nlimits.outputBytes = \"512 KiB\"\n\
         [runners]\nmin = 2\nmax = 1_0\n[engine]\nwebAssembly = true\neval = false\n[store]\ncache = \"1 GiB\"\n[history]\nkeep = 3",
    )
    .unwrap();
    assert_eq!((config.limits.heap, config.limits.buffers), (256 << 20, 2 << 20));
    assert_eq!(config.limits.output_bytes, 512 << 10);
    assert_eq!((config.runners.min, config.runners.max), (2, 10));
    assert_eq!(config.engine, Engine { web_assembly: true, eval: false });
    assert_eq!((config.store.path, config.store.cache), ("d/store".into(), 1 << 30));
    assert_eq!(config.history_keep, 3);
    let handlers = |text| from_env("ISOCHRON_SYSTEM_HANDLERS", text).unwrap().system_handlers;
    assert_eq!(handlers("a, b/c-d_2"), ["a", "b/c-d_2"]);
    assert_eq!(handlers(""), Vec::<String>::new());
    assert_eq!(from_file("systemHandlers = []").unwrap().system_handlers, Vec::<String>::new());
    let store = load_all(&[("data", "d")], &[("ISOCHRON_STORE__PATH", "s")], None).unwrap().store.path;
    assert_eq!(store, PathBuf::from("s"));
}

#[test]
fn runners_are_compared_and_fitted_to_the_machine() {
    let with = |env: Pairs<'_>, cores| {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(&[], env, None, cores).map(|config| (config.runners.min, config.runners.max))
    };
    let (min, max) = ("ISOCHRON_RUNNERS__MIN", "ISOCHRON_RUNNERS__MAX");
    let cases: &[(Pairs, usize, (usize, usize))] = &[
        (&[], 0, (1, 4)),
        (&[], 8, (8, 32)),
        (&[], 2000, (1024, 1024)),
        (&[(max, "2")], 8, (2, 2)),
        (&[(max, "100")], 8, (8, 100)),
        (&[(min, "32")], 8, (32, 32)),
        (&[(min, "1024"), (max, "1024")], 8, (1024, 1024)),
    ];
    for (env, cores, expected) in cases {
        assert_eq!(with(env, *cores).unwrap(), *expected);
    }
    assert_eq!(
        with(&[(min, "17")], 4).unwrap_err().to_string(),
        "`ISOCHRON_RUNNERS__MIN` is \"17\" in the environment, but `runners.max` is 16 by default; \
         allowed: the first at most the second"
    );
    let both = message(load_all(&[], &[(max, "3")], Some("runners.min = 4")));
    assert!(
        both.starts_with("`runners.min` is 4 in isochron.toml, line 1, but `ISOCHRON_RUNNERS__MAX`"),
        "{both}"
    );
}

#[test]
fn the_file_in_the_working_directory_is_optional_and_a_named_one_is_not() {
    let dir = std::env::temp_dir().join(format!("isochron-config-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    assert!(read_file(None, &dir).unwrap().is_none());
    let missing = read_file(Some(Path::new("other.toml")), &dir).unwrap_err();
    assert!(missing.to_string().contains("other.toml"), "{missing}");
    fs::write(dir.join("isochron.toml"), "log = 'warn'").unwrap();
    let (path, text) = read_file(None, &dir).unwrap().unwrap();
    assert_eq!((path, text.as_str()), (dir.join("isochron.toml"), "log = 'warn'"));
    fs::write(dir.join("isochron.toml"), [0xff]).unwrap();
    assert!(matches!(read_file(None, &dir), Err(ConfigError::Read { .. })));
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_reference_has_a_row_per_setting() {
    let table = reference();
    // The grants have one for all handlers, concurrency keys and alerts one each.
    assert_eq!(table.lines().count(), 2 + KEYS.len() + 3);
    assert!(table.starts_with(
        "| key | default | meaning | allowed |\n|---|---|---|---|\n| `listen` | `127.0.0.1:8686` |"
    ));
    for row in settings() {
        assert!(!row.meaning.contains('|') && !row.allowed.contains('|'), "{}", row.key);
    }
    assert!(table.contains("| `ISOCHRON_ADMIN_TOKEN` |") && !table.contains("| `adminToken` |"));
}

#[test]
fn what_editors_leave_in_a_file_does_no_harm() {
    for text in [
        "",
        "\u{feff}log = 'warn'",
        "# only a comment",
        "log = 'warn'\r\n[runners]\r\nmin = 1\r\n",
        "[runners]",
    ] {
        from_file(text).unwrap();
    }
    let third = message(from_file("log = 'warn'\r\n\r\nrunners.min = 0\r\n"));
    assert!(third.contains("line 3"), "{third}");
}

#[test]
fn the_page_of_settings_has_the_table_as_it_is() {
    let page = include_str!("../../../docs/settings.md");
    assert!(page.contains(&reference()), "docs/settings.md should hold this table:\n\n{}", reference());
}

#[test]
fn a_file_may_begin_with_a_byte_order_mark() {
    let config = from_file("\u{feff}timezone = \"Europe/Berlin\"\n").expect("it loads");
    assert_eq!(config.timezone, "Europe/Berlin");
}

#[test]
fn grants_narrow_the_net_for_single_handlers() {
    let config = from_file(
        "[grants.backup]\nnet = false\n[grants]\n\"reports/*\".net = [\"api.example.com\"]\n[net]\ndeny = ['10.0.0.0/8']\n",
    )
    .expect("it loads");
    let names: Vec<_> = config.net.grants.iter().map(|g| (g.handlers.to_string(), g.net.len())).collect();
    assert_eq!(names, [("backup".to_owned(), 0), ("reports/*".to_owned(), 1)]);
    assert_eq!(config.net.deny.len(), 1);
}

#[test]
fn concurrency_keys_have_a_number_each() {
    let config = from_file("[concurrency]\ndb = 3\n\"the api\" = 1\n").expect("it loads");
    let keys: Vec<_> = config.concurrency.into_iter().collect();
    assert_eq!(keys, [("db".to_owned(), 3), ("the api".to_owned(), 1)]);
    for (text, words) in [
        ("concurrency = 2", "`concurrency` is 2 in isochron.toml, line 1; allowed: a table"),
        ("concurrency.db = 0", "`concurrency.db` is 0 in isochron.toml, line 1; allowed: an integer from 1"),
        ("concurrency.db = '2'", "allowed: an integer"),
    ] {
        let error = from_file(text).expect_err(text).to_string();
        assert!(error.contains(words), "{error}");
    }
}
