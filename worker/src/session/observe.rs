//! What the link observes becomes the session's status, its events and its messages' statuses.

use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::domain::SessionStatus;
use gateway_shared::events::inbound::UndecryptablePayload;
use gateway_shared::lane::{LaneError, Receipt, Scope};
use gateway_shared::session::{InboundEvent, Report, ReportedEvent};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::rest::TEMPORARY_BAN;
use super::rests::Cause;
use super::{Owner, Runtime, binding, passkey, timers};
use crate::link::{CallFact, Fact, GroupChange, GroupNotice, LinkEnd, ReceiptFact, WaAddress};

/// Pause before a report that Redis did not take is made again.
const AGAIN: Duration = Duration::from_millis(250);

/// Messages whose receipts are recorded in one step.
pub(super) const RECEIPTS_AT_ONCE: usize = 200;

/// What an observation means for the session's task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// The link is connected and logged in.
    Up,
    /// The link is down.
    Down,
    /// WhatsApp no longer knows the device.
    LoggedOut(String),
    /// The link is over and is to be opened anew.
    Reopen,
    /// The link is over and is to be opened anew, but not before this moment.
    RestUntil(Millis),
    /// The link is over for this cause, and is to be opened anew after a rest.
    Rest(Cause),
    /// WhatsApp refused the login, in these words; a rest follows.
    Refused(String),
    /// WhatsApp announced the end of this client version.
    Expires(Millis),
    /// Nothing.
    Nothing,
}

/// Reports observations of one session under its owner's epoch.
pub(super) struct Observer<'a> {
    runtime: &'a Runtime,
    owner: &'a Owner,
    lost: &'a CancellationToken,
}

impl<'a> Observer<'a> {
    pub(super) fn new(runtime: &'a Runtime, owner: &'a Owner, lost: &'a CancellationToken) -> Self {
        Self {
            runtime,
            owner,
            lost,
        }
    }

    /// The session is (re)connecting.
    pub(super) async fn starting(&self, reason: &str) -> Result<(), LaneError> {
        self.status(SessionStatus::Starting, reason, Vec::new())
            .await
    }

    /// Ends what was accepted for another number than the one that is connected now (law 11).
    pub(super) async fn end_of_other_accounts(&self) -> Result<(), LaneError> {
        let ended = self
            .insist(|| {
                let (now, owner) = (self.runtime.now(), self.owner.fence());
                self.runtime.lanes.end_of_other_accounts(now, owner)
            })
            .await?;
        if ended > 0 {
            tracing::info!(session = %self.owner.of.session, ended,
                "ended sends that were accepted for another number");
        }
        Ok(())
    }

