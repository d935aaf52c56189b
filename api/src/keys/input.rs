//! The body of a request for a key.

use gateway_shared::apikey::{Capabilities, Capability, NewApiKey};
use gateway_shared::clock::Millis;
use gateway_shared::domain::{OrganizationId, SessionId};

use crate::request::{Fields, Problems, TIME};

/// Characters of a name.
pub(super) const NAME: std::ops::RangeInclusive<usize> = 0..=200;
/// Most sessions that a key can be confined to.
pub(super) const SESSIONS: usize = 100;

/// What is wanted of a new key.
#[derive(Debug)]
pub(super) struct Wanted {
    name: String,
    pub(super) capabilities: Capabilities,
    pub(super) sessions: Option<Vec<SessionId>>,
    expires_at: Option<Millis>,
}

impl Wanted {
    /// Reads what is wanted. `latest` is the end of the key that makes it, if it has one: the new
    /// key's own end where it names none.
    pub(super) fn read(
        mut fields: Fields,
        now: Millis,
        latest: Option<Millis>,
        problems: &mut Problems,
    ) -> Self {
        fields.require(problems, "capabilities");
        let name = fields.text_of(problems, "name", NAME);
        let listed = fields.list::<Capability>(problems, "capabilities", Capability::ALL.len());
        if listed.as_ref().is_some_and(|list| list.length == 0) {
            problems.add("capabilities", "must have at least one entry");
        }
        let sessions = fields.list::<SessionId>(problems, "sessions", SESSIONS);
        if sessions.as_ref().is_some_and(|list| list.length == 0) {
            problems.add(
                "sessions",
                "must have at least one entry; leave it out for a key of the whole organization",
            );
        }
        let expires_at = fields.integer(problems, "expiresAt", TIME);
        if expires_at.is_some_and(|at| at <= now) {
            problems.add("expiresAt", "must be in the future");
        }
        if let (Some(at), Some(latest)) = (expires_at, latest)
            && at > latest
        {
            let problem =
                format!("must be no later than {latest}, the end of the key that makes it");
            problems.add("expiresAt", problem);
        }
        fields.finish(problems, &[], "");
        Self {
            name: name.unwrap_or_default(),
            capabilities: listed
                .map(|list| list.items.into_iter().map(|(_, one)| one).collect())
                .unwrap_or_default(),
            sessions: sessions.map(|list| list.items.into_iter().map(|(_, one)| one).collect()),
            expires_at: expires_at.or(latest),
        }
    }

    /// As a key of this organization.
    pub(super) fn of(self, organization: &OrganizationId) -> NewApiKey {
        NewApiKey {
            organization: organization.clone(),
            name: self.name,
            capabilities: self.capabilities,
            sessions: self.sessions,
            expires_at: self.expires_at,
        }
    }
}
