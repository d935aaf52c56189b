//! What became of it: evidence from every side, and what does not agree.

mod budget;
mod endings;
mod evidence;
#[cfg(test)]
mod forged;
mod inbound;
mod order;
mod sends;
mod statuses;
mod webhooks;

use serde::Serialize;

pub use endings::Remains;
pub use evidence::{Evidence, TenantEvidence, drain};

use crate::clients::Journal;
use crate::stage::{Stage, Tenant};

/// What must not be, each told in words.
#[derive(Debug, Default)]
pub struct Violations {
    /// Acknowledged, and neither shown to its peer nor visibly refused.
    pub lost: Vec<String>,
    /// Shown under more than one id.
    pub duplicated: Vec<String>,
    /// Left in another order than it was accepted in, within a chat.
    pub misordered: Vec<String>,
    /// Seen by somebody of another organization.
    pub wrong_tenant: Vec<String>,
    /// Statuses that are missing, repeated, or out of order.
    pub status_errors: Vec<String>,
    /// Sends over a session's limit.
    pub budget_exceeded: Vec<String>,
    /// Written by a peer, and no event.
    pub inbound_lost: Vec<String>,
    /// Written by a peer, and more than one event.
    pub inbound_twice: Vec<String>,
    /// Written by a peer, and an event before what they wrote earlier.
    pub inbound_misordered: Vec<String>,
    /// In the event log, and never delivered to the organization's webhook.
    pub webhook_lost: Vec<String>,
    /// Delivered to it after a later event of the chat.
    pub webhook_misordered: Vec<String>,
    /// Sessions that were deleted, logged out or unlinked, and are not, or left something behind.
    pub half_done: Vec<String>,
}

/// How many there are of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// See [`Violations::lost`], and so on.
    pub lost: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub duplicated: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub misordered: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub wrong_tenant: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub status_errors: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub budget_exceeded: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub inbound_lost: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub inbound_twice: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub inbound_misordered: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub webhook_lost: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub webhook_misordered: usize,
    #[expect(missing_docs, reason = "as the field of the same name in `Violations`")]
    pub half_done: usize,
}

impl Violations {
    /// Compares all that is known.
    #[must_use]
    pub fn find(stage: &Stage, journal: &Journal, evidence: &Evidence) -> Self {
        Self::among(&stage.tenants, journal, evidence)
    }

    fn among(tenants: &[Tenant], journal: &Journal, evidence: &Evidence) -> Self {
        let mut found = Self::default();
        sends::check(tenants, journal, evidence, &mut found);
        order::check(tenants, evidence, &mut found);
        statuses::check(tenants, journal, evidence, &mut found);
        budget::check(tenants, evidence, &mut found);
        inbound::check(journal, evidence, &mut found);
        webhooks::check(tenants, evidence, &mut found);
        endings::check(&journal.lived, &evidence.remains, &mut found);
        found.wrong_tenant.extend(journal.leaks.iter().cloned());
        found
    }

    /// How many there are of each.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            lost: self.lost.len(),
            duplicated: self.duplicated.len(),
            misordered: self.misordered.len(),
            wrong_tenant: self.wrong_tenant.len(),
            status_errors: self.status_errors.len(),
            budget_exceeded: self.budget_exceeded.len(),
            inbound_lost: self.inbound_lost.len(),
            inbound_twice: self.inbound_twice.len(),
            inbound_misordered: self.inbound_misordered.len(),
            webhook_lost: self.webhook_lost.len(),
            webhook_misordered: self.webhook_misordered.len(),
            half_done: self.half_done.len(),
        }
    }

    /// All of them, one a line.
    #[must_use]
    pub fn listing(&self) -> Vec<String> {
        let kinds = [
            ("lost", &self.lost),
            ("duplicated", &self.duplicated),
            ("misordered", &self.misordered),
            ("wrong tenant", &self.wrong_tenant),
            ("status error", &self.status_errors),
            ("budget exceeded", &self.budget_exceeded),
            ("inbound lost", &self.inbound_lost),
            ("inbound twice", &self.inbound_twice),
            ("inbound misordered", &self.inbound_misordered),
            ("webhook lost", &self.webhook_lost),
            ("webhook misordered", &self.webhook_misordered),
            ("half done", &self.half_done),
        ];
        kinds
            .into_iter()
            .flat_map(|(kind, all)| all.iter().map(move |one| format!("{kind}: {one}")))
            .collect()
    }
}
