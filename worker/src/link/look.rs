//! A look at the server before a device moves in: does somebody else use it right now?
//!
//! WhatsApp lets a device in once. A second login displaces the first, which is told `conflict`; a
//! program that is meant to run comes back at once and displaces ours. So we log in, say nothing at
//! all, and wait to be displaced. Nothing of what the server sends is acknowledged, and what the
//! library makes of it is in a memory that is thrown away: whoever moves in later gets it all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use wacore::store::traits::DeviceStore;
use wacore::store::{Device, InMemoryBackend};
use wacore::types::events::{Event, EventHandler};
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::transport::{Transport, TransportEvent, TransportFactory, from_websocket};
use whatsapp_rust::{Client, TokioRuntime};

use super::{ClientVersion, LinkError, Network};

/// What a client writes before it is in: the hello, and who it is.
const HANDSHAKE: usize = 2;
/// How long the server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// Nobody came back for the device while we looked.
    Free,
    /// Its owner came back: it runs.
    InUse,
    /// WhatsApp does not know the device any more, or refuses it, for this reason.
    Refused(String),
    /// WhatsApp did not answer.
    Unreachable,
}

enum Seen {
    /// The server says something after the handshake.
    Heard,
    Replaced,
    Refused(String),
}

/// Logs a device in, and says whether somebody displaces us within `watch`.
///
/// # Errors
/// When no client can be made of the device.
pub async fn look(
    network: &Arc<Network>,
    version: ClientVersion,
    device: &Device,
    watch: Duration,
) -> Result<Looked, LinkError> {
    let mut device = device.clone();
    // The long handshake, whose frames are always two.
    device.server_cert_chain = None;
    let backend = Arc::new(InMemoryBackend::new());
    backend.save(&device).await?;
    let persistence = Arc::new(PersistenceManager::new(backend).await?);
    let (tell, mut seen) = mpsc::unbounded_channel();
    let ClientVersion(major, minor, build) = version;
    let built = Client::builder()
        .with_runtime(TokioRuntime)
        .with_persistence_manager(persistence)
        .with_transport_factory(Silent {
            network: Arc::clone(network),
            tell: tell.clone(),
        })
        .with_http_client_arc(network.http())
        .with_version_override((major, minor, build))
        .with_skip_history_sync(true)
        .build();
    let client = built.await?.into_client();
    client.subscribe_handler(Arc::new(Ends(tell))).detach();
    let running = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.run().await }
    });
    let looked = watch_for(&mut seen, watch).await;
    client.enable_auto_reconnect.store(false, Ordering::Relaxed);
    client.disconnect().await;
    running.abort();
    Ok(looked)
}

async fn watch_for(seen: &mut mpsc::UnboundedReceiver<Seen>, watch: Duration) -> Looked {
    match timeout(PATIENCE, seen.recv()).await {
        Err(_) | Ok(None) => return Looked::Unreachable,
        Ok(Some(Seen::Heard)) => {}
        Ok(Some(Seen::Replaced)) => return Looked::InUse,
        Ok(Some(Seen::Refused(why))) => return Looked::Refused(why),
    }
    let end = Instant::now() + watch;
    loop {
        tokio::select! {
            () = sleep_until(end) => return Looked::Free,
            event = seen.recv() => match event {
                None => return Looked::Unreachable,
                Some(Seen::Heard) => {}
                Some(Seen::Replaced) => return Looked::InUse,
                Some(Seen::Refused(why)) => return Looked::Refused(why),
            }
        }
    }
}

/// Tells how a connection ends.
struct Ends(mpsc::UnboundedSender<Seen>);

impl EventHandler for Ends {
    fn handle_event(&self, event: Arc<Event>) {
        let seen = match &*event {
            Event::StreamReplaced(_) => Seen::Replaced,
            Event::LoggedOut(end) => Seen::Refused(format!(
                "it was unlinked, by the phone or for having been away too long ({:?})",
                end.reason
            )),
            Event::ConnectFailure(failure) => {
                Seen::Refused(format!("WhatsApp refuses its login ({:?})", failure.reason))
            }
            Event::ClientOutdated(_) => {
                Seen::Refused("WhatsApp refuses this version of the client".to_owned())
            }
            Event::TemporaryBan(_) => {
                Seen::Refused("WhatsApp has banned the account for a while".to_owned())
            }
            _ => return,
        };
        // Nobody listens once the look is over.
        let _ = self.0.send(seen);
    }
}

/// Connections on which nothing is written but the handshake.
struct Silent {
    network: Arc<Network>,
    tell: mpsc::UnboundedSender<Seen>,
}

#[async_trait]
impl TransportFactory for Silent {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        let (inner, events) = from_websocket(self.network.dial().await?);
        let written = Arc::new(AtomicUsize::new(0));
        let (pass, passed) = async_channel::unbounded();
        let (seen, tell) = (Arc::clone(&written), self.tell.clone());
        tokio::spawn(async move {
            while let Ok(event) = events.recv().await {
                if matches!(event, TransportEvent::DataReceived(_))
                    && seen.load(Ordering::Acquire) >= HANDSHAKE
                {
                    let _ = tell.send(Seen::Heard);
                }
                if pass.send(event).await.is_err() {
                    return;
                }
            }
        });
        let transport: Arc<dyn Transport> = Arc::new(Mute { inner, written });
        Ok((transport, passed))
    }
}

struct Mute {
    inner: Arc<dyn Transport>,
    written: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for Mute {
    async fn send(&self, frame: Bytes) -> Result<(), anyhow::Error> {
        if self.written.fetch_add(1, Ordering::AcqRel) < HANDSHAKE {
            return self.inner.send(frame).await;
        }
        // Said to nobody.
        Ok(())
    }

    async fn disconnect(&self) {
        self.inner.disconnect().await;
    }
}
