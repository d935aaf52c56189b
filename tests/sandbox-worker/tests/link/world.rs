//! A sandbox, the people in it, and links that are pointed at it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gateway_shared::clock::SystemClock;
use gateway_shared::domain::{
    Content, Jid, MessageContext, OrganizationId, OutboxId, SessionId, new_message_id,
};
use gateway_shared::lane::{ClaimedSend, Mode, ReceiptStatus, SessionRef};
use gateway_worker::link::{
    ChannelPlaces, Fact, InboundMessage, InboundRefused, InboundSink, Link, LinkConfig, LinkParts,
    Network, NetworkConfig, ReceiptFact,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use wa_sandbox::{Config, Sandbox};
use wacore::store::in_memory::InMemoryBackend;

/// Nothing here takes longer unless it is broken. Generous, since the key derivation of a pairing
/// code takes seconds in a debug build.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The phone that links are paired with.
pub(crate) const OWN: &str = "15550000001";
/// A person they write to.
pub(crate) const BOB: &str = "15550000002";

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    http: reqwest::Client,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        // `RUST_LOG` shows what both sides say. A second test in this process changes nothing.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let world = Self {
            sandbox: Sandbox::start(config).await.unwrap(),
            http: reqwest::Client::new(),
        };
        let bob = json!({ "phone": BOB, "name": "Bob" });
        world.post("/admin/peers", &bob).await;
        world
    }

    /// A link of a new session, not paired.
    pub(crate) async fn unpaired(&self) -> Linked {
        self.open(Arc::default(), LinkConfig::default(), Arc::default())
            .await
    }

    /// A link of a new session, paired and connected.
    pub(crate) async fn paired(&self) -> Linked {
        self.paired_as(LinkConfig::default(), Arc::default()).await
    }

    pub(crate) async fn paired_as(&self, config: LinkConfig, sink: Arc<Sink>) -> Linked {
        let mut linked = self.open(Arc::default(), config, sink).await;
        self.scan(&mut linked, false).await;
        linked.until(connected).await;
        linked
    }

    /// Our phone scans the next QR code of the link.
    pub(crate) async fn scan(&self, linked: &mut Linked, lid: bool) {
        self.scan_as(linked, OWN, lid).await;
    }

    /// A phone scans the next QR code of the link.
    pub(crate) async fn scan_as(&self, linked: &mut Linked, phone: &str, lid: bool) {
        let code = linked
            .until(|fact| match fact {
                Fact::QrCode { code, .. } => Some(code.clone()),
                _ => None,
            })
            .await;
        let path = format!("/admin/scan-qr?phone={phone}&lid={lid}");
        self.post(&path, &json!({ "code": code })).await;
    }

    /// A link on the keys of an earlier one: the same device.
    pub(crate) async fn open(
        &self,
        backend: Arc<InMemoryBackend>,
        config: LinkConfig,
        sink: Arc<Sink>,
    ) -> Linked {
        open(&self.sandbox.ws_url(), backend, config, sink).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.sandbox.admin_url());
        let response = self.http.get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "GET {path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.sandbox.admin_url());
        let response = self.http.post(url).json(body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::OK, "POST {path}: {answer}");
        answer
    }

    pub(crate) async fn fault(&self, action: &str, count: u32) {
        let fault = json!({ "match": { "from": OWN }, "action": action, "count": count });
        self.post("/admin/faults", &fault).await;
    }

    /// Somebody writes a text; returns its id.
    pub(crate) async fn say(&self, phone: &str, to: &str, text: &str) -> String {
        let body = json!({ "to": to, "type": "text", "text": text });
        let path = format!("/admin/peers/{phone}/send");
        let answer = self.post(&path, &body).await;
        answer["id"].as_str().unwrap().to_owned()
    }

    /// What a person holds under an id, once they do.
    pub(crate) async fn held(&self, phone: &str, id: &str) -> Value {
        self.eventually(
            &format!("/admin/peers/{phone}/messages?id={id}"),
            |answer| answer["data"].get(0).cloned(),
        )
        .await
    }

    /// How many stanzas wait for the companion of our phone.
    pub(crate) async fn waiting(&self) -> u64 {
        let accounts = self.get("/admin/accounts").await;
        let own = accounts["data"].as_array().unwrap().iter();
        let own = own.filter(|account| account["phone"] == OWN);
        own.flat_map(|account| account["companions"].as_array().unwrap())
            .map(|companion| companion["waiting"].as_u64().unwrap())
            .sum()
    }

    /// Asks the sandbox until it says what is waited for: it has no way to tell by itself.
    pub(crate) async fn eventually<T>(&self, path: &str, pick: impl Fn(&Value) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = pick(&self.get(path).await) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("{path} never said it"))
    }
}

