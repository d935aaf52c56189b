//! Which addresses are special: those that a stranger must not make us dial.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why an address is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Special {
    /// `0.0.0.0/8`, `::`.
    Unspecified,
    /// This host.
    Loopback,
    /// A network behind NAT (RFC 1918), unique-local IPv6.
    Private,
    /// One link.
    LinkLocal,
    /// Carrier-grade NAT (RFC 6598).
    CarrierNat,
    /// The metadata or host service of a cloud at an address that is otherwise public.
    Metadata,
    /// Many receivers.
    Multicast,
    /// For documents.
    Documentation,
    /// For measuring.
    Benchmarking,
    /// An address that stands for another one: NAT64, 6to4, Teredo, IPv4-compatible.
    Tunnel,
    /// Anything else that is not globally reachable.
    Reserved,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::CarrierNat => "an address of a carrier's NAT",
            Self::Metadata => "an address of a cloud's metadata service",
            Self::Multicast => "a multicast address",
            Self::Documentation => "an address for documentation",
            Self::Benchmarking => "an address for benchmarking",
            Self::Tunnel => "an address that stands for another one",
            Self::Reserved => "a reserved address",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// Special IPv4 networks (IANA's registry, RFC 6890, and the metadata addresses outside of it).
/// The first that holds an address names it.
const V4: &[(Ipv4Net, Special)] = &[
    (v4(0, 0, 0, 0, 8), Special::Unspecified),
    (v4(10, 0, 0, 0, 8), Special::Private),
    (v4(100, 64, 0, 0, 10), Special::CarrierNat),
    (v4(127, 0, 0, 0, 8), Special::Loopback),
    // Azure's host service ("wire server").
    (v4(168, 63, 129, 16, 32), Special::Metadata),
    // Also 169.254.169.254, the metadata service of most clouds.
    (v4(169, 254, 0, 0, 16), Special::LinkLocal),
    (v4(172, 16, 0, 0, 12), Special::Private),
    (v4(192, 0, 0, 0, 24), Special::Reserved),
    (v4(192, 0, 2, 0, 24), Special::Documentation),
    (v4(192, 31, 196, 0, 24), Special::Reserved),
    (v4(192, 52, 193, 0, 24), Special::Tunnel),
    (v4(192, 88, 99, 0, 24), Special::Tunnel),
    (v4(192, 168, 0, 0, 16), Special::Private),
    (v4(192, 175, 48, 0, 24), Special::Reserved),
    (v4(198, 18, 0, 0, 15), Special::Benchmarking),
    (v4(198, 51, 100, 0, 24), Special::Documentation),
    (v4(203, 0, 113, 0, 24), Special::Documentation),
    (v4(224, 0, 0, 0, 4), Special::Multicast),
    // With the broadcast address.
    (v4(240, 0, 0, 0, 4), Special::Reserved),
];

/// Special IPv6 networks. What is in none of them is public only inside [`GLOBAL`].
const V6: &[(Ipv6Net, Special)] = &[
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
        Special::Unspecified,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
        Special::Loopback,
    ),
    // `::a.b.c.d`.
    (v6(0, 0, 0, 96), Special::Tunnel),
    (v6(0x64, 0xff9b, 0, 96), Special::Tunnel),
    (v6(0x64, 0xff9b, 1, 48), Special::Tunnel),
    (v6(0x100, 0, 0, 64), Special::Reserved),
    (v6(0x2001, 2, 0, 48), Special::Benchmarking),
    (v6(0x2001, 0, 0, 32), Special::Tunnel),
    (v6(0x2001, 0xdb8, 0, 32), Special::Documentation),
    // ORCHID and other protocol assignments.
    (v6(0x2001, 0, 0, 23), Special::Reserved),
    (v6(0x2002, 0, 0, 16), Special::Tunnel),
    (v6(0x3fff, 0, 0, 20), Special::Documentation),
    (v6(0x5f00, 0, 0, 16), Special::Reserved),
    (v6(0xfc00, 0, 0, 7), Special::Private),
    (v6(0xfe80, 0, 0, 10), Special::LinkLocal),
    (v6(0xfec0, 0, 0, 10), Special::Private),
    (v6(0xff00, 0, 0, 8), Special::Multicast),
];

/// Global unicast: everything else of IPv6 is reserved.
const GLOBAL: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Why an address is not public; `None` if it is. An IPv4 address in IPv6 form
/// (`::ffff:10.0.0.1`) is judged as what it is.
#[must_use]
pub fn special(address: IpAddr) -> Option<Special> {
    match address.to_canonical() {
        IpAddr::V4(address) => V4
            .iter()
            .find(|(network, _)| network.contains(&address))
            .map(|(_, special)| *special),
        IpAddr::V6(address) => V6
            .iter()
            .find(|(network, _)| network.contains(&address))
            .map(|(_, special)| *special)
            .or_else(|| (!GLOBAL.contains(&address)).then_some(Special::Reserved)),
    }
}

/// As [`special`], with the networks that the operator permits.
pub(super) fn refused(allow: &[IpNet], address: IpAddr) -> Option<Special> {
    let canonical = address.to_canonical();
    if allow.iter().any(|network| network.contains(&canonical)) {
        return None;
    }
    special(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Special> {
        special(text.parse().unwrap())
    }

    #[test]
    fn every_special_range_is_refused_at_both_of_its_ends() {
        for (network, expected) in V4 {
            assert_eq!(special(network.network().into()), Some(*expected));
            assert_eq!(special(network.broadcast().into()), Some(*expected));
        }
        for (network, _) in V6 {
            assert!(special(network.network().into()).is_some(), "{network}");
            assert!(special(network.broadcast().into()).is_some(), "{network}");
        }
    }

    #[test]
    fn well_known_addresses() {
        for (text, expected) in [
            ("127.0.0.1", Special::Loopback),
            ("169.254.169.254", Special::LinkLocal),
            ("168.63.129.16", Special::Metadata),
            ("100.100.100.200", Special::CarrierNat),
            ("fd00:ec2::254", Special::Private),
            ("::ffff:10.0.0.1", Special::Private),
            ("::10.0.0.1", Special::Tunnel),
            ("64:ff9b::a00:1", Special::Tunnel),
            ("2002:a00:1::", Special::Tunnel),
            ("2001::1", Special::Tunnel),
            ("fe80::1", Special::LinkLocal),
            ("255.255.255.255", Special::Reserved),
            ("4000::1", Special::Reserved),
        ] {
            assert_eq!(of(text), Some(expected), "{text}");
        }
        for text in ["1.1.1.1", "9.255.255.255", "172.32.0.1", "2606:4700::1111"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_permitted_network_permits_no_other() {
        let allow = ["10.1.0.0/16".parse().unwrap()];
        assert_eq!(refused(&allow, "10.1.2.3".parse().unwrap()), None);
        assert_eq!(refused(&allow, "::ffff:10.1.2.3".parse().unwrap()), None);
        let other = refused(&allow, "10.2.0.1".parse().unwrap());
        assert_eq!(other, Some(Special::Private));
    }
}
