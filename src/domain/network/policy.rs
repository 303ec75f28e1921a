//! The rules in force, and the sentences of a refusal.

use std::net::IpAddr;

use super::{AddressClass, NetRule, classify};
use crate::domain::access::pattern::Pattern;

/// Ports of other protocols, whose servers may take a request for commands (Fetch standard, "bad
/// port"). Sorted.
const BLOCKED_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// The server's rules.
#[derive(Debug, Clone, Default)]
pub struct NetPolicy {
    /// `net.allow`
    pub allow: Vec<NetRule>,
    /// `net.deny`
    pub deny: Vec<NetRule>,
    /// `grants.<handler>.net`
    pub grants: Vec<Grant>,
}

/// A row of `grants`.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The handlers.
    pub handlers: Pattern,
    /// The hosts and addresses that they may reach; empty for none.
    pub net: Vec<NetRule>,
}

impl NetPolicy {
    /// The rules for the requests of a handler: of several grants the most exact one counts.
    #[must_use]
    pub fn reach_of(&self, handler: &str) -> Reach {
        let fits = self.grants.iter().filter(|grant| grant.handlers.matches(handler));
        let grant = fits.max_by_key(|grant| grant.handlers.exactness()).cloned();
        Reach { allow: self.allow.clone(), deny: self.deny.clone(), grant }
    }

    /// The rules for requests of the server itself to one place besides public ones.
    #[must_use]
    pub fn reach_to(&self, place: NetRule) -> Reach {
        Reach { allow: vec![place], deny: self.deny.clone(), grant: None }
    }
}

/// The rules that are in force for one handler.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    allow: Vec<NetRule>,
    deny: Vec<NetRule>,
    grant: Option<Grant>,
}

impl Reach {
    /// Judges a host before its name is resolved.
    ///
    /// # Errors
    /// A sentence that names the host and the setting that refuses it.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), String> {
        if let Some(rule) = self.deny.iter().find(|rule| rule.names_host(host, port)) {
            return Err(format!("{host}:{port} is refused: the server's net.deny has {rule}"));
        }
        match &self.grant {
            Some(grant) if grant.net.is_empty() => Err(format!(
                "{host}:{port} is refused: the server's grants.\"{}\".net is false, so this handler makes no requests",
                grant.handlers
            )),
            Some(grant) if !grant.net.iter().any(|r| r.is_of_addresses() || r.names_host(host, port)) => {
                Err(refuse_beyond(grant, host, port))
            }
            _ => Ok(()),
        }
    }

    /// Judges an address that a host has. `host` is the name, or the address itself as a text.
    ///
    /// # Errors
    /// A sentence that names the address and the setting that refuses or would allow it.
    pub fn check_address(&self, host: &str, address: IpAddr, port: u16) -> Result<(), String> {
        let shown = show(host, address, port);
        if let Some(rule) = self.deny.iter().find(|rule| rule.names_address(address, port)) {
            return Err(format!("{shown} is refused: the server's net.deny has {rule}"));
        }
        let names = |rule: &NetRule| rule.names_host(host, port) || rule.names_address(address, port);
        if let Some(grant) = &self.grant
            && !grant.net.iter().any(names)
        {
            return Err(refuse_beyond(grant, &address.to_string(), port));
        }
        let is_open = |rule: &NetRule| names(rule) && rule.has_own_port();
        if BLOCKED_PORTS.contains(&port) && !self.allow.iter().any(is_open) {
            let rule = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
            return Err(format!(
                "{shown} is refused: the Fetch standard blocks port {port}, which is not for HTTP; \
                 net.allow = [\"{rule}\"] would allow it"
            ));
        }
        match classify(address) {
            Some(class) if !self.allow.iter().any(names) => Err(refuse_class(&shown, host, class)),
            _ => Ok(()),
        }
    }
}

fn refuse_class(shown: &str, host: &str, class: AddressClass) -> String {
    format!(
        "{shown} is refused: it is {class}, and handlers reach only public ones unless the server's \
         net.allow names them; net.allow = [\"{host}\"] would allow it"
    )
}

fn refuse_beyond(grant: &Grant, target: &str, port: u16) -> String {
    format!(
        "{target}:{port} is refused: it is not in the server's grants.\"{}\".net, the list of this handler",
        grant.handlers
    )
}

/// An address for people: `10.0.0.1:80`, `[::1]:80` or `10.0.0.1:80 (db.example)`.
pub fn show(host: &str, address: IpAddr, port: u16) -> String {
    let socket = std::net::SocketAddr::new(address, port);
    if host == address.to_string() { socket.to_string() } else { format!("{socket} ({host})") }
}
