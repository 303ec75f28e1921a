//! The bounds of the records of refusals, so that nobody can fill the store with them.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use crate::domain::{Millis, access::record::TokenHash};

/// In milliseconds.
const SPAN: Millis = 60_000;
/// Records of refusals that one token makes within [`SPAN`], at most.
const OF_A_TOKEN: u32 = 60;
/// Addresses whose failed logins, and whose changes for other sites, are recorded within [`SPAN`], at most.
const ADDRESSES: usize = 60;

/// Counts the refusals of the present minute.
#[derive(Debug, Default)]
pub struct Refusals {
    since: Millis,
    tokens: HashMap<TokenHash, u32>,
    addresses: HashSet<Option<IpAddr>>,
    /// The addresses whose browsers another site made ask for a change.
    misled: HashSet<Option<IpAddr>>,
}

impl Refusals {
    /// Whether a refusal of a token is recorded.
    pub fn admits_token(&mut self, token: TokenHash, now: Millis) -> bool {
        self.turn(now);
        let count = self.tokens.entry(token).or_default();
        *count = count.saturating_add(1);
        *count <= OF_A_TOKEN
    }

    /// Whether a failed login is recorded: the first of each minute and address.
    pub fn admits_address(&mut self, address: Option<IpAddr>, now: Millis) -> bool {
        self.turn(now);
        insert(&mut self.addresses, address)
    }

    /// Whether a change that another site made a browser ask for is recorded: the first of each minute and
    /// address.
    pub fn admits_other_site(&mut self, address: Option<IpAddr>, now: Millis) -> bool {
        self.turn(now);
        insert(&mut self.misled, address)
    }

    fn turn(&mut self, now: Millis) {
        // A clock that was set back begins a new minute too.
        if !(self.since..self.since.saturating_add(SPAN)).contains(&now) {
            *self = Self { since: now, ..Self::default() };
        }
    }
}

fn insert(addresses: &mut HashSet<Option<IpAddr>>, address: Option<IpAddr>) -> bool {
    addresses.len() < ADDRESSES && addresses.insert(address.map(|address| address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_room_for_so_many_refusals_only() {
        let mut refusals = Refusals::default();
        let (one, other) = (TokenHash([1; 32]), TokenHash([2; 32]));
        let admitted = (0..100).filter(|_| refusals.admits_token(one, 1_000_000)).count();
        assert_eq!(admitted, OF_A_TOKEN as usize);
        assert!(refusals.admits_token(other, 1_000_001), "each token has its own");
        assert!(refusals.admits_token(one, 1_060_000));
        assert!(refusals.admits_token(one, 5), "a clock that was set back");
    }

    #[test]
    fn the_first_failed_login_of_a_minute_and_address_is_recorded() {
        let mut refusals = Refusals::default();
        let ip = |text: &str| Some(text.parse().expect("an address"));
        assert!(refusals.admits_address(ip("192.0.2.1"), 0));
        assert!(!refusals.admits_address(ip("::ffff:192.0.2.1"), 59_999));
        assert!(refusals.admits_address(ip("192.0.2.2"), 59_999));
        assert!(refusals.admits_address(ip("192.0.2.1"), 60_000));
        let many = (0..1000).filter(|n| refusals.admits_address(ip(&format!("2001:db8::{n}")), 60_001));
        assert_eq!(many.count(), ADDRESSES - 1);
    }
}
