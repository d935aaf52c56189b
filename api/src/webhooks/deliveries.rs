//! What became of the deliveries of a webhook, and making them again.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::domain::DeliveryId;
use gateway_shared::events::Place;
use gateway_shared::webhooks::{Delivery, DeliveryIds, Replayed, Webhook, WebhookRef};
use schemars::JsonSchema;
use serde::Serialize;

use super::{found, input, not_found};
use crate::access::Caller;
use crate::error::ApiError;
use crate::page::Page;
use crate::request::{Named, Problems, Query, read_body};
use crate::state::App;

/// Deliveries that one step queues again.
const STEP: usize = 200;
/// Deliveries that one request queues again.
const MOST: usize = 5_000;

/// How many deliveries are made again.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayedMany {
    /// So many.
    pub(crate) replayed: usize,
    /// Whether there are more than one request replays: ask again, with `nextSince` where it is
    /// given.
    pub(crate) more: bool,
    /// Where the next request goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_since: Option<Millis>,
}

/// `GET /webhooks/{webhookId}/deliveries?status=&limit=&cursor=`: newest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<Delivery>>, ApiError> {
    let query = Query::of(&uri);
    let mut problems = Problems::default();
    let status = query.parsed(&mut problems, "status");
    let limit = query.limit(&mut problems);
    let cursor = query.get("cursor").map(str::parse::<DeliveryId>);
    if let Some(Err(_)) = &cursor {
        problems.add("cursor", "must be the nextCursor of an earlier page");
    }
    problems.settle()?;
    let (of, _, _) = found(&app, &caller, &id).await?;
    let before = cursor.and_then(Result::ok);
    let mut data = app
        .webhooks
        .deliveries(&of, status, before.as_ref(), limit + 1)
        .await?;
    let more = data.len() > limit;
    data.truncate(limit);
    let last = data.last().filter(|_| more);
    let next_cursor = last.map(|last| last.id.to_string()).unwrap_or_default();
    Ok(Json(Page { data, next_cursor }))
}

/// `GET /webhooks/{webhookId}/deliveries/{deliveryId}`.
pub(crate) async fn delivery(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named((id, delivery)): Named<(String, String)>,
) -> Result<Json<Delivery>, ApiError> {
    let (of, _, _) = found(&app, &caller, &id).await?;
    one(&app, &of, &delivery).await.map(Json)
}

/// `POST /webhooks/{webhookId}/deliveries/{deliveryId}:replay`.
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named((id, delivery)): Named<(String, String)>,
) -> Result<Json<Delivery>, ApiError> {
    let (of, webhook, _) = found(&app, &caller, &id).await?;
    let known = one(&app, &of, &delivery).await?;
    replay_one(&app, &of, &webhook, &known.id).await?;
    one(&app, &of, &delivery).await.map(Json)
}

/// `POST /webhooks/{webhookId}/deliveries:replay`: all dead letters, or those of a time.
pub(crate) async fn replay_many(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
    request: Request,
) -> Result<Json<ReplayedMany>, ApiError> {
    let (of, webhook, _) = found(&app, &caller, &id).await?;
    let range = read_body(&app, request, input::range).await?;
    if range.only_dead {
        let (since, until) = (range.since, range.until);
        let until = until.unwrap_or(Millis::MAX >> 16);
        let replayed = replay_dead(&app, &of, &webhook, since.unwrap_or(0), until).await?;
        return Ok(Json(replayed));
    }
    must_be_active(&webhook)?;
    let replayed = events(&app, &of, &webhook, &range).await?;
    app.webhooks.announce(&of).await?;
    Ok(Json(replayed))
}

/// Has one delivery made again.
///
/// # Errors
/// 409 where nothing is delivered to the webhook or too much waits for it, 404 where it is gone or has
/// no such delivery.
pub(crate) async fn replay_one(
    app: &App,
    of: &WebhookRef,
    webhook: &Webhook,
    id: &DeliveryId,
) -> Result<(), ApiError> {
    must_be_active(webhook)?;
    if app.webhooks.delivery(of, id).await?.is_none() {
        return Err(ApiError::not_found("delivery"));
    }
    if queue(app, of, std::slice::from_ref(id)).await?.is_none() {
        return Err(full());
    }
    Ok(app.webhooks.announce(of).await?)
}

