//! The sections of the configuration. The comments of `default.toml` tell what each is for.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secrets::Hidden;

/// `[api]`: the HTTP side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiConfig {
    /// Address and port to listen on, as text.
    pub listen: String,
    /// What the addresses of link pages begin with; empty = as callers reach the API.
    pub public_url: String,
    /// Greatest size of a request body, in bytes.
    pub body_limit_bytes: usize,
    /// Greatest size of a send with media, in bytes.
    pub media_body_limit_bytes: usize,
    /// Greatest size of a batch of sends, in bytes.
    pub batch_body_limit_bytes: usize,
    /// Bytes of the bodies of all requests that may be held at once.
    pub bodies_in_flight_bytes: usize,
    /// Most connections of clients.
    pub max_connections: usize,
    /// Most connections of one address.
    pub max_connections_per_address: usize,
    /// How long the head of a request may take to arrive, in milliseconds.
    pub header_timeout_ms: u64,
    /// How long each MiB of a body may take to arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long a connection may be without a request, in milliseconds.
    pub idle_timeout_ms: u64,
    /// How long a client may not take what is written to it, in milliseconds.
    pub write_timeout_ms: u64,
    /// How often an idle event stream gives a sign of life, in milliseconds.
    pub events_heartbeat_ms: u64,
    /// How long a listener may be slower than its events come, in milliseconds.
    pub events_slow_ms: u64,
    /// How long requests may still take after a signal to end, in milliseconds.
    pub drain_timeout_ms: u64,
}

impl ApiConfig {
    /// The address to listen on; `None` only for a configuration that was not validated.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}

/// `[ops]`: the operations room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpsConfig {
    /// Address and port of the operations room, as text; empty = there is none.
    pub listen: String,
    /// How long a sign-in lasts, in milliseconds.
    pub sign_in_ms: u64,
    /// What the pages call this installation, so that nobody acts on the wrong one.
    pub environment: String,
}

/// `[metrics]`: figures for Prometheus.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port of `/metrics`, as text; empty = there is none.
    pub listen: String,
}

/// `[send]`: what holds for every send.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendConfig {
    /// How long a synchronous send waits for its acknowledgement, in milliseconds.
    pub sync_deadline_ms: u64,
    /// How long a send may wait before it fails as expired, in milliseconds.
    pub time_to_live_ms: u64,
    /// Most sends that may wait in one session.
    pub max_lane_depth: u32,
}

/// `[worker]`: the workers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// How often a worker proves its life, in milliseconds.
    pub heartbeat_ms: u64,
    /// After which silence a worker is presumed dead, in milliseconds.
    pub liveness_ms: u64,
    /// How long before that moment it stops acting by itself, in milliseconds.
    pub fence_margin_ms: u64,
    /// Most sessions of one worker.
    pub capacity: u32,
    /// How many sessions may be connecting at once.
    pub connect_concurrency: usize,
    /// How many sends may be in flight at once in one worker.
    pub send_concurrency: usize,
    /// How long to wait for WhatsApp's acknowledgement, in milliseconds.
    pub ack_timeout_ms: u64,
    /// Attempts before a send is a dead letter.
    pub max_attempts: u32,
    /// Workers that may die in a row while they attempt a send before it is a dead letter.
    pub max_crashes: u32,
    /// The first pause between attempts, in milliseconds.
    pub backoff_base_ms: u64,
    /// The longest pause between attempts, in milliseconds.
    pub backoff_max_ms: u64,
    /// How long a session rests after `rate-overlimit` where WhatsApp does not say, in milliseconds.
    pub overlimit_rest_ms: u32,
    /// How long chats never written to rest after a reach-out restriction, in milliseconds.
    pub reach_out_rest_ms: u32,
    /// How long what is in flight may still take after a signal to end, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Whether posts to people's status become events.
    pub status_posts: bool,
    /// How to speak to WhatsApp.
    pub whatsapp: WhatsAppConfig,
}

impl WorkerConfig {
    /// The heartbeat's interval.
    #[must_use]
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }
}

/// `[worker.whatsapp]`: how to speak to WhatsApp.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatsAppConfig {
    /// The WhatsApp Web version to announce: three numbers, or none for the newest.
    pub version: Vec<u32>,
    /// The page that names the newest version; empty = WhatsApp Web's own, and none in builds for
    /// the sandbox.
    pub version_url: String,
    /// How old the newest version may be before it is fetched again, in milliseconds.
    pub version_refresh_ms: u64,
    /// The least time between two fetches of the whole installation, in milliseconds.
    pub version_pause_ms: u64,
    /// The first rest after WhatsApp ended a connection, in milliseconds; it doubles.
    pub rest_base_ms: u64,
    /// The longest such rest, in milliseconds.
    pub rest_max_ms: u64,
    /// How many rounds of QR codes nobody scans before the session waits to be started again.
    pub qr_rounds: u32,
    /// Whether a number nobody wrote to is looked up before the first message to it.
    pub check_recipients: bool,
    /// How long a message that could not be decrypted may take to come again before it is told as
    /// such, in milliseconds.
    pub undecryptable_ms: u64,
    /// The proxy that sessions without one of their own connect through; empty = none.
    pub proxy: Hidden,
    /// What phones call the device in their lists.
    pub device_name: String,
    /// As which program phones list it; one of [`PLATFORMS`].
    pub platform: String,
    /// How many connections to WhatsApp all workers together begin a minute; 0 = no limit.
    pub connects_per_minute: u32,
    /// Another server than the real one; empty = the real one. Builds for the sandbox only.
    pub url: String,
}

/// The programs that a phone knows a linked device as.
pub const PLATFORMS: [&str; 6] = ["chrome", "firefox", "safari", "edge", "opera", "desktop"];

/// `[log]`: logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}
