//! The sandbox's people: what they see, and what they do.

use anyhow::{Context, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SandboxAdmin, list};
use crate::client::{Answer, eventually};

/// What a peer decrypted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerMessage {
    /// The WhatsApp message id.
    pub id: String,
    /// The chat it came in.
    pub chat: String,
    /// Who wrote it.
    pub from: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says.
    pub content: Value,
    /// When it was first seen (ms).
    pub received_at: i64,
    /// How often this id came over the wire.
    pub copies: u32,
    /// What it quotes and whom it mentions.
    pub context: Option<Value>,
    /// The protobuf as it was decrypted, in base64.
    pub raw: String,
    /// After how many `seconds` it disappears, and how many are `wanted` in its chat; null where it
    /// stays and is to stay.
    #[serde(default)]
    pub timer: Value,
    /// The reactions that stand: `from` and `emoji`.
    #[serde(default)]
    pub reactions: Vec<Value>,
    /// The votes that stand, if it is a poll: `from` and `options`, as texts.
    #[serde(default)]
    pub votes: Vec<Value>,
    /// The `type` and `content` that its author gave it later.
    pub edited: Option<Value>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    /// Of what the peer wrote: the strongest receipt for it.
    pub status: Option<String>,
}

impl PeerMessage {
    /// The text of a text message, the caption of a file; empty otherwise.
    #[must_use]
    pub fn text(&self) -> &str {
        let caption = || self.content["caption"].as_str();
        self.content.as_str().or_else(caption).unwrap_or_default()
    }
}

impl SandboxAdmin {
    /// Creates a person with a Signal endpoint of their own. Gives their JID.
    ///
    /// # Errors
    /// When the sandbox refuses, as do all of these.
    pub async fn create_peer(&self, phone: &str, name: &str) -> Result<String> {
        let body = json!({ "phone": phone, "name": name });
        let answer = self.call(Method::POST, "/admin/peers", Some(&body)).await?;
        Ok(answer
            .text("jid")
            .unwrap_or_else(|_| format!("{phone}@s.whatsapp.net")))
    }

    /// As [`create_peer`](Self::create_peer); gives their JID and their LID.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn create_person(&self, phone: &str, name: &str) -> Result<(String, String)> {
        let body = json!({ "phone": phone, "name": name });
        let answer = self.call(Method::POST, "/admin/peers", Some(&body)).await?;
        Ok((answer.text("jid")?, answer.text("lid")?))
    }

    /// What a peer has decrypted and what they wrote, in order.
    ///
    /// # Errors
    /// When there is no such peer.
    pub async fn all_messages(&self, phone: &str) -> Result<Vec<PeerMessage>> {
        let path = format!("/admin/peers/{phone}/messages?sent=true");
        list(self.call(Method::GET, &path, None).await?)
    }

    /// Who typed, paused or recorded to a peer: `from`, `state` and `time` (ms), in order.
    ///
    /// # Errors
    /// When there is no such peer.
    pub async fn typing(&self, phone: &str) -> Result<Vec<Value>> {
        let path = format!("/admin/peers/{phone}/typing");
        list(self.call(Method::GET, &path, None).await?)
    }

    /// Waits until a peer holds the message of this id, and gives it.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn wait_for_message(&self, phone: &str, id: &str) -> Result<PeerMessage> {
        let what = format!("the peer holds {id}");
        eventually(&what, async || {
            let messages = self.messages(phone).await?;
            Ok(messages.into_iter().find(|message| message.id == id))
        })
        .await
    }

    /// What a peer has decrypted, in order of arrival.
    ///
    /// # Errors
    /// When there is no such peer.
    pub async fn messages(&self, phone: &str) -> Result<Vec<PeerMessage>> {
        let path = format!("/admin/peers/{phone}/messages?limit=1000000");
        list(self.call(Method::GET, &path, None).await?)
    }

    /// Waits until a peer holds `count` messages, and gives them.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn wait_for_messages(&self, phone: &str, count: usize) -> Result<Vec<PeerMessage>> {
        let what = format!("the peer holds {count} messages");
        eventually(&what, async || {
            let messages = self.messages(phone).await?;
            Ok((messages.len() >= count).then_some(messages))
        })
        .await
    }

    /// A peer reads a message.
    ///
    /// # Errors
    /// When they do not hold it.
    pub async fn read(&self, phone: &str, id: &str) -> Result<()> {
        let path = format!("/admin/peers/{phone}/read");
        let body = json!({ "id": id });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// A peer writes a text.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn send_text(&self, phone: &str, to: &str, text: &str) -> Result<Answer> {
        let path = format!("/admin/peers/{phone}/send");
        let body = json!({ "to": to, "type": "text", "text": text });
        self.call(Method::POST, &path, Some(&body)).await
    }

    /// A peer writes something of any type (`to`, `type` and what the type needs, as the README of
    /// the sandbox tells) and gives its id.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn send(&self, phone: &str, message: &Value) -> Result<String> {
        let path = format!("/admin/peers/{phone}/send");
        let answer = self.call(Method::POST, &path, Some(message)).await?;
        let id = answer.json["id"].as_str().context("no id in the answer")?;
        Ok(id.to_owned())
    }

    /// Switches a peer's phone off: it confirms nothing until it is switched on.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn sleep(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/peers/{phone}/sleep");
        self.call(Method::POST, &path, None).await?;
        Ok(())
    }

    /// Switches a peer's phone on again.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn wake(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/peers/{phone}/wake");
        self.call(Method::POST, &path, None).await?;
        Ok(())
    }
}
