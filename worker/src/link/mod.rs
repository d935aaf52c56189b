//! The link to WhatsApp: everything that touches `whatsapp-rust`.
//!
//! ```text
//!             facts ◀── events.rs ◀─┐
//!  InboundSink::commit ◀ inbound.rs ◀┤ whatsapp-rust client ◀─ transport.rs ─▶ WhatsApp
//!     link.send() ─▶ send.rs ───────▶┘        │
//!          ▲   acks.rs (who waits for which id)└─ Backend: keys and state of the session
//!          └── classify.rs: what an outcome means for the lane
//! ```
//!
//! One [`Link`] is one session on one worker. It connects, reconnects and tells [`Fact`]s; it
//! decides nothing about sessions. It ends by itself ([`Fact::Ended`]) when going on needs a
//! decision: logged out, replaced, banned, outdated, QR codes used up.
//!
//! # Who reconnects
//! While WhatsApp's server can be reached, the client's own loop does, in WhatsApp Web's manner:
//! at once where the server asked for it (515 after pairing), else by a Fibonacci back-off with
//! 10 % jitter, one second first, reset after 30 stable seconds, up to 15 minutes if the *server*
//! keeps refusing (429, 503). That is sound, and gentler than anything we would invent. What it
//! lacks is a sense for our own network: after an hour without one it would stay away for a
//! quarter of an hour more. So a failed dial is ours: [`client`] waits at most
//! [`LinkConfig::redial`] between dials, with full jitter, and the number of dials at once is
//! bounded per worker.
//!
//! # Dead links
//! A socket that looks open proves nothing. The client pings when idle (every 15 to 30 seconds)
//! and drops a link on which nothing arrived for 20 seconds after something was sent. In
//! addition, [`LinkConfig::silent_acks`] ack timeouts in a row drop it at once.
//!
//! # Acknowledgements
//! A receipt, a change to a group or a call is acknowledged only after it is recorded, a post to a
//! status or a channel only after it is committed: see `barrier.rs` and `arrivals.rs`. What channels
//! posted while the link was down is asked for after each connection: see `channels.rs`.
//! Whoever follows the facts says with [`Link::recorded`] how many of these it has recorded.
//!
//! # Retry receipts, also after a restart
//! A recipient that could not decrypt asks for the message again. The client answers from the
//! backend: `store_sent_message` is awaited before the stanza leaves (the memory cache in front
//! of it is off), and `take_sent_message` finds it however often the process has restarted in
//! between, for [`SENT_MESSAGE_TTL`]. Nothing has to be done here, and no retry admission policy
//! is set: only group storms need one.

mod ack_gate;
pub mod acks;
pub mod address;
pub mod again;
mod arrivals;
pub mod calls;
pub mod certificate;
pub mod channels;
pub mod classify;
pub mod client;
mod events;
pub mod fact;
pub mod groups;
mod histories;
mod http;
pub mod inbound;
pub mod look;
mod mentions;
pub mod message;
pub mod numbers;
pub mod pair;
pub mod passkey;
pub mod presence;
mod proxy;
pub mod reach;
pub mod restriction;
pub mod reupload;
pub mod send;
pub mod signal;
mod state;
pub mod transport;
mod undecrypted;
mod unwritten;
pub mod upload;
pub mod version;
mod visibility;
pub mod vote;

pub use address::WaAddress;
pub use again::NotAsked;
pub use calls::CallFact;
pub use channels::ChannelPlaces;
pub use classify::{LaneEffect, SendPolicy, Verdict};
pub use client::{Link, LinkConfig, LinkError, LinkParts, Pairing, SENT_MESSAGE_TTL};
pub use fact::{Fact, LinkEnd, ReceiptFact};
pub use groups::{GroupChange, GroupFailure, GroupNotice, Person};
pub use inbound::{InboundMessage, InboundRefused, InboundSink, SealedAnswer};
pub use look::{Looked, look};
pub use pair::{PairingCode, PairingFailure, Unreported};
pub use passkey::PasskeyFailure;
pub use presence::Unshown;
pub use reach::{Registered, Unasked};
pub use restriction::Restriction;
pub use reupload::NotUploadedAgain;
pub use send::{NotSent, SendOutcome, Silence};
pub use signal::NotRenewed;
pub use transport::{MayAct, Network, NetworkConfig, NetworkError};
pub use undecrypted::Undecrypted;
pub use upload::UploadFailed;
pub use version::{ClientVersion, FetchError, SERVICE_WORKER};
pub use vote::SealedVote;
