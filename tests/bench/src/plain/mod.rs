//! Plain clients: whatsapp-rust as anybody would use it, in a process of its own, with nothing of
//! the gateway around it. What the worker is measured against.
//!
//! The process answers to a small HTTP API of its own, so that the bench can drive it like a
//! worker: `POST /grow`, `/send`, `/latency`.

mod client;
mod remote;
mod transport;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use clap::Args;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt};
use gateway_tests::client::SandboxAdmin;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;
use wacore_binary::Jid;

use crate::figures::millis;
use client::PlainClient;

pub(crate) use client::TEXT;

pub(crate) use remote::PlainProcess;

/// How many clients are paired at a time.
const PAIRING_AT_ONCE: usize = 8;

/// What the plain clients are told.
#[derive(Debug, Args)]
pub(crate) struct PlainArguments {
    /// Where the sandbox takes clients
    #[arg(long)]
    ws: String,
    /// The sandbox's admin API
    #[arg(long)]
    admin: String,
}

#[derive(Debug)]
struct Plain {
    arguments: PlainArguments,
    clients: Mutex<Vec<Arc<PlainClient>>>,
}

/// `POST /grow`: pair clients until there are so many.
#[derive(Debug, Serialize, Deserialize)]
struct Grow {
    count: usize,
}

/// `POST /send`: each of the first `sessions` clients sends `each` messages, one after the other,
/// to the peers in turn; all clients at once.
#[derive(Debug, Serialize, Deserialize)]
struct Send {
    sessions: usize,
    each: usize,
    peers: Vec<String>,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    /// From the first send to the last acknowledgement.
    seconds: f64,
    /// How long each send took to its acknowledgement; the order means nothing.
    millis: Vec<f64>,
}

/// Serves on a free port, which it prints, until it is killed.
///
/// # Errors
/// When no port is free.
pub(crate) async fn serve(arguments: PlainArguments) -> Result<()> {
    let plain = Plain {
        arguments,
        clients: Mutex::default(),
    };
    let app = axum::Router::new()
        .route("/grow", post(grow))
        .route("/send", post(send))
        .with_state(Arc::new(plain));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!(
        "{}",
        json!({ "listen": listener.local_addr()?.to_string() })
    );
    axum::serve(listener, app).await?;
    Ok(())
}

type Failure = (StatusCode, String);

fn failure(error: anyhow::Error) -> Failure {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
}

async fn grow(State(plain): State<Arc<Plain>>, Json(grow): Json<Grow>) -> Result<(), Failure> {
    let mut clients = plain.clients.lock().await;
    let admin = SandboxAdmin::new(&plain.arguments.admin);
    let new: Vec<_> = futures_util::stream::iter(clients.len()..grow.count)
        .map(|number| PlainClient::pair(&plain.arguments.ws, &admin, number))
        .buffer_unordered(PAIRING_AT_ONCE)
        .try_collect()
        .await
        .map_err(failure)?;
    clients.extend(new.into_iter().map(Arc::new));
    Ok(())
}

async fn send(
    State(plain): State<Arc<Plain>>,
    Json(send): Json<Send>,
) -> Result<Json<Sent>, Failure> {
    let clients = plain.clients.lock().await;
    let peers: Vec<Jid> = send
        .peers
        .iter()
        .map(|peer| peer.parse().with_context(|| format!("{peer} is no JID")))
        .collect::<Result<_>>()
        .map_err(failure)?;
    let peers: Arc<[Jid]> = peers.into();
    let begin = Instant::now();
    let tasks = clients
        .iter()
        .take(send.sessions)
        .enumerate()
        .map(|(place, client)| {
            let (client, peers, each) = (Arc::clone(client), Arc::clone(&peers), send.each);
            tokio::spawn(async move {
                let mut taken = Vec::with_capacity(each);
                for number in 0..each {
                    let begin = Instant::now();
                    client.send(&peers[(place + number) % peers.len()]).await?;
                    taken.push(millis(begin.elapsed()));
                }
                anyhow::Ok(taken)
            })
        });
    let mut all = Vec::new();
    for taken in try_join_all(tasks)
        .await
        .map_err(|error| failure(error.into()))?
    {
        all.extend(taken.map_err(failure)?);
    }
    Ok(Json(Sent {
        seconds: begin.elapsed().as_secs_f64(),
        millis: all,
    }))
}
