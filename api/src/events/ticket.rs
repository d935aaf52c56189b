//! Tickets: how somebody who can set no header listens, without a key in a URL.
//!
//! A ticket is good once and for a minute. Redis keeps it by its hash; what it holds is the token of
//! whoever asked for it, sealed, so that listening by a ticket ends when the token does.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::redis::RedisFailure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::{ORGANIZATION, Token};
use crate::error::{ApiError, Code};
use crate::request::Query;
use crate::router::BASE;
use crate::state::App;

/// How long a ticket is good, in milliseconds.
const LIFE: u64 = 60_000;
/// What its text begins with.
const PREFIX: &str = "wat_";

/// A ticket to listen once.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    /// For `GET /events?ticket=`.
    ticket: String,
    /// Until when it is good.
    expires_at: Millis,
}

/// What a ticket stands for.
#[derive(Serialize, Deserialize)]
struct Held {
    token: String,
    organization: Option<String>,
}

/// `POST /events:ticket`.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(token): Extension<Token>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let organization = headers.get(ORGANIZATION);
    let held = Held {
        token: token.as_str().to_owned(),
        organization: organization.and_then(|value| value.to_str().ok().map(str::to_owned)),
    };
    let text = format!("{PREFIX}{}", hex::encode(rand::random::<[u8; 24]>()));
    let place = place(&app, &text);
    // Texts always have a JSON form.
    let plain = serde_json::to_vec(&held).unwrap_or_default();
    let sealed = app
        .keyring
        .seal(&place, &plain)
        .map_err(|error| ApiError::new(Code::Internal, "internal error").caused_by(error))?;
    let () = redis::cmd("SET")
        .arg(&place)
        .arg(sealed)
        .arg("PX")
        .arg(LIFE)
        .query_async(&mut app.store.connection.clone())
        .await
        .map_err(RedisFailure)?;
    let ticket = Ticket {
        ticket: text,
        expires_at: app.now() + Millis::try_from(LIFE).unwrap_or(0),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(ticket)).into_response())
}

/// The token of the ticket that a request to listen carries; the ticket is used up. `None` where it
/// carries none, or one that is used, old or made up.
pub(crate) async fn redeem(
    app: &App,
    request: &mut Request,
) -> Result<Option<Token>, RedisFailure> {
    let listens = request.method() == Method::GET
        && request.uri().path().strip_prefix(BASE) == Some("/events");
    let query = Query::of(request.uri());
    let text = query.get("ticket").filter(|text| text.starts_with(PREFIX));
    let Some(text) = text.filter(|_| listens) else {
        return Ok(None);
    };
    let place = place(app, text);
    let sealed: Option<Vec<u8>> = redis::cmd("GETDEL")
        .arg(&place)
        .query_async(&mut app.store.connection.clone())
        .await?;
    let opened = sealed.and_then(|sealed| app.keyring.open(&place, &sealed).ok());
    let held: Option<Held> = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
    let Some(held) = held else {
        return Ok(None);
    };
    let organization = held
        .organization
        .and_then(|id| HeaderValue::try_from(id).ok());
    if let Some(organization) = organization {
        let name = HeaderName::from_static(ORGANIZATION);
        request.headers_mut().insert(name, organization);
    }
    Ok(Some(Token::new(held.token)))
}

fn place(app: &App, ticket: &str) -> String {
    let hash = hex::encode(Sha256::digest(ticket));
    app.store.keys.ticket(&hash)
}
