//! The router, on one page: every route, and the capability it needs.

use std::sync::Arc;

use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use gateway_shared::apikey::Capability::{Events, Manage, Read, Send};

use crate::access::Requirement;
use crate::admin::{acting, acting_docs};
use crate::error::ApiError;
use crate::messages::operation_docs as operations;
use crate::openapi::Document;
use crate::routes::Routes;
use crate::state::App;
use crate::{
    admin, envelope, events, groups, health, keys, link, media, messages, openapi, outbox,
    sessions, webhooks,
};

/// Where the API is.
pub(crate) const BASE: &str = "/api/v1";

/// Every route: method, path, the capabilities of which a caller needs one, the handler, and what
/// the OpenAPI document says of it.
#[rustfmt::skip]
fn routes(app: Arc<App>) -> Routes {
    const DELETE: Method = Method::DELETE;
    const GET: Method = Method::GET;
    const PATCH: Method = Method::PATCH;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;

    Routes::new(app)
        .route(GET,    "/sessions",                             &[Read, Manage], sessions::list,         sessions::docs::list)
        .route(POST,   "/sessions",                             &[Manage],       sessions::create,       sessions::docs::create)
        .route(GET,    "/sessions/{session}",                   &[Read, Manage], sessions::get,          sessions::docs::get)
        .route(PATCH,  "/sessions/{session}",                   &[Manage],       sessions::update,       sessions::docs::update)
        .route(DELETE, "/sessions/{session}",                   &[Manage],       sessions::delete,       sessions::docs::delete)
        .route(POST,   "/sessions/{session}:start",             &[Manage],       sessions::start,        sessions::docs::start)
        .route(POST,   "/sessions/{session}:stop",              &[Manage],       sessions::stop,         sessions::docs::stop)
        .route(POST,   "/sessions/{session}:restart",           &[Manage],       sessions::restart,      sessions::docs::restart)
        .route(POST,   "/sessions/{session}:logout",            &[Manage],       sessions::logout,       sessions::docs::logout)
        .route(POST,   "/sessions/{session}:pause",             &[Manage],       sessions::pause,        sessions::docs::pause)
        .route(POST,   "/sessions/{session}:resume",            &[Manage],       sessions::resume,       sessions::docs::resume)
        .route(PUT,    "/sessions/{session}/presence",          &[Send],         sessions::account::presence, sessions::account::docs::presence)
        .route(POST,   "/sessions/{session}/presence:subscribe", &[Send],        sessions::account::follow,   sessions::account::docs::follow)
        .route(POST,   "/sessions/{session}/contacts:check",    &[Read],         sessions::account::check,    sessions::account::docs::check)
        .route(POST,   "/sessions/{session}/signal:renew",      &[Manage],       sessions::account::renew,    sessions::account::docs::renew)
        .route(POST,   "/sessions/{session}:link",              &[Manage],       link::create,          link::docs::create)
        .route(GET,    "/sessions/{session}/passkey",           &[Manage],       sessions::passkey::get,  sessions::passkey::docs::get)
        .route(POST,   "/sessions/{session}/passkey",           &[Manage],       sessions::passkey::post, sessions::passkey::docs::post)
        .route(GET,    "/sessions/{session}/lane",              &[Read, Manage], sessions::lane,         sessions::docs::lane)
        .route(GET,    "/sessions/{session}/qr",                &[Manage],       sessions::qr,           sessions::docs::qr)
        .route(POST,   "/sessions/{session}/pairing-code",      &[Manage],       sessions::pairing_code, sessions::docs::pairing_code)
        .route(GET,    "/sessions/{session}/me",                &[Manage],       sessions::me,           sessions::docs::me)
        .route(POST,   "/sessions/{session}/messages",          &[Send],         messages::send,         messages::docs::send)
        .route(PATCH,  "/sessions/{session}/messages/{mid}",    &[Send],         messages::edit,         operations::edit)
        .route(DELETE, "/sessions/{session}/messages/{mid}",    &[Send],         messages::revoke,       operations::revoke)
        .route(POST,   "/sessions/{session}/messages/{mid}/reaction", &[Send],   messages::react,        operations::react)
        .route(DELETE, "/sessions/{session}/messages/{mid}/reaction", &[Send],   messages::unreact,      operations::unreact)
        .route(POST,   "/sessions/{session}/messages/{mid}/vote", &[Send],       messages::vote,         operations::vote)
        .route(POST,   "/sessions/{session}/messages/{mid}/forward", &[Send],    messages::forward,      operations::forward)
        .route(POST,   "/sessions/{session}/messages:batch",    &[Send],         messages::batch,        messages::docs::batch)
        .route(GET,    "/sessions/{session}/outbox",            &[Send],         outbox::list,           outbox::docs::list)
        .route(GET,    "/sessions/{session}/outbox/{outboxId}", &[Send],         outbox::get,            outbox::docs::get)
        .route(DELETE, "/sessions/{session}/outbox/{outboxId}", &[Send],         outbox::cancel,         outbox::docs::cancel)
        .route(POST,   "/sessions/{session}/groups:join",                &[Send], groups::join,          groups::docs::join)
        .route(GET,    "/sessions/{session}/groups",                     &[Read], groups::list,          groups::docs::list)
        .route(POST,   "/sessions/{session}/groups",                     &[Send], groups::create,        groups::docs::create)
        .route(GET,    "/sessions/{session}/groups/{gid}",               &[Read], groups::get,           groups::docs::get)
        .route(PATCH,  "/sessions/{session}/groups/{gid}",               &[Send], groups::update,        groups::docs::update)
        .route(POST,   "/sessions/{session}/groups/{gid}:leave",         &[Send], groups::leave,         groups::docs::leave)
        .route(GET,    "/sessions/{session}/groups/{gid}/invite",        &[Send], groups::invite,        groups::docs::invite)
        .route(DELETE, "/sessions/{session}/groups/{gid}/invite",        &[Send], groups::revoke_invite, groups::docs::revoke_invite)
        .route(GET,    "/sessions/{session}/groups/{gid}/members",       &[Read], groups::members,       groups::docs::members)
        .route(POST,   "/sessions/{session}/groups/{gid}/members",         &[Send], groups::add,         groups::docs::add)
        .route(POST,   "/sessions/{session}/groups/{gid}/members:remove",  &[Send], groups::remove,      groups::docs::remove)
        .route(POST,   "/sessions/{session}/groups/{gid}/members:promote", &[Send], groups::promote,     groups::docs::promote)
        .route(POST,   "/sessions/{session}/groups/{gid}/members:demote",  &[Send], groups::demote,      groups::docs::demote)
        .route(POST,   "/sessions/{session}/outbox/{outboxId}:retry", &[Send],   outbox::retry,          outbox::docs::retry)
        .route(GET,    "/sessions/{session}/messages/{mid}/media", &[Read],      media::download,        media::docs::download)
        .route(POST,   "/media",                                &[Send],         media::create,          media::docs::create)
        .route(GET,    "/events",                               &[Events],       events::listen,         events::docs::listen)
        .route(POST,   "/events:ticket",                        &[Events],       events::ticket::create, events::docs::ticket)
        .route(GET,    "/webhooks",                             &[Manage],       webhooks::list,         webhooks::docs::list)
        .route(POST,   "/webhooks",                             &[Manage],       webhooks::create,       webhooks::docs::create)
        .route(GET,    "/webhooks/{webhookId}",                 &[Manage],       webhooks::get,          webhooks::docs::get)
        .route(PATCH,  "/webhooks/{webhookId}",                 &[Manage],       webhooks::update,       webhooks::docs::update)
        .route(DELETE, "/webhooks/{webhookId}",                 &[Manage],       webhooks::delete,       webhooks::docs::delete)
        .route(POST,   "/webhooks/{webhookId}:test",            &[Manage],       webhooks::test,         webhooks::docs::test)
        .route(POST,   "/webhooks/{webhookId}:rotate-secret",   &[Manage],       webhooks::rotate_secret, webhooks::docs::rotate_secret)
        .route(POST,   "/webhooks/{webhookId}:resume",          &[Manage],       webhooks::resume,       webhooks::docs::resume)
        .route(GET,    "/webhooks/{webhookId}/deliveries",      &[Manage],       webhooks::deliveries,   webhooks::docs::deliveries)
        .route(POST,   "/webhooks/{webhookId}/deliveries:replay", &[Manage],     webhooks::replay_many,  webhooks::docs::replay_many)
        .route(GET,    "/webhooks/{webhookId}/deliveries/{deliveryId}", &[Manage], webhooks::delivery,   webhooks::docs::delivery)
        .route(POST,   "/webhooks/{webhookId}/deliveries/{deliveryId}:replay", &[Manage], webhooks::replay, webhooks::docs::replay)
        .route(GET,    "/api-keys",                             &[Manage],       keys::list,             keys::docs::list)
        .route(POST,   "/api-keys",                             &[Manage],       keys::create,           keys::docs::create)
        .route(DELETE, "/api-keys/{keyId}",                     &[Manage],       keys::revoke,           keys::docs::revoke)
        .route(GET,    "/admin/sessions",                       Requirement::Operator,  admin::sessions,        admin::docs::sessions)
        .route(GET,    "/admin/workers",                        Requirement::Operator,  admin::workers,         admin::docs::workers)
        .route(GET,    "/admin/leases",                         Requirement::Operator,  admin::leases,          admin::docs::leases)
        .route(GET,    "/admin/queues",                         Requirement::Operator,  admin::queues,          admin::docs::queues)
        .route(GET,    "/admin/dead-letters",                   Requirement::Operator,  admin::dead_letters,    admin::docs::dead_letters)
        .route(GET,    "/admin/overview", Requirement::Operator, acting::overview, acting_docs::overview)
        .route(GET,    "/admin/messages", Requirement::Operator, acting::messages, acting_docs::messages)
        .route(POST,   "/admin/messages/{outboxId}:discard", Requirement::Operator, acting::discard, acting_docs::discard)
        .route(GET,    "/admin/webhooks", Requirement::Operator, acting::webhooks, acting_docs::webhooks)
        .route(POST,   "/admin/workers/{workerId}:drain", Requirement::Operator, acting::drain, acting_docs::drain)
        .route(POST,   "/admin/workers/{workerId}:undrain", Requirement::Operator, acting::undrain, acting_docs::undrain)
        .route(GET,    "/admin/organizations", Requirement::Operator, acting::organizations, acting_docs::organizations)
        .route(POST,   "/admin/organizations", Requirement::Operator, acting::create_organization, acting_docs::create_organization)
        .route(POST,   "/admin/organizations/{organizationId}:suspend", Requirement::Operator, acting::suspend, acting_docs::suspend)
        .route(POST,   "/admin/organizations/{organizationId}:unsuspend", Requirement::Operator, acting::unsuspend, acting_docs::unsuspend)
        .route(GET,    "/admin/jobs", Requirement::Operator, acting::jobs, acting_docs::jobs)
        .route(POST,   "/admin/jobs", Requirement::Operator, acting::create_job, acting_docs::create_job)
        .route(GET,    "/admin/jobs/{jobId}", Requirement::Operator, acting::job, acting_docs::job_of)
        .route(POST,   "/admin/jobs/{jobId}:stop", Requirement::Operator, acting::stop_job, acting_docs::stop_job)
        .route(GET,    "/admin/audit", Requirement::Operator, acting::audit, acting_docs::audit)
        // Without a key: the token in the path is one, for one pairing.
        .open(GET,  "/link/{token}",              link::show,           link::docs::show)
        .open(GET,  "/link/{token}/state",        link::state,          link::docs::state)
        .open(POST, "/link/{token}/pairing-code", link::code,           link::docs::code)
        .open(POST, "/link/{token}/passkey",      link::answer_passkey, link::docs::answer_passkey)
        // Without a key: the address is signed.
        .open(GET,  "/media/{mediaToken}",        media::linked,         media::docs::linked)
        // Without a token.
        .open(GET, "/healthz",             health::live,      health::docs::live)
        .open(GET, "/readyz",              health::ready,     health::docs::ready)
        .open(GET, "/api/v1/openapi.json", openapi::serve,    openapi::docs::serve)
        .open(GET, "/docs",                openapi::page,     openapi::docs::page)
}

/// The whole service.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let routes = routes(app.clone());
    tracing::debug!(routes = routes.table().len(), "routes are set up");
    let document = Document::of(routes.table());
    routes
        .into_router()
        .fallback(no_such_path)
        .layer(Extension(document))
        .layer(from_fn_with_state(app.clone(), envelope::wrap))
        .with_state(app.clone())
}

async fn no_such_path() -> ApiError {
    ApiError::not_found("path")
}

#[cfg(test)]
pub(crate) mod tests {
    use gateway_shared::config::Config;
    use gateway_shared::secrets::Keyring;

    use super::*;
    use crate::routes::Line;

    /// The table, without anything behind it.
    pub(crate) async fn table() -> Vec<Line> {
        let app = App::open(Config::defaults().unwrap(), Keyring::generate().unwrap())
            .await
            .unwrap();
        routes(app).table().to_vec()
    }

    #[tokio::test]
    async fn the_table_of_routes_and_capabilities() {
        let table: Vec<String> = table()
            .await
            .iter()
            .map(|line| format!("{:6} {} {}", line.method, line.path, line.need))
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