    /// Records a fact and says what it means.
    pub(super) async fn observe(&self, fact: Fact) -> Result<Seen, LaneError> {
        match fact {
            Fact::Connected { jid, lid } => {
                self.status(SessionStatus::Working, "", identity(jid, lid))
                    .await?;
                Ok(Seen::Up)
            }
            Fact::Paired { jid, lid } => {
                self.status(SessionStatus::Starting, "", identity(Some(jid), Some(lid)))
                    .await?;
                Ok(Seen::Nothing)
            }
            Fact::Disconnected { reason } | Fact::DialFailed { reason } => {
                self.starting(&reason).await?;
                Ok(Seen::Down)
            }
            Fact::QrCode { code, expires_at } => {
                let payload = json!({ "code": code, "expiresAt": expires_at });
                let fields = vec![("qr", code), ("qrExpiresAt", expires_at.to_string())];
                self.report(&Report {
                    status: Some((SessionStatus::ScanQrCode, String::new())),
                    fields,
                    event: Some(ReportedEvent {
                        kind: "auth.qr",
                        payload: payload.to_string(),
                    }),
                })
                .await?;
                Ok(Seen::Down)
            }
            Fact::PairingCode { code, expires_at } => {
                let payload = json!({ "code": code, "expiresAt": expires_at }).to_string();
                self.report(&Report {
                    event: Some(ReportedEvent {
                        kind: "auth.code",
                        payload,
                    }),
                    ..Report::default()
                })
                .await?;
                Ok(Seen::Nothing)
            }
            Fact::Receipt(receipt) => {
                self.receipts(&[receipt]).await?;
                Ok(Seen::Nothing)
            }
            Fact::Group(notice) => {
                self.group(&notice).await?;
                Ok(Seen::Nothing)
            }
            Fact::Call(call) => {
                self.call(&call).await?;
                Ok(Seen::Nothing)
            }
            Fact::Undecryptable(message) => {
                self.undecryptable(&message).await?;
                Ok(Seen::Nothing)
            }
            Fact::TemporaryBan {
                code,
                until,
                reason,
            } => {
                let why =
                    format!("WhatsApp banned the account for a while (code {code}): {reason}");
                self.status(SessionStatus::Failed, &why, Vec::new()).await?;
                self.insist(|| {
                    let (now, owner) = (self.runtime.now(), self.owner.fence());
                    let lanes = &self.runtime.lanes;
                    lanes.rest(now, owner, Scope::All, until, TEMPORARY_BAN)
                })
                .await?;
                Ok(Seen::RestUntil(until))
            }
            Fact::LoggedOut { reason, .. } => Ok(Seen::LoggedOut(reason)),
            Fact::PasskeyRequest { options } => {
                let expires_at = passkey::expires_at(&options, self.runtime.now());
                let report = passkey::requested(&options, expires_at);
                self.report(&report).await?;
                Ok(Seen::Down)
            }
            Fact::PasskeyCode { code, known } => {
                self.report(&passkey::coded(&code, known)).await?;
                Ok(Seen::Nothing)
            }
            Fact::PasskeyFailed { reason } => {
                self.report(&passkey::failed(&reason)).await?;
                Ok(Seen::Nothing)
            }
            // Followed beside everything else; see `undecryptable.rs`.
            Fact::Undecrypted(_) => Ok(Seen::Nothing),
            Fact::ClientExpires { at } => Ok(Seen::Expires(at)),
            Fact::ConnectFailure { code, message } => {
                let message = message.unwrap_or_default();
                let why = format!("WhatsApp refused the login with code {code} {message}");
                let why = why.trim_end().to_owned();
                self.starting(&why).await?;
                Ok(Seen::Refused(why))
            }
            Fact::PairError { reason }
            | Fact::PairingCodeVoid {
                error: Some(reason),
            } => {
                tracing::warn!(session = %self.owner.of.session, reason, "pairing failed");
                Ok(Seen::Nothing)
            }
            // The end of the link follows, and with it what becomes of the session.
            Fact::PairingCodeVoid { error: None }
            | Fact::QrExhausted
            | Fact::Replaced
            | Fact::ClientOutdated
            | Fact::AccountLocked => Ok(Seen::Nothing),
            Fact::Ended(end) => Ok(match end {
                LinkEnd::Outdated => Seen::Rest(Cause::Outdated),
                LinkEnd::Refused => Seen::Rest(Cause::Refused),
                LinkEnd::Replaced => Seen::Rest(Cause::Replaced),
                LinkEnd::Locked => Seen::Rest(Cause::Locked),
                LinkEnd::QrExhausted => Seen::Rest(Cause::QrCodes),
                LinkEnd::Closed | LinkEnd::LoggedOut | LinkEnd::Banned | LinkEnd::Unexplained => {
                    Seen::Reopen
                }
            }),
        }
    }

