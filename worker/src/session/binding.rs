//! Which number a session belongs to (law 11).
//!
//! The first phone that takes a session in binds it: sends, webhooks and limits were made for that
//! number. Another phone that scans a later code is turned away, and the session waits for the right
//! one, unless its owner said that another number is meant (`?rebind=true`).

use std::sync::Arc;

use async_trait::async_trait;
use gateway_shared::domain::SessionStatus;
use gateway_shared::lane::LaneError;
use gateway_shared::session::{Report, ReportedEvent, SessionRecord};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::inbound::EventSink;
use super::presence::LinkPlace;
use super::teardown::{keystore, lane_error};
use super::{Owner, Runtime};
use crate::link::{InboundMessage, InboundRefused, InboundSink, WaAddress};

/// The number that a session is bound to, and whether another may take its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    account: Option<String>,
    rebind: bool,
}

impl Binding {
    /// What the record says.
    pub(super) fn of(record: &SessionRecord) -> Self {
        Self {
            account: record.account.clone(),
            rebind: record.rebind,
        }
    }

    /// The number that the session is bound to, where `found` is another and none is wished.
    pub(super) fn refuses(&self, found: &WaAddress) -> Option<&str> {
        let bound = self.account.as_deref().filter(|_| !self.rebind)?;
        (number(found) != bound).then_some(bound)
    }
}

/// The digits of an address by number.
pub(super) fn number(address: &WaAddress) -> &str {
    let text = address.as_str();
    text.split(['@', ':']).next().unwrap_or(text)
}

/// Refuses what arrives for a number that the session does not belong to: it is somebody else's.
pub(super) struct Bound {
    pub(super) binding: Binding,
    pub(super) place: Arc<LinkPlace>,
    pub(super) sink: Arc<EventSink>,
}

#[async_trait]
impl InboundSink for Bound {
    async fn commit(&self, batch: &[InboundMessage]) -> Result<(), InboundRefused> {
        let number = self.place.link().and_then(|link| link.number());
        if number.is_some_and(|number| self.binding.refuses(&number).is_some()) {
            return Err(InboundRefused("the account is not the session's".into()));
        }
        self.sink.commit(batch).await
    }

    fn wants_stories(&self) -> bool {
        self.sink.wants_stories()
    }
}

/// Another number than the session's scanned its code, and was logged out: its keys are dropped, and
/// the session waits for the right one.
pub(super) async fn turn_away(
    runtime: &Arc<Runtime>,
    owner: &Owner,
    lost: &CancellationToken,
    found: &str,
) -> Result<(), LaneError> {
    keystore(runtime, owner, lost)
        .await?
        .erase()
        .await
        .map_err(lane_error)?;
    let reason = "account_mismatch: another number scanned the code than the one this session \
                  belongs to; it was logged out. To move the session to it, start it with \
                  ?rebind=true";
    let report = Report {
        status: Some((SessionStatus::Starting, reason.to_owned())),
        fields: Vec::new(),
        event: Some(ReportedEvent {
            kind: "session.account_mismatch",
            payload: json!({ "phone": found }).to_string(),
        }),
    };
    runtime
        .sessions
        .report(runtime.now(), owner.fence(), &report)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_is_refused_unless_it_is_meant() {
        let address = |number: &str| {
            WaAddress::parse(&format!("{number}@s.whatsapp.net")).expect("an address")
        };
        let mut binding = Binding {
            account: None,
            rebind: false,
        };
        assert_eq!(binding.refuses(&address("15550000001")), None);
        binding.account = Some("15550000001".to_owned());
        assert_eq!(binding.refuses(&address("15550000001")), None);
        let refused = binding.refuses(&address("15550000002"));
        assert_eq!(refused, Some("15550000001"));
        binding.rebind = true;
        assert_eq!(binding.refuses(&address("15550000002")), None);
    }
}
