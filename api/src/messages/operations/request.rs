//! What all operations have in common: reading the request, finding the message, going on as a
//! send.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::Response;
use axum::{Extension, RequestExt};
use gateway_shared::clock::Millis;
use gateway_shared::domain::{Content, Jid, SendStatus, Target};
use gateway_shared::identity::Names;
use gateway_shared::lane::{Cancelled, EnqueueOutcome, IdempotencyKey, Mode, SessionRef};
use gateway_shared::messages::{Found, Located, Wanted};
use serde_json::{Value, json};

use super::super::fingerprint;
use super::super::result::{SendResult, answer};
use super::super::submit::{Submission, Times, replay, submit};
use super::target::{Author, message_not_found, of_former_account};
use crate::access::{Caller, session_not_found};
use crate::error::ApiError;
use crate::request::{
    Fields, Limits, Named, Problems, Query, RequestId, idempotency_key, read_json,
};
use crate::state::App;

/// An operation while it is read.
pub(super) struct Asked {
    caller: Arc<Caller>,
    request_id: RequestId,
    session: String,
    mid: String,
    key: Option<String>,
    method: String,
    mode: Mode,
    chat: Option<Jid>,
    author: Author,
    pub(super) fields: Fields,
    pub(super) problems: Problems,
}

/// An operation without problems.
pub(super) struct Order {
    pub(super) from: SessionRef,
    request_id: RequestId,
    pub(super) mid: String,
    key: Option<IdempotencyKey>,
    mode: Mode,
    pub(super) chat: Option<Jid>,
    author: Author,
    cancels: bool,
}

/// What is to be sent.
pub(super) struct Plan {
    pub(super) content: Content,
    /// To which chat; `None` = to the one of the message.
    pub(super) to: Option<Jid>,
    /// The moment after which there is no point in it.
    pub(super) expires_at: Option<Millis>,
}

impl From<Content> for Plan {
    fn from(content: Content) -> Self {
        Self {
            content,
            to: None,
            expires_at: None,
        }
    }
}

impl Asked {
    /// Reads what all operations have: the path, the key, and `chat` and `sender` of the body. A
    /// body that is empty stands for `{}`.
    ///
    /// # Errors
    /// As for any body; a body that is no JSON object is the one problem then.
    pub(super) async fn read(app: &App, mut request: Request) -> Result<Self, ApiError> {
        let (session, mid) = {
            let named = request.extract_parts::<Named<(String, String)>>().await?;
            named.0
        };
        let (mut parts, body) = request.into_parts();
        let Extension(caller) = extension::<Arc<Caller>>(&mut parts).await?;
        let Extension(request_id) = extension::<RequestId>(&mut parts).await?;
        let mut problems = Problems::default();
        let key = idempotency_key(&parts.headers, &mut problems).map(str::to_owned);
        let wait = !Query::of(&parts.uri).flag(&mut problems, "async");
        let limits = Limits::of_small(app.config.api.body_limit_bytes);
        let read = read_json(&parts, body, limits, &mut problems).await?;
        let Some((map, _)) = read else {
            problems.settle()?;
            return Err(ApiError::new(
                crate::error::Code::Internal,
                "internal error",
            ));
        };
        let mut fields = Fields::of_body(map);
        let chat = fields.parsed::<Jid>(&mut problems, "chat");
        Ok(Self {
            caller,
            request_id,
            session,
            mid,
            key,
            method: parts.method.to_string(),
            mode: if wait { Mode::Sync } else { Mode::Async },
            chat,
            author: Author::Anybody,
            fields,
            problems,
        })
    }

    /// Reads `sender`, for operations on messages of others.
    pub(super) fn read_sender(&mut self) {
        self.author = Author::read(&mut self.fields, &mut self.problems);
    }

    /// Ends reading. `what` is the operation's name in its path, and `said` what the body said
    /// besides `chat` and `sender`: two operations with the same key are the same if all of that
    /// is.
    ///
    /// # Errors
    /// 400 with every problem, then 404 for what is no session of the caller's.
    pub(super) fn finish(mut self, what: &str, said: &Value) -> Result<Order, ApiError> {
        let fields = std::mem::replace(&mut self.fields, Fields::of_body(serde_json::Map::new()));
        fields.finish(&mut self.problems, &[], "");
        self.problems.settle()?;
        let request = json!([
            self.method,
            self.session,
            self.mid,
            what,
            self.chat,
            self.author.as_json(),
            said
        ]);
        let scope = self.caller.idempotency_scope();
        Ok(Order {
            from: self.caller.session(&self.session)?,
            request_id: self.request_id,
            key: self
                .key
                .map(|key| fingerprint::of_operation(&key, &scope, &request)),
            mid: self.mid,
            mode: self.mode,
            chat: self.chat,
            author: self.author,
            cancels: false,
        })
    }
}

