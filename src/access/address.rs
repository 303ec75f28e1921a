//! The address of the client behind a request.

use std::net::IpAddr;

use ipnet::IpNet;

/// The address of the client: the connection's, or the last address of `X-Forwarded-For` that no trusted
/// proxy has, if the connection is one of a trusted proxy. `forwarded` has the values of that header in
/// their order.
#[must_use]
pub fn client_address<'a>(
    peer: Option<IpAddr>,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let mut client = peer?.to_canonical();
    for hop in forwarded.rev().flat_map(|value| value.rsplit(',')) {
        if !trusted.iter().any(|network| network.contains(&client)) {
            break;
        }
        let Some(address) = read_hop(hop) else { break };
        client = address;
    }
    Some(client)
}

/// An address with or without a port.
fn read_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address =
        text.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|full| full.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_of_a_trusted_proxy_counts() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].iter().map(|n| n.parse().expect("one")).collect();
        let client = |peer: &str, forwarded: &[&str]| {
            let peer = peer.parse().expect("an address");
            client_address(Some(peer), forwarded.iter().copied(), &trusted).map(|address| address.to_string())
        };
        for (peer, forwarded, found) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1:5000"], "198.51.100.1"),
            ("::1", &["203.0.113.9, 198.51.100.1", "10.1.1.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1"),
        ] {
            assert_eq!(client(peer, forwarded).as_deref(), Some(found), "{peer} {forwarded:?}");
        }
        assert_eq!(client_address(None, std::iter::empty(), &trusted), None);
    }
}
