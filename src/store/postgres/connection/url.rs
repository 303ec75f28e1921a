//! The address of the server, and how it is reached. The password is never shown.

use std::{
    fmt,
    future::{Future, poll_fn},
    net::IpAddr,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage,
    config::{Config, Host, SslMode, TargetSessionAttrs},
};

use super::{
    Connection, Dialect,
    codes::{Outlook, text_of},
    tls::{Tls, is_mistrusted},
};
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
        let (url, mode) = without_mode(url);
        // The driver's text may quote a part of the URL.
        let mut config = Config::from_str(&url).map_err(|_| UrlError("the URL cannot be read".to_owned()))?;
        if config.get_hosts().is_empty() {
            // A certificate is verified for a host, which the address then is.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        if config.get_hosts().is_empty() {
            return Err(UrlError("the URL names no host".to_owned()));
        }
        let addresses = config.get_hostaddrs().iter();
        let near = config.get_hosts().iter().all(is_near) && addresses.clone().all(IpAddr::is_loopback);
        let encrypted = match mode.as_deref() {
            None => !near,
            Some("disable") => false,
            Some("require" | "verify-full") => true,
            Some(_) => return Err(UrlError("sslmode is neither require nor disable".to_owned())),
        };
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

/// The URL without its `sslmode`, and the mode: the driver does not know all of them.
fn without_mode(url: &str) -> (String, Option<String>) {
    let Some((url, parameters)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mode = |parameter: &&str| parameter.starts_with("sslmode=");
    let (modes, others): (Vec<_>, Vec<_>) = parameters.split('&').partition(mode);
    let mode = modes.last().and_then(|mode| mode.strip_prefix("sslmode=")).map(ToOwned::to_owned);
    (format!("{url}?{}", others.join("&")), mode)
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
    /// The way past the pooler, for the connection that hears the words of other nodes.
    direct: Option<Address>,
    /// The statements that the server understands.
    pub dialect: &'static Dialect,
    /// The connections for reads, 1 or more.
    pub connections: usize,
    /// A PEM file of the authorities that are trusted.
    pub authorities: Option<PathBuf>,
    /// Whether a missing or older schema is made or changed at the start.
    pub migrate: bool,
    /// The server's own directory, where it notes its name in the store.
    pub data: Option<PathBuf>,
    /// Made at the first connection that is encrypted.
    tls: OnceLock<Tls>,
}

/// The failure of an attempt to connect.
#[derive(Debug, Clone, thiserror::Error)]
#[error("connect to {to}: {why}")]
pub(crate) struct ConnectError {
    to: String,
    why: String,
    /// Whether another attempt would end in the same way.
    pub(crate) is_final: bool,
    /// Whether the server is there, and takes a connection later.
    pub(crate) is_busy: bool,
}

impl From<ConnectError> for StoreError {
    fn from(error: ConnectError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Called with each notification: the server's process that has sent it, and its text.
type Hear = Box<dyn Fn(i32, &str) + Send>;

/// Drives a connection until its end.
async fn drive<S, T>(mut link: tokio_postgres::Connection<S, T>, hear: Hear)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| link.poll_message(context)).await {
        if let AsyncMessage::Notification(word) = message {
            hear(word.process_id(), word.payload());
        }
    }
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
            direct: None,
            dialect: <&Dialect>::default(),
            connections: 4,
            authorities: None,
            migrate: true,
            data: None,
            tls: OnceLock::new(),
        })
    }

    /// The address without its password.
    #[must_use]
    pub fn shown(&self) -> String {
        self.address.shown()
    }

    /// Sets the URL at which the server is reached past the pooler.
    ///
    /// # Errors
    /// When the URL does not name a server.
    pub fn set_direct(&mut self, url: &str) -> Result<(), UrlError> {
        self.direct = Some(Address::parse(url)?);
        Ok(())
    }

    /// Whether a connection may be had that hears the words of other nodes.
    pub(crate) fn can_listen(&self) -> bool {
        self.dialect.hears && (!self.pooler || self.direct.is_some())
    }

    pub(crate) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema.replace('"', "\"\""))
    }

    /// Connects. Call it on the store's own runtime, which then drives the connection.
    pub(crate) async fn connect(self: &Arc<Self>) -> Result<Connection, ConnectError> {
        let ignore = Box::new(|_: i32, _: &str| {});
        self.connect_to(&self.address, ignore).await.map(|(connection, _)| connection)
    }

    /// Connects past the pooler. `hear` is called with each notification: the server's process that has sent it, and
    /// its text. Returns the end of the connection too.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        hear: impl Fn(i32, &str) + Send + 'static,
    ) -> Result<(Connection, impl Future<Output = ()>), ConnectError> {
        let address = self.direct.as_ref().unwrap_or(&self.address);
        let (connection, driver) = self.connect_to(address, Box::new(hear)).await?;
        Ok((connection, async move { drop(driver.await) }))
    }

    async fn connect_to(
        self: &Arc<Self>,
        address: &Address,
        hear: Hear,
    ) -> Result<(Connection, JoinHandle<()>), ConnectError> {
        let failed = |why: String, is_final: bool| {
            let to = address.shown();
            ConnectError { to, why, is_final, is_busy: false }
        };
        let of_driver = |error: tokio_postgres::Error| {
            let is_final = Outlook::is_final_for_connecting(&error) || is_mistrusted(&error);
            ConnectError { is_busy: Outlook::is_busy(&error), ..failed(text_of(&error), is_final) }
        };
        let connecting = async {
            let config = &address.config;
            let (client, driver) = if address.encrypted {
                let tls = self.tls().map_err(|why| failed(why, true))?;
                let (client, link) = config.connect(tls).await.map_err(of_driver)?;
                (client, tokio::spawn(drive(link, hear)))
            } else {
                let (client, link) = config.connect(tokio_postgres::NoTls).await.map_err(of_driver)?;
                (client, tokio::spawn(drive(link, hear)))
            };
            Ok((Connection::new(client, self.clone()), driver))
        };
        let connected = timeout(CONNECT_WITHIN * 2, connecting).await;
        connected.unwrap_or_else(|_| Err(failed("no answer".to_owned(), false)))
    }

    /// The client's half of TLS, which reads the authorities once.
    fn tls(&self) -> Result<Tls, String> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let authorities = self.authorities.as_deref();
        let tls = Tls::new(authorities).map_err(|error| match authorities {
            Some(path) => format!("read the authorities in {}: {error}", path.display()),
            None => format!("TLS does not start: {error}"),
        })?;
        Ok(self.tls.get_or_init(|| tls).clone())
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
            ("postgres://me:hunter2@/app?hostaddr=10.0.0.7", "postgres://me@10.0.0.7/app"),
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
            ("postgres://u@localhost/app?application_name=a&sslmode=verify-full", true),
            ("postgres://u@/app?hostaddr=10.0.0.7", true),
            ("postgres://u@/app?hostaddr=127.0.0.1", false),
            ("postgres://u@localhost/app?hostaddr=10.0.0.7", true),
            ("postgres://u@/app?hostaddr=127.0.0.1,10.0.0.7", true),
        ] {
            assert_eq!(Address::parse(url).map(|address| address.encrypted), Ok(encrypted), "{url}");
        }
        for unsafe_mode in ["prefer", "allow", "verify-ca", ""] {
            let refused = Address::parse(&format!("postgres://u@db.example/app?sslmode={unsafe_mode}"));
            assert!(refused.is_err(), "{unsafe_mode}");
        }
    }
}
