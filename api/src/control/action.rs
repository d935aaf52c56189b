//! What operators can do.

use gateway_shared::domain::{
    ApiKeyId, DeliveryId, JobId, OrganizationId, OutboxId, SessionId, WebhookId, WorkerId,
};
use gateway_shared::operator::{JobAction, JobFilter};
use gateway_shared::session::DesiredChange;

/// What an operator can do.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Nothing leaves a session until its lane is resumed.
    PauseLane(SessionId),
    ResumeLane(SessionId),
    /// Start, stop, restart or log out a session.
    Change(SessionId, DesiredChange),
    /// Other limits a minute and an hour; 0 = unlimited.
    Limit(SessionId, u32, u32),
    RetryMessage(SessionId, OutboxId),
    CancelMessage(SessionId, OutboxId),
    DiscardMessage(SessionId, OutboxId),
    /// See the recipient and the body.
    Reveal(SessionId, OutboxId),
    /// Let a worker give its sessions to others, or take its share again.
    Drain(WorkerId, bool),
    /// One action on everything that matches. `typed` is the number that the operator typed.
    StartJob {
        action: JobAction,
        filter: JobFilter,
        typed: Option<u64>,
    },
    StopJob(JobId),
    ReplayDelivery(OrganizationId, WebhookId, DeliveryId),
    /// Deliver all dead letters of a webhook again.
    ReplayDead(OrganizationId, WebhookId),
    /// Deliver to a disabled webhook again, from where it stopped.
    ResumeWebhook(OrganizationId, WebhookId),
    CreateOrganization(String),
    /// Refuse an organization's keys and hold its sends, or let it go on.
    Suspend(OrganizationId, bool),
    /// A key that may do everything in an organization, for its first administrator.
    CreateKey(OrganizationId, String),
    RevokeKey(OrganizationId, ApiKeyId),
}

impl Action {
    /// Its name in the audit log.
    pub(super) fn name(&self) -> String {
        match self {
            Self::PauseLane(_) => "lane.pause".into(),
            Self::ResumeLane(_) => "lane.resume".into(),
            Self::Change(_, change) => format!("session.{}", change.as_str()),
            Self::Limit(..) => "session.limits".into(),
            Self::RetryMessage(..) => "message.retry".into(),
            Self::CancelMessage(..) => "message.cancel".into(),
            Self::DiscardMessage(..) => "message.discard".into(),
            Self::Reveal(..) => "message.reveal".into(),
            Self::Drain(_, true) => "worker.drain".into(),
            Self::Drain(_, false) => "worker.undrain".into(),
            Self::StartJob { action, .. } => format!("job.{}", action.as_str()),
            Self::StopJob(_) => "job.stop".into(),
            Self::ReplayDelivery(..) => "delivery.replay".into(),
            Self::ReplayDead(..) => "webhook.replay_dead".into(),
            Self::ResumeWebhook(..) => "webhook.resume".into(),
            Self::CreateOrganization(_) => "organization.create".into(),
            Self::Suspend(_, true) => "organization.suspend".into(),
            Self::Suspend(_, false) => "organization.unsuspend".into(),
            Self::CreateKey(..) => "key.create".into(),
            Self::RevokeKey(..) => "key.revoke".into(),
        }
    }

    /// What it is done to, in the audit log.
    pub(super) fn target(&self) -> String {
        match self {
            Self::PauseLane(id)
            | Self::ResumeLane(id)
            | Self::Change(id, _)
            | Self::Limit(id, ..) => id.to_string(),
            Self::RetryMessage(session, id)
            | Self::CancelMessage(session, id)
            | Self::DiscardMessage(session, id)
            | Self::Reveal(session, id) => format!("{session} {id}"),
            Self::Drain(id, _) => id.to_string(),
            Self::StartJob { filter, .. } => serde_json::to_string(filter).unwrap_or_default(),
            Self::StopJob(id) => id.to_string(),
            Self::ReplayDelivery(_, webhook, id) => format!("{webhook} {id}"),
            Self::ReplayDead(_, id) | Self::ResumeWebhook(_, id) => id.to_string(),
            Self::CreateOrganization(name) => name.clone(),
            Self::Suspend(id, _) | Self::CreateKey(id, _) => id.to_string(),
            Self::RevokeKey(_, id) => id.to_string(),
        }
    }

    pub(super) fn session(&self) -> Option<&SessionId> {
        match self {
            Self::PauseLane(id)
            | Self::ResumeLane(id)
            | Self::Change(id, _)
            | Self::Limit(id, ..)
            | Self::RetryMessage(id, _)
            | Self::CancelMessage(id, _)
            | Self::DiscardMessage(id, _)
            | Self::Reveal(id, _) => Some(id),
            _ => None,
        }
    }
}
