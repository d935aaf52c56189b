//! One attempt to deliver.

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::clock::{Clock, Millis};
use gateway_shared::egress::header::{HeaderMap, RETRY_AFTER};
use gateway_shared::egress::{EgressError, StatusCode};
use gateway_shared::events::Event;
use gateway_shared::webhooks::{
    AttemptRecord, Delivery, DeliveryIds, Post, Secrets, Webhook, WebhookRef, post, render,
};
use tokio::time::Instant;

use super::dispatcher::Shared;
use super::files::with_address;
use super::queue::Item;

/// What is delivered to, as it was when the attempt began.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) of: WebhookRef,
    pub(super) webhook: Webhook,
    pub(super) secrets: Secrets,
}

/// What an attempt is about.
#[derive(Debug)]
pub(super) enum Work {
    /// An event of the queue.
    Fresh(Item),
    /// The head of a chat that is held.
    Held(Arc<str>),
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) work: Work,
    pub(super) outcome: Outcome,
    /// How often the endpoint had been tried in vain when it began.
    pub(super) trips: u32,
}

/// What came of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The endpoint took it.
    Delivered(Box<Delivery>),
    /// The endpoint answered that it does not take it; with what is kept of the event.
    Refused(Box<Delivery>, Arc<Event>, Answer),
    /// The endpoint could not be asked.
    Unreachable(Answer),
    /// The endpoint wants nothing any more (410).
    Gone(Answer),
    /// Nothing is held in that chat any more.
    Empty,
    /// The event is no longer kept anywhere.
    Lost(Box<Delivery>),
    /// Nothing was attempted: this worker may not act, or Redis does not answer.
    NotAttempted,
}

/// What a failed attempt says.
#[derive(Debug)]
pub(super) struct Answer {
    /// In a few words, without the address.
    pub(super) why: String,
    /// When to come again, in milliseconds.
    pub(super) retry_after: Option<u64>,
}

/// What is about to be delivered.
struct Loaded {
    delivery: Delivery,
    event: Arc<Event>,
    body: bytes::Bytes,
}

/// Makes an attempt, when it is its turn among those of the organization and of the worker.
pub(super) async fn attempt(
    shared: Arc<Shared>,
    endpoint: Arc<Endpoint>,
    work: Work,
    trips: u32,
) -> Attempted {
    let outcome = make(&shared, &endpoint, &work).await;
    Attempted {
        work,
        outcome,
        trips,
    }
}

async fn make(shared: &Shared, endpoint: &Endpoint, work: &Work) -> Outcome {
    let organization = shared.turns_of(&endpoint.of.organization);
    // Neither is ever closed.
    let (Ok(_one), Ok(_all)) = (organization.acquire().await, shared.turns.acquire().await) else {
        return Outcome::NotAttempted;
    };
    let loaded = match work {
        Work::Fresh(item) => Loaded {
            delivery: Delivery::new(
                item.id.clone(),
                item.event.id.clone(),
                &item.event.kind,
                &item.event.session,
            ),
            event: Arc::clone(&item.event),
            body: item.body.clone(),
        },
        Work::Held(chat) => match load(shared, endpoint, chat).await {
            Ok(loaded) => loaded,
            Err(outcome) => return outcome,
        },
    };
    // Right before the wire: a worker that was frozen finds its right expired.
    if !shared.member.liveness.may_act() {
        return Outcome::NotAttempted;
    }
    send(shared, endpoint, loaded).await
}

