//! Channels, posts to a status, and calls.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use super::SandboxAdmin;

impl SandboxAdmin {
    /// Somebody makes a channel that these follow; gives its JID.
    ///
    /// # Errors
    /// When the sandbox refuses, as do all of these.
    pub async fn create_channel(&self, owner: &str, followers: &[&str]) -> Result<String> {
        let body = json!({ "owner": owner, "name": "News", "followers": followers });
        let answer = self
            .call(Method::POST, "/admin/channels", Some(&body))
            .await?;
        answer.text("jid")
    }

    /// The owner of a channel posts a text; gives the number of the post.
    ///
    /// # Errors
    /// When they do not own it.
    pub async fn post(&self, channel: &str, by: &str, text: &str) -> Result<u64> {
        let body = json!({ "by": by, "type": "text", "text": text });
        self.post_any(channel, &body).await
    }

    /// The owner of a channel posts something of any type, or changes a post (`by`, `type`, `id`,
    /// `edit`); gives the number of the post.
    ///
    /// # Errors
    /// When they do not own it, or there is no such post.
    pub async fn post_any(&self, channel: &str, body: &Value) -> Result<u64> {
        let path = format!("/admin/channels/{channel}/posts");
        let answer = self.call(Method::POST, &path, Some(body)).await?;
        answer.json["serverId"]
            .as_u64()
            .context("no number of the post")
    }

    /// A person posts to their status, for these to see (`type` and what belongs to it); gives the id.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn post_status(
        &self,
        phone: &str,
        to: &[&str],
        mut message: Value,
    ) -> Result<String> {
        message["to"] = json!(to);
        let path = format!("/admin/peers/{phone}/status");
        let answer = self.call(Method::POST, &path, Some(&message)).await?;
        answer.text("id")
    }

    /// A person calls (`offer`), or stops calling (`terminate`, with its reason); gives the id.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn ring(&self, phone: &str, call: &Value) -> Result<String> {
        let path = format!("/admin/peers/{phone}/call");
        let answer = self.call(Method::POST, &path, Some(call)).await?;
        answer.text("id")
    }
}

impl SandboxAdmin {
    /// Somebody follows a channel.
    ///
    /// # Errors
    /// When there is none.
    pub async fn follow_channel(&self, channel: &str, phone: &str) -> Result<()> {
        let path = format!("/admin/channels/{channel}/followers");
        self.call(Method::POST, &path, Some(&json!({ "phone": phone })))
            .await?;
        Ok(())
    }
}
