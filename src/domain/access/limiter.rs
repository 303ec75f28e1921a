//! The limit of failed attempts to log in, per address.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
};

use crate::domain::Millis;

/// Failures of one address within [`SPAN`] after which it is refused.
const FAILURES: usize = 10;
/// In milliseconds.
const SPAN: Millis = 60_000;
/// Addresses that are remembered; the one that has been silent longest is forgotten first.
const ADDRESSES: usize = 10_000;

/// Counts failures per address. An IPv6 host has its whole /64, so that counts as one address.
///
/// Only failures count: a token has 256 bits, so the right one is let through always, and nobody
/// behind the same proxy can lock others out.
#[derive(Debug, Default)]
pub struct Limiter {
    failures: HashMap<IpAddr, VecDeque<Millis>>,
}

impl Limiter {
    /// Counts a failure, or refuses when there are too many: the seconds until the next attempt.
    ///
    /// # Errors
    /// The address has failed too often; the whole seconds to wait, 1 to 60.
    pub fn note_failure(&mut self, address: IpAddr, now: Millis) -> Result<(), u32> {
        let address = network_of(address);
        if self.failures.len() >= ADDRESSES && !self.failures.contains_key(&address) {
            self.forget(now);
        }
        let times = self.failures.entry(address).or_default();
        // A clock that was set back would keep an address out for as long as the step.
        while times.front().is_some_and(|&time| now - time >= SPAN || time > now) {
            times.pop_front();
        }
        if times.len() >= FAILURES {
            let wait = times.front().map_or(SPAN, |time| time + SPAN - now);
            return Err(u32::try_from(wait.div_euclid(1000) + 1).unwrap_or(60).min(60));
        }
        times.push_back(now);
        Ok(())
    }

    /// Forgets addresses whose failures are old, else the one that has been silent longest.
    fn forget(&mut self, now: Millis) {
        self.failures.retain(|_, times| times.back().is_some_and(|&time| now - time < SPAN && time <= now));
        if self.failures.len() >= ADDRESSES
            && let Some((&silent, _)) = self.failures.iter().min_by_key(|(_, times)| times.back().copied())
        {
            self.failures.remove(&silent);
        }
    }
}

/// The address that is counted for a host.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_eleventh_failure_within_a_minute_is_refused_for_that_address_only() {
        let mut limiter = Limiter::default();
        for time in 0..10 {
            assert_eq!(limiter.note_failure(ip("192.0.2.1"), time * 1000), Ok(()));
        }
        assert_eq!(limiter.note_failure(ip("192.0.2.1"), 10_000), Err(51));
        assert_eq!(limiter.note_failure(ip("::ffff:192.0.2.1"), 59_999), Err(1));
        assert_eq!(limiter.note_failure(ip("192.0.2.2"), 10_000), Ok(()));
        assert_eq!(limiter.note_failure(ip("192.0.2.1"), 60_000), Ok(()));
        assert_eq!(limiter.note_failure(ip("192.0.2.1"), 60_001), Err(1));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let mut limiter = Limiter::default();
        for host in 0..10 {
            assert_eq!(limiter.note_failure(ip(&format!("2001:db8::{host}")), 0), Ok(()));
        }
        assert!(limiter.note_failure(ip("2001:db8:0:0:ffff::1"), 0).is_err());
        assert!(limiter.note_failure(ip("2001:db8:0:1::1"), 0).is_ok());
    }

    #[test]
    fn the_memory_is_bounded_and_a_clock_set_back_locks_nobody_out() {
        let mut limiter = Limiter::default();
        for host in 0..ADDRESSES + 100 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(host).expect("small")));
            assert_eq!(limiter.note_failure(address, 1_000_000), Ok(()));
        }
        assert!(limiter.failures.len() <= ADDRESSES);
        let mut limiter = Limiter::default();
        assert!((0..10).all(|_| limiter.note_failure(ip("192.0.2.1"), 1_000_000).is_ok()));
        assert_eq!(limiter.note_failure(ip("192.0.2.1"), 0), Ok(()));
    }
}
