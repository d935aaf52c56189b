//! What the sandbox's server is told to do wrong.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::SandboxAdmin;

/// Something the sandbox is told to do wrong.
#[derive(Debug, Clone)]
pub struct Fault(Value);

impl Fault {
    /// Accepts and relays the next `count` messages but does not acknowledge them. (For all of
    /// these: a `count` of 0 is no limit.)
    #[must_use]
    pub fn drop_ack(count: u32) -> Self {
        Self(json!({ "match": {}, "action": "drop_ack", "count": count }))
    }

    /// Refuses the next `count` messages with a code.
    #[must_use]
    pub fn nack(code: u16, count: u32) -> Self {
        Self(json!({ "match": {}, "action": format!("nack {code}"), "count": count }))
    }

    /// Cuts the connection at each of the next `count` messages.
    #[must_use]
    pub fn cut(count: u32) -> Self {
        Self(json!({ "match": {}, "action": "cut", "count": count }))
    }

    /// Swallows the next `count` messages: neither relayed nor acknowledged.
    #[must_use]
    pub fn silence(count: u32) -> Self {
        Self(json!({ "match": {}, "action": "silence", "count": count }))
    }

    /// Treats the next `count` messages `millis` later.
    #[must_use]
    pub fn delay(millis: u64, count: u32) -> Self {
        Self(json!({ "match": {}, "action": format!("delay {millis}"), "count": count }))
    }

    /// Accepts and relays the next `count` messages and cuts the connection instead of
    /// acknowledging them.
    #[must_use]
    pub fn cut_after(count: u32) -> Self {
        Self(json!({ "match": {}, "action": "cut_after", "count": count }))
    }

    /// Relays the next `count` messages twice.
    #[must_use]
    pub fn replay(count: u32) -> Self {
        Self(json!({ "match": {}, "action": "replay", "count": count }))
    }

    /// Relays the next `count` messages so that they can not be decrypted: their recipients ask for them
    /// again.
    #[must_use]
    pub fn corrupt(count: u32) -> Self {
        Self(json!({ "match": {}, "action": "corrupt", "count": count }))
    }

    /// Does not hear that the next `count` messages were received before the recipient's devices
    /// have connected anew and got them again.
    #[must_use]
    pub fn unconfirmed(count: u32) -> Self {
        Self(json!({ "match": {}, "action": "unconfirmed", "count": count }))
    }

    /// Only messages of this sender.
    #[must_use]
    pub fn of(mut self, phone: &str) -> Self {
        self.0["match"]["from"] = phone.into();
        self
    }

    /// Only messages to this chat.
    #[must_use]
    pub fn to(mut self, phone: &str) -> Self {
        self.0["match"]["to"] = phone.into();
        self
    }
}

impl SandboxAdmin {
    /// Plans a fault.
    ///
    /// # Errors
    /// When the sandbox does not know it.
    pub async fn fault(&self, fault: Fault) -> Result<()> {
        self.call(Method::POST, "/admin/faults", Some(&fault.0))
            .await?;
        Ok(())
    }

    /// Forgets all planned faults.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn clear_faults(&self) -> Result<()> {
        self.call(Method::DELETE, "/admin/faults", None).await?;
        Ok(())
    }
}
