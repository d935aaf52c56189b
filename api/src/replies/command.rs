//! Asking the worker that owns a session, and waiting for its answer.

use std::time::Duration;

use gateway_shared::command::{
    self, Command, CommandError, CommandOutcome, CommandReply, CommandRequest,
};
use gateway_shared::domain::WorkerId;
use gateway_shared::lane::SessionRef;
use serde_json::Value;
use tokio::time::timeout;

use crate::error::ApiError;
use crate::request::RequestId;
use crate::state::App;

/// How long a worker may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a command has no answer that could be given on.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The worker refused it.
    Refused(CommandError),
    /// Nobody answered, or it could not be asked.
    Failed(ApiError),
}

/// Puts a command before a worker. What it does after the deadline, it does for nobody: the
/// command says until when it is wanted.
///
/// # Errors
/// See [`Unanswered`].
pub(crate) async fn ask(
    app: &App,
    of: &SessionRef,
    worker: &WorkerId,
    request_id: &RequestId,
    command: Command,
) -> Result<Value, Unanswered> {
    let mut ticket = app.replies.ticket();
    let patience = i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX);
    let request = CommandRequest {
        instance: app.replies.instance().clone(),
        token: ticket.token(),
        request_id: request_id.as_str().to_owned(),
        organization: of.organization.clone(),
        session: of.session.clone(),
        deadline: app.now().saturating_add(patience),
        command,
    };
    command::ask(&app.store, worker, &request)
        .await
        .map_err(|failure| Unanswered::Failed(failure.into()))?;
    let answered = timeout(PATIENCE, async {
        loop {
            // A lost answer can not be looked up: the time runs out then.
            if let Some(message) = ticket.answer().await {
                return message;
            }
        }
    });
    let answer = tokio::select! {
        answer = answered => answer.ok(),
        () = app.overdue.cancelled() => None,
    };
    let reply = answer.and_then(|message| serde_json::from_str::<CommandReply>(&message).ok());
    match reply.map(|reply| reply.outcome) {
        Some(CommandOutcome::Ok(value)) => Ok(value),
        Some(CommandOutcome::Error(error)) => Err(Unanswered::Refused(error)),
        None => Err(Unanswered::Failed(ApiError::unavailable(
            "no_answer",
            "the session's worker did not answer in time",
        ))),
    }
}