/// What is at the head of a chat that is held.
async fn load(shared: &Shared, endpoint: &Endpoint, chat: &str) -> Result<Loaded, Outcome> {
    let of = &endpoint.of;
    let unanswered = |error: gateway_shared::redis::RedisFailure| {
        tracing::debug!(webhook = %of.webhook, %error, "can not read what is held");
        Outcome::NotAttempted
    };
    let head = shared
        .webhooks
        .held_head(of, chat)
        .await
        .map_err(unanswered)?;
    let Some(id) = head else {
        return Err(Outcome::Empty);
    };
    let record = shared.webhooks.records(of, &[id.as_str()]).await;
    let record = record.map_err(unanswered)?.pop().flatten();
    let Some(place) = DeliveryIds::of(&of.webhook).place(&id) else {
        return Err(Outcome::Empty);
    };
    let kept = record.as_ref().and_then(|record| record.envelope.as_ref());
    let event = match kept {
        Some(json) => Event::from_json(place, json),
        None => shared
            .log
            .at(&of.organization, place)
            .await
            .map_err(unanswered)?,
    };
    let event_id = gateway_shared::events::EventIds::of(&of.organization).id(place);
    let blank = || Delivery::new(id.clone(), event_id.clone(), "", "");
    let Some(event) = event else {
        return Err(Outcome::Lost(Box::new(record.unwrap_or_else(blank))));
    };
    let mut delivery = record.unwrap_or_else(blank);
    delivery.event.clone_from(&event.kind);
    delivery.session.clone_from(&event.session);
    // A webhook whose format was changed may have no shape for it any more.
    let shown = with_address(shared, endpoint, &event, false);
    let Some(body) = render(endpoint.webhook.format, &shown) else {
        return Err(Outcome::Lost(Box::new(delivery)));
    };
    Ok(Loaded {
        delivery,
        event: Arc::new(event),
        body,
    })
}

async fn send(shared: &Shared, endpoint: &Endpoint, loaded: Loaded) -> Outcome {
    let Loaded {
        mut delivery,
        event,
        body,
    } = loaded;
    let at = shared.clock.now();
    let begun = Instant::now();
    let sent = post(
        &shared.egress,
        Post {
            url: &endpoint.webhook.url,
            custom_headers: &endpoint.webhook.custom_headers,
            secrets: &endpoint.secrets,
            id: event.id.as_str(),
            now: at,
            body,
        },
    )
    .await;
    let mut attempt = AttemptRecord {
        at,
        duration_ms: millis(begun.elapsed()),
        status: None,
        error: None,
        response: None,
    };
    match sent {
        Ok(answer) => {
            let status = answer.status;
            attempt.status = Some(status.as_u16());
            attempt.response = Some(answer.body).filter(|body| !body.is_empty());
            delivery.attempted(attempt);
            delivery.next_attempt_at = None;
            let retry_after = retry_after(&answer.headers, shared.clock.now());
            let why = format!("answered {}", status.as_u16());
            let failed = Answer { why, retry_after };
            match judge(status) {
                Judgement::Success => {
                    delivery.attempts += 1;
                    delivery.envelope = None;
                    Outcome::Delivered(Box::new(delivery))
                }
                Judgement::Refusal => Outcome::Refused(Box::new(delivery), event, failed),
                Judgement::Down => Outcome::Unreachable(failed),
                Judgement::Gone => Outcome::Gone(failed),
            }
        }
        Err(error) => Outcome::Unreachable(Answer {
            why: describe(&error),
            retry_after: None,
        }),
    }
}

/// What went wrong, without the address.
fn describe(error: &EgressError) -> String {
    match error {
        EgressError::Refused(_) => "the address is refused: it is not public".to_owned(),
        other => other.to_string(),
    }
}

/// What a status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Success,
    /// Of this event.
    Refusal,
    /// Of the endpoint as a whole.
    Down,
    Gone,
}

fn judge(status: StatusCode) -> Judgement {
    match status {
        StatusCode::GONE => Judgement::Gone,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Judgement::Down,
        status if status.is_success() => Judgement::Success,
        _ => Judgement::Refusal,
    }
}

/// How long an answer asks to wait, in milliseconds: seconds or a date.
fn retry_after(headers: &HeaderMap, now: Millis) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1_000);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let at = Millis::try_from(since.as_millis()).ok()?;
    u64::try_from(at.saturating_sub(now)).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_says() {
        for (statuses, expected) in [
            (&[200, 201, 202, 204, 299][..], Judgement::Success),
            (
                &[301, 302, 307, 400, 401, 403, 404, 408, 422, 500, 501],
                Judgement::Refusal,
            ),
            (&[429, 502, 503, 504], Judgement::Down),
            (&[410], Judgement::Gone),
        ] {
            for status in statuses {
                let status = StatusCode::from_u16(*status).unwrap();
                assert_eq!(judge(status), expected, "{status}");
            }
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let at = |text: &'static str, now| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(at("120", 0), Some(120_000));
        let date = "Thu, 01 Jan 1970 00:01:00 GMT";
        assert_eq!(at(date, 15_000), Some(45_000));
        assert_eq!(at(date, 90_000), None);
        assert_eq!(at("soon", 0), None);
        assert_eq!(at("99999999999999999999", 0), None);
    }
}
