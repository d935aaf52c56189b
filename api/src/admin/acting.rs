//! What operators do over the API: the same actions as on the pages, recorded in the same log.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::domain::{JobId, OrganizationId, OutboxId, SendStatus, SessionId, WorkerId};
use gateway_shared::lane::OutboxEntry;
use gateway_shared::operator::{Job, JobAction, JobFilter, Role, is_place};
use gateway_shared::organization::Organization;
use gateway_shared::tally::Minute;
use gateway_shared::webhooks::Webhook;
use schemars::JsonSchema;
use serde::Serialize;

use super::page::foreign_cursor;
use crate::access::Caller;
use crate::control::census::census;
use crate::control::find::{Wanted, find, organizations as all_organizations};
use crate::control::{Action, Actor, act};
use crate::error::ApiError;
use crate::page::Page;
use crate::request::{Named, Problems, Query, read_body};
use crate::state::App;

/// Characters of an organization's name.
pub(super) const NAME: std::ops::RangeInclusive<usize> = 1..=200;
/// Numbers that may be confirmed.
pub(super) const NUMBER: std::ops::RangeInclusive<i64> = 0..=1_000_000_000;

fn actor(caller: &Caller) -> Actor {
    Actor {
        name: format!("login {}", caller.name),
        from: "API".to_owned(),
        role: Role::Admin,
    }
}

/// The installation at a moment.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    /// When it was counted: up to ten seconds ago in an installation of more than 300 sessions.
    at: Millis,
    /// Sends that wait, the scheduled ones included.
    waiting: u64,
    /// Sends that are being attempted.
    in_flight: u64,
    /// Sends that failed for good and are kept.
    dead_letters: u64,
    /// When the send was accepted that has waited longest.
    oldest_at: Option<Millis>,
    /// Sessions by their status.
    sessions: std::collections::BTreeMap<String, u64>,
    /// Workers that live.
    workers_alive: usize,
    /// Workers that are registered.
    workers: usize,
    /// Deliveries that wait for webhooks.
    webhook_backlog: u64,
    /// Bytes of files that are kept.
    media_bytes: u64,
    /// Bytes that Redis uses.
    redis_bytes: u64,
    /// What is wrong with the persistence of Redis.
    redis_problem: Option<String>,
    /// The last hour, the present minute last.
    hour: Vec<Minute>,
}

/// `GET /admin/overview`.
pub(crate) async fn overview(State(app): State<Arc<App>>) -> Result<Json<Overview>, ApiError> {
    let census = census(&app).await?;
    let lanes = &census.lanes;
    let mut sessions = std::collections::BTreeMap::new();
    for lane in lanes {
        *sessions
            .entry(lane.session.status.as_str().to_owned())
            .or_default() += 1;
    }
    let live = census.workers.iter().filter(|one| census.lives(&app, one));
    Ok(Json(Overview {
        at: census.at,
        waiting: lanes.iter().map(|lane| lane.gauge.depth).sum(),
        in_flight: lanes.iter().map(|lane| lane.gauge.in_flight).sum(),
        dead_letters: lanes.iter().map(|lane| lane.gauge.dead_letters).sum(),
        oldest_at: lanes.iter().filter_map(|lane| lane.gauge.oldest_at).min(),
        sessions,
        workers_alive: live.count(),
        workers: census.workers.len(),
        webhook_backlog: census.webhooks.iter().map(|one| one.health.held).sum(),
        media_bytes: census.media_bytes,
        redis_bytes: census.redis.used_memory,
        redis_problem: census.redis.problem.clone(),
        hour: census.hour.clone(),
    }))
}

/// A send, and whose it is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundSend {
    /// Whose it is.
    organization: OrganizationId,
    /// The send.
    #[serde(flatten)]
    entry: OutboxEntry,
}