async fn extension<T>(parts: &mut Parts) -> Result<Extension<T>, ApiError>
where
    T: Clone + Send + Sync + 'static,
{
    // The outer layers have put both in place.
    Extension::<T>::from_request_parts(parts, &())
        .await
        .map_err(|_| ApiError::new(crate::error::Code::Internal, "internal error"))
}

impl Order {
    /// An own message that still waits here is cancelled instead.
    pub(super) fn or_cancel(mut self) -> Self {
        self.cancels = true;
        self
    }

    /// Finds the message, has `plan` say what is to be sent, and sends it. `whole` asks for all
    /// that is kept of the message.
    ///
    /// # Errors
    /// 404 for a message that the session does not know, what `plan` answers, and then as for any
    /// send.
    pub(super) async fn carry_out(
        self,
        app: &App,
        whole: bool,
        plan: impl FnOnce(Target, &Found, &mut Problems) -> Result<Option<Plan>, ApiError>,
    ) -> Result<Response, ApiError> {
        let wanted = Wanted {
            id: &self.mid,
            chat: self.chat.as_ref(),
            idempotency: self.key.as_ref(),
            whole,
        };
        let found = match app.messages.locate(&self.from, wanted).await? {
            Located::SessionNotFound => return Err(session_not_found()),
            Located::KeyKnown => {
                let Some(key) = self.key.clone() else {
                    return Err(message_not_found());
                };
                return self.replay(app, &key).await;
            }
            Located::Unknown => return Err(message_not_found()),
            Located::OfFormerAccount => return Err(of_former_account()),
            Located::Found(found) => found,
        };
        if self.cancels
            && self.author.wrote(&found)
            && let Some(cancelled) = self.cancel(app, &found).await?
        {
            return answer(self.from, Ok(cancelled));
        }
        if found.came_to_nothing() || !self.author.wrote(&found) {
            return Err(message_not_found());
        }
        let mut problems = Problems::default();
        let target = Target {
            id: self.mid.clone(),
            sender: found.message.sender.clone(),
        };
        let planned = plan(target, &found, &mut problems)?;
        let to = match planned.as_ref().and_then(|plan| plan.to.clone()) {
            Some(to) => Some(to),
            None => self.chat_of(&found, &mut problems),
        };
        problems.settle()?;
        // Without problems there is a plan and a chat.
        let (Some(plan), Some(to)) = (planned, to) else {
            return Err(ApiError::new(
                crate::error::Code::Internal,
                "internal error",
            ));
        };
        let of = self.from.clone();
        let submission = self.submission(to, plan.content, plan.expires_at);
        answer(of, submit(app, submission).await)
    }

    /// The chat to send to: the one that our own message went to, so that the order holds;
    /// otherwise by the name that the caller uses for it.
    fn chat_of(&self, found: &Found, problems: &mut Problems) -> Option<Jid> {
        if let Some(chat) = &self.chat
            && !found.message.was_sent_here()
        {
            return Some(chat.clone());
        }
        let chat = found.message.chat.parse();
        chat.map_err(|_| problems.add("chat", "is of a kind that can not be written to"))
            .ok()
    }

    /// Answers as the first use of the key was: nothing new is accepted.
    async fn replay(self, app: &App, key: &IdempotencyKey) -> Result<Response, ApiError> {
        let of = self.from.clone();
        let replayed = match app.lanes.replay(&of.organization, key, None).await? {
            // What this very request cancelled: the answer says so again.
            Some(EnqueueOutcome::Replayed(original))
                if self.cancels
                    && original.status == SendStatus::Cancelled
                    && original.wa_message_id == self.mid =>
            {
                Ok(SendResult::of_replay(original))
            }
            _ => replay(app, &of, key, self.mode, &self.request_id).await,
        };
        answer(of, replayed)
    }

    /// Cancels an own message that was never attempted; `None` where there is nothing to cancel.
    async fn cancel(&self, app: &App, found: &Found) -> Result<Option<SendResult>, ApiError> {
        let Some(id) = &found.outbox_id else {
            return Ok(None);
        };
        let gone = found.was_cancelled()
            || found.waits() && {
                let key = self.key.as_ref();
                let cancelled = app.lanes.cancel(app.now(), &self.from, id, key).await?;
                cancelled == Cancelled::Done
            };
        Ok(gone.then(|| SendResult {
            mode: self.mode,
            outbox_id: id.clone(),
            wa_message_id: self.mid.clone(),
            names: Names::of(&found.message.chat, found.message.chat_alt.clone()),
            status: SendStatus::Cancelled,
            timestamp: app.now(),
            replayed: false,
        }))
    }

    fn submission(self, to: Jid, content: Content, expires_at: Option<Millis>) -> Submission {
        Submission {
            from: self.from,
            to,
            content,
            mode: self.mode,
            times: Times {
                send_at: 0,
                expires_at,
            },
            idempotency: self.key,
            request_id: self.request_id,
        }
    }
}
