//! The admin API: how a test, or a person, moves the people of the sandbox and
//! looks at what happened.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::World;

mod accounts;
mod body;
mod conduct;
mod error;
mod faults;
pub(crate) mod forward;
mod groups;
mod ledger;
mod media;
mod pairing;
mod peers;
mod social;
mod versions;

/// Greatest body of what a person is asked to send: a file of 96 MiB as base64.
const MOST_SENT: usize = 128 << 20;

type Shared = axum::extract::State<Arc<World>>;
type Answer = Result<axum::Json<Value>, error::AdminError>;

/// Serves the API until told to stop.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>, stop: CancellationToken) {
    let serving = axum::serve(listener, router(world))
        .with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = serving.await {
        tracing::error!(%error, "the admin API failed");
    }
}

fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/admin/root-key", get(root_key))
        .route("/admin/rotate-key", post(rotate_key))
        .route("/admin/peers", get(peers::list).post(peers::create))
        .route("/admin/peers/{phone}/messages", get(peers::messages))
        .route("/admin/peers/{phone}/typing", get(peers::typing))
        .route(
            "/admin/peers/{phone}/send",
            post(peers::send).layer(DefaultBodyLimit::max(MOST_SENT)),
        )
        .route("/admin/peers/{phone}/media/{id}", get(media::file))
        .route("/admin/peers/{phone}/forget-media", post(media::forget))
        .route("/admin/media", get(media::counts))
        .route("/admin/media/expire", post(media::expire))
        .route("/admin/media/rotate-auth", post(media::rotate_auth))
        .route(
            "/admin/media/faults",
            post(media::fault).delete(media::clear_faults),
        )
        .route("/admin/peers/{phone}/read", post(peers::read))
        .route("/admin/peers/{phone}/presence", post(peers::presence))
        .route("/admin/peers/{phone}/sleep", post(peers::sleep))
        .route("/admin/peers/{phone}/wake", post(peers::wake))
        .route("/admin/scan-qr", post(pairing::scan_qr))
        .route("/admin/mock-phone/scan-qr", post(pairing::mock_phone))
        .route("/admin/link-code", post(pairing::link_code))
        .route("/admin/accounts", get(accounts::list))
        .route("/admin/accounts/{phone}/logout", post(accounts::logout))
        .route(
            "/admin/accounts/{phone}/disconnect",
            post(accounts::disconnect),
        )
        .route("/admin/accounts/{phone}/freeze", post(accounts::freeze))
        .route("/admin/accounts/{phone}/replace", post(accounts::replace))
        .route("/admin/accounts/{phone}/keyless", post(conduct::keyless))
        .route(
            "/admin/accounts/{phone}/passkey",
            get(conduct::passkey_code).post(conduct::passkey),
        )
        .route("/admin/accounts/{phone}/timelock", post(conduct::timelock))
        .route("/admin/accounts/{phone}/history", post(conduct::history))
        .route("/admin/accounts/{phone}/presence", get(conduct::presence))
        .route("/admin/accounts/{phone}/refuse", post(accounts::refuse))
        .route("/admin/accounts/{phone}/restrict", post(accounts::restrict))
        .route(
            "/admin/accounts/{phone}/group-adds",
            post(accounts::group_adds),
        )
        .route(
            "/admin/accounts/{phone}/stream-error",
            post(accounts::stream_error),
        )
        .route("/admin/groups", get(groups::list).post(groups::create))
        .route(
            "/admin/groups/{jid}",
            get(groups::get).patch(groups::change),
        )
        .route("/admin/groups/{jid}/members", post(groups::members))
        .route("/admin/groups/{jid}/invite", post(groups::invite))
        .route("/admin/peers/{phone}/status", post(social::status))
        .route("/admin/peers/{phone}/call", post(social::call))
        .route("/admin/channels", post(social::create_channel))
        .route("/admin/channels/{jid}/posts", post(social::post))
        .route("/admin/channels/{jid}/followers", post(social::follow))
        .route(
            "/admin/client-version",
            get(versions::show).post(versions::change),
        )
        .route("/sw.js", get(versions::service_worker))
        .route("/admin/ledger", get(ledger::entries))
        .route(
            "/admin/faults",
            get(faults::list).post(faults::create).delete(faults::clear),
        )
        .fallback(error::unknown_path)
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(world)
}

async fn healthz() -> axum::Json<Value> {
    axum::Json(json!({ "status": "ok" }))
}

/// The server changes its Noise key; the root stays.
async fn rotate_key(world: Shared) -> Answer {
    world.rotate_key()?;
    Ok(axum::Json(json!({ "rotated": true })))
}

async fn root_key(world: Shared) -> axum::Json<Value> {
    axum::Json(json!({ "rootKey": hex::encode(world.chain().root_key()) }))
}
