//! Groups: joining, looking at, making and administering them.
//!
//! All of it is asked of WhatsApp, by the worker that owns the session, while the caller waits.
//! So all of it needs a connected session and is answered 501 `not_implemented` with
//! `details.reason: "session_not_connected"` without one, as the API's contract has it for joining.
//!
//! Looking needs `read`, everything else `send`: it is what a person does in the app, with the rights
//! that the session's account has in the group. `manage` is about the gateway itself.

pub(crate) mod docs;
mod input;
mod invite;

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::command::{
    Command, CommandError, Created, Group, GroupCommand, GroupMember, Invite, Joined, MemberChange,
    MemberOutcome,
};
use gateway_shared::domain::Jid;
use gateway_shared::session::Desired;
use serde::de::DeserializeOwned;

use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code};
use crate::once::Keyed;
use crate::page::Page;
use crate::replies::{Unanswered, ask};
use crate::request::{Fields, Named, Problems, Query, RequestId, read_body};
use crate::state::App;

/// What every handler here needs to know about its request.
struct Asking<'a> {
    app: &'a App,
    caller: &'a Caller,
    request_id: &'a RequestId,
    session: &'a str,
}

type Shared = State<Arc<App>>;
type By = Extension<Arc<Caller>>;
type Id = Extension<RequestId>;
/// The session and the group that a path names.
type Place = Named<(String, String)>;
type Answer<T> = Result<Json<T>, ApiError>;

/// `POST /sessions/{session}/groups:join`: follows an invite.
pub(crate) async fn join(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named(session): Named<String>,
    request: Request,
) -> Answer<Joined> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let command = asking.body(request, input::join).await?;
    asking.command(command).await.map(Json)
}

/// `GET /sessions/{session}/groups?limit=&cursor=`: every group that the session is in.
pub(crate) async fn list(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named(session): Named<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer<Page<Group>> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let slice = Slice::read(&Query::of(&uri))?;
    let groups: Vec<Group> = asking.command(GroupCommand::List).await?;
    Ok(slice.of(groups, |group| &group.group_jid))
}

/// `POST /sessions/{session}/groups`: makes a group.
pub(crate) async fn create(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named(session): Named<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.session(&session)?;
    let keyed = Keyed::read(&app, &caller, request, input::create).await?;
    let (of, by) = (app.clone(), caller.clone());
    keyed
        .once(app, caller, |command| async move {
            let asking = Asking::new(&of, &by, &request_id, &session);
            // Nothing is missing from a body without problems.
            let command = command.ok_or_else(|| ApiError::new(Code::Internal, "internal error"))?;
            let created: Created = asking.command(command).await?;
            Ok((StatusCode::CREATED, Json(created)).into_response())
        })
        .await
}

/// `GET /sessions/{session}/groups/{gid}`.
pub(crate) async fn get(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named((session, group)): Place,
) -> Answer<Group> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let group = named(&group)?;
    asking.command(GroupCommand::Get { group }).await.map(Json)
}

/// `PATCH /sessions/{session}/groups/{gid}`: subject, description, and who may write and edit.
pub(crate) async fn update(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named((session, group)): Place,
    request: Request,
) -> Answer<Group> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let group = named(&group)?;
    let changes = |fields, problems: &mut Problems| Some(input::changes(fields, problems));
    let changes = asking.body(request, changes).await?;
    let command = GroupCommand::Update { group, changes };
    asking.command(command).await.map(Json)
}

