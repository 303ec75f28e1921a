//! Ways to the server: encrypted, with a password, at one of several hosts.

use std::{path::Path, sync::Arc};

use tokio::{runtime::Runtime, time::Instant};

use super::server::{encrypted, open, server};
use crate::store::{
    Upkeep,
    postgres::{
        Settings,
        connection::{args, query},
    },
};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn at(url: &str, authorities: Option<&str>) -> Arc<Settings> {
    let mut settings = Settings::new(url).expect("a URL");
    settings.authorities = authorities.map(|name| Path::new("tests/cases/tls").join(name));
    Arc::new(settings)
}

/// Whether the connection is encrypted; the error's text, if there is none.
fn connect(settings: &Arc<Settings>) -> Result<bool, String> {
    runtime().block_on(async {
        let link = settings.connect().await.map_err(|error| error.to_string())?;
        let asked = query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", args![]);
        let rows = link.rows(asked).await.map_err(|error| error.to_string())?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    })
}

#[test]
fn a_server_is_reached_with_a_password_and_a_certificate_that_is_verified() {
    let Some((server, port)) = encrypted() else { return };
    let socket = server.socket().display().to_string().replace('/', "%2F");
    let local = at(&format!("postgres://postgres@{socket}:{port}/postgres"), None);
    runtime().block_on(async {
        let link = local.connect().await.expect("it connects");
        link.batch("CREATE USER tester SUPERUSER PASSWORD 'hunter2'").await.expect("it is made");
    });
    let url = |password: &str, host: &str, mode: &str| {
        format!("postgres://tester:{password}@{host}:{port}/postgres?sslmode={mode}")
    };
    let ca = Some("ca.pem");
    assert_eq!(connect(&at(&url("hunter2", "localhost", "require"), ca)), Ok(true));
    assert_eq!(connect(&at(&url("hunter2", "127.0.0.1", "disable"), None)), Ok(false));
    for (url, authorities, sign) in [
        (url("hunter2", "localhost", "require"), None, "certificate"),
        (url("hunter3", "localhost", "require"), ca, "28P01"),
        (url("hunter2", "localhost", "require"), Some("none.pem"), "read the authorities"),
    ] {
        let error = connect(&at(&url, authorities)).expect_err("it is refused");
        assert!(error.contains(sign) && !error.contains("hunter"), "{error}");
        // A start does not try that for long.
        let begun = Instant::now();
        let mut settings = (*at(&url, authorities)).clone();
        "refused".clone_into(&mut settings.schema);
        assert!(open(settings, None).is_err());
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }
}

#[test]
fn of_several_hosts_the_one_that_answers_is_used() {
    let Some(server) = server() else { return };
    let socket = |path: &Path| path.display().to_string().replace('/', "%2F");
    let (none, there) = (socket(Path::new("/tmp/none")), socket(&server.socket()));
    let mut settings = Settings::new(&format!("postgres://postgres@{none},{there}/postgres")).expect("a URL");
    "hosts".clone_into(&mut settings.schema);
    let store = open(settings, None).expect("it opens");
    runtime().block_on(store.close()).expect("it closes");
}
