//! One link: a client of the library, dressed and supervised.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway_shared::clock::{Millis, SharedClock};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use wacore::store::DevicePropsOverride;
use waproto::whatsapp::device_props::PlatformType;
use whatsapp_rust::cache_config::CacheEntryConfig;
use whatsapp_rust::store::commands::DeviceCommand;
use whatsapp_rust::store::error::StoreError;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::traits::Backend;
use whatsapp_rust::{CacheConfig, Client, ClientBuilderError, RawNodeLease, TokioRuntime};

use super::inbound::CommitHook;
use super::pair::{PairingFailure, request_code};
use super::state::Core;
use super::transport::{Dialer, MayAct};
use super::{
    ChannelPlaces, ClientVersion, Fact, InboundSink, LinkEnd, Network, WaAddress, channels,
};
use crate::Backoff;

/// How long the backend keeps what was sent, to answer retry receipts: those of a phone that was
/// off for a day arrive when it is on again.
pub const SENT_MESSAGE_TTL: Duration = Duration::from_secs(24 * 3_600);

/// The wait before the first redial.
const FIRST_REDIAL: Duration = Duration::from_millis(500);

/// How often the library looks for unsaved state of the device. It is also told of each change,
/// so this only catches what failed.
const SAVER_INTERVAL: Duration = Duration::from_secs(30);

/// How an unpaired session is to get its phone.
#[derive(Clone, PartialEq, Eq)]
pub enum Pairing {
    /// By QR codes, told as [`Fact::QrCode`].
    Qr,
    /// By a code for this phone (international, digits), told as [`Fact::PairingCode`]. QR codes
    /// are told as well: WhatsApp offers both on the same connection.
    Code {
        /// The phone's number.
        phone: String,
    },
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qr => "Qr",
            Self::Code { .. } => "Code",
        })
    }
}

/// How a link behaves.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// The version of WhatsApp Web that we say we are.
    pub version: ClientVersion,
    /// How the device calls itself in the phone's list of linked devices; told when pairing.
    pub device_name: String,
    /// As which program the phone lists it, one of
    /// [`PLATFORMS`](gateway_shared::config::PLATFORMS); told when pairing.
    pub platform: String,
    /// The name a session without one starts with; WhatsApp's own replaces it.
    pub push_name: Option<String>,
    /// How an unpaired session is to get its phone.
    pub pairing: Pairing,
    /// How long WhatsApp may take to acknowledge a message that was written.
    pub ack_timeout: Duration,
    /// How many ack timeouts in a row make a link count as dead, at least 1.
    pub silent_acks: u32,
    /// Most between two dials while the network fails us. The wait before the first redial is
    /// half a second, doubles from there, and is spread evenly from half of it to all of it.
    pub redial: Duration,
    /// Whether contacts are to see the account as online.
    pub online: bool,
    /// Whether a number nobody wrote to is looked up before the first message to it.
    pub check_recipients: bool,
    /// How many one-time keys a device uploads; nothing = WhatsApp Web's own 812.
    pub pre_keys: Option<usize>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            version: ClientVersion::default(),
            device_name: "WhatsApp Gateway".into(),
            platform: "chrome".into(),
            push_name: None,
            pairing: Pairing::Qr,
            ack_timeout: Duration::from_secs(15),
            silent_acks: 3,
            redial: Duration::from_secs(30),
            online: false,
            check_recipients: true,
            pre_keys: None,
        }
    }
}

/// What a link is made of.
#[derive(Clone)]
pub struct LinkParts {
    /// The way to WhatsApp.
    pub network: Arc<Network>,
    /// Wall time.
    pub clock: SharedClock,
    /// The session's keys and state.
    pub backend: Arc<dyn Backend>,
    /// Where facts go. They come in the order in which they happened; the last is
    /// [`Fact::Ended`]. Each that is acknowledged ([`Fact::is_acknowledged`]) wants to be
    /// answered with [`Link::recorded`]: until then nothing is written that came after it.
    pub facts: mpsc::UnboundedSender<Fact>,
    /// Where inbound messages go.
    pub inbound: Arc<dyn InboundSink>,
    /// Where the places in channels are kept.
    pub channels: Arc<dyn ChannelPlaces>,
    /// Asked right before anything is written to WhatsApp.
    pub may_act: MayAct,
}

impl fmt::Debug for LinkParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkParts")
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

