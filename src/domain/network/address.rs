//! Classes of addresses that are not public unicast.
//!
//! Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates) and
//! the IPv6 address space registry (RFC 4291). Blocks that a registry calls globally reachable are
//! public here if they are networks like any other (AS112 and AMT in IPv4, AS112 in 2620:4f:8000::/48).
//! Single anycast addresses inside 192.0.0.0/24 and 2001::/23 are refused with their block.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is not public unicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// `0.0.0.0/8`, `::`
    Unspecified,
    /// `127.0.0.0/8`, `::1`
    Loopback,
    /// RFC 1918, unique-local and site-local addresses.
    Private,
    /// `100.64.0.0/10`
    CarrierGradeNat,
    /// Also the metadata services of clouds at 169.254.169.254.
    LinkLocal,
    /// To many receivers.
    Multicast,
    /// `255.255.255.255`
    Broadcast,
    /// In texts only.
    Documentation,
    /// Tests of network devices.
    Benchmarking,
    /// Protocol assignments, and space without a use.
    Reserved,
    /// The IPv4 address inside is not seen by everyone: IPv4-compatible, 6to4 and Teredo addresses,
    /// and NAT64 prefixes of a network's own.
    Transition,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::CarrierGradeNat => "an address of carrier-grade NAT",
            Self::LinkLocal => "a link-local address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "an address for documentation",
            Self::Benchmarking => "an address for benchmarks",
            Self::Reserved => "a reserved address",
            Self::Transition => "an address that hides an IPv4 address",
        })
    }
}

/// A block: its first address, the length of its prefix, its class.
type Block<A> = (A, u32, AddressClass);

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

const fn v6(a: u16, b: u16, c: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)
}

/// The first block that contains an address counts.
const V4: [Block<Ipv4Addr>; 16] = [
    (v4(0, 0, 0, 0), 8, AddressClass::Unspecified),
    (v4(10, 0, 0, 0), 8, AddressClass::Private),
    (v4(100, 64, 0, 0), 10, AddressClass::CarrierGradeNat),
    (v4(127, 0, 0, 0), 8, AddressClass::Loopback),
    (v4(169, 254, 0, 0), 16, AddressClass::LinkLocal),
    (v4(172, 16, 0, 0), 12, AddressClass::Private),
    (v4(192, 0, 0, 0), 24, AddressClass::Reserved),
    (v4(192, 0, 2, 0), 24, AddressClass::Documentation),
    // The relay of 6to4, withdrawn by RFC 7526.
    (v4(192, 88, 99, 0), 24, AddressClass::Reserved),
    (v4(192, 168, 0, 0), 16, AddressClass::Private),
    (v4(198, 18, 0, 0), 15, AddressClass::Benchmarking),
    (v4(198, 51, 100, 0), 24, AddressClass::Documentation),
    (v4(203, 0, 113, 0), 24, AddressClass::Documentation),
    (v4(224, 0, 0, 0), 4, AddressClass::Multicast),
    (v4(255, 255, 255, 255), 32, AddressClass::Broadcast),
    (v4(240, 0, 0, 0), 4, AddressClass::Reserved),
];

/// The first block that contains an address counts; an address in none of them is public only in
/// `2000::/3`, the one block that is in use for global unicast.
const V6: [Block<Ipv6Addr>; 14] = [
    (Ipv6Addr::UNSPECIFIED, 128, AddressClass::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, AddressClass::Loopback),
    // IPv4-compatible (RFC 4291, deprecated).
    (Ipv6Addr::UNSPECIFIED, 96, AddressClass::Transition),
    // NAT64 of a network's own (RFC 8215).
    (v6(0x64, 0xff9b, 1), 48, AddressClass::Transition),
    (v6(0x2001, 0, 0), 32, AddressClass::Transition), // Teredo
    (v6(0x2001, 2, 0), 48, AddressClass::Benchmarking),
    (v6(0x2001, 0, 0), 23, AddressClass::Reserved),
    (v6(0x2001, 0xdb8, 0), 32, AddressClass::Documentation),
    (v6(0x2002, 0, 0), 16, AddressClass::Transition), // 6to4
    (v6(0x3fff, 0, 0), 20, AddressClass::Documentation),
    (v6(0xfc00, 0, 0), 7, AddressClass::Private),
    (v6(0xfe80, 0, 0), 10, AddressClass::LinkLocal),
    (v6(0xfec0, 0, 0), 10, AddressClass::Private), // site-local, deprecated
    (v6(0xff00, 0, 0), 8, AddressClass::Multicast),
];

/// The class of an address, or `None` for public unicast. The IPv4 address counts of those that
/// are IPv4-mapped (`::ffff:0:0/96`) or in the NAT64 prefix of the Internet (`64:ff9b::/96`).
#[must_use]
pub fn classify(address: IpAddr) -> Option<AddressClass> {
    match plain(address) {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => match nat64(v6) {
            Some(v4) => classify_v4(v4),
            None => classify_v6(v6),
        },
    }
}

/// The IPv4 address of one that is IPv4-mapped; any other unchanged.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The IPv4 address inside one of the NAT64 prefix `64:ff9b::/96` (RFC 6052).
pub(super) fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() else { return None };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

fn classify_v4(address: Ipv4Addr) -> Option<AddressClass> {
    let within = |(first, length, _): &&Block<Ipv4Addr>| {
        (first.to_bits() ^ address.to_bits()).leading_zeros() >= *length
    };
    V4.iter().find(within).map(|(.., class)| *class)
}

fn classify_v6(address: Ipv6Addr) -> Option<AddressClass> {
    let within = |(first, length, _): &&Block<Ipv6Addr>| {
        (first.to_bits() ^ address.to_bits()).leading_zeros() >= *length
    };
    let is_global_unicast = address.segments()[0] >> 13 == 1;
    let other = (!is_global_unicast).then_some(AddressClass::Reserved);
    V6.iter().find(within).map(|(.., class)| *class).or(other)
}
