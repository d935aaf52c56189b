//! Calls: that they ring, and how they end where nobody here answered.

use gateway_shared::events::inbound::{Address, CallEnd, CallPayload};
use wacore::types::call::{
    CallAction, CallEndedElsewhere, ElsewhereOutcome, IncomingCall, MissedCall, MissedReason,
};
use wacore_binary::Jid;

use super::WaAddress;

/// A call rings, or rings no more.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFact {
    /// The kind of its event.
    pub kind: &'static str,
    /// What its event says.
    pub payload: CallPayload,
}

impl CallFact {
    /// What makes it the same fact, however often WhatsApp repeats it.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{}|{}", self.kind, self.payload.call_id)
    }

    /// A call that begins to ring, or that its caller ends; nothing for what happens in its course.
    /// Sessions answer no calls: one that ends was taken elsewhere, or missed.
    pub(super) fn of(call: &IncomingCall) -> Option<Self> {
        let (creator, number, group, video) = match &call.action {
            CallAction::Terminate {
                call_creator,
                reason,
                ..
            } => return Self::ended(call, call_creator, reason.as_deref()),
            CallAction::Offer {
                call_creator,
                caller_pn,
                group_jid,
                is_video,
                ..
            } => (
                call_creator,
                caller_pn.as_ref(),
                group_jid.as_ref(),
                *is_video,
            ),
            CallAction::OfferNotice {
                call_creator,
                is_video,
                ..
            } => (call_creator, None, None, *is_video),
            _ => return None,
        };
        let group = group.map(|group| WaAddress::from(group).to_string());
        Some(Self {
            kind: "call.incoming",
            payload: CallPayload {
                call_id: call.action.call_id().to_owned(),
                from: person(creator, number),
                group_jid: group,
                video: Some(video),
                push_name: call.notify.clone(),
                end: None,
                timestamp: call.timestamp.timestamp_millis(),
                offline: call.offline,
            },
        })
    }

    fn ended(call: &IncomingCall, creator: &Jid, reason: Option<&str>) -> Option<Self> {
        let (kind, end) = match reason {
            None | Some("timeout" | "group_call_ended") => ("call.missed", CallEnd::Unanswered),
            Some("accepted_elsewhere") => ("call.ended_elsewhere", CallEnd::AcceptedElsewhere),
            Some("rejected_elsewhere") => ("call.ended_elsewhere", CallEnd::RejectedElsewhere),
            // It went on, or fell through before it rang.
            Some(_) => return None,
        };
        Some(Self {
            kind,
            payload: CallPayload {
                call_id: call.action.call_id().to_owned(),
                from: person(creator, None),
                push_name: call.notify.clone(),
                end: Some(end),
                timestamp: call.timestamp.timestamp_millis(),
                offline: call.offline,
                ..CallPayload::default()
            },
        })
    }

    /// A call that nobody answered.
    pub(super) fn missed(call: &MissedCall) -> Self {
        let offline = matches!(call.reason, MissedReason::Offline);
        Self {
            kind: "call.missed",
            payload: CallPayload {
                call_id: call.call_id.clone(),
                from: person(&call.from, None),
                end: Some(if offline {
                    CallEnd::Offline
                } else {
                    CallEnd::Unanswered
                }),
                timestamp: call.timestamp.timestamp_millis(),
                offline,
                ..CallPayload::default()
            },
        }
    }

    /// A call that another device of the account answered or declined.
    pub(super) fn elsewhere(call: &CallEndedElsewhere) -> Self {
        Self {
            kind: "call.ended_elsewhere",
            payload: CallPayload {
                call_id: call.call_id.clone(),
                from: person(&call.from, None),
                end: Some(match call.outcome {
                    ElsewhereOutcome::Accepted => CallEnd::AcceptedElsewhere,
                    _ => CallEnd::RejectedElsewhere,
                }),
                timestamp: call.timestamp.timestamp_millis(),
                ..CallPayload::default()
            },
        }
    }
}

fn person(jid: &Jid, number: Option<&Jid>) -> Address {
    let (jid, number) = (WaAddress::from(jid), number.map(WaAddress::from));
    Address::new(jid.as_str(), number.as_ref().map(WaAddress::as_str))
}