/// Why a link could not be opened. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The session's state could not be read.
    #[error("the session's state could not be read: {0}")]
    Store(#[from] StoreError),
    /// The client could not be built; most likely the backend failed its probe.
    #[error("the WhatsApp client could not be built: {0}")]
    Client(#[from] ClientBuilderError),
}

/// A session's link to WhatsApp. Dropping it cuts the connection without ceremony;
/// [`close`](Self::close) is the polite way.
pub struct Link {
    runtime: Handle,
    pub(super) client: Arc<Client>,
    pub(super) core: Arc<Core>,
    pub(super) ack_timeout: Duration,
    pub(super) check_recipients: bool,
    /// The frames that arrive are shown to us before they are acknowledged (`arrivals.rs`), and
    /// those for which the library has no event.
    _raw_nodes: RawNodeLease,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Opens a link: it dials at once and goes on by itself from there.
    ///
    /// # Errors
    /// When the backend does not answer, or not as a backend should.
    pub async fn open(config: LinkConfig, parts: LinkParts) -> Result<Self, LinkError> {
        let core = Arc::new(Core::new(
            parts.clock,
            parts.facts,
            parts.inbound,
            parts.channels,
            config.silent_acks.max(1),
        ));
        let persistence = Arc::new(PersistenceManager::new(parts.backend).await?);
        let device = persistence.get_device_snapshot();
        if !device.is_registered() {
            let props = DevicePropsOverride::new()
                .with_os(config.device_name)
                .with_platform_type(platform(&config.platform));
            let command = DeviceCommand::SetDeviceProps(props);
            persistence.process_command(command).await;
        }
        if let Some(name) = config.push_name
            && device.push_name.is_empty()
        {
            let command = DeviceCommand::SetPushName(name);
            persistence.process_command(command).await;
        }
        let ClientVersion(major, minor, build) = config.version;
        let mut builder = Client::builder()
            .with_runtime(TokioRuntime)
            .with_persistence_manager(persistence)
            .with_transport_factory(Dialer {
                network: Arc::clone(&parts.network),
                observer: Arc::clone(&core),
                may_act: parts.may_act,
                received: Arc::clone(&core.received),
            })
            .with_http_client_arc(parts.network.http())
            .with_version_override((major, minor, build))
            .with_cache_config(caches())
            // Of an account's history the library takes what its messages need: the tokens of
            // people it knows, the salt for those of others, who is who by number and LID, and its
            // own name. Nobody listens to the rest, so it is dropped.
            .with_skip_history_sync(false)
            .with_background_saver_interval(SAVER_INTERVAL)
            .with_inbound_durability_hook(CommitHook {
                core: Arc::clone(&core),
            });
        if let Some(count) = config.pre_keys {
            builder = builder.with_wanted_pre_key_count(count);
        }
        let client = builder.build().await?.into_client();
        core.attach(&client);
        client.subscribe_handler(Arc::clone(&core) as _).detach();
        if let Some(late) = core.take_late() {
            tokio::spawn(channels::follow(Arc::clone(&core), late));
        }

        tokio::spawn(supervise(
            Arc::clone(&client),
            Arc::clone(&core),
            config.redial,
        ));
        let link = Self {
            runtime: Handle::current(),
            _raw_nodes: client.acquire_raw_node_forwarding(),
            client,
            core,
            ack_timeout: config.ack_timeout,
            check_recipients: config.check_recipients,
        };
        link.wish_presence(config.online);
        if let Pairing::Code { phone } = config.pairing
            && !link.is_paired()
        {
            let client = Arc::clone(&link.client);
            let core = Arc::clone(&link.core);
            tokio::spawn(async move {
                // The library tells of its failures itself; that no socket came is not its own.
                if let Err(error @ PairingFailure::NotConnected(_)) =
                    request_code(&client, &phone).await
                {
                    core.tell(Fact::PairingCodeVoid {
                        error: Some(error.to_string()),
                    });
                }
            });
        }
        Ok(link)
    }

    /// Whether sends may flow.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.core.is_connected()
    }

    /// The account by number, once a phone has taken this device in.
    #[must_use]
    pub fn number(&self) -> Option<WaAddress> {
        self.client.pn().map(|jid| WaAddress::from(&jid))
    }

    /// When WhatsApp last acknowledged a message of this link.
    #[must_use]
    pub fn last_ack_at(&self) -> Option<Millis> {
        Some(self.core.last_ack.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// When WhatsApp last said anything: it answers pings, so a link that stands says something
    /// every half a minute.
    #[must_use]
    pub fn last_pong_at(&self) -> Option<Millis> {
        let at = self.client.stats().last_data_received_ms;
        Millis::try_from(at).ok().filter(|at| *at > 0)
    }

    /// Follows whether sends may flow.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<bool> {
        self.core.connection()
    }

    /// So many more facts that are acknowledged ([`Fact::is_acknowledged`]) are recorded, in the
    /// order in which they were told. What was to be written after them goes out.
    pub fn recorded(&self, facts: u64) {
        self.core.received.record(facts);
    }

    /// Drops the connection and dials again at once.
    pub fn reconnect(&self) {
        self.core.dead.notify_one();
    }

    /// Closes the link in order: what was received is committed and acknowledged, keys are
    /// flushed, the socket is closed; the account keeps the device. Takes at most about ten
    /// seconds where the backend does not answer, else milliseconds.
    pub async fn close(&self) {
        self.core.closing.cancel();
        self.client.disconnect().await;
        // A connection that is only coming about is not the library's yet.
        if let Some(transport) = self.core.transport() {
            transport.disconnect().await;
        }
        self.core.ended().await;
    }

    /// Stops at once, from any thread, without waiting for anything: for a worker that may no
    /// longer act for the session. What was not committed comes again to the next owner.
    pub fn sever(&self) {
        self.core.closing.cancel();
        self.client.signal_shutdown_sync();
        self.core.lost();
        if let Some(transport) = self.core.transport() {
            self.runtime
                .spawn(async move { transport.disconnect().await });
        }
    }

    /// Waits until the link is over, for whatever reason.
    pub async fn ended(&self) {
        self.core.ended().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.sever();
    }
}

/// The library's word for a program that a phone knows.
fn platform(name: &str) -> PlatformType {
    match name {
        "firefox" => PlatformType::FIREFOX,
        "safari" => PlatformType::SAFARI,
        "edge" => PlatformType::EDGE,
        "opera" => PlatformType::OPERA,
        "desktop" => PlatformType::DESKTOP,
        _ => PlatformType::CHROME,
    }
}

/// What is remembered in memory, per link. The library's defaults are made for one account on one
/// machine; capacities are upper bounds and cost nothing while unused, so they only bound what a
/// busy session may take. All of this can be read again from the backend or asked of WhatsApp.
fn caches() -> CacheConfig {
    let hour = Some(Duration::from_secs(3_600));
    CacheConfig {
        group_cache: CacheEntryConfig::new(hour, 64),
        device_registry_cache: CacheEntryConfig::new(hour, 2_000),
        // Off: a sent message is in the backend before it is on the wire.
        recent_messages: CacheEntryConfig::new(None, 0),
        sender_key_devices_cache: CacheEntryConfig::new(hour, 64),
        sent_message_ttl_secs: SENT_MESSAGE_TTL.as_secs(),
        seed_msg_secrets_from_history: false,
        ..CacheConfig::default()
    }
}

/// Keeps the client running until the link is over.
async fn supervise(client: Arc<Client>, core: Arc<Core>, redial: Duration) {
    let desired_changes = desired_changes(&client, &core);
    tokio::pin!(desired_changes);
    loop {
        tokio::select! {
            () = client.run() => {}
            () = &mut desired_changes => {}
        }
        let Some(failures) = core.take_dial_failed() else {
            break;
        };
        let pause = Backoff {
            base: FIRST_REDIAL,
            cap: redial,
        };
        let pause = pause.wait(failures, rand::random());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = core.closing.cancelled() => break,
        }
        client.enable_auto_reconnect.store(true, Ordering::Relaxed);
    }
    let fallback = if core.closing.is_cancelled() {
        LinkEnd::Closed
    } else {
        LinkEnd::Unexplained
    };
    core.end(fallback);
}

/// Does what others want of the connection. Never ends.
async fn desired_changes(client: &Arc<Client>, core: &Core) {
    loop {
        tokio::select! {
            () = core.dead.notified() => client.reconnect_immediately().await,
            // Leaves the sink some seconds to recover.
            () = core.uncommitted.notified() => client.reconnect().await,
        }
    }
}
