//! The event stream, followed in the background and asked for facts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ApiClient;
use crate::process::PATIENCE;

/// How long to wait before connecting again after the stream broke (its API was killed).
const PAUSE: Duration = Duration::from_millis(50);

/// One event: the envelope of the contract.
#[derive(Debug, Clone)]
pub struct Event(
    /// The envelope.
    pub Value,
);

impl Event {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    /// Its kind, as `message.status`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0["event"].as_str().unwrap_or_default()
    }

    /// The session it tells of.
    #[must_use]
    pub fn session(&self) -> &str {
        self.0["session"].as_str().unwrap_or_default()
    }

    /// A text of its payload; empty where there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.0["payload"][field].as_str().unwrap_or_default()
    }

    /// Whether it tells that the send `outbox_id` has the status `status`.
    #[must_use]
    pub fn is_status(&self, outbox_id: &str, status: &str) -> bool {
        self.kind() == "message.status"
            && self.text("outboxId") == outbox_id
            && self.text("status") == status
    }
}

type Seen = Arc<Mutex<Vec<Event>>>;

/// Events of an organization from the moment this was opened. It outlives restarts of its API as
/// a careful client does: it connects again with the last id it saw.
#[derive(Debug)]
pub struct EventStream {
    began: String,
    seen: Seen,
    changed: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl EventStream {
    pub(super) async fn open(api: ApiClient) -> Result<Self> {
        let api = api.endless()?;
        let mut first = connect(&api, None).await?;
        // The hello of the API carries the place at which the stream begins.
        let mut hello = Vec::new();
        while !hello.ends_with(b"\n\n") {
            let chunk = first.chunk().await?.context("the stream ended at once")?;
            hello.extend_from_slice(&chunk);
        }
        let began = hello.windows(2).position(|pair| pair == b"\n\n");
        let rest = hello.split_off(began.map_or(0, |end| end + 2));
        let (began, _) = parse(&String::from_utf8_lossy(&hello));
        let last = Some(began.clone()).filter(|id| !id.is_empty());
        let seen = Seen::default();
        let (tell, changed) = watch::channel(0);
        let task = tokio::spawn(follow(api, (first, rest, last), seen.clone(), tell));
        Ok(Self {
            began,
            seen,
            changed,
            task,
        })
    }

    /// Where it began: [`ApiClient::event_log`] from there holds what this stream tells.
    #[must_use]
    pub fn began(&self) -> &str {
        &self.began
    }

    /// All events seen so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Event> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The statuses told so far of one send, in order.
    #[must_use]
    pub fn statuses(&self, outbox_id: &str) -> Vec<String> {
        self.seen()
            .iter()
            .filter(|event| event.kind() == "message.status" && event.text("outboxId") == outbox_id)
            .map(|event| event.text("status").to_owned())
            .collect()
    }

    /// Waits for the first event, past or to come, of which `wanted` is true.
    ///
    /// # Errors
    /// When none comes in [`PATIENCE`]; the error lists what came instead.
    pub async fn wait_for(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
        self.wait_within(PATIENCE, what, wanted).await
    }

    /// As [`EventStream::wait_for`], with a time of one's own.
    ///
    /// # Errors
    /// When none comes in `limit`.
    pub async fn wait_within(
        &self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        let mut changed = self.changed.clone();
        let found = tokio::time::timeout(limit, async {
            loop {
                changed.mark_unchanged();
                if let Some(event) = self.seen().into_iter().find(&wanted) {
                    return Ok(event);
                }
                changed.changed().await?;
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => bail!("no event in {limit:?}: {what}; seen:\n{}", self.listing()),
        }
    }

    /// Waits until a send is told to have a status.
    ///
    /// # Errors
    /// As [`EventStream::wait_for`].
    pub async fn wait_for_status(&self, outbox_id: &str, status: &str) -> Result<Event> {
        let what = format!("{outbox_id} is {status}");
        self.wait_for(&what, |event| event.is_status(outbox_id, status))
            .await
    }

    fn listing(&self) -> String {
        self.seen()
            .iter()
            .map(|event| {
                format!(
                    "    {} {} {}\n",
                    event.kind(),
                    event.session(),
                    event.0["payload"]
                )
            })
            .collect()
    }
}

async fn connect(api: &ApiClient, last: Option<&str>) -> Result<reqwest::Response> {
    let mut request = api
        .request(Method::GET, "/events")
        .header("Accept", "text/event-stream");
    if let Some(id) = last {
        request = request.header("Last-Event-ID", id);
    }
    let response = request.send().await?;
    let status = response.status();
    if status != 200 {
        return Err(anyhow!("/events: {status}: {}", response.text().await?));
    }
    Ok(response)
}

/// Follows a stream of which the first answer, some bytes of it and the last id are known.
async fn follow(
    api: ApiClient,
    first: (reqwest::Response, Vec<u8>, Option<String>),
    seen: Seen,
    tell: watch::Sender<usize>,
) {
    let (first, mut buffer, mut last) = first;
    let mut response = Some(first);
    loop {
        if let Some(response) = response.take() {
            let buffer = std::mem::take(&mut buffer);
            read(response, buffer, &seen, &tell, &mut last).await;
        }
        tokio::time::sleep(PAUSE).await;
        response = connect(&api, last.as_deref()).await.ok();
    }
}

/// Reads one connection to its end.
async fn read(
    response: reqwest::Response,
    mut buffer: Vec<u8>,
    seen: &Seen,
    tell: &watch::Sender<usize>,
    last: &mut Option<String>,
) {
    let mut bytes = response.bytes_stream();
    while let Some(Ok(chunk)) = bytes.next().await {
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let frame: Vec<u8> = buffer.drain(..end + 2).collect();
            let (id, event) = parse(&String::from_utf8_lossy(&frame));
            // A heartbeat has no event and may still move the place to resume from.
            if !id.is_empty() {
                *last = Some(id);
            }
            let Some(event) = event else { continue };
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(event);
            tell.send_replace(seen.len());
        }
    }
}

/// Reads the log after `since` until the second sign of life; the first one is the hello.
pub(super) async fn read_log(api: &ApiClient, since: &str) -> Result<Vec<Event>> {
    let request = api
        .endless()?
        .request(Method::GET, "/events")
        .header("Accept", "application/x-ndjson")
        .query(&[("since", since)]);
    let mut response = request.send().await?.error_for_status()?;
    let (mut buffer, mut events, mut beats) = (Vec::new(), Vec::new(), 0);
    loop {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await;
        let chunk = chunk.context("the event log is silent")??;
        buffer.extend_from_slice(&chunk.context("the event log broke off")?);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let event = Event(serde_json::from_slice(&line)?);
            if event.kind() == "stream.heartbeat" {
                beats += 1;
            } else {
                events.push(event);
            }
        }
        if beats > 1 {
            return Ok(events);
        }
    }
}

/// Id and event of one frame of a server-sent event stream; each may be missing.
fn parse(frame: &str) -> (String, Option<Event>) {
    let mut id = String::new();
    let mut data = String::new();
    for line in frame.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut id),
            "data" => data.push_str(value),
            _ => {}
        }
    }
    (id, serde_json::from_str(&data).ok().map(Event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_and_a_heartbeat_is_none() {
        let frame = "id: evt_1\nevent: message\ndata: {\"id\":\"evt_1\",\"event\":\"message\"}\n\n";
        let (id, event) = parse(frame);
        let event = event.unwrap();
        assert_eq!((id.as_str(), event.kind()), ("evt_1", "message"));
        let (id, event) = parse(": heartbeat\nid: evt_2\n\n");
        assert_eq!(id, "evt_2");
        assert!(event.is_none());
    }
}
