//! Whether contacts see the account as online.
//!
//! An account that is online on one device gets no notifications on its phone, and contacts see it
//! so. The library shows every connection as online, since the server learns the account's name from
//! that only. So what is wished is restored right after: offline, unless the session says otherwise.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gateway_shared::domain::Jid as Chat;
use tokio::time::{sleep, timeout};
use wacore_binary::Jid;
use whatsapp_rust::NodeFilter;

use super::Link;
use super::presence::{Unshown, jid};
use super::state::Core;

/// How long an account that typed stays online: WhatsApp shows typing of those only.
const LINGER: Duration = Duration::from_secs(10);

/// How long after a name was learnt the library may take to show it.
const SHOWN: Duration = Duration::from_secs(5);

/// What is wished, and what was shown for a moment.
#[derive(Debug, Default)]
pub(super) struct Visibility {
    online: AtomicBool,
    /// Counts what was typed, so that only the last one ends it.
    typed: AtomicU64,
}

impl Core {
    /// The library has shown the account as online: takes that back unless it is wished.
    pub(super) fn restore_presence(&self) {
        let Some(client) = self.client() else { return };
        if self.visibility.online.load(Ordering::Relaxed) || client.push_name().is_empty() {
            return;
        }
        tokio::spawn(async move {
            if let Err(error) = client.presence().set_unavailable().await {
                tracing::debug!(%error, "the account stays online until the next connection");
            }
        });
    }

    /// The account's name was learnt, and the library is about to show it as online.
    pub(super) fn restore_presence_after_it_is_shown(&self) {
        let Some(client) = self.client() else { return };
        if self.visibility.online.load(Ordering::Relaxed) {
            return;
        }
        // Registered here, and not in the task, so that it can not be missed.
        let filter = NodeFilter::tag("presence").attr("type", "available");
        let shown = client.wait_for_sent_node(filter);
        tokio::spawn(async move {
            let _ = timeout(SHOWN, shown).await;
            if let Err(error) = client.presence().set_unavailable().await {
                tracing::debug!(%error, "the account stays online until the next connection");
            }
        });
    }
}

impl Link {
    /// Says whether the account is to be seen as online, now and after each reconnect.
    pub fn wish_presence(&self, online: bool) {
        self.core.visibility.online.store(online, Ordering::Relaxed);
    }

    /// Shows the account as online or offline at once.
    ///
    /// # Errors
    /// When it did not leave, or the account's name is not known yet.
    pub async fn show_presence(&self, online: bool) -> Result<(), Unshown> {
        self.wish_presence(online);
        let presence = self.client.presence();
        let shown = if online {
            presence.set_available().await
        } else {
            presence.set_unavailable().await
        };
        shown.map_err(|error| Unshown::new(error.into()))
    }

    /// Asks to be told when somebody comes online or goes. WhatsApp tells it only while this account
    /// is online itself, and of those whose settings allow it.
    ///
    /// # Errors
    /// When it did not leave.
    pub async fn follow_presence(&self, person: &Chat) -> Result<(), Unshown> {
        let person = jid(person.as_str())?;
        let followed = self.client.presence().subscribe(person).await;
        followed.map_err(|error| Unshown::new(error.into()))
    }

    /// Shows a chat that we type. It ends with the next message, or by itself after some seconds. An
    /// account that is offline is online meanwhile: WhatsApp shows nobody typing who is not.
    ///
    /// # Errors
    /// When it did not leave.
    pub async fn show_typing(&self, chat: &Chat) -> Result<(), Unshown> {
        let chat: Jid = jid(chat.as_str())?;
        let visibility = &self.core.visibility;
        if !visibility.online.load(Ordering::Relaxed) {
            let shown = self.client.presence().set_available().await;
            shown.map_err(|error| Unshown::new(error.into()))?;
            let turn = visibility.typed.fetch_add(1, Ordering::Relaxed) + 1;
            let core = std::sync::Arc::downgrade(&self.core);
            tokio::spawn(async move {
                sleep(LINGER).await;
                if let Some(core) = core.upgrade()
                    && core.visibility.typed.load(Ordering::Relaxed) == turn
                {
                    core.restore_presence();
                }
            });
        }
        let shown = self.client.chatstate().send_composing(&chat).await;
        shown.map_err(|error| Unshown::new(error.into()))
    }
}
