//! How a sandbox is set up.

use std::net::{Ipv4Addr, SocketAddr};

/// The settings of one sandbox.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where WhatsApp clients connect. Port 0 picks a free one.
    pub ws: SocketAddr,
    /// Where the admin API listens. Keep it on loopback: it has no password.
    pub admin: SocketAddr,
    /// Where the CDN listens, with TLS and without. Clients are told this address.
    pub media: SocketAddr,
    /// Whether the port for clients answers requests to `/admin/…` as well, for
    /// programs that know one address only. Whoever reaches that port can then
    /// do everything.
    pub admin_on_ws: bool,
    /// Whether linked companions are told that their chats are LID-addressed,
    /// as WhatsApp does with migrated accounts. `POST /admin/scan-qr?lid=` and
    /// `POST /admin/link-code` can say otherwise for one companion.
    pub lid_addressing: bool,
    /// Refuse to relay a message id a second time from the same sender: it is
    /// acknowledged again and goes no further. Off, as every accepted copy is
    /// relayed by the plainest server.
    pub dedupe: bool,
    /// How many messages the ledger remembers; the oldest are forgotten first.
    pub ledger_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            ws: loopback,
            admin: loopback,
            media: loopback,
            admin_on_ws: false,
            lid_addressing: false,
            dedupe: false,
            ledger_limit: 1_000_000,
        }
    }
}