/// Has the dead letters of a time made again, as many as one request may.
///
/// # Errors
/// 409 where nothing is delivered to the webhook or too much waits for it, 404 where it is gone.
pub(crate) async fn replay_dead(
    app: &App,
    of: &WebhookRef,
    webhook: &Webhook,
    since: Millis,
    until: Millis,
) -> Result<ReplayedMany, ApiError> {
    must_be_active(webhook)?;
    let mut many = ReplayedMany {
        replayed: 0,
        more: true,
        next_since: None,
    };
    while many.replayed < MOST {
        let ids = app.webhooks.dead_between(of, since, until, STEP).await?;
        if ids.is_empty() {
            many.more = false;
            break;
        }
        match queue(app, of, &ids).await? {
            // All of them are queued already, and would be found again for ever.
            Some(0) => break,
            Some(queued) => many.replayed += queued,
            None if many.replayed == 0 => return Err(full()),
            None => break,
        }
    }
    app.webhooks.announce(of).await?;
    Ok(many)
}

/// Every event of a time that the webhook wants.
async fn events(
    app: &App,
    of: &WebhookRef,
    webhook: &Webhook,
    range: &input::Range,
) -> Result<ReplayedMany, ApiError> {
    let ids = DeliveryIds::of(&of.webhook);
    let at = |moment: Millis| u64::try_from(moment).unwrap_or(0);
    let until = range.until.map_or(u64::MAX, at);
    let mut place = Place {
        millis: at(range.since.unwrap_or(0)),
        sequence: 0,
    }
    .before();
    let mut replayed = 0;
    let done = |replayed| ReplayedMany {
        replayed,
        more: false,
        next_since: None,
    };
    loop {
        let page = app.events.after(&of.organization, place, STEP).await?;
        let Some(last) = page.last else {
            return Ok(done(replayed));
        };
        let wanted: Vec<DeliveryId> = page
            .events
            .iter()
            .filter(|event| event.place.millis <= until && webhook.wants(event))
            .map(|event| ids.id(event.place))
            .collect();
        let queued = if wanted.is_empty() {
            Some(0)
        } else {
            queue(app, of, &wanted).await?
        };
        match queued {
            Some(queued) => replayed += queued,
            None if replayed == 0 => return Err(full()),
            None => return Ok(rest(replayed, place)),
        }
        place = last;
        if last.millis > until {
            return Ok(done(replayed));
        }
        if replayed >= MOST {
            return Ok(rest(replayed, place));
        }
    }
}

/// There is more: of a millisecond that was begun everything is asked for again.
fn rest(replayed: usize, place: Place) -> ReplayedMany {
    ReplayedMany {
        replayed,
        more: true,
        next_since: Millis::try_from(place.millis).ok(),
    }
}

/// How many were queued; `None` where too many wait already.
async fn queue(app: &App, of: &WebhookRef, ids: &[DeliveryId]) -> Result<Option<usize>, ApiError> {
    let most = app.config.webhooks.max_held;
    match app.webhooks.replay(of, ids, most).await? {
        Replayed::Queued(queued) => Ok(Some(queued)),
        Replayed::Full => Ok(None),
        Replayed::NotFound => Err(not_found()),
    }
}

async fn one(app: &App, of: &WebhookRef, id: &str) -> Result<Delivery, ApiError> {
    let missing = || ApiError::not_found("delivery");
    let id: DeliveryId = id.parse().map_err(|_| missing())?;
    app.webhooks.delivery(of, &id).await?.ok_or_else(missing)
}

/// To what is not active nothing is delivered, so nothing may wait for it unseen.
fn must_be_active(webhook: &Webhook) -> Result<(), ApiError> {
    if webhook.active {
        return Ok(());
    }
    Err(ApiError::conflict(
        "webhook_inactive",
        "the webhook is not active; resume it first",
    ))
}

fn full() -> ApiError {
    ApiError::conflict(
        "too_many_held",
        "too many deliveries of this webhook wait already; try again when they are done",
    )
}
