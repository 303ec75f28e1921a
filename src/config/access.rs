//! Settings of access: the public address, proxies, tokens.

use ipnet::IpNet;

use crate::domain::access::public_url::PublicUrl;

/// Who may reach the server, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessConfig {
    /// The address at which people reach the server.
    pub public_url: Option<PublicUrl>,
    /// The proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// The names whose values in params and results viewers and operators do not see.
    pub redact: Vec<String>,
    /// The longest life of a new token in milliseconds.
    pub longest_token: Option<u64>,
}
