//! Who is in the room: the sign-in page, the cookie, and the token that every action carries.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Form;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{COOKIE, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_shared::operator::{AuditEntry, Role, SignIn};
use maud::html;
use serde::Deserialize;

use super::{Failure, layout};
use crate::state::App;

/// The cookie's name. `__Host-` would need https, which a loopback listener does not have.
const COOKIE_NAME: &str = "gateway_ops";

/// The operator of a request, and from where they are.
#[derive(Debug, Clone)]
pub(super) struct Present {
    pub(super) sign_in: SignIn,
    pub(super) from: String,
}

impl Present {
    /// Whether they may change something.
    pub(super) fn may_act(&self) -> bool {
        self.sign_in.role == Role::Admin
    }
}

fn token(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, token)| token.to_owned())
}

/// Whether a request that changes something comes from our own pages.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN).and_then(|value| value.to_str().ok()) else {
        return true;
    };
    let host = headers.get("host").and_then(|value| value.to_str().ok());
    let name = origin.split_once("://").map(|(_, rest)| rest);
    name.is_some() && name == host
}

/// Lets those in who are signed in; the others get the sign-in page.
pub(super) async fn admit(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if request.method() != Method::GET && !same_origin(request.headers()) {
        return Err(Failure::refused(
            "This action came from another site",
            "Nothing was done. Act from the pages of the operations room.",
        ));
    }
    let known = match token(request.headers()) {
        Some(token) => app.operators.signed_in(&token).await?,
        None => None,
    };
    let Some(sign_in) = known else {
        return Ok(Redirect::to("/ops/sign-in").into_response());
    };
    let from = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(String::new, |ConnectInfo(address)| address.ip().to_string());
    request.extensions_mut().insert(Present { sign_in, from });
    Ok(next.run(request).await)
}

pub(super) async fn sign_in_page() -> Response {
    sign_in_form("").into_response()
}

fn sign_in_form(problem: &str) -> maud::Markup {
    layout::bare(
        "Sign in",
        &html! {
            h1 { "Operations room" }
            form method="post" action="/ops/sign-in" class="sign-in" {
                label for="key" { "Operator key" }
                input id="key" name="key" type="password" autocomplete="current-password" required autofocus;
                @if !problem.is_empty() { p class="problem" role="alert" { (problem) } }
                button type="submit" { "Sign in" }
            }
            p class="quiet" { "Make a key with " code { "gateway-api operators create --role admin" } "." }
        },
    )
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    key: String,
}

pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response, Failure> {
    if !same_origin(&headers) {
        return Err(Failure::refused(
            "This came from another site",
            "Sign in here.",
        ));
    }
    let Some(operator) = app.operators.find(form.key.trim()).await? else {
        return Ok((
            axum::http::StatusCode::UNAUTHORIZED,
            sign_in_form("There is no operator with this key."),
        )
            .into_response());
    };
    let entry = AuditEntry {
        operator: &operator.name,
        from: &address.ip().to_string(),
        action: "sign_in",
        target: "",
        detail: operator.role.as_str(),
    };
    app.operators.audit(entry).await?;
    let life = app.config.ops.sign_in_ms;
    let token = app
        .operators
        .sign_in(&operator.name, operator.role, life)
        .await?;
    let cookie = format!(
        "{COOKIE_NAME}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}",
        life / 1_000
    );
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/ops")).into_response())
}

pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Some(token) = token(&headers) {
        app.operators.sign_out(&token).await?;
    }
    let cookie = format!("{COOKIE_NAME}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/ops/sign-in")).into_response())
}
