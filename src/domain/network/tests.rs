//! Addresses beside an independent list, and the rules.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

/// Addresses with the judgement of Python's `ipaddress`.
const RECORDED: &str = include_str!("../../../tests/cases/addresses.txt");

/// The blocks that Python calls global and that are refused here.
const STRICTER: &[(&str, &str)] = &[
    ("192.0.0.0/24", "IETF assignments: Python knows the ones that are private only"),
    ("192.88.99.0/24", "the withdrawn relay of 6to4"),
    ("2002::/16", "6to4, whose IPv4 address may be any"),
    ("3fff::/20", "documentation since RFC 9637, newer than that Python"),
    // Python does not look at the IPv4 address inside.
    ("64:ff9b::/96", "NAT64 of an address that is refused"),
    // The rest is outside of 2000::/3: nothing there is in use for global unicast.
    ("::/3", "outside of 2000::/3"),
    ("4000::/2", "outside of 2000::/3"),
    ("8000::/1", "outside of 2000::/3"),
];

#[test]
fn addresses_are_public_if_python_says_so_but_for_blocks_that_are_refused_here() {
    let stricter: Vec<IpNet> = STRICTER.iter().map(|(block, _)| block.parse().expect("a block")).collect();
    let mut seen = 0;
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        let (address, judgement) = line.split_once(' ').expect("two words");
        let address: IpAddr = address.parse().expect("an address");
        let public = classify(address).is_none();
        if public != (judgement == "global") {
            assert!(!public, "{address} is public here and not in Python");
            assert!(stricter.iter().any(|block| block.contains(&address)), "{address} is refused here only");
        }
        seen += 1;
    }
    assert!(seen > 900, "{seen}");
}

#[test]
fn an_address_inside_another_one_counts() {
    for (address, expected) in [
        ("::ffff:127.0.0.1", Some(AddressClass::Loopback)),
        ("::ffff:169.254.169.254", Some(AddressClass::LinkLocal)),
        ("::ffff:8.8.8.8", None),
        ("::127.0.0.1", Some(AddressClass::Transition)),
        ("64:ff9b::10.0.0.1", Some(AddressClass::Private)),
        ("64:ff9b::8.8.8.8", None),
        ("64:ff9b:1::8.8.8.8", Some(AddressClass::Transition)),
        ("2002:7f00:1::", Some(AddressClass::Transition)),
        ("2001:0:1::1", Some(AddressClass::Transition)),
        ("169.254.169.254", Some(AddressClass::LinkLocal)),
        ("fd00:ec2::254", Some(AddressClass::Private)),
        ("100.100.100.200", Some(AddressClass::CarrierGradeNat)),
        ("255.255.255.255", Some(AddressClass::Broadcast)),
        ("2606:4700::1111", None),
    ] {
        assert_eq!(classify(address.parse().expect("an address")), expected, "{address}");
    }
}

proptest! {
    #[test]
    fn every_wrapping_of_a_refused_ipv4_address_is_refused(bits in any::<u32>()) {
        let v4 = std::net::Ipv4Addr::from_bits(bits);
        let refused = classify(v4.into()).is_some();
        prop_assert_eq!(classify(v4.to_ipv6_mapped().into()).is_some(), refused);
        let nat64: IpAddr = format!("64:ff9b::{v4}").parse().expect("an address");
        prop_assert_eq!(classify(nat64).is_some(), refused);
        let compatible: IpAddr = format!("::{v4}").parse().expect("an address");
        prop_assert!(classify(compatible).is_some());
        let six = u128::from(bits) << 80 | 0x2002 << 112;
        prop_assert!(classify(std::net::Ipv6Addr::from_bits(six).into()).is_some());
    }
}

