//! Which versions of the client the server still lets in.
//!
//! WhatsApp stops serving a build of WhatsApp Web some weeks after it appeared. A client that
//! announces an older one is refused, or it may register and no phone ever links it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Serialize, Serializer};

/// A version of WhatsApp Web, `2.3000.1042742319`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Version(pub(crate) [u32; 3]);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        let parts = parts.ok().and_then(|parts| parts.try_into().ok());
        parts
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not three numbers with dots between them"))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [primary, secondary, build] = self.0;
        write!(f, "{primary}.{secondary}.{build}")
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What becomes of a client below the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Below {
    /// `<failure reason="405">`.
    #[default]
    Refuse,
    /// It may come in and register; the phone that scans its code says "Couldn't link device".
    NeverLink,
}

/// What the server says of versions.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    /// The oldest version that is served; none = every version is.
    pub(crate) minimum: Option<Version>,
    pub(crate) below: Below,
    /// The version that `sw.js` names; none = there is no such page.
    pub(crate) newest: Option<Version>,
    /// How often `sw.js` was asked for.
    pub(crate) fetches: u64,
    /// How many logins and registrations were refused for their version.
    pub(crate) refused: u64,
}

/// The policy, which a test may change at any time.
#[derive(Debug, Default)]
pub(crate) struct Versions(Mutex<Policy>);

impl Versions {
    /// The policy as it is now.
    pub(crate) fn policy(&self) -> Policy {
        self.lock().clone()
    }

    /// Changes the policy.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Policy)) -> Policy {
        let mut policy = self.lock();
        change(&mut policy);
        policy.clone()
    }

    /// Whether a client of this version is turned away; counts it.
    pub(crate) fn refuses(&self, version: Version) -> bool {
        let mut policy = self.lock();
        let refused = policy.below == Below::Refuse
            && policy.minimum.is_some_and(|minimum| version < minimum);
        policy.refused += u64::from(refused);
        refused
    }

    /// Whether no phone links a client of this version.
    pub(crate) fn never_links(&self, version: Version) -> bool {
        let policy = self.lock();
        policy.below == Below::NeverLink && policy.minimum.is_some_and(|minimum| version < minimum)
    }

    /// What `sw.js` says, if it is there; counts the request.
    pub(crate) fn service_worker(&self) -> Option<String> {
        let mut policy = self.lock();
        policy.fetches += 1;
        let build = policy.newest?.0[2];
        Some(format!("self.__swData={{\"client_revision\":{build}}};"))
    }

    fn lock(&self) -> MutexGuard<'_, Policy> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("2.3000.9") < version("2.3000.10"));
        assert_eq!(version("2.3000.10").to_string(), "2.3000.10");
        assert!("2.3000".parse::<Version>().is_err());
    }

    #[test]
    fn what_is_below_the_minimum_is_refused_or_never_linked() {
        let versions = Versions::default();
        let old = Version([2, 3000, 1]);
        assert!(!versions.refuses(old) && !versions.never_links(old));
        versions.change(|policy| policy.minimum = Some(Version([2, 3000, 2])));
        assert!(versions.refuses(old) && !versions.never_links(old));
        versions.change(|policy| policy.below = Below::NeverLink);
        assert!(!versions.refuses(old) && versions.never_links(old));
        assert_eq!(versions.policy().refused, 1);
        assert_eq!(versions.service_worker(), None);
        versions.change(|policy| policy.newest = Some(Version([2, 3000, 77])));
        assert!(
            versions
                .service_worker()
                .unwrap()
                .contains("client_revision\":77")
        );
    }
}