/// `GET /admin/messages?q=&status=&organization=&session=&since=&until=&limit=&cursor=`.
pub(crate) async fn messages(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<FoundSend>>, ApiError> {
    let query = Query::of(&uri);
    let mut problems = Problems::default();
    let wanted = Wanted {
        text: query.get("q").unwrap_or_default().trim().to_owned(),
        organization: query.parsed(&mut problems, "organization"),
        session: query.parsed(&mut problems, "session"),
        status: query.parsed::<SendStatus>(&mut problems, "status"),
        since: query.parsed(&mut problems, "since"),
        until: query.parsed(&mut problems, "until"),
        cursor: query.get("cursor").unwrap_or_default().to_owned(),
        limit: query.limit(&mut problems),
    };
    if wanted.text.chars().count() > 255 {
        problems.add("q", "must be at most 255 characters");
    }
    problems.settle()?;
    let session = wanted.cursor.split('.').next().unwrap_or_default();
    if !wanted.cursor.is_empty() && session.parse::<SessionId>().is_err() {
        return Err(foreign_cursor());
    }
    let (hits, next_cursor) = find(&app, &wanted).await?;
    let data = hits.into_iter().map(|hit| FoundSend {
        organization: hit.of.organization,
        entry: hit.entry,
    });
    Ok(Json(Page {
        data: data.collect(),
        next_cursor,
    }))
}

/// `GET /admin/webhooks`: all of them, those that need somebody first.
pub(crate) async fn webhooks(State(app): State<Arc<App>>) -> Result<Json<Page<Webhook>>, ApiError> {
    let mut all = census(&app).await?.webhooks.clone();
    all.sort_by_key(|one| !crate::control::census::is_down(one));
    Ok(Json(Page::only(all)))
}

/// `POST /admin/workers/{workerId}:drain`.
pub(crate) async fn drain(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(worker): Named<String>,
) -> Result<StatusCode, ApiError> {
    drained(&app, &caller, &worker, true).await
}

/// `POST /admin/workers/{workerId}:undrain`.
pub(crate) async fn undrain(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(worker): Named<String>,
) -> Result<StatusCode, ApiError> {
    drained(&app, &caller, &worker, false).await
}

async fn drained(
    app: &Arc<App>,
    caller: &Caller,
    worker: &str,
    drain: bool,
) -> Result<StatusCode, ApiError> {
    let worker: WorkerId = worker.parse().map_err(|_| ApiError::not_found("worker"))?;
    act(app, &actor(caller), Action::Drain(worker, drain)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /admin/messages/{outboxId}:discard`.
pub(crate) async fn discard(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    let missing = || ApiError::not_found("message");
    let id: OutboxId = id.parse().map_err(|_| missing())?;
    let organizations = app.organizations.all().await?;
    let of = app.lanes.session_of(&organizations, &id).await?;
    let session = of.ok_or_else(missing)?.session;
    act(&app, &actor(&caller), Action::DiscardMessage(session, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /admin/organizations`: all of them, by name.
pub(crate) async fn organizations(
    State(app): State<Arc<App>>,
) -> Result<Json<Page<Organization>>, ApiError> {
    Ok(Json(Page::only(all_organizations(&app).await?)))
}

/// `POST /admin/organizations`.
pub(crate) async fn create_organization(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Result<(StatusCode, Json<Organization>), ApiError> {
    let name = read_body(&app, request, |mut fields, problems| {
        fields.require(problems, "name");
        let name = fields.text_of(problems, "name", NAME);
        fields.finish(problems, &[], "");
        name.unwrap_or_default()
    })
    .await?;
    let done = act(&app, &actor(&caller), Action::CreateOrganization(name)).await?;
    let missing = || ApiError::not_found("organization");
    let id = done.organization.ok_or_else(missing)?;
    let made = app.organizations.get(&id).await?.ok_or_else(missing)?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// `POST /admin/organizations/{organizationId}:suspend`.
pub(crate) async fn suspend(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Json<Organization>, ApiError> {
    suspended(&app, &caller, &id, true).await
}

/// `POST /admin/organizations/{organizationId}:unsuspend`.
pub(crate) async fn unsuspend(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Json<Organization>, ApiError> {
    suspended(&app, &caller, &id, false).await
}

async fn suspended(
    app: &Arc<App>,
    caller: &Caller,
    id: &str,
    suspend: bool,
) -> Result<Json<Organization>, ApiError> {
    let missing = || ApiError::not_found("organization");
    let id: OrganizationId = id.parse().map_err(|_| missing())?;
    act(app, &actor(caller), Action::Suspend(id.clone(), suspend)).await?;
    let found = app.organizations.get(&id).await?.unwrap_or(Organization {
        suspended_at: suspend.then(|| app.now()),
        id,
        name: String::new(),
        created_at: None,
    });
    Ok(Json(found))
}

/// `GET /admin/jobs`: the latest 100.
pub(crate) async fn jobs(State(app): State<Arc<App>>) -> Result<Json<Page<Job>>, ApiError> {
    Ok(Json(Page::only(app.operators.jobs(100).await?)))
}

/// `GET /admin/jobs/{jobId}`.
pub(crate) async fn job(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(job_of(&app, &id).await?))
}

async fn job_of(app: &App, id: &str) -> Result<Job, ApiError> {
    let missing = || ApiError::not_found("job");
    let id: JobId = id.parse().map_err(|_| missing())?;
    app.operators.job(&id).await?.ok_or_else(missing)
}

/// `POST /admin/jobs`.
pub(crate) async fn create_job(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let action = read_body(&app, request, |mut fields, problems| {
        fields.require(problems, "action");
        let action = fields.parsed::<JobAction>(problems, "action");
        let filter = JobFilter {
            organization: fields.parsed(problems, "organization"),
            session: fields.parsed(problems, "session"),
            code: fields.text_of(problems, "code", 1..=100),
            since: fields.integer(problems, "since", crate::request::TIME),
            until: fields.integer(problems, "until", crate::request::TIME),
        };
        let typed = fields.integer(problems, "matching", NUMBER);
        fields.finish(problems, &[], "");
        Action::StartJob {
            action: action.unwrap_or(JobAction::Retry),
            filter,
            typed: typed.and_then(|number| number.try_into().ok()),
        }
    })
    .await?;
    let done = act(&app, &actor(&caller), action).await?;
    let job = done.job.ok_or_else(|| ApiError::not_found("job"))?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

/// `POST /admin/jobs/{jobId}:stop`.
pub(crate) async fn stop_job(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Json<Job>, ApiError> {
    let job = job_of(&app, &id).await?;
    act(&app, &actor(&caller), Action::StopJob(job.id)).await?;
    Ok(Json(job_of(&app, &id).await?))
}

/// A line of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Audited {
    /// Its place in the log.
    id: String,
    /// When.
    at: Millis,
    /// Who.
    operator: String,
    /// From which address; `API` = over the API.
    from: String,
    /// What, as a verb: `lane.pause`.
    action: String,
    /// To what.
    target: String,
    /// What was before, or any other detail.
    detail: String,
}

/// `GET /admin/audit?limit=&cursor=`: the latest first.
pub(crate) async fn audit(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<Audited>>, ApiError> {
    let query = Query::of(&uri);
    let mut problems = Problems::default();
    let limit = query.limit(&mut problems);
    problems.settle()?;
    let cursor = query.get("cursor").unwrap_or_default();
    if !is_place(cursor) {
        return Err(foreign_cursor());
    }
    let lines = app.operators.audit_log(cursor, limit).await?;
    let next_cursor = lines
        .last()
        .filter(|_| lines.len() == limit)
        .map_or_else(String::new, |last| last.id.clone());
    let data = lines.into_iter().map(|line| {
        let at = line.at();
        let [operator, from, action, target, detail] = line.fields;
        Audited {
            id: line.id,
            at,
            operator,
            from,
            action,
            target,
            detail,
        }
    });
    Ok(Json(Page {
        data: data.collect(),
        next_cursor,
    }))
}