    /// Writes fields of the record.
    pub(super) async fn fields(
        &self,
        fields: Vec<(&'static str, String)>,
    ) -> Result<(), LaneError> {
        self.report(&Report {
            status: None,
            fields,
            event: None,
        })
        .await
    }

    /// The session rests, for this reason; `event` tells of it besides the status.
    pub(super) async fn resting(
        &self,
        status: SessionStatus,
        reason: String,
        event: Option<ReportedEvent>,
    ) -> Result<(), LaneError> {
        self.report(&Report {
            status: Some((status, reason)),
            fields: Vec::new(),
            event,
        })
        .await
    }

    /// Records what recipients told, in one step for all of it.
    pub(super) async fn receipts(&self, emitted: &[ReceiptFact]) -> Result<(), LaneError> {
        let receipts: Vec<Receipt<'_>> = emitted
            .iter()
            .flat_map(|fact| {
                fact.message_ids.iter().map(|wa_message_id| Receipt {
                    status: fact.status,
                    at: fact.at,
                    chat: fact.chat.as_str(),
                    sender: fact.sender.as_str(),
                    wa_message_id,
                })
            })
            .collect();
        // One receipt may tell of thousands of messages, and Redis serves nobody else meanwhile.
        for receipts in receipts.chunks(RECEIPTS_AT_ONCE) {
            self.insist(|| {
                let now = self.runtime.now();
                self.runtime
                    .lanes
                    .receipts(now, self.owner.fence(), receipts)
            })
            .await?;
        }
        Ok(())
    }

    /// Tells of a change to a group, once however often WhatsApp repeats it.
    pub(super) async fn group(&self, notice: &GroupNotice) -> Result<(), LaneError> {
        let emitted = InboundEvent {
            identity: notice.identity.clone(),
            kind: match notice.change {
                GroupChange::Members { .. } => "group.participant",
                GroupChange::Update { .. } => "group.update",
            },
            payload: json!(notice).to_string(),
            timer: timers::of_notice(notice),
            ..InboundEvent::default()
        };
        self.once(emitted).await
    }

    /// Tells of a call.
    pub(super) async fn call(&self, call: &CallFact) -> Result<(), LaneError> {
        self.once(InboundEvent {
            identity: call.identity(),
            kind: call.kind,
            payload: json!(call.payload).to_string(),
            ..InboundEvent::default()
        })
        .await
    }

    /// Tells of a message that could not be read.
    pub(super) async fn undecryptable(
        &self,
        message: &UndecryptablePayload,
    ) -> Result<(), LaneError> {
        let (chat, sender) = (&message.chat_jid, &message.sender_jid);
        self.once(InboundEvent {
            identity: format!("undecryptable|{chat}|{sender}|{}", message.wa_message_id),
            kind: "message.undecryptable",
            payload: json!(message).to_string(),
            ..InboundEvent::default()
        })
        .await
    }

    /// Tells something once, however often WhatsApp repeats it.
    async fn once(&self, emitted: InboundEvent) -> Result<(), LaneError> {
        self.insist(|| {
            let (now, owner) = (self.runtime.now(), self.owner.fence());
            let sessions = &self.runtime.sessions;
            sessions.emit_inbound(now, owner, std::slice::from_ref(&emitted))
        })
        .await
        .map(drop)
    }

    async fn status(
        &self,
        status: SessionStatus,
        reason: &str,
        fields: Vec<(&'static str, String)>,
    ) -> Result<(), LaneError> {
        let status = Some((status, reason.to_owned()));
        self.report(&Report {
            status,
            fields,
            event: None,
        })
        .await
    }

    async fn report(&self, report: &Report) -> Result<(), LaneError> {
        self.insist(|| {
            self.runtime
                .sessions
                .report(self.runtime.now(), self.owner.fence(), report)
        })
        .await
    }

    /// Repeats a write until Redis takes it or refuses it for good. An observation can not be made
    /// again, so it is not given up while the worker may act.
    async fn insist<T, F>(&self, mut write: impl FnMut() -> F) -> Result<T, LaneError>
    where
        F: Future<Output = Result<T, LaneError>>,
    {
        loop {
            match write().await {
                Err(LaneError::Redis(error)) if !self.lost.is_cancelled() => {
                    tracing::warn!(session = %self.owner.of.session, %error,
                        "Redis did not take an observation; again");
                    sleep(AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }
}

fn identity(jid: Option<WaAddress>, lid: Option<WaAddress>) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(jid) = &jid {
        fields.push(("account", binding::number(jid).to_owned()));
    }
    fields.extend(jid.map(|jid| ("waJid", jid.to_string())));
    fields.extend(lid.map(|lid| ("waLid", lid.to_string())));
    fields
}
