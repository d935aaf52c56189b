//! One plain client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gateway_tests::client::SandboxAdmin;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use wacore::store::InMemoryBackend;
use wacore::types::events::{Event, EventHandler, EventInterest, EventKind};
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use whatsapp_rust::bot::Bot;
use whatsapp_rust::{Client, SendOptions};

use super::transport::NoDelay;

/// The version the library was written against; left out, it would be fetched from the internet.
const VERSION: (u32, u32, u32) = (2, 3000, 1_042_742_319);
/// Numbers of the plain clients' phones begin with this and end in four digits.
const PHONE: &str = "1777000";
/// How long pairing, connecting or one acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The text that both sides send.
pub(crate) const TEXT: &str = "A message of an ordinary length.";

/// A paired and connected client.
pub(super) struct PlainClient {
    client: Arc<Client>,
    received: Arc<Received>,
    /// Keeps the client running.
    _running: whatsapp_rust::bot::BotHandle,
}

impl std::fmt::Debug for PlainClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainClient")
    }
}

/// What the client heard from the server.
#[derive(Debug)]
struct Received {
    acks: Mutex<HashMap<String, oneshot::Sender<Option<String>>>>,
    codes: mpsc::UnboundedSender<String>,
    connected: Notify,
}

struct Listener(Arc<Received>);

impl EventHandler for Listener {
    fn handle_event(&self, event: Arc<Event>) {
        match &*event {
            Event::ServerAck(ack) if ack.class.as_deref() == Some("message") => {
                let mut acks = self.0.acks.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(waiting) = acks.remove(&ack.id) {
                    let _ = waiting.send(ack.error.clone());
                }
            }
            Event::PairingQrCode(code) => {
                let _ = self.0.codes.send(code.code.clone());
            }
            Event::Connected(_) => self.0.connected.notify_one(),
            _ => {}
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::ServerAck,
            EventKind::PairingQrCode,
            EventKind::Connected,
        ])
    }
}

impl PlainClient {
    /// Connects a new client and has the phone with this number scan its code.
    pub(super) async fn pair(ws: &str, admin: &SandboxAdmin, number: usize) -> Result<Self> {
        let (codes, mut code) = mpsc::unbounded_channel();
        let received = Arc::new(Received {
            acks: Mutex::default(),
            codes,
            connected: Notify::new(),
        });
        let bot = Bot::builder()
            .with_backend(InMemoryBackend::new())
            .with_transport_factory(NoDelay::new(ws)?)
            .with_version(VERSION)
            .skip_history_sync()
            .with_event_handler(Listener(Arc::clone(&received)))
            .build()
            .await?;
        let client = bot.client();
        let running = bot.spawn();
        let code = timeout(PATIENCE, code.recv())
            .await
            .context("no QR code came")?;
        let phone = format!("{PHONE}{number:04}");
        admin
            .scan_qr(&phone, &code.context("the client ended")?)
            .await?;
        timeout(PATIENCE, received.connected.notified())
            .await
            .context("did not connect")?;
        Ok(Self {
            client,
            received,
            _running: running,
        })
    }

    /// Sends a text and waits until the server has it.
    pub(super) async fn send(&self, to: &Jid) -> Result<()> {
        let id = self.client.generate_message_id();
        let (answer, answered) = oneshot::channel();
        {
            let mut acks = self
                .received
                .acks
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            acks.insert(id.clone(), answer);
        }
        let message = wa::Message {
            conversation: Some(TEXT.to_owned()),
            ..Default::default()
        };
        let options = SendOptions::default().with_message_id(id);
        self.client
            .send_message_with_options(to.clone(), message, options)
            .await?;
        let error = timeout(PATIENCE, answered)
            .await
            .context("no acknowledgement came")??;
        ensure!(error.is_none(), "the server refused a message: {error:?}");
        Ok(())
    }
}
