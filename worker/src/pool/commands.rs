//! Commands for this worker that want an answer: heard, routed to their session, answered.

use gateway_shared::command::{self, CommandError, CommandOutcome, CommandReply, CommandRequest};
use gateway_shared::redis::Store;
use serde_json::Value;

/// A command on its way through the worker. Answering consumes it; one that is dropped unanswered
/// is answered by its caller's deadline.
#[derive(Debug)]
pub struct PendingCommand {
    /// What is asked.
    pub request: CommandRequest,
    store: Store,
}

impl PendingCommand {
    /// Reads a message of the command channel; `None` where it is none.
    pub(super) fn parse(message: &str, store: &Store) -> Option<Self> {
        match serde_json::from_str(message) {
            Ok(request) => Some(Self {
                request,
                store: store.clone(),
            }),
            Err(error) => {
                tracing::warn!(%error, "a command that this version does not know");
                None
            }
        }
    }

    /// Answers it.
    pub async fn answer(self, outcome: Result<Value, CommandError>) {
        let outcome = match outcome {
            Ok(value) => CommandOutcome::Ok(value),
            Err(error) => CommandOutcome::Error(error),
        };
        let reply = CommandReply {
            token: self.request.token.clone(),
            outcome,
        };
        if let Err(error) = command::answer(&self.store, &self.request.instance, &reply).await {
            tracing::warn!(session = %self.request.session, request_id = %self.request.request_id,
                %error, "a command's answer was lost");
        }
    }
}
