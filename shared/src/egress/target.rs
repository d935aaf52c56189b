//! An address that was checked as far as its text goes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use reqwest::Url;

use super::address::{Special, refused};
use super::config::EgressConfig;
use super::error::Refusal;

/// Greatest length of a URL, in bytes.
const LONGEST: usize = 2_048;

/// A URL that may be dialled, as far as can be known without looking its name up. The rest is
/// checked at every connect.
///
/// Parsing normalises first, so a host in decimal, octal or hexadecimal form, with fewer than
/// four parts, or percent-encoded, is the address it stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
}

impl Target {
    /// Checks a URL.
    ///
    /// # Errors
    /// Why it is refused, in words for whoever named it.
    pub fn parse(config: &EgressConfig, text: &str) -> Result<Self, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::TooLong);
        }
        let url = Url::parse(text).map_err(|_| Refusal::Malformed)?;
        Self::check(config, url)
    }

    /// The target that a redirect of this one names.
    pub(super) fn join(&self, config: &EgressConfig, location: &str) -> Result<Self, Refusal> {
        if location.len() > LONGEST {
            return Err(Refusal::TooLong);
        }
        let url = self.url.join(location).map_err(|_| Refusal::Malformed)?;
        Self::check(config, url)
    }

    fn check(config: &EgressConfig, mut url: Url) -> Result<Self, Refusal> {
        match url.scheme() {
            "https" => {}
            "http" if !config.require_https => {}
            _ => return Err(Refusal::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        // Of these schemes every URL has a host; an address is in brackets where it is IPv6.
        let host = url.host_str().ok_or(Refusal::Malformed)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Some(special) = named(&config.allow, bare) {
            let host = host.to_owned();
            return Err(Refusal::Special { host, special });
        }
        // It is for the reader's eyes and is never sent.
        url.set_fragment(None);
        Ok(Self { url })
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Whether another target has the same scheme, host and port.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.url.origin() == other.url.origin()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}

/// Why a host is refused by its text alone.
fn named(allow: &[IpNet], host: &str) -> Option<Special> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return refused(allow, address);
    }
    // `localhost` and what is below it are this host, whatever a resolver says (RFC 6761).
    let name = host.trim_end_matches('.');
    let local = name == "localhost" || name.ends_with(".localhost");
    if !local {
        return None;
    }
    refused(allow, Ipv4Addr::LOCALHOST.into()).and(refused(allow, Ipv6Addr::LOCALHOST.into()))
}

/// Without the query, which may hold a token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        shown.set_query(None);
        f.write_str(shown.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn refusal(text: &str) -> Option<Refusal> {
        let config = Config::defaults().unwrap().egress;
        Target::parse(&config, text).err()
    }

    #[test]
    fn odd_notations_of_an_address_are_that_address() {
        for (host, special) in [
            ("127.0.0.1", Special::Loopback),
            ("127.1", Special::Loopback),
            ("2130706433", Special::Loopback),
            ("0x7f000001", Special::Loopback),
            ("0x7f.1", Special::Loopback),
            ("0177.0.0.1", Special::Loopback),
            ("017700000001", Special::Loopback),
            ("%31%32%37.0.0.1", Special::Loopback),
            ("１２７.0.0.1", Special::Loopback),
            ("127。0。0。1", Special::Loopback),
            ("127.0.0.1.", Special::Loopback),
            ("0", Special::Unspecified),
            ("0.0.0.0", Special::Unspecified),
            ("[::]", Special::Unspecified),
            ("[::1]", Special::Loopback),
            ("[0:0:0:0:0:0:0:1]", Special::Loopback),
            ("[::ffff:127.0.0.1]", Special::Loopback),
            ("[::ffff:7f00:1]", Special::Loopback),
            ("[::ffff:0:7f00:1]", Special::Reserved),
            ("[::127.0.0.1]", Special::Tunnel),
            ("[64:ff9b::7f00:1]", Special::Tunnel),
            ("[2002:7f00:1::]", Special::Tunnel),
            ("[fe80::1]", Special::LinkLocal),
            ("[fd00:ec2::254]", Special::Private),
            ("10.0.0.1", Special::Private),
            ("167772161", Special::Private),
            ("169.254.169.254", Special::LinkLocal),
            ("0xa9fea9fe", Special::LinkLocal),
            ("localhost", Special::Loopback),
            ("LocalHost.", Special::Loopback),
            ("a.localhost", Special::Loopback),
            ("ｌocalhost", Special::Loopback),
        ] {
            for port in ["", ":8443"] {
                let text = format!("https://{host}{port}/x");
                match refusal(&text) {
                    Some(Refusal::Special { special: found, .. }) => {
                        assert_eq!(found, special, "{text}");
                    }
                    other => panic!("{text}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_no_address_of_a_public_host_is_refused() {
        for (text, expected) in [
            ("", Refusal::Malformed),
            ("example.com", Refusal::Malformed),
            ("https://", Refusal::Malformed),
            ("https://[::1%25eth0]/", Refusal::Malformed),
            ("https://1.2.3.4.5/", Refusal::Malformed),
            ("http://example.com/", Refusal::Scheme),
            ("ftp://example.com/", Refusal::Scheme),
            ("file:///etc/passwd", Refusal::Scheme),
            ("gopher://example.com/", Refusal::Scheme),
            ("https://me@example.com/", Refusal::UserInfo),
            ("https://me:secret@example.com/", Refusal::UserInfo),
            ("https://:secret@example.com/", Refusal::UserInfo),
        ] {
            assert_eq!(refusal(text), Some(expected), "{text}");
        }
        let long = format!("https://example.com/{}", "x".repeat(LONGEST));
        assert_eq!(refusal(&long), Some(Refusal::TooLong));
        assert_eq!(refusal("https://example.com:8443/hook?token=1#part"), None);
        assert_eq!(refusal("https://xn--bcher-kva.example/"), None);
    }

    #[test]
    fn what_the_operator_permits_is_permitted() {
        let mut config = Config::defaults().unwrap().egress;
        config.require_https = false;
        config.allow = vec!["127.0.0.0/8".parse().unwrap()];
        for text in [
            "http://127.0.0.1:1/",
            "http://localhost/",
            "https://2130706433/",
        ] {
            assert!(Target::parse(&config, text).is_ok(), "{text}");
        }
        for text in ["http://10.0.0.1/", "http://[::1]/"] {
            assert!(Target::parse(&config, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_shows_no_query_in_logs() {
        let config = Config::defaults().unwrap().egress;
        let target = Target::parse(&config, "https://example.com/a?token=secret").unwrap();
        assert_eq!(format!("{target:?}"), "https://example.com/a");
    }
}
