//! A real whatsapp-rust client, and a sandbox to point it at.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use wa_sandbox::{Config, Sandbox};
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::presence::ReceiptType;
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::prelude::*;
use whatsapp_rust::transport::TokioWebSocketTransportFactory;
use whatsapp_rust::types::events::{EventHandler, ServerAck};

use crate::admin::Admin;
use crate::media::Plain;

/// Nothing here takes longer unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A sandbox with its admin API at hand.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) admin: Admin,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let admin = Admin::new(&sandbox.admin_url());
        Self { sandbox, admin }
    }

    /// A client that is linked to `phone` and connected.
    pub(crate) async fn linked(&self, phone: &str) -> Companion {
        self.linked_with(phone, false).await
    }

    /// The same; `lid` says whether its chats are LID-addressed.
    pub(crate) async fn linked_with(&self, phone: &str, lid: bool) -> Companion {
        let companion = self.unlinked().await;
        let code = companion.qr_code().await;
        self.admin.scan(&code, phone, lid).await;
        companion.connected().await;
        companion
    }

    /// A client that was never linked.
    pub(crate) async fn unlinked(&self) -> Companion {
        self.start_client(Arc::new(InMemoryBackend::new()), None, None)
            .await
    }

    /// A client whose person is called `push_name`.
    pub(crate) async fn named(&self, store: Arc<InMemoryBackend>, push_name: &str) -> Companion {
        self.start_client(store, None, Some(push_name)).await
    }

    /// A client that asks for a link code for `phone`.
    pub(crate) async fn with_pair_code(&self, phone: &str) -> Companion {
        let options = PairCodeOptions {
            phone_number: phone.to_owned(),
            ..Default::default()
        };
        self.start_client(Arc::new(InMemoryBackend::new()), Some(options), None)
            .await
    }

    /// A client on the store of another one: the same companion, started again.
    pub(crate) async fn restarted(&self, store: &Arc<InMemoryBackend>) -> Companion {
        self.start_client(Arc::clone(store), None, None).await
    }

    async fn start_client(
        &self,
        store: Arc<InMemoryBackend>,
        pair_code: Option<PairCodeOptions>,
        push_name: Option<&str>,
    ) -> Companion {
        let events = Arc::new(Events::default());
        let transport = TokioWebSocketTransportFactory::new().with_url(self.sandbox.ws_url());
        let builder = Bot::builder()
            .with_backend_arc(Arc::clone(&store) as _)
            .with_transport_factory(transport)
            .with_http_client(Plain::default())
            .with_version((2, 3000, 1_035_194_821))
            .with_event_handler(Collector(Arc::clone(&events)));
        let builder = match pair_code {
            Some(options) => builder.with_pair_code(options),
            None => builder,
        };
        let builder = match push_name {
            Some(name) => builder.with_push_name(name.to_owned()),
            None => builder,
        };
        let handle = builder.build().await.unwrap().spawn();
        Companion {
            client: handle.client(),
            handle,
            events,
            store,
        }
    }
}

/// A running client and everything it was told.
pub(crate) struct Companion {
    pub(crate) client: Arc<Client>,
    pub(crate) store: Arc<InMemoryBackend>,
    handle: BotHandle,
    events: Arc<Events>,
}

#[derive(Default)]
struct Events {
    list: Mutex<Vec<Arc<Event>>>,
    count: watch::Sender<usize>,
}

struct Collector(Arc<Events>);

impl EventHandler for Collector {
    fn handle_event(&self, event: Arc<Event>) {
        let mut list = self.0.list.lock().unwrap();
        list.push(event);
        self.0.count.send_replace(list.len());
    }
}

impl Companion {
    /// Waits until an event gives something, in those so far or those to come.
    pub(crate) async fn wait<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        self.wait_nth(what, 1, pick).await
    }

    /// Waits for the `nth` event that gives something.
    pub(crate) async fn wait_nth<T>(
        &self,
        what: &str,
        nth: usize,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> T {
        let mut count = self.events.count.subscribe();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let found = self.picked(&pick).into_iter().nth(nth - 1);
                if let Some(found) = found {
                    return found;
                }
                count.changed().await.unwrap();
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => {
                let list = self.events.list.lock().unwrap();
                let kinds: Vec<_> = list.iter().map(|event| event.kind()).collect();
                panic!("{what} did not happen; there were {kinds:?}")
            }
        }
    }

    /// What the events so far give.
    pub(crate) fn picked<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events
            .list
            .lock()
            .unwrap()
            .iter()
            .filter_map(|event| pick(event))
            .collect()
    }

    pub(crate) async fn qr_code(&self) -> String {
        self.wait("a QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn connected(&self) {
        self.connected_times(1).await;
    }

    pub(crate) async fn connected_times(&self, times: usize) {
        self.wait_nth("Connected", times, |event| {
            matches!(event, Event::Connected(_)).then_some(())
        })
        .await;
    }

    /// Sends a text and returns its id.
    pub(crate) async fn send(&self, to: &str, text: &str) -> String {
        self.client
            .send_text(jid(to), text)
            .await
            .unwrap()
            .message_id
    }

    /// Sends a text with an id of our choice.
    pub(crate) async fn send_as(&self, id: &str, to: &str, text: &str) {
        let message = wa::Message {
            conversation: Some(text.to_owned()),
            ..Default::default()
        };
        let options = SendOptions::default().with_message_id(id);
        self.client
            .send_message_with_options(jid(to), message, options)
            .await
            .unwrap();
    }

    /// Waits for the server's answer to a message.
    pub(crate) async fn answer(&self, id: &str) -> ServerAck {
        self.wait(&format!("the ack of {id}"), |event| match event {
            Event::ServerAck(ack) if ack.id == id && ack.class.as_deref() == Some("message") => {
                Some(ack.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits until the server has accepted a message.
    pub(crate) async fn acked(&self, id: &str) {
        assert_eq!(self.answer(id).await.error, None);
    }

    /// Waits for a receipt and returns who sent it.
    pub(crate) async fn receipt(&self, id: &str, kind: ReceiptType) -> String {
        self.wait(&format!("receipt {kind:?} of {id}"), |event| match event {
            Event::Receipt(receipt)
                if receipt.r#type == kind
                    && receipt.message_ids.iter().any(|known| known == id) =>
            {
                Some(receipt.source.sender.to_string())
            }
            _ => None,
        })
        .await
    }

    /// The texts that came in, with their ids.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        self.picked(|event| match event {
            Event::Messages(batch) => Some(Arc::clone(&batch.messages)),
            _ => None,
        })
        .iter()
        .flat_map(|messages| messages.iter())
        .filter_map(|inbound| {
            let text = inbound.message.text_content()?.to_owned();
            Some((inbound.info.id.clone(), text))
        })
        .collect()
    }

    /// Waits until a text came in and returns its id.
    pub(crate) async fn text(&self, text: &str) -> String {
        self.wait(&format!("the text {text:?}"), |event| match event {
            Event::Messages(batch) => batch
                .messages
                .iter()
                .find(|inbound| inbound.message.text_content() == Some(text))
                .map(|inbound| inbound.info.id.clone()),
            _ => None,
        })
        .await
    }

    /// Stops the client and leaves its store as it is.
    pub(crate) async fn stop(self) -> Arc<InMemoryBackend> {
        self.handle.shutdown().await;
        self.store
    }
}

/// The JID of a phone number; other JIDs as they are.
pub(crate) fn jid(text: &str) -> Jid {
    if text.contains('@') {
        text.parse().unwrap()
    } else {
        Jid::pn(text)
    }
}
