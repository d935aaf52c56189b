//! Everything that changes something. Checked on the server, recorded before it is done.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use gateway_shared::domain::OutboxId;
use gateway_shared::lane::{Cancelled, Retried, SessionRef};
use gateway_shared::operator::AuditEntry;
use gateway_shared::session::DesiredChange;
use serde::Deserialize;

use super::Failure;
use super::access::Present;
use super::messages::story_of;
use super::sessions::find;
use crate::state::App;

/// What the forms send.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    csrf: String,
    action: String,
    session: String,
    #[serde(default)]
    outbox: String,
}

/// `POST /ops/actions`.
pub(super) async fn act(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Form(order): Form<Order>,
) -> Result<Response, Failure> {
    if order.csrf != who.sign_in.csrf {
        return Err(Failure::refused(
            "This form is from another sign-in",
            "Nothing was done. Load the page again and repeat it.",
        ));
    }
    if !who.may_act() {
        return Err(Failure::refused(
            "A viewer sees and changes nothing",
            "Nothing was done. Ask somebody with an admin key.",
        ));
    }
    let of = find(&app, &order.session).await?;
    let target = if order.outbox.is_empty() {
        order.session.clone()
    } else {
        format!("{} {}", order.session, order.outbox)
    };
    let before = app.sessions.get(&of).await?;
    let entry = AuditEntry {
        operator: &who.sign_in.name,
        from: &who.from,
        action: &order.action,
        target: &target,
        detail: before
            .as_ref()
            .map_or("", |session| session.status.as_str()),
    };
    app.operators.audit(entry).await?;
    if order.action == "message.reveal" {
        return Ok(story_of(&app, &who, &of, &order.outbox, true)
            .await?
            .into_response());
    }
    let place = perform(&app, &of, &order).await?;
    Ok(Redirect::to(&place).into_response())
}

/// Does it; gives the page that shows its effect.
async fn perform(app: &App, of: &SessionRef, order: &Order) -> Result<String, Failure> {
    let now = app.now();
    let session_page = format!("/ops/sessions/{}", of.session);
    let change = match order.action.as_str() {
        "lane.pause" => {
            app.lanes
                .pause(now, of, None, "paused by an operator")
                .await?;
            return Ok(session_page);
        }
        "lane.resume" => {
            app.lanes.resume(now, of).await?;
            return Ok(session_page);
        }
        "session.start" => DesiredChange::Start,
        "session.stop" => DesiredChange::Stop,
        "session.restart" => DesiredChange::Restart,
        "session.logout" => DesiredChange::Logout,
        other => return message(app, of, order, other).await,
    };
    app.sessions.desired_change(now, of, change).await?;
    Ok(session_page)
}

async fn message(
    app: &App,
    of: &SessionRef,
    order: &Order,
    action: &str,
) -> Result<String, Failure> {
    let now = app.now();
    let id: OutboxId = order
        .outbox
        .parse()
        .map_err(|_| Failure::missing("message"))?;
    let page = format!("/ops/messages/{}/{id}", of.session);
    match action {
        "message.retry" => {
            let (life, depth) = (
                app.config.send.time_to_live_ms,
                app.config.send.max_lane_depth,
            );
            match app.lanes.retry(now, of, &id, life, depth).await? {
                Retried::Queued => {}
                Retried::NotFound => return Err(Failure::missing("message")),
                Retried::NotFailed(status) => {
                    let advice = format!("Nothing was done: it is {status}.");
                    return Err(Failure::bad("Only a failed send can be retried", &advice));
                }
                Retried::LoggedOut { .. } => {
                    let advice = "Nothing was done: pair a number first.";
                    return Err(Failure::bad(
                        "No number is paired with this session",
                        advice,
                    ));
                }
                Retried::AccountChanged => {
                    let advice = "Nothing was done: a send leaves only from the number it was \
                                  accepted for.";
                    return Err(Failure::bad("Another number is paired now", advice));
                }
                Retried::LaneFull { depth } => {
                    let advice = format!("Nothing was done: {depth} sends wait already.");
                    return Err(Failure::bad("The lane is full", &advice));
                }
            }
        }
        "message.cancel" => {
            let outcome = app.lanes.cancel(now, of, &id, None).await?;
            if !matches!(outcome, Cancelled::Done) {
                return Err(Failure::bad(
                    "It can not be cancelled any more",
                    "Nothing was done: it is being sent, or has ended.",
                ));
            }
        }
        _ => {
            return Err(Failure::bad("There is no such action", "Nothing was done."));
        }
    }
    Ok(page)
}
