//! Rules of `net.allow`, `net.deny` and `grants.<handler>.net`.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use url::Host;

/// A host, `*.host`, an address or a CIDR block, each with a port or for all ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetRule {
    target: Target,
    port: Option<u16>,
    /// As it was written.
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// A name in lower case, in ASCII, without a dot at its end.
    Host(String),
    /// Every name below this one, which is not among them.
    Below(String),
    Block(IpNet),
}

impl NetRule {
    /// Whether it names this host, for requests to this port. An address is named by rules with
    /// addresses only.
    #[must_use]
    pub fn names_host(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let named = match &self.target {
            Target::Host(name) => host == name,
            Target::Below(name) => host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.')),
            Target::Block(_) => false,
        };
        named && self.has_port(port)
    }

    /// Whether it names this address, for connections to this port.
    #[must_use]
    pub fn names_address(&self, address: IpAddr, port: u16) -> bool {
        let Target::Block(block) = &self.target else { return false };
        let address = super::address::plain(address);
        let inside = match address {
            IpAddr::V6(v6) => super::address::nat64(v6).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        self.has_port(port) && (block.contains(&address) || inside.is_some_and(|v4| block.contains(&v4)))
    }

    /// Whether it names addresses, which are known only once a name is resolved.
    #[must_use]
    pub fn is_of_addresses(&self) -> bool {
        matches!(self.target, Target::Block(_))
    }

    /// Whether it is for one port only.
    #[must_use]
    pub fn has_own_port(&self) -> bool {
        self.port.is_some()
    }

    fn has_port(&self, port: u16) -> bool {
        self.port.is_none_or(|only| only == port)
    }
}

impl fmt::Display for NetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for NetRule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (target, port) = split_port(text)?;
        let target = if let Some(below) = target.strip_prefix("*.") {
            Target::Below(host_name(below)?)
        } else if let Ok(address) = target.parse::<IpAddr>() {
            Target::Block(super::address::plain(address).into())
        } else if let Ok(block) = target.parse::<IpNet>() {
            // `10.0.0.5/8` is a slip, and a guess of its meaning would open too much.
            (block.addr() == block.network()).then_some(Target::Block(block)).ok_or(())?
        } else {
            Target::Host(host_name(target)?)
        };
        Ok(Self { target, port, text: text.to_owned() })
    }
}

/// `host:443`, `10.0.0.0/8:443` or `[fd00::/8]:443` in two; an IPv6 address without brackets has no
/// port.
fn split_port(text: &str) -> Result<(&str, Option<u16>), ()> {
    let (target, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (target, after) = rest.split_once(']').ok_or(())?;
            match after.strip_prefix(':') {
                None if after.is_empty() => return Ok((target, None)),
                None => return Err(()),
                Some(port) => (target, port),
            }
        }
        None => match text.split_once(':') {
            Some((target, port)) if !port.contains(':') => (target, port),
            _ => return Ok((text, None)),
        },
    };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0).ok_or(())?;
    Ok((target, Some(port)))
}

fn host_name(text: &str) -> Result<String, ()> {
    let text = text.strip_suffix('.').unwrap_or(text);
    match Host::parse(text) {
        Ok(Host::Domain(name)) if !name.is_empty() && !name.contains('*') => Ok(name),
        _ => Err(()),
    }
}
