//! What can go wrong with a request to an address that a tenant names.

use std::fmt;

use super::address::Special;

/// Why an address is not dialled. The text is for whoever named it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no URL.
    #[error("must be a URL such as https://example.com/path")]
    Malformed,
    /// It is longer than 2,048 bytes.
    #[error("may have at most 2048 bytes")]
    TooLong,
    /// It is neither https nor, where that is permitted, http.
    #[error("must begin with https://")]
    Scheme,
    /// It holds a user or a password.
    #[error("must not hold a user or a password")]
    UserInfo,
    /// Its host is a special address, or a name of this host.
    #[error("must lead to a public address; {host} is {special}")]
    Special {
        /// The host.
        host: String,
        /// What it is.
        special: Special,
    },
    /// Its name leads to special addresses only.
    #[error("must lead to a public address; {host} leads to {special}")]
    LeadsTo {
        /// The host.
        host: String,
        /// What the first of its addresses is.
        special: Special,
    },
}

/// How far a request had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looking up the name, connecting, TLS.
    Connect,
    /// Waiting for the first byte of the answer.
    FirstByte,
    /// Reading the answer.
    Body,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::FirstByte => "waiting for the answer",
            Self::Body => "reading the answer",
        })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The address is not permitted.
    #[error("the address is refused: {0}")]
    Refused(#[from] Refusal),
    /// No connection: the name, TCP or TLS.
    #[error("could not connect: {0}")]
    Connect(String),
    /// It took too long.
    #[error("timed out while {0}")]
    Timeout(Stage),
    /// The connection broke, or the answer is no HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer is larger than the limit.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It redirected more often than is followed.
    #[error("redirected more than {0} times")]
    TooManyRedirects(usize),
    /// A redirect without a usable target.
    #[error("redirected to nowhere")]
    BadRedirect,
}

impl EgressError {
    /// What the HTTP client reported. Its own text may hold the URL, which may hold a token, so
    /// only the innermost cause is kept.
    pub(super) fn of(error: &reqwest::Error, stage: Stage) -> Self {
        let mut innermost: &dyn std::error::Error = error;
        loop {
            if let Some(refusal) = innermost.downcast_ref::<Refusal>() {
                return Self::Refused(refusal.clone());
            }
            match innermost.source() {
                Some(source) => innermost = source,
                None => break,
            }
        }
        if error.is_timeout() {
            let stage = if error.is_connect() {
                Stage::Connect
            } else {
                stage
            };
            return Self::Timeout(stage);
        }
        let cause = if std::ptr::addr_eq(innermost, error) {
            "no further reason is known".to_owned()
        } else {
            innermost.to_string()
        };
        if error.is_connect() {
            Self::Connect(cause)
        } else {
            Self::Broken(cause)
        }
    }
}
