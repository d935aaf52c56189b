//! What values are allowed, and how a forbidden one is told.

use std::fmt;

use super::{Config, PLATFORMS, WhatsAppConfig};
use crate::domain::InstallationId;
use crate::redis::is_tls;

/// A setting with a value that is not allowed: which, what is wrong, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The setting, as `section.name`.
    pub setting: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl Invalid {
    fn new(setting: &str, problem: impl Into<String>) -> Self {
        Self {
            setting: setting.to_owned(),
            problem: problem.into(),
        }
    }

    pub(super) fn from_figment(error: figment::Error) -> Self {
        let setting = error.path.join(".");
        Self::new(&setting, error.kind.to_string())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = self.setting.to_uppercase().replace('.', "__");
        write!(
            f,
            "{}: {} (in the file, or as GATEWAY_{variable})",
            self.setting, self.problem
        )
    }
}

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Problems(Vec<Invalid>);

impl Problems {
    pub(super) fn range(
        &mut self,
        setting: &str,
        value: u64,
        allowed: std::ops::RangeInclusive<u64>,
    ) {
        if !allowed.contains(&value) {
            let (least, most) = (allowed.start(), allowed.end());
            self.add(
                setting,
                format!("is {value}; must be from {least} to {most}"),
            );
        }
    }

    pub(super) fn add(&mut self, setting: &str, problem: impl Into<String>) {
        self.0.push(Invalid::new(setting, problem));
    }
}

pub(super) const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const YEAR: u64 = 366 * 24 * HOUR;

/// All settings whose values are not allowed.
pub(super) fn problems(config: &Config) -> Vec<Invalid> {
    let mut problems = Problems::default();
    redis(config, &mut problems);
    api_and_sends(config, &mut problems);
    super::media::problems(&config.media, &mut problems);
    inner_listeners(config, &mut problems);
    super::auth::problems(&config.auth, &mut problems);
    super::quota::problems(&config.quota, &config.api, &mut problems);
    worker(config, &mut problems);
    egress(config, &mut problems);
    crate::webhooks::problems(&config.webhooks, |setting, value, range| {
        problems.range(&format!("webhooks.{setting}"), value, range);
    });
    problems.0
}

