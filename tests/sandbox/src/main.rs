//! `wa-sandbox`: the sandbox as a program.

use std::net::SocketAddr;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wa_sandbox::{Config, Sandbox};

/// A WhatsApp server for one machine.
///
/// Prints one line of JSON with its addresses and its public root key when it
/// is ready, logs to stderr (RUST_LOG), and stops on SIGTERM or Ctrl-C.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where WhatsApp clients connect
    #[arg(long, default_value = "127.0.0.1:0", env = "WA_SANDBOX_WS")]
    ws: SocketAddr,
    /// Where the admin API listens (it has no password: keep it on loopback)
    #[arg(long, default_value = "127.0.0.1:0", env = "WA_SANDBOX_ADMIN")]
    admin: SocketAddr,
    /// Where the CDN listens, with TLS and without
    #[arg(long, default_value = "127.0.0.1:0", env = "WA_SANDBOX_MEDIA")]
    media: SocketAddr,
    /// Answer requests to /admin/… on the port for clients as well
    #[arg(long)]
    admin_on_ws: bool,
    /// Tell linked companions that their chats are LID-addressed
    #[arg(long)]
    lid_addressing: bool,
    /// Acknowledge a message id that comes again, but do not relay it again
    #[arg(long)]
    dedupe: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("wa_sandbox=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();

    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let sandbox = Sandbox::start(Config {
        ws: arguments.ws,
        admin: arguments.admin,
        media: arguments.media,
        admin_on_ws: arguments.admin_on_ws,
        lid_addressing: arguments.lid_addressing,
        dedupe: arguments.dedupe,
        ..Config::default()
    })
    .await?;
    let ready = serde_json::json!({
        "ws": sandbox.ws_url(),
        "admin": sandbox.admin_url(),
        "media": sandbox.media_url(),
        "rootKey": hex::encode(sandbox.root_key()),
    });
    println!("{ready}");

    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    tracing::info!("stopping");
    sandbox.shutdown().await;
    Ok(())
}
