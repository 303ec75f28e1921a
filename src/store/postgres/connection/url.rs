//! The address of the server, and how it is reached. The password is never shown.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};

use super::{Connection, tls::Tls};
use crate::store::StoreError;

/// One attempt to connect takes this long at most.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A dead connection is noticed after about this long.
const UNANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// A URL that does not name a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; allowed: postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
pub struct UrlError(String);

/// The address of a server. Its text, which has the password, is not shown.
#[derive(Clone)]
pub(crate) struct Address {
    config: Config,
    encrypted: bool,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Address {
    /// Reads a URL. Without `sslmode`, only connections that leave the machine are encrypted.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        if !is_url {
            return Err(UrlError("it is no postgres: URL".to_owned()));
        }
        // The driver's text may quote a part of the URL.
        let mut config = Config::from_str(url).map_err(|_| UrlError("the URL cannot be read".to_owned()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(UrlError("the URL names no host".to_owned()));
        }
        let near = config.get_hosts().iter().all(is_near);
        let says = |word: &str| url.contains(&format!("sslmode={word}"));
        let encrypted = match config.get_ssl_mode() {
            SslMode::Disable => false,
            SslMode::Prefer => !near && !says("prefer"),
            _ => true,
        };
        if says("prefer") {
            return Err(UrlError("sslmode=prefer is not safe: write require or disable".to_owned()));
        }
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECT_WITHIN).tcp_user_timeout(UNANSWERED_WITHIN);
        config.keepalives_idle(Duration::from_secs(5)).keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3);
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_application_name().is_none() {
            config.application_name("isochron");
        }
        Ok(Self { config, encrypted })
    }

    /// The address without its password.
    pub(crate) fn shown(&self) -> String {
        let hosts = self.config.get_hosts().iter().zip(0..).map(|(host, index)| {
            let port = self.config.get_ports().get(index).or(self.config.get_ports().first());
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            match host {
                Host::Tcp(name) => format!("{name}{port}"),
                Host::Unix(path) => format!("{}{port}", path.display()),
            }
        });
        let hosts: Vec<_> = hosts.collect();
        let user = self.config.get_user().unwrap_or_default();
        format!("postgres://{user}@{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or(user))
    }
}

/// Whether a host is this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        Host::Unix(_) => true,
    }
}

/// The place of a store in a PostgreSQL server.
#[derive(Debug, Clone)]
pub struct Settings {
    address: Address,
    /// The schema that has the tables.
    pub schema: String,
    /// Whether a pooler is between that gives each transaction another connection.
    pub pooler: bool,
    /// The connections for reads, 1 or more.
    pub connections: usize,
    /// A PEM file of the authorities that are trusted.
    pub authorities: Option<PathBuf>,
    /// Whether a missing or older schema is made or changed at the start.
    pub migrate: bool,
    /// The server's own directory, where it notes its name in the store.
    pub data: Option<PathBuf>,
}

impl Settings {
    /// The settings of a store at a URL, in the schema `isochron`.
    ///
    /// # Errors
    /// When the URL does not name a server.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Ok(Self {
            address: Address::parse(url)?,
            schema: "isochron".to_owned(),
            pooler: false,
            connections: 4,
            authorities: None,
            migrate: true,
            data: None,
        })
    }

    /// The address without its password.
    #[must_use]
    pub fn shown(&self) -> String {
        self.address.shown()
    }

    pub(crate) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema.replace('"', "\"\""))
    }

    /// Connects. Call it on the store's own runtime, which then drives the connection.
    pub(crate) async fn connect(self: &Arc<Self>) -> Result<Connection, StoreError> {
        let connecting = async {
            let authorities = self.authorities.as_deref();
            let tls = Tls::new(authorities).map_err(|error| match authorities {
                Some(path) => format!("read the authorities in {}: {error}", path.display()),
                None => format!("TLS does not start: {error}"),
            })?;
            let connected = if self.address.encrypted {
                let (client, link) = self.address.config.connect(tls).await.map_err(|e| text_of(&e))?;
                tokio::spawn(async move { drop(link.await) });
                client
            } else {
                let plain = tokio_postgres::NoTls;
                let (client, link) = self.address.config.connect(plain).await.map_err(|e| text_of(&e))?;
                tokio::spawn(async move { drop(link.await) });
                client
            };
            Ok(Connection::new(connected, self.clone()))
        };
        let within = CONNECT_WITHIN * 2;
        let connected = timeout(within, connecting).await.unwrap_or_else(|_| Err("no answer".to_owned()));
        connected.map_err(|why| StoreError::Unavailable(format!("connect to {}: {why}", self.shown())))
    }
}

/// The text of an error with that of its cause, without users' data.
pub(crate) fn text_of(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://me:hunter2@db.example:5433/app", "postgres://me@db.example:5433/app"),
            ("postgresql://me:hunter2@a:1,b:2/app?sslmode=require", "postgres://me@a:1,b:2/app"),
            ("postgres://me:hunter2@%2Ftmp%2Fsocket/app", "postgres://me@/tmp/socket:5432/app"),
        ] {
            let settings = Settings::new(url).expect("a URL");
            assert_eq!(settings.shown(), shown);
            assert!(!format!("{settings:?}").contains("hunter2"));
        }
        for url in ["postgres://me:hunter2@h:x/", "mysql://hunter2", "postgres:///app", "hunter2"] {
            let error = Settings::new(url).expect_err("it names no server");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_connection_that_leaves_the_machine_is_encrypted_unless_the_url_says_otherwise() {
        for (url, encrypted) in [
            ("postgres://u@db.example/app", true),
            ("postgres://u@db.example/app?sslmode=disable", false),
            ("postgres://u@db.example/app?sslmode=require", true),
            ("postgres://u@localhost/app", false),
            ("postgres://u@127.0.0.1/app", false),
            ("postgres://u@[::1]/app", false),
            ("postgres://u@localhost,db.example/app", true),
            ("postgres://u@%2Ftmp/app", false),
            ("postgres://u@localhost/app?sslmode=require", true),
        ] {
            assert_eq!(Address::parse(url).map(|address| address.encrypted), Ok(encrypted), "{url}");
        }
        assert!(Address::parse("postgres://u@db.example/app?sslmode=prefer").is_err());
    }
}
