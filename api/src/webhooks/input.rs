//! The bodies of requests about webhooks.

use gateway_shared::clock::Millis;
use gateway_shared::domain::SessionId;
use gateway_shared::egress::Egress;
use gateway_shared::egress::header::{HeaderName, HeaderValue};
use gateway_shared::events::{KINDS, is_kind};
use gateway_shared::webhooks::{
    CreateWebhook, CustomHeaders, DeliveryStatus, EventFilter, Format, MAX_HEADERS, Resume,
    RetryKind, RetryPolicy, Webhook, reserved_header,
};
use sha2::{Digest, Sha256};

use crate::request::{Fields, Problems, TIME};

/// Characters of a URL.
pub(super) const URL: std::ops::RangeInclusive<usize> = 1..=2_048;
/// Most entries of `events`.
pub(super) const EVENTS: usize = 64;
/// Characters of the value of a custom header.
pub(super) const HEADER_VALUE: usize = 1_024;
/// Seconds of the first pause of a retry policy.
pub(super) const DELAY: std::ops::RangeInclusive<i64> = 1..=3_600;
/// Attempts of a retry policy.
pub(super) const ATTEMPTS: std::ops::RangeInclusive<i64> = 1..=100;
/// Seconds for which a former secret may sign: up to 7 days.
pub(super) const KEEP: std::ops::RangeInclusive<i64> = 0..=604_800;

/// What is given of a webhook.
#[derive(Debug, Default)]
pub(super) struct Given {
    url: Option<String>,
    events: Option<EventFilter>,
    pub(super) session_id: Option<SessionId>,
    format: Option<Format>,
    auto_download: Option<bool>,
    custom_headers: Option<CustomHeaders>,
    /// `Some(None)` = the gateway's own schedule.
    retry_policy: Option<Option<RetryPolicy>>,
    pub(super) active: Option<bool>,
    idempotency_key: Option<String>,
}

/// A webhook to be made.
pub(super) fn new_webhook(
    fields: Fields,
    problems: &mut Problems,
    egress: &Egress,
    idempotency_key: Option<String>,
) -> Given {
    fields.require(problems, "url");
    fields.require(problems, "events");
    Given {
        idempotency_key,
        ..read(fields, problems, egress)
    }
}

/// A change of a webhook.
pub(super) fn patch(fields: Fields, problems: &mut Problems, egress: &Egress) -> Given {
    read(fields, problems, egress)
}

fn read(mut fields: Fields, problems: &mut Problems, egress: &Egress) -> Given {
    let url = fields.text_of(problems, "url", URL);
    if let Some(url) = &url
        && let Err(refusal) = egress.target(url)
    {
        problems.add("url", refusal.to_string());
    }
    let events = events(&mut fields, problems);
    let session_id = fields.parsed(problems, "sessionId");
    let format = fields.parsed::<Named<Format>>(problems, "format");
    let auto_download = fields.flag(problems, "autoDownload");
    let custom_headers = headers(&mut fields, problems);
    let retry_policy = retry_policy(&mut fields, problems);
    let active = fields.flag(problems, "active");
    fields.finish(problems, &[], "");
    Given {
        url,
        events,
        session_id,
        format: format.map(|format| format.0),
        auto_download,
        custom_headers,
        retry_policy,
        active,
        idempotency_key: None,
    }
}

fn events(fields: &mut Fields, problems: &mut Problems) -> Option<EventFilter> {
    let list = fields.list::<Kind>(problems, "events", EVENTS)?;
    if list.length == 0 {
        problems.add(
            "events",
            "must have at least one entry; [\"*\"] stands for all events",
        );
    }
    let mut kinds: Vec<String> = Vec::new();
    for (_, Kind(kind)) in list.items {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.iter().any(|kind| kind == "*") {
        kinds = vec!["*".to_owned()];
    }
    Some(EventFilter(kinds))
}

fn headers(fields: &mut Fields, problems: &mut Problems) -> Option<CustomHeaders> {
    let path = "customHeaders";
    let entries = fields.texts(problems, path)?;
    if entries.len() > MAX_HEADERS {
        problems.add(path, format!("may have at most {MAX_HEADERS} entries"));
    }
    let mut headers = CustomHeaders::new();
    for (name, value) in entries {
        let field = format!("{path}.{name}");
        if name.len() > 128 || name.parse::<HeaderName>().is_err() {
            problems.add(field, "is no name of a header of at most 128 characters");
        } else if reserved_header(&name) {
            problems.add(field, "is set by the gateway or the connection itself");
        } else if value.len() > HEADER_VALUE || !sound(&value) {
            problems.add(
                field,
                format!("must have at most {HEADER_VALUE} visible ASCII characters and spaces"),
            );
        } else if headers.insert(name.to_ascii_lowercase(), value).is_some() {
            problems.add(field, "is given twice");
        }
    }
    Some(headers)
}

fn sound(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.parse::<HeaderValue>().is_ok()
}

fn retry_policy(fields: &mut Fields, problems: &mut Problems) -> Option<Option<RetryPolicy>> {
    let mut inner = fields.object(problems, "retryPolicy")?;
    let given = ["policy", "delaySeconds", "attempts"]
        .iter()
        .any(|name| inner.has(name));
    if given {
        for name in ["policy", "delaySeconds", "attempts"] {
            inner.require(problems, name);
        }
    }
    let policy = inner.parsed::<Named<RetryKind>>(problems, "policy");
    let delay = inner.integer(problems, "delaySeconds", DELAY);
    let attempts = inner.integer(problems, "attempts", ATTEMPTS);
    inner.finish(problems, &[], "");
    if !given {
        return Some(None);
    }
    let number = |number: i64| u32::try_from(number).ok();
    Some(Some(RetryPolicy {
        policy: policy?.0,
        delay_seconds: number(delay?)?,
        attempts: number(attempts?)?,
    }))
}

/// A kind of event, or `*`.
#[derive(Debug)]
struct Kind(String);

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" || is_kind(text) {
            return Ok(Self(text.to_owned()));
        }
        let known = KINDS.join(", ");
        Err(format!("is no kind of event; known are *, {known}"))
    }
}

