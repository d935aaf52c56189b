//! What the sandbox's server accepted.

use anyhow::Result;
use reqwest::Method;
use serde::Deserialize;

use super::{SandboxAdmin, list};
use crate::client::eventually;

/// A message stanza that the sandbox accepted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// The WhatsApp message id.
    pub id: String,
    /// The device that sent it.
    pub from: String,
    /// The chat.
    pub to: String,
    /// When (ms).
    pub time: i64,
    /// `message`, `retry` (a copy that a device asked for) or `peer` (among own devices).
    pub kind: String,
    /// How often this sender had this id accepted, from 1.
    pub attempt: u32,
}

impl SandboxAdmin {
    /// Every message to a chat accepted from a number, in order.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn ledger(&self, phone: &str) -> Result<Vec<LedgerEntry>> {
        let path = format!("/admin/ledger?phone={phone}");
        let mut all: Vec<LedgerEntry> = list(self.call(Method::GET, &path, None).await?)?;
        all.retain(|entry| entry.kind == "message");
        Ok(all)
    }

    /// How many copies of messages others asked a number for: those that they could not read.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn asked_again(&self, phone: &str) -> Result<usize> {
        let path = format!("/admin/ledger?phone={phone}");
        let all: Vec<LedgerEntry> = list(self.call(Method::GET, &path, None).await?)?;
        Ok(all.iter().filter(|entry| entry.kind == "retry").count())
    }

    /// Waits until the ledger of a number holds `count` stanzas.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn wait_for_ledger(&self, phone: &str, count: usize) -> Result<Vec<LedgerEntry>> {
        let what = format!("the ledger holds {count} stanzas");
        eventually(&what, async || {
            let ledger = self.ledger(phone).await?;
            Ok((ledger.len() >= count).then_some(ledger))
        })
        .await
    }
}