/// `POST /sessions/{session}/groups/{gid}:leave`.
pub(crate) async fn leave(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named((session, group)): Place,
) -> Result<StatusCode, ApiError> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let group = named(&group)?;
    let () = asking.command(GroupCommand::Leave { group }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /sessions/{session}/groups/{gid}/invite`: the code and the link.
pub(crate) async fn invite(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named((session, group)): Place,
) -> Answer<Invite> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let (group, revoke) = (named(&group)?, false);
    let command = GroupCommand::Invite { group, revoke };
    asking.command(command).await.map(Json)
}

/// `DELETE /sessions/{session}/groups/{gid}/invite`: revokes it and gives the one in its place.
pub(crate) async fn revoke_invite(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named((session, group)): Place,
) -> Answer<Invite> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let (group, revoke) = (named(&group)?, true);
    let command = GroupCommand::Invite { group, revoke };
    asking.command(command).await.map(Json)
}

/// `GET /sessions/{session}/groups/{gid}/members?limit=&cursor=`.
pub(crate) async fn members(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named((session, group)): Place,
    OriginalUri(uri): OriginalUri,
) -> Answer<Page<GroupMember>> {
    let asking = Asking::new(&app, &caller, &request_id, &session);
    let group = named(&group)?;
    let slice = Slice::read(&Query::of(&uri))?;
    let mut group: Group = asking.command(GroupCommand::Get { group }).await?;
    group.members.sort_by(|one, other| one.jid.cmp(&other.jid));
    Ok(slice.of(group.members, |member| &member.jid))
}

/// The handlers of `POST …/members` and of its verbs `:remove`, `:promote` and `:demote`.
macro_rules! member_changes {
    ($($name:ident => $change:ident),+) => {$(
        pub(crate) async fn $name(
            State(app): Shared,
            Extension(caller): By,
            Extension(request_id): Id,
            Named((session, group)): Place,
            request: Request,
        ) -> Answer<Page<MemberOutcome>> {
            let asking = Asking::new(&app, &caller, &request_id, &session);
            asking.change_members(&group, MemberChange::$change, request).await
        }
    )+};
}

member_changes!(add => Add, remove => Remove, promote => Promote, demote => Demote);

impl<'a> Asking<'a> {
    fn new(app: &'a App, caller: &'a Caller, request_id: &'a RequestId, session: &'a str) -> Self {
        Self {
            app,
            caller,
            request_id,
            session,
        }
    }

    /// Reads the body once the session is one that the caller may see.
    async fn body<T>(
        &self,
        request: Request,
        read: impl FnOnce(Fields, &mut Problems) -> Option<T>,
    ) -> Result<T, ApiError> {
        self.caller.session(self.session)?;
        let read = read_body(self.app, request, read).await?;
        // Nothing is missing from a body without problems.
        read.ok_or_else(|| ApiError::new(Code::Internal, "internal error"))
    }

    async fn change_members(
        &self,
        group: &str,
        change: MemberChange,
        request: Request,
    ) -> Answer<Page<MemberOutcome>> {
        let group = named(group)?;
        let members = |fields, problems: &mut Problems| Some(input::members(fields, problems));
        let members = self.body(request, members).await?;
        let command = GroupCommand::ChangeMembers {
            group,
            change,
            members,
        };
        let outcomes = self.command(command).await?;
        Ok(Json(Page::only(outcomes)))
    }

    /// Asks the session's worker, and reads its answer.
    async fn command<T: DeserializeOwned>(&self, command: GroupCommand) -> Result<T, ApiError> {
        let of = self.caller.session(self.session)?;
        let record = self.app.sessions.record(&of).await?;
        let record = record
            .filter(|record| record.desired != Desired::Deleted)
            .ok_or_else(session_not_found)?;
        let Some(worker) = &record.session.worker else {
            return Err(not_connected());
        };
        let command = Command::Group(command);
        let answer = ask(self.app, &of, worker, self.request_id, command).await;
        serde_json::from_value(answer.map_err(refusal)?)
            .map_err(|error| ApiError::new(Code::Internal, "internal error").caused_by(error))
    }
}

/// The group that a path names.
fn named(group: &str) -> Result<Jid, ApiError> {
    let jid = group.parse::<Jid>().ok().filter(Jid::is_group);
    jid.ok_or_else(|| ApiError::not_found("group"))
}

fn not_connected() -> ApiError {
    ApiError::new(
        Code::NotImplemented,
        "this is asked of WhatsApp, and the session is not connected to it",
    )
    .with("reason", "session_not_connected")
}

/// The one table from what a worker refused with to what the caller is told.
fn refusal(unanswered: Unanswered) -> ApiError {
    let CommandError {
        code,
        message,
        wa_code,
    } = match unanswered {
        Unanswered::Refused(error) => error,
        Unanswered::Failed(error) => return error,
    };
    let error = match code.as_str() {
        "session_not_connected" | "not_owned" => return not_connected(),
        "group_not_found" => return ApiError::not_found("group"),
        "invite_unknown" | "invite_gone" => {
            let mut problems = Problems::default();
            problems.add("invite", message);
            return ApiError::validation(&problems).with("reason", code);
        }
        "no_answer" => return ApiError::unavailable("no_answer", message),
        _ => ApiError::conflict(&code, message),
    };
    match wa_code {
        Some(code) => error.with("waCode", code),
        None => error,
    }
}

/// A page of a list that is there as a whole. The cursor is the last entry of the page before.
struct Slice {
    after: String,
    limit: usize,
}

impl Slice {
    fn read(query: &Query<'_>) -> Result<Self, ApiError> {
        let mut problems = Problems::default();
        let slice = Self {
            after: query.get("cursor").unwrap_or_default().to_owned(),
            limit: query.limit(&mut problems),
        };
        if !slice.after.is_empty() && slice.after.parse::<Jid>().is_err() {
            problems.add("cursor", "must be the nextCursor of an earlier page");
        }
        problems.settle()?;
        Ok(slice)
    }

    /// This slice of a list that is ordered by `key`.
    fn of<T>(self, mut data: Vec<T>, key: impl Fn(&T) -> &String) -> Json<Page<T>> {
        data.retain(|entry| *key(entry) > self.after);
        let more = data.len() > self.limit;
        data.truncate(self.limit);
        let last = data.last().filter(|_| more).map(|last| key(last).clone());
        Json(Page {
            data,
            next_cursor: last.unwrap_or_default(),
        })
    }
}
