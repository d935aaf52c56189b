//! `[webhooks]` of the configuration.

use serde::{Deserialize, Serialize};

/// `[webhooks]`: how events are posted. The comments of `default.toml` say what each setting is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Most webhooks of one organization.
    pub max_per_organization: usize,
    /// Deliveries in flight at once to one endpoint.
    pub endpoint_concurrency: usize,
    /// Deliveries in flight at once of one organization, in one worker.
    pub organization_concurrency: usize,
    /// Deliveries in flight at once in one worker.
    pub concurrency: usize,
    /// The pauses before the second attempt and so on, in milliseconds; the last one repeats.
    pub schedule_ms: Vec<u64>,
    /// How long after its first attempt a refused event becomes a dead letter, in milliseconds.
    pub give_up_after_ms: u64,
    /// Longest `Retry-After` that is honoured, in milliseconds.
    pub max_retry_after_ms: u64,
    /// Failures in a row after which `webhook.failing` is told.
    pub failing_after: u32,
    /// Failures in a row, of more than one event, after which an endpoint counts as down.
    pub down_after: u32,
    /// How long an endpoint may do nothing but fail before it is disabled, in milliseconds.
    pub disable_after_ms: u64,
    /// Delivered events of one webhook that stay listed.
    pub kept_deliveries: usize,
    /// Dead letters of one webhook that stay listed, and replayable.
    pub kept_dead: usize,
    /// How long a dead letter stays, in milliseconds.
    pub dead_ms: u64,
    /// Refused events of one webhook, each with its chat behind it, that may wait at once.
    pub max_held: usize,
    /// How long the former secret still signs after a rotation unless the caller says, in
    /// milliseconds.
    pub rotation_ms: u64,
}

const HOUR: u64 = 3_600_000;
const YEAR: u64 = 366 * 24 * HOUR;

/// Passes every setting with its value and its allowed range to `range`.
pub(crate) fn problems(
    config: &WebhookConfig,
    mut range: impl FnMut(&str, u64, std::ops::RangeInclusive<u64>),
) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let most = count(config.max_per_organization);
    range("max_per_organization", most, 0..=10_000);
    let one = count(config.endpoint_concurrency);
    range("endpoint_concurrency", one, 1..=1_000);
    let organization = count(config.organization_concurrency);
    range("organization_concurrency", organization, 1..=10_000);
    range("concurrency", count(config.concurrency), 1..=100_000);
    range("schedule_ms", count(config.schedule_ms.len()), 1..=100);
    for pause in &config.schedule_ms {
        range("schedule_ms", *pause, 1..=24 * HOUR);
    }
    range(
        "give_up_after_ms",
        config.give_up_after_ms,
        0..=30 * 24 * HOUR,
    );
    range(
        "max_retry_after_ms",
        config.max_retry_after_ms,
        0..=24 * HOUR,
    );
    range("failing_after", u64::from(config.failing_after), 1..=1_000);
    range("down_after", u64::from(config.down_after), 2..=10_000);
    range("disable_after_ms", config.disable_after_ms, 1..=YEAR);
    range(
        "kept_deliveries",
        count(config.kept_deliveries),
        0..=100_000,
    );
    range("kept_dead", count(config.kept_dead), 1..=1_000_000);
    range("dead_ms", config.dead_ms, 1_000..=YEAR);
    range("max_held", count(config.max_held), 1..=1_000_000);
    range("rotation_ms", config.rotation_ms, 0..=7 * 24 * HOUR);
}
