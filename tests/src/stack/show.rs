//! The show: one message and then ten, from HTTP to a client that decrypts them.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::Stack;
use super::file::NAME;
use super::screen::{Screen, Tone};
use crate::client::{Event, EventStream, SendRequest, eventually};

/// How many are sent asynchronously.
const BURST: usize = 10;

/// Sends one message synchronously and ten asynchronously, and shows what becomes of them.
pub(super) async fn show(stack: &Stack, screen: &Screen) -> Result<()> {
    let events = stack.client().events().await?;
    let mut audience = Audience::default();

    screen.heading("One message, synchronously: the answer comes once WhatsApp's server has it");
    synchronous(stack, screen, &mut audience).await?;
    audience.watch(stack, screen, &events, "delivered").await?;

    screen.heading("Ten, asynchronously: accepted at once, durable in Redis, sent in order");
    burst(stack, screen, &mut audience).await?;
    audience.watch(stack, screen, &events, "delivered").await?;

    screen.heading("Ada reads the last one");
    let (peer, _) = recipient(stack);
    if let Some(last) = stack.sandbox().messages(&peer).await?.last() {
        stack.sandbox().read(&peer, &last.id).await?;
        let event = events
            .wait_for("a read receipt", |event| {
                event.text("waMessageId") == last.id && event.text("status") == "read"
            })
            .await?;
        audience.tell(screen, &event);
    }
    let all = stack.sandbox().messages(&peer).await?;
    let once = all.iter().filter(|message| message.copies == 1).count();
    screen.line(&screen.paint(
        Tone::Good,
        &format!(
            "{} accepted, {} decrypted, {once} of them came over the wire once",
            BURST + 1,
            all.len()
        ),
    ));
    ensure!(
        all.len() == BURST + 1,
        "not every message arrived exactly once"
    );
    Ok(())
}

/// Number and address of the person who gets everything.
fn recipient(stack: &Stack) -> (String, String) {
    let peer = stack.file.peers.first();
    peer.map(|peer| (peer.phone.clone(), peer.jid.clone()))
        .unwrap_or_default()
}

fn session(stack: &Stack) -> String {
    let session = stack.file.sessions.first();
    session
        .map(|session| session.id.clone())
        .unwrap_or_default()
}

async fn synchronous(stack: &Stack, screen: &Screen, audience: &mut Audience) -> Result<()> {
    let (phone, _) = recipient(stack);
    let text = "Hello Ada, this came in over HTTP.";
    screen.line(&format!("POST /sessions/{}/messages", session(stack)));
    let begun = Instant::now();
    let send = SendRequest::text(&phone, text).key("show-1");
    let answer = stack
        .client()
        .send(&session(stack), &send)
        .await?
        .expect(200)?;
    let outbox_id = answer.text("outboxId")?;
    screen.line(&format!(
        "{}  {}, {outbox_id} = WhatsApp's {}, after {:.1} ms",
        screen.paint(Tone::Good, "200"),
        answer.text("status")?,
        answer.text("waMessageId")?,
        begun.elapsed().as_secs_f64() * 1e3
    ));
    audience.expects(&outbox_id, text);
    Ok(())
}

async fn burst(stack: &Stack, screen: &Screen, audience: &mut Audience) -> Result<()> {
    let (phone, _) = recipient(stack);
    let client = stack.client();
    let begun = Instant::now();
    for number in 1..=BURST {
        let text = format!("Number {number} of {BURST}");
        let send = SendRequest::text(&phone, &text).asynchronous();
        let answer = client.send(&session(stack), &send).await?.expect(202)?;
        audience.expects(&answer.text("outboxId")?, &text);
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    screen.line(&format!(
        "{} × {BURST}  queued, in {took:.1} ms",
        screen.paint(Tone::Good, "202")
    ));
    Ok(())
}

/// Who watches the sends: it knows their texts and what it has told already.
#[derive(Debug, Default)]
struct Audience {
    texts: HashMap<String, String>,
    emitted: HashSet<String>,
    received: HashSet<String>,
}

impl Audience {
    fn expects(&mut self, outbox_id: &str, text: &str) {
        self.texts.insert(outbox_id.to_owned(), text.to_owned());
    }

    /// Tells status events and decrypted messages as they come, until all sends have `status`.
    async fn watch(
        &mut self,
        stack: &Stack,
        screen: &Screen,
        events: &EventStream,
        status: &str,
    ) -> Result<()> {
        let (phone, _) = recipient(stack);
        let what = format!("all messages are {status}");
        let wanted = self.texts.len();
        eventually(&what, async || {
            for event in events.seen() {
                self.tell(screen, &event);
            }
            for message in stack.sandbox().messages(&phone).await? {
                if self.received.insert(message.id.clone()) {
                    let said = screen.paint(Tone::Said, &format!("“{}”", message.text()));
                    screen.line(&format!("Ada decrypts   {said}  {}", message.id));
                }
            }
            let mut ids = self.texts.keys();
            let arrived = ids.all(|id| events.statuses(id).iter().any(|emitted| emitted == status));
            Ok((arrived && self.received.len() == wanted).then_some(()))
        })
        .await
    }

    fn tell(&mut self, screen: &Screen, event: &Event) {
        if event.kind() != "message.status" || !self.emitted.insert(event.id().to_owned()) {
            return;
        }
        let Some(text) = self.texts.get(event.text("outboxId")) else {
            return;
        };
        let status = event.text("status");
        let tone = match status {
            "queued" | "sending" => Tone::Busy,
            _ => Tone::Good,
        };
        // Padded before it is painted: colour codes have no width.
        let status = screen.paint(tone, &format!("{status:<9}"));
        screen.line(&format!(
            "event  {status} {}",
            screen.paint(Tone::Dim, text)
        ));
    }
}

/// What a person can do with the stack now.
pub(super) fn teardown(stack: &Stack, screen: &Screen, folder: &Path) {
    let file = &stack.file;
    let (phone, _) = recipient(stack);
    screen.heading("Yours to try");
    screen.note(&format!(
        "curl -s '{}/api/v1/sessions/{}/messages' \\\n    -H 'Authorization: Bearer {}' \\\n    \
         -H 'Content-Type: application/json' \\\n    \
         -d '{{\"type\":\"text\",\"to\":\"{phone}\",\"text\":\"hello\"}}'",
        file.api,
        session(stack),
        file.api_key
    ));
    println!();
    let events = format!(
        "curl -N '{}/api/v1/events' -H 'Authorization: Bearer {}'",
        file.api, file.api_key
    );
    screen.note(&format!(
        "{}\n    {events}",
        screen.paint(Tone::Dim, "events")
    ));
    if let Some(sandbox) = &file.sandbox {
        let emitted = format!("curl -s '{}/admin/peers/{phone}/messages'", sandbox.admin);
        let label = screen.paint(Tone::Dim, "what Ada decrypted");
        screen.note(&format!("{label}\n    {emitted}"));
    }
    let label = screen.paint(Tone::Dim, "all addresses, for programs");
    screen.note(&format!("{label}\n    {}", folder.join(NAME).display()));
    println!();
}