fn redis(config: &Config, problems: &mut Problems) {
    let redis = &config.redis;
    if redis.urls.is_empty() {
        problems.add("redis.urls", "is empty; must name at least one address");
    }
    for url in &redis.urls {
        if let Err(error) = redis::Client::open(url.as_str()) {
            // The address itself may hold a password and is not shown.
            problems.add(
                "redis.urls",
                format!("holds an address that is not understood ({error}); must look like redis://host:6379"),
            );
        }
    }
    let tls = redis.urls.iter().filter(|url| is_tls(url)).count();
    if tls != 0 && tls != redis.urls.len() {
        problems.add(
            "redis.urls",
            "mixes redis:// and rediss://; must be one of them",
        );
    }
    let files = [
        &redis.tls_ca_file,
        &redis.tls_cert_file,
        &redis.tls_key_file,
    ];
    if tls == 0 && files.iter().any(|file| !file.is_empty()) {
        problems.add(
            "redis.tls_ca_file",
            "and redis.tls_cert_file, redis.tls_key_file are for rediss:// addresses; must be empty",
        );
    }
    if redis.tls_cert_file.is_empty() != redis.tls_key_file.is_empty() {
        problems.add(
            "redis.tls_cert_file",
            "and redis.tls_key_file belong together; must both be given or both be empty",
        );
    }
    problems.range(
        "redis.wait_timeout_ms",
        redis.wait_timeout_ms,
        1..=redis.response_timeout_ms.max(1),
    );
    problems.range(
        "redis.wait_replicas",
        u64::from(redis.wait_replicas),
        0..=10,
    );
    if !redis.installation.is_empty()
        && let Err(error) = redis.installation.parse::<InstallationId>()
    {
        problems.add("redis.installation", format!("{error}, or empty"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if redis.prefix.is_empty() || redis.prefix.len() > 64 || !redis.prefix.chars().all(plain) {
        problems.add(
            "redis.prefix",
            "must be 1 to 64 letters, digits, '-', '_' or '.'",
        );
    }
    problems.range(
        "redis.connect_timeout_ms",
        redis.connect_timeout_ms,
        10..=60 * SECOND,
    );
    problems.range(
        "redis.response_timeout_ms",
        redis.response_timeout_ms,
        10..=60 * SECOND,
    );

    let kept = &config.retention;
    problems.range("retention.events_ms", kept.events_ms, SECOND..=YEAR);
    problems.range(
        "retention.events_bytes",
        kept.events_bytes,
        1 << 16..=1 << 40,
    );
    problems.range(
        "retention.idempotency_ms",
        kept.idempotency_ms,
        SECOND..=YEAR,
    );
    problems.range("retention.outbox_ms", kept.outbox_ms, SECOND..=YEAR);
    problems.range("retention.messages_ms", kept.messages_ms, SECOND..=YEAR);
    problems.range(
        "retention.messages",
        u64::from(kept.messages),
        32..=10_000_000,
    );
    if kept.outbox_ms < kept.idempotency_ms {
        problems.add(
            "retention.outbox_ms",
            format!(
                "is {}; must be at least retention.idempotency_ms ({}), because a repeat is \
                 answered from the outbox entry",
                kept.outbox_ms, kept.idempotency_ms
            ),
        );
    }
}

fn inner_listeners(config: &Config, problems: &mut Problems) {
    for (setting, listen) in [
        ("ops.listen", &config.ops.listen),
        ("metrics.listen", &config.metrics.listen),
    ] {
        if !listen.is_empty() && listen.parse::<std::net::SocketAddr>().is_err() {
            problems.add(
                setting,
                format!(
                    "is {listen:?}; must be an IP address and a port, such as 127.0.0.1:8081, or empty"
                ),
            );
        }
    }
    problems.range(
        "ops.sign_in_ms",
        config.ops.sign_in_ms,
        60 * SECOND..=30 * 24 * HOUR,
    );
}

fn api_and_sends(config: &Config, problems: &mut Problems) {
    let api = &config.api;
    if api.address().is_none() {
        problems.add(
            "api.listen",
            format!(
                "is {:?}; must be an IP address and a port, such as 127.0.0.1:8080 or [::]:8080",
                api.listen
            ),
        );
    }
    let public = api.public_url.as_str();
    let web = ["http://", "https://"]
        .iter()
        .any(|scheme| public.starts_with(scheme));
    if !public.is_empty() && !web {
        problems.add(
            "api.public_url",
            "must be an http:// or https:// address, or empty",
        );
    }
    problems.range(
        "api.body_limit_bytes",
        api.body_limit_bytes as u64,
        1_024..=1 << 30,
    );
    problems.range(
        "api.media_body_limit_bytes",
        api.media_body_limit_bytes as u64,
        api.body_limit_bytes.max(1_024) as u64..=1 << 30,
    );
    problems.range(
        "api.batch_body_limit_bytes",
        api.batch_body_limit_bytes as u64,
        1_024..=1 << 30,
    );
    problems.range(
        "api.bodies_in_flight_bytes",
        api.bodies_in_flight_bytes as u64,
        api.media_body_limit_bytes.max(api.batch_body_limit_bytes) as u64..=1 << 40,
    );
    problems.range(
        "api.max_connections",
        api.max_connections as u64,
        1..=1 << 20,
    );
    problems.range(
        "api.max_connections_per_address",
        api.max_connections_per_address as u64,
        1..=1 << 20,
    );
    for (setting, value) in [
        ("api.header_timeout_ms", api.header_timeout_ms),
        ("api.body_timeout_ms", api.body_timeout_ms),
        ("api.idle_timeout_ms", api.idle_timeout_ms),
        ("api.write_timeout_ms", api.write_timeout_ms),
    ] {
        problems.range(setting, value, 100..=HOUR);
    }
    problems.range(
        "api.events_heartbeat_ms",
        api.events_heartbeat_ms,
        100..=60 * SECOND,
    );
    problems.range("api.events_slow_ms", api.events_slow_ms, 100..=HOUR);
    problems.range("api.drain_timeout_ms", api.drain_timeout_ms, 0..=HOUR);

    let send = &config.send;
    problems.range(
        "send.sync_deadline_ms",
        send.sync_deadline_ms,
        10..=300 * SECOND,
    );
    problems.range("send.time_to_live_ms", send.time_to_live_ms, SECOND..=YEAR);
    problems.range(
        "send.max_lane_depth",
        u64::from(send.max_lane_depth),
        1..=10_000_000,
    );

    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        problems.add(
            "log.filter",
            format!(
                "is {:?}, which is not understood ({error}); must be a level such as info, or \
                 directives such as info,gateway_api=debug",
                config.log.filter
            ),
        );
    }
}

fn worker(config: &Config, problems: &mut Problems) {
    let worker = &config.worker;
    problems.range("worker.heartbeat_ms", worker.heartbeat_ms, 10..=60 * SECOND);
    problems.range("worker.liveness_ms", worker.liveness_ms, 20..=300 * SECOND);
    if worker.liveness_ms < 2 * worker.heartbeat_ms {
        problems.add(
            "worker.liveness_ms",
            format!(
                "is {}; must be at least twice worker.heartbeat_ms ({}), or one late heartbeat \
                 buries a healthy worker",
                worker.liveness_ms, worker.heartbeat_ms
            ),
        );
    }
    if worker.fence_margin_ms + worker.heartbeat_ms >= worker.liveness_ms {
        problems.add(
            "worker.fence_margin_ms",
            format!(
                "is {}; together with worker.heartbeat_ms ({}) it must be less than \
                 worker.liveness_ms ({})",
                worker.fence_margin_ms, worker.heartbeat_ms, worker.liveness_ms
            ),
        );
    }
    problems.range("worker.capacity", u64::from(worker.capacity), 1..=100_000);
    problems.range(
        "worker.connect_concurrency",
        worker.connect_concurrency as u64,
        1..=10_000,
    );
    problems.range(
        "worker.send_concurrency",
        worker.send_concurrency as u64,
        1..=100_000,
    );
    problems.range(
        "worker.ack_timeout_ms",
        worker.ack_timeout_ms,
        100..=300 * SECOND,
    );
    problems.range(
        "worker.max_attempts",
        u64::from(worker.max_attempts),
        1..=1_000,
    );
    problems.range(
        "worker.max_crashes",
        u64::from(worker.max_crashes),
        1..=1_000,
    );
    problems.range(
        "worker.overlimit_rest_ms",
        u64::from(worker.overlimit_rest_ms),
        1..=24 * HOUR,
    );
    problems.range(
        "worker.reach_out_rest_ms",
        u64::from(worker.reach_out_rest_ms),
        1..=24 * HOUR,
    );
    problems.range("worker.backoff_base_ms", worker.backoff_base_ms, 1..=HOUR);
    problems.range(
        "worker.backoff_max_ms",
        worker.backoff_max_ms,
        worker.backoff_base_ms.max(1)..=24 * HOUR,
    );
    problems.range("worker.drain_timeout_ms", worker.drain_timeout_ms, 0..=HOUR);
    if !matches!(worker.whatsapp.version.len(), 0 | 3) {
        problems.add(
            "worker.whatsapp.version",
            "must be three numbers, or empty for the newest",
        );
    }
    whatsapp(&worker.whatsapp, problems);
}

fn whatsapp(whatsapp: &WhatsAppConfig, problems: &mut Problems) {
    let url = whatsapp.version_url.as_str();
    let scheme = ["http://", "https://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !url.is_empty() && !scheme {
        problems.add(
            "worker.whatsapp.version_url",
            "must be an http:// or https:// address, or empty for WhatsApp's own page",
        );
    }
    if let Some(Err(problem)) = Some(whatsapp.proxy.reveal())
        .filter(|proxy| !proxy.is_empty())
        .map(crate::proxy::Proxy::parse)
    {
        problems.add("worker.whatsapp.proxy", problem.to_string());
    }
    problems.range(
        "worker.whatsapp.connects_per_minute",
        u64::from(whatsapp.connects_per_minute),
        0..=1_000_000,
    );
    if !(1..=50).contains(&whatsapp.device_name.chars().count()) {
        let problem = "must have 1 to 50 characters";
        problems.add("worker.whatsapp.device_name", problem);
    }
    if !PLATFORMS.contains(&whatsapp.platform.as_str()) {
        let problem = format!("must be one of {}", PLATFORMS.join(", "));
        problems.add("worker.whatsapp.platform", problem);
    }
    problems.range(
        "worker.whatsapp.version_refresh_ms",
        whatsapp.version_refresh_ms,
        SECOND..=7 * 24 * HOUR,
    );
    problems.range(
        "worker.whatsapp.version_pause_ms",
        whatsapp.version_pause_ms,
        1..=24 * HOUR,
    );
    problems.range(
        "worker.whatsapp.rest_base_ms",
        whatsapp.rest_base_ms,
        10..=HOUR,
    );
    problems.range(
        "worker.whatsapp.rest_max_ms",
        whatsapp.rest_max_ms,
        whatsapp.rest_base_ms.max(10)..=24 * HOUR,
    );
    problems.range(
        "worker.whatsapp.undecryptable_ms",
        whatsapp.undecryptable_ms,
        100..=24 * HOUR,
    );
    problems.range(
        "worker.whatsapp.qr_rounds",
        u64::from(whatsapp.qr_rounds),
        0..=1_000,
    );
}

fn egress(config: &Config, problems: &mut Problems) {
    let egress = &config.egress;
    problems.range(
        "egress.connect_timeout_ms",
        egress.connect_timeout_ms,
        10..=60 * SECOND,
    );
    problems.range(
        "egress.first_byte_timeout_ms",
        egress.first_byte_timeout_ms,
        10..=300 * SECOND,
    );
    problems.range(
        "egress.total_timeout_ms",
        egress.total_timeout_ms,
        egress.first_byte_timeout_ms.max(10)..=HOUR,
    );
}