fn rules(texts: &[&str]) -> Vec<NetRule> {
    texts.iter().map(|text| text.parse().unwrap_or_else(|()| panic!("{text}"))).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_rule_names_hosts_below_addresses_and_ports() {
    for (rule, host, port, named) in [
        ("api.example.com", "api.example.com", 80, true),
        ("API.example.com.", "api.example.com.", 80, true),
        ("api.example.com", "x.api.example.com", 80, false),
        ("*.example.com", "a.b.example.com", 80, true),
        ("*.example.com", "example.com", 80, false),
        ("*.example.com", "badexample.com", 80, false),
        ("db.local:5432", "db.local", 5432, true),
        ("db.local:5432", "db.local", 80, false),
        ("b\u{fc}cher.example", "xn--bcher-kva.example", 80, true),
    ] {
        assert_eq!(rules(&[rule])[0].names_host(host, port), named, "{rule} {host}:{port}");
    }
    for (rule, found, port, named) in [
        ("10.0.0.0/8", "10.9.8.7", 80, true),
        ("10.0.0.0/8:443", "10.9.8.7", 80, false),
        ("127.0.0.1", "::ffff:127.0.0.1", 80, true),
        ("10.0.0.0/8", "64:ff9b::10.0.0.1", 80, true),
        ("[::1]:80", "::1", 80, true),
        ("[fd00::/8]:80", "fd12::1", 80, true),
        ("fd00::/8", "fd12::1", 1, true),
        ("::1", "::2", 80, false),
    ] {
        assert_eq!(rules(&[rule])[0].names_address(address(found), port), named, "{rule} {found}:{port}");
    }
}

#[test]
fn a_text_that_is_no_rule_is_refused() {
    for text in [
        "",
        "*",
        "*.",
        "a b",
        "http://a.example",
        "a.example/x",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "127.1",
        "0x7f.1",
        "a.example:0",
        "a.example:",
        "a.example:+1",
        "a.example:70000",
        "[::1",
        "[::1]x",
        "[::1]:",
        "*.*.a",
        "fe80::1%1",
    ] {
        assert!(text.parse::<NetRule>().is_err(), "{text}");
    }
}

#[test]
fn a_refusal_names_the_address_and_the_setting() {
    let policy = NetPolicy {
        allow: rules(&["10.1.0.0/16", "inside.example"]),
        deny: rules(&["10.1.2.0/24", "*.evil.example"]),
        grants: vec![
            Grant { handlers: "quiet".parse().expect("a pattern"), net: Vec::new() },
            Grant {
                handlers: "reports/*".parse().expect("a pattern"),
                net: rules(&["api.example", "10.1.0.0/16"]),
            },
            Grant { handlers: "reports/free".parse().expect("a pattern"), net: rules(&["*.example"]) },
        ],
    };
    let any = policy.reach_of("any");
    assert_eq!(any.check_host("a.example", 80), Ok(()));
    assert_eq!(any.check_address("a.example", address("8.8.8.8"), 80), Ok(()));
    assert_eq!(any.check_address("a.example", address("10.1.9.9"), 80), Ok(()));
    assert_eq!(any.check_address("inside.example", address("192.168.0.1"), 80), Ok(()));
    let refused = [
        any.check_host("a.evil.example", 80),
        any.check_address("a.example", address("10.1.2.3"), 80),
        any.check_address("a.example", address("127.0.0.1"), 80),
        policy.reach_of("quiet").check_host("a.example", 80),
        policy.reach_of("reports/sales").check_address("b.example", address("8.8.8.8"), 443),
    ];
    let words = [
        "a.evil.example:80 is refused: the server's net.deny has *.evil.example",
        "10.1.2.3:80 (a.example) is refused: the server's net.deny has 10.1.2.0/24",
        "127.0.0.1:80 (a.example) is refused: it is a loopback address, and handlers reach only public ones \
         unless the server's net.allow names them; net.allow = [\"a.example\"] would allow it",
        "a.example:80 is refused: the server's grants.\"quiet\".net is false, so this handler makes no requests",
        "8.8.8.8:443 is refused: it is not in the server's grants.\"reports/*\".net, the list of this handler",
    ];
    for (refused, words) in refused.into_iter().zip(words) {
        assert_eq!(refused.expect_err(words), words);
    }
}

#[test]
fn the_most_exact_grant_counts_and_only_narrows() {
    let policy = NetPolicy {
        grants: vec![
            Grant { handlers: "a/*".parse().expect("a pattern"), net: Vec::new() },
            Grant { handlers: "a/b".parse().expect("a pattern"), net: rules(&["one.example", "10.0.0.0/8"]) },
        ],
        ..NetPolicy::default()
    };
    assert!(policy.reach_of("a/c").check_host("one.example", 80).is_err());
    assert!(policy.reach_of("ab").check_host("two.example", 80).is_ok());
    let exact = policy.reach_of("a/b");
    assert!(exact.check_address("one.example", address("8.8.8.8"), 80).is_ok());
    assert!(exact.check_address("two.example", address("8.8.8.8"), 80).is_err());
    // A grant opens nothing that the server does not.
    assert!(exact.check_address("x.example", address("10.0.0.1"), 80).is_err());
}

#[test]
fn ports_of_other_protocols_need_a_rule_with_the_port() {
    let public = address("8.8.8.8");
    let refused = NetPolicy::default().reach_of("h").check_address("a.example", public, 25);
    let words = "net.allow = [\"a.example:25\"] would allow it";
    assert!(refused.as_ref().is_err_and(|text| text.contains(words)), "{refused:?}");
    for (rule, open) in [("a.example", false), ("a.example:25", true), ("8.8.8.8:25", true)] {
        let policy = NetPolicy { allow: rules(&[rule]), ..NetPolicy::default() };
        assert_eq!(policy.reach_of("h").check_address("a.example", public, 25).is_ok(), open, "{rule}");
    }
}
