//! The bare handler: read the body, run the script, answer. No key, no checks, no log.

use std::sync::Arc;

use anyhow::Result;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use clap::Args;
use gateway_shared::clock::SystemClock;
use gateway_shared::config::Config;
use gateway_shared::domain::{Content, Jid, OrganizationId, OutboxId, SessionId, new_message_id};
use gateway_shared::lane::{EnqueueOutcome, EnqueueRequest, Lanes, Mode, SessionRef};
use gateway_shared::redis::{RedisConfig, Store};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long an entry may wait, in milliseconds: the API's default.
const TIME_TO_LIVE_MS: u64 = 24 * 3_600_000;

/// What the bare handler is told.
#[derive(Debug, Args)]
pub(crate) struct BareArguments {
    /// Address of Redis
    #[arg(long)]
    redis: String,
    /// What every key begins with
    #[arg(long)]
    prefix: String,
    /// Whose sends it accepts
    #[arg(long)]
    organization: OrganizationId,
    /// For which session
    #[arg(long)]
    session: SessionId,
    /// Most sends that may wait
    #[arg(long)]
    max_depth: u32,
}

#[derive(Debug)]
struct Bare {
    lanes: Lanes,
    from: SessionRef,
    max_depth: u32,
}

#[derive(Debug, Deserialize)]
struct Body {
    to: Jid,
    #[serde(flatten)]
    content: Content,
}

/// Serves on a free port, which it prints, until it is killed.
///
/// # Errors
/// When Redis does not answer or no port is free.
pub(crate) async fn serve(arguments: BareArguments) -> Result<()> {
    let defaults = Config::defaults()?;
    let redis = RedisConfig {
        urls: vec![arguments.redis],
        prefix: arguments.prefix,
        ..defaults.redis
    };
    let bare = Bare {
        lanes: Lanes::new(Store::open(&redis).await?, defaults.retention),
        from: SessionRef {
            organization: arguments.organization,
            session: arguments.session,
        },
        max_depth: arguments.max_depth,
    };
    let app = axum::Router::new()
        .route("/", post(accept))
        .with_state(Arc::new(bare));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!(
        "{}",
        json!({ "listen": listener.local_addr()?.to_string() })
    );
    let listener = listener.tap_io(|socket| {
        // As the API does; that it is refused is not known to happen.
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn accept(
    State(bare): State<Arc<Bare>>,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let now = SystemClock::local();
    let acceptance = EnqueueRequest {
        from: bare.from.clone(),
        id: OutboxId::generate(now),
        wa_message_id: new_message_id(),
        to: body.to,
        content: body.content,
        mode: Mode::Async,
        expires_at: None,
        time_to_live_ms: TIME_TO_LIVE_MS,
        send_at: 0,
        request_id: String::new(),
        idempotency: None,
        waiter: None,
        max_depth: bare.max_depth,
    };
    match bare.lanes.accept(now, &acceptance).await {
        Ok(EnqueueOutcome::New { status, at, .. }) => Ok((
            StatusCode::ACCEPTED,
            Json(json!({
                "mode": "async",
                "outboxId": acceptance.id.as_str(),
                "waMessageId": acceptance.wa_message_id,
                "status": status.as_str(),
                "timestamp": at,
                "replayed": false,
            })),
        )),
        _ => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
