//! Proxies: the way that a session, or a whole installation, takes to WhatsApp.
//!
//! A proxy is named by a URL, `http://user:password@host:port` (HTTP CONNECT) or
//! `socks5://user:password@host:port`. Its credentials are shown to nobody again and are encrypted in
//! Redis. Names are looked up by the proxy, so that nothing of WhatsApp leaves by another way.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;

use crate::domain::OrganizationId;
use crate::secrets::{Keyring, OpenError, SealError};

/// Longest URL of a proxy, in bytes.
pub const LONGEST: usize = 1_024;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// `http://`: the CONNECT method.
    Http,
    /// `socks5://`: version 5, names looked up by the proxy.
    Socks5,
}

/// A proxy with its credentials. Neither `Debug` nor `Display` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How it is spoken to.
    pub kind: ProxyKind,
    /// Its host: a name, or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name and password, if it wants any.
    pub credentials: Option<(String, String)>,
}

/// What is wrong with the URL of a proxy, in words for whoever named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyProblem {
    /// It is no URL.
    #[error("must be a URL such as socks5://user:password@proxy.example:1080")]
    NoUrl,
    /// Its scheme is another one.
    #[error("must begin with http:// or socks5://")]
    Scheme,
    /// It has no port.
    #[error("must name the port")]
    NoPort,
    /// There is something behind the port.
    #[error("must end with the port: a proxy has no path, query or fragment")]
    Rest,
    /// SOCKS5 has one byte for the length of each.
    #[error("user name and password may have 255 bytes each, and none without the other")]
    Credentials,
}

/// A stored proxy that can not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredProxyError {
    /// No key opens it.
    #[error("the credentials of the session's proxy cannot be decrypted: see secrets.keys")]
    Sealed(#[from] OpenError),
    /// It is not what this program stores.
    #[error("the session's proxy is stored in a form that is not known")]
    Malformed,
}

impl Proxy {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ProxyProblem> {
        let url = Url::parse(text).map_err(|_| ProxyProblem::NoUrl)?;
        let kind = match url.scheme() {
            "http" => ProxyKind::Http,
            "socks5" | "socks5h" => ProxyKind::Socks5,
            _ => return Err(ProxyProblem::Scheme),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(ProxyProblem::NoUrl)?;
        // The URL leaves out a port that is the scheme's own.
        let port = url.port_or_known_default().ok_or(ProxyProblem::NoPort)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyProblem::Rest);
        }
        let plain = |text: &str| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.map(|text| text.into_owned())
        };
        let user = plain(url.username()).map_err(|_| ProxyProblem::Credentials)?;
        let password = plain(url.password().unwrap_or_default());
        let password = password.map_err(|_| ProxyProblem::Credentials)?;
        let fits = |text: &str| (1..=255).contains(&text.len());
        let credentials = match (user.as_str(), password.as_str()) {
            ("", "") => None,
            (user, password) if fits(user) && fits(password) => {
                Some((user.to_owned(), password.to_owned()))
            }
            _ => return Err(ProxyProblem::Credentials),
        };
        Ok(Self {
            kind,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            credentials,
        })
    }

    /// The URL without credentials, as sessions show it.
    #[must_use]
    pub fn shown(&self) -> String {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
        };
        let host = &self.host;
        if host.contains(':') {
            format!("{scheme}://[{host}]:{}", self.port)
        } else {
            format!("{scheme}://{host}:{}", self.port)
        }
    }

    /// The text that is stored for a session of this organization.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn seal(
        &self,
        keyring: &Keyring,
        organization: &OrganizationId,
    ) -> Result<String, SealError> {
        let (user, password) = match &self.credentials {
            Some((user, password)) => (user.as_str(), password.as_str()),
            None => ("", ""),
        };
        // A NUL is in no URL.
        let text = format!("{}\0{user}\0{password}", self.shown());
        let sealed = keyring.seal(&context(organization), text.as_bytes())?;
        Ok(STANDARD.encode(sealed))
    }

    /// What [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// When no key opens it, or it is something else.
    pub fn open(
        stored: &str,
        keyring: &Keyring,
        organization: &OrganizationId,
    ) -> Result<Self, StoredProxyError> {
        let sealed = STANDARD.decode(stored);
        let sealed = sealed.map_err(|_| StoredProxyError::Malformed)?;
        let plain = keyring.open(&context(organization), &sealed)?;
        let text = String::from_utf8(plain).map_err(|_| StoredProxyError::Malformed)?;
        let mut parts = text.split('\0');
        let mut next = || parts.next().ok_or(StoredProxyError::Malformed);
        let (url, user, password) = (next()?, next()?, next()?);
        let mut proxy = Self::parse(url).map_err(|_| StoredProxyError::Malformed)?;
        if !user.is_empty() {
            proxy.credentials = Some((user.to_owned(), password.to_owned()));
        }
        Ok(proxy)
    }
}

fn context(organization: &OrganizationId) -> String {
    format!("proxy:{organization}")
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.shown()).finish()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_a_proxy_and_its_credentials_stay_hidden() {
        let proxy = Proxy::parse("socks5://me:p%40ss@proxy.example:1080").unwrap();
        assert_eq!(proxy.kind, ProxyKind::Socks5);
        let credentials = Some(("me".to_owned(), "p@ss".to_owned()));
        assert_eq!(proxy.credentials, credentials);
        assert_eq!(proxy.shown(), "socks5://proxy.example:1080");
        assert!(!format!("{proxy:?} {proxy}").contains("p@ss"));
        let proxy = Proxy::parse("http://[2001:db8::1]:3128/").unwrap();
        assert_eq!(proxy.shown(), "http://[2001:db8::1]:3128");
        assert_eq!(proxy.host, "2001:db8::1");
    }

    #[test]
    fn what_is_no_proxy_is_refused_with_the_reason() {
        for (text, problem) in [
            ("proxy.example", ProxyProblem::NoUrl),
            ("https://proxy.example:1", ProxyProblem::Scheme),
            ("socks5://proxy.example", ProxyProblem::NoPort),
            ("http://proxy.example:1/a", ProxyProblem::Rest),
            ("socks5://me@proxy.example:1", ProxyProblem::Credentials),
        ] {
            assert_eq!(Proxy::parse(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn it_is_sealed_for_one_organization() {
        let keyring = Keyring::generate().unwrap();
        let (ours, theirs) = (OrganizationId::generate(0), OrganizationId::generate(1));
        let proxy = Proxy::parse("http://me:secret@proxy.example:3128").unwrap();
        let stored = proxy.seal(&keyring, &ours).unwrap();
        assert!(!stored.contains("secret"));
        assert_eq!(Proxy::open(&stored, &keyring, &ours).unwrap(), proxy);
        assert!(Proxy::open(&stored, &keyring, &theirs).is_err());
    }
}