/// A value that goes by its name in JSON.
#[derive(Debug)]
struct Named<T>(T);

impl std::str::FromStr for Named<Format> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "gateway" => Ok(Self(Format::Gateway)),
            "whapi" => Ok(Self(Format::Whapi)),
            _ => Err("must be gateway or whapi"),
        }
    }
}

impl std::str::FromStr for Named<RetryKind> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "constant" => Ok(Self(RetryKind::Constant)),
            "linear" => Ok(Self(RetryKind::Linear)),
            "exponential" => Ok(Self(RetryKind::Exponential)),
            _ => Err("must be constant, linear or exponential"),
        }
    }
}

impl Given {
    /// Changes what is given.
    pub(super) fn apply(&self, webhook: &mut Webhook) {
        if let Some(url) = &self.url {
            webhook.url.clone_from(url);
        }
        if let Some(events) = &self.events {
            webhook.events.clone_from(events);
        }
        if let Some(session) = &self.session_id {
            webhook.session_id = Some(session.clone());
        }
        if let Some(format) = self.format {
            webhook.format = format;
        }
        if let Some(on) = self.auto_download {
            webhook.auto_download = on;
        }
        if let Some(headers) = &self.custom_headers {
            webhook.custom_headers.clone_from(headers);
        }
        if let Some(policy) = self.retry_policy {
            webhook.retry_policy = policy;
        }
    }
}

impl From<Given> for CreateWebhook {
    fn from(given: Given) -> Self {
        let mut new = Self {
            url: given.url.unwrap_or_default(),
            events: given.events.unwrap_or_else(|| EventFilter(Vec::new())),
            session_id: given.session_id,
            format: given.format.unwrap_or_default(),
            auto_download: given.auto_download.unwrap_or(false),
            custom_headers: given.custom_headers.unwrap_or_default(),
            retry_policy: given.retry_policy.flatten(),
            active: given.active.unwrap_or(true),
            idempotency: None,
        };
        new.idempotency = given.idempotency_key.map(|key| {
            let request = format!("POST /webhooks\n{new:?}");
            (
                hex::encode(Sha256::digest(key)),
                hex::encode(Sha256::digest(request)),
            )
        });
        new
    }
}

/// How long the former secret still signs, in milliseconds.
pub(super) fn rotation(mut fields: Fields, problems: &mut Problems) -> Option<u64> {
    let seconds = fields.integer(problems, "keepFormerSeconds", KEEP);
    fields.finish(problems, &[], "");
    seconds.and_then(|seconds| u64::try_from(seconds * 1_000).ok())
}

/// What to go on with.
pub(super) fn resume(mut fields: Fields, problems: &mut Problems) -> Option<Resume> {
    let from = fields.text(problems, "from");
    fields.finish(problems, &[], "");
    match from.as_deref() {
        None => None,
        Some("stopped") => Some(Resume::Stopped),
        Some("now") => Some(Resume::Now),
        Some(_) => {
            problems.add("from", "must be stopped or now");
            None
        }
    }
}

/// Which deliveries are to be made again.
#[derive(Debug)]
pub(super) struct Range {
    /// Only dead letters; otherwise every event of the time that the webhook wants.
    pub(super) only_dead: bool,
    /// Events from this moment on.
    pub(super) since: Option<Millis>,
    /// Events up to this moment.
    pub(super) until: Option<Millis>,
}

pub(super) fn range(mut fields: Fields, problems: &mut Problems) -> Range {
    let status = fields.text(problems, "status");
    let since = fields.integer(problems, "since", TIME);
    let until = fields.integer(problems, "until", TIME);
    fields.finish(problems, &[], "");
    let only_dead = match status.as_deref() {
        None => true,
        Some(status) if status == DeliveryStatus::Dead.as_str() => true,
        Some("all") => false,
        Some(_) => {
            problems.add("status", "must be dead or all");
            true
        }
    };
    if !only_dead && since.is_none() {
        problems.add("since", "is required with status all");
    }
    if let (Some(since), Some(until)) = (since, until)
        && until < since
    {
        problems.add("until", "must not be before since");
    }
    Range {
        only_dead,
        since,
        until,
    }
}