pub(crate) async fn open(
    url: &str,
    backend: Arc<InMemoryBackend>,
    config: LinkConfig,
    sink: Arc<Sink>,
) -> Linked {
    let network = NetworkConfig {
        url: Some(url.to_owned()),
        ..NetworkConfig::default()
    };
    let (facts, mut seen) = mpsc::unbounded_channel();
    let parts = LinkParts {
        network: Network::new(&network).unwrap(),
        clock: Arc::new(SystemClock::new()),
        backend: Arc::clone(&backend) as _,
        facts,
        inbound: Arc::clone(&sink) as _,
        channels: Arc::clone(&sink) as _,
        may_act: Arc::new(|| true),
    };
    let link = Arc::new(Link::open(config, parts).await.unwrap());
    let (keep, emitted) = mpsc::unbounded_channel();
    let recorder = Arc::downgrade(&link);
    tokio::spawn(async move {
        while let Some(fact) = seen.recv().await {
            let acknowledged = fact.is_acknowledged();
            let _ = keep.send(fact);
            if let Some(link) = recorder.upgrade()
                && acknowledged
            {
                link.recorded(1);
            }
        }
    });
    Linked {
        link,
        emitted,
        backend,
        sink,
    }
}

/// A link and what it tells.
pub(crate) struct Linked {
    pub(crate) link: Arc<Link>,
    pub(crate) backend: Arc<InMemoryBackend>,
    pub(crate) sink: Arc<Sink>,
    emitted: mpsc::UnboundedReceiver<Fact>,
}

impl Linked {
    /// Waits for the next fact that gives something; those before it are passed over.
    pub(crate) async fn until<T>(&mut self, pick: impl Fn(&Fact) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let found = async {
            loop {
                let fact = self.emitted.recv().await.expect("the link is over");
                if let Some(found) = pick(&fact) {
                    return found;
                }
                passed.push(fact);
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("only this was told: {passed:?}"))
    }

    /// Waits for a receipt that names this message.
    pub(crate) async fn receipt(&mut self, id: &str, wanted: ReceiptStatus) -> ReceiptFact {
        self.until(|fact| match fact {
            Fact::Receipt(receipt)
                if receipt.status == wanted && receipt.message_ids.iter().any(|one| one == id) =>
            {
                Some(receipt.clone())
            }
            _ => None,
        })
        .await
    }
}

pub(crate) fn connected(fact: &Fact) -> Option<()> {
    matches!(fact, Fact::Connected { .. }).then_some(())
}

/// A claimed text to Bob, as the lane hands it out.
pub(crate) fn text(text: &str) -> ClaimedSend {
    content(Content::Text {
        text: text.to_owned(),
        context: MessageContext::default(),
    })
}

pub(crate) fn content(content: Content) -> ClaimedSend {
    ClaimedSend {
        id: OutboxId::generate(0),
        from: SessionRef {
            organization: OrganizationId::generate(0),
            session: SessionId::generate(0),
        },
        to: BOB.parse::<Jid>().unwrap(),
        wa_message_id: new_message_id(),
        content: Ok(content),
        mode: Mode::Async,
        attempt: 1,
        request_id: "test".into(),
        created_at: 0,
    }
}

/// A sink that keeps what it is given, and fails as often as it is told to.
pub(crate) struct Sink {
    kept: Mutex<Kept>,
    count: watch::Sender<usize>,
    /// While it is set, what is given waits.
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Kept {
    messages: Vec<InboundMessage>,
    calls: usize,
    failures: usize,
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            count: watch::Sender::new(0),
            held: watch::Sender::new(false),
        }
    }
}

impl Sink {
    pub(crate) fn fail(&self, times: usize) {
        self.kept.lock().unwrap().failures = times;
    }

    /// Lets what is given wait, or go on.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub(crate) fn messages(&self) -> Vec<InboundMessage> {
        self.kept.lock().unwrap().messages.clone()
    }

    /// Waits until the sink was called this often, and gives what it has kept.
    pub(crate) async fn called(&self, times: usize) -> Vec<InboundMessage> {
        self.wait(|kept| kept.calls >= times).await
    }

    /// Waits for messages to be kept, and gives them.
    pub(crate) async fn until(
        &self,
        enough: impl Fn(&[InboundMessage]) -> bool,
    ) -> Vec<InboundMessage> {
        self.wait(|kept| enough(&kept.messages)).await
    }

    async fn wait(&self, enough: impl Fn(&Kept) -> bool) -> Vec<InboundMessage> {
        let mut count = self.count.subscribe();
        let waited = count.wait_for(|_| enough(&self.kept.lock().unwrap()));
        if tokio::time::timeout(PATIENCE, waited).await.is_err() {
            let kept = self.kept.lock().unwrap();
            panic!("{} calls only, kept: {:?}", kept.calls, kept.messages);
        }
        self.messages()
    }
}

#[async_trait]
impl InboundSink for Sink {
    async fn commit(&self, batch: &[InboundMessage]) -> Result<(), InboundRefused> {
        let mut held = self.held.subscribe();
        let _ = held.wait_for(|held| !held).await;
        let mut kept = self.kept.lock().unwrap();
        kept.calls += 1;
        let refused = kept.failures > 0;
        if refused {
            kept.failures -= 1;
        } else {
            kept.messages.extend_from_slice(batch);
        }
        let calls = kept.calls;
        drop(kept);
        self.count.send_replace(calls);
        if refused {
            Err(InboundRefused("told to fail".into()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl ChannelPlaces for Sink {
    async fn channels(&self) -> Option<HashMap<String, u64>> {
        None
    }

    async fn follow(&self, _channel: &str, _server_id: u64) {}
}
