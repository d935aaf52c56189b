//! Who is in the room: the sign-in page, the cookie, and the token that every action carries.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{COOKIE, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use gateway_shared::operator::{AuditEntry, Role, SignIn};
use maud::html;
use serde::Deserialize;

use super::{Failure, layout};
use crate::access::Token;
use crate::control::Actor;
use crate::state::App;

/// The cookie's name. `__Host-` would need https, which a loopback listener does not have.
const COOKIE_NAME: &str = "gateway_ops";

/// The cookie that holds what an action did, for the page that follows it.
const SAID_NAME: &str = "gateway_ops_said";

/// The operator of a request, and from where they are.
#[derive(Debug, Clone)]
pub(super) struct Present {
    pub(super) sign_in: SignIn,
    pub(super) from: String,
    /// What the action before this page did.
    pub(super) said: Option<String>,
}

impl Present {
    /// Whether they may change something.
    pub(super) fn may_act(&self) -> bool {
        self.sign_in.role == Role::Admin
    }

    /// As the one who acts.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            name: self.sign_in.name.clone(),
            from: self.from.clone(),
            role: self.sign_in.role,
        }
    }

    /// Fails unless a form is of this very sign-in: no other site can know its token.
    ///
    /// # Errors
    /// 403; nothing was done.
    pub(super) fn check(&self, csrf: &str) -> Result<(), Failure> {
        let same = csrf.len() == self.sign_in.csrf.len()
            && csrf
                .bytes()
                .zip(self.sign_in.csrf.bytes())
                .fold(0, |differs, (a, b)| differs | (a ^ b))
                == 0;
        if same {
            return Ok(());
        }
        Err(Failure::refused(
            "This form is from another sign-in",
            "Nothing was done. Load the page again and repeat it.",
        ))
    }
}

/// The cookie that tells the next page what was done.
pub(super) fn said(sentence: &str) -> String {
    let said: String = form_urlencoded::byte_serialize(sentence.as_bytes()).collect();
    format!("{SAID_NAME}={said}; HttpOnly; SameSite=Strict; Path=/ops; Max-Age=30")
}

fn token(headers: &HeaderMap) -> Option<String> {
    cookie(headers, COOKIE_NAME)
}

fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, token)| token.to_owned())
}

/// Whether a request that changes something comes from our own pages.
fn same_origin(headers: &HeaderMap) -> bool {
    if headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
    {
        return false;
    }
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
    let said = cookie(request.headers(), SAID_NAME).and_then(|text| {
        let mut pairs = form_urlencoded::parse(text.as_bytes());
        pairs.next().map(|(name, _)| name.into_owned())
    });
    let was_said = said.is_some();
    request.extensions_mut().insert(Present {
        sign_in,
        from,
        said,
    });
    let mut response = next.run(request).await;
    if was_said && !response.status().is_redirection() {
        let gone = HeaderValue::from_static(
            "gateway_ops_said=; HttpOnly; SameSite=Strict; Path=/ops; Max-Age=0",
        );
        response.headers_mut().append(SET_COOKIE, gone);
    }
    Ok(response)
}

pub(super) async fn sign_in_page() -> Response {
    sign_in_form("").into_response()
}

fn sign_in_form(problem: &str) -> maud::Markup {
    layout::bare(
        "Sign in",
        &html! {
            h1 { "Operations room" }
            p class="quiet" { "WhatsApp Gateway" }
            form method="post" action="/ops/sign-in" class="sign-in" {
                label for="key" { "Operator key or login token" }
                input id="key" name="key" type="password" autocomplete="current-password" required autofocus;
                @if !problem.is_empty() { p class="problem" role="alert" { (problem) } }
                button type="submit" class="primary" { "Sign in" }
            }
            p class="quiet" { "A login token must carry the role of operators. Make a key with " code { "gateway-api operators create --role admin" } "." }
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
    let Some((name, role, life)) = who(&app, form.key.trim()).await? else {
        return Ok((
            axum::http::StatusCode::UNAUTHORIZED,
            sign_in_form("There is no operator with this key, or the token is not an operator's."),
        )
            .into_response());
    };
    let entry = AuditEntry {
        operator: &name,
        from: &address.ip().to_string(),
        action: "sign_in",
        target: "",
        detail: role.as_str(),
    };
    app.operators.audit(entry).await?;
    let token = app.operators.sign_in(&name, role, life).await?;
    let cookie = format!(
        "{COOKIE_NAME}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}",
        life / 1_000
    );
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/ops")).into_response())
}

/// Whose key or login token this is, and for how long they are let in, in milliseconds.
async fn who(app: &App, key: &str) -> Result<Option<(String, Role, u64)>, Failure> {
    let life = app.config.ops.sign_in_ms;
    if let Some(operator) = app.operators.find(key).await? {
        return Ok(Some((operator.name, operator.role, life)));
    }
    let token = Token::new(key.to_owned());
    let caller = app.authenticators.authenticate(&token).await?;
    Ok(caller.filter(|caller| caller.operator).map(|caller| {
        // No sign-in outlives the login it was made with.
        let left = caller.expires_at.map_or(i64::MAX, |at| at - app.now());
        let left = u64::try_from(left).unwrap_or(0).max(1);
        (
            format!("login {}", caller.name),
            Role::Admin,
            life.min(left),
        )
    }))
}

/// What the form of signing out holds.
#[derive(Deserialize)]
pub(super) struct SignOutForm {
    csrf: String,
}

pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    headers: HeaderMap,
    Form(form): Form<SignOutForm>,
) -> Result<Response, Failure> {
    who.check(&form.csrf)?;
    if let Some(token) = token(&headers) {
        app.operators.sign_out(&token).await?;
    }
    let cookie = format!("{COOKIE_NAME}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/ops/sign-in")).into_response())
}
