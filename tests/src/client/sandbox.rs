//! The sandbox's admin API: its people, its ledger, its faults.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, eventually};

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
}

impl PeerMessage {
    /// The text of a text message; empty otherwise.
    #[must_use]
    pub fn text(&self) -> &str {
        self.content.as_str().unwrap_or_default()
    }
}

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

/// The admin of one sandbox. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct SandboxAdmin {
    http: reqwest::Client,
    address: String,
}

impl SandboxAdmin {
    /// The admin API at `address`.
    #[must_use]
    pub fn new(address: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            address: address.trim_end_matches('/').to_owned(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.address));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .context("the sandbox does not answer")?;
        let answer = Answer::read(response).await?;
        ensure!(
            (200..300).contains(&answer.status),
            "sandbox {path}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.bytes)
        );
        Ok(answer)
    }

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

    /// Somebody makes a group: `subject`, `creator`, `members`, `admins`, `addressing` (`lid` or
    /// `pn`) and what else the README of the sandbox tells. Gives it as the sandbox shows it.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn create_group(&self, group: &Value) -> Result<Value> {
        let answer = self
            .call(Method::POST, "/admin/groups", Some(group))
            .await?;
        Ok(answer.json)
    }

    /// A group as it is now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn group(&self, jid: &str) -> Result<Value> {
        let path = format!("/admin/groups/{jid}");
        Ok(self.call(Method::GET, &path, None).await?.json)
    }

    /// Does something (`add`, `remove`, `promote`, `demote`, `leave`, `join`) to members.
    ///
    /// # Errors
    /// When it is refused for any of them.
    pub async fn change_members(&self, jid: &str, action: &str, phones: &[&str]) -> Result<()> {
        let path = format!("/admin/groups/{jid}/members");
        let body = json!({ "action": action, "members": phones });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// Lets the invite of a group expire (`expire`) or replaces it (`revoke`). Gives the code of
    /// the present one.
    ///
    /// # Errors
    /// When there is no such group.
    pub async fn change_invite(&self, jid: &str, action: &str) -> Result<String> {
        let path = format!("/admin/groups/{jid}/invite");
        let body = json!({ "action": action });
        self.call(Method::POST, &path, Some(&body))
            .await?
            .text("invite/code")
    }

    /// A phone with this number scans a QR code.
    ///
    /// # Errors
    /// When nobody shows that code.
    pub async fn scan_qr(&self, phone: &str, code: &str) -> Result<()> {
        let request = self
            .http
            .post(format!("{}/admin/scan-qr", self.address))
            .query(&[("phone", phone)])
            .body(code.to_owned());
        Answer::read(request.send().await?).await?.expect(200)?;
        Ok(())
    }

    /// A phone enters a link code.
    ///
    /// # Errors
    /// When nobody shows that code.
    pub async fn link_code(&self, phone: &str, code: &str) -> Result<()> {
        let body = json!({ "phone": phone, "code": code });
        self.call(Method::POST, "/admin/link-code", Some(&body))
            .await?;
        Ok(())
    }

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

    /// Cuts the connections of an account's linked devices; they may come back at once.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn disconnect(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/disconnect");
        self.call(Method::POST, &path, None).await?;
        Ok(())
    }

    /// Lets the connections of an account's linked devices stand, dead: nothing is read or
    /// answered until they connect anew.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn stand_dead(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/freeze");
        self.call(Method::POST, &path, None).await?;
        Ok(())
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

    /// The phone removes its linked devices.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn logout(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/logout");
        self.call(Method::POST, &path, None).await?;
        Ok(())
    }
}

/// A list that is the body itself or its `data`.
fn list<T: serde::de::DeserializeOwned>(answer: Answer) -> Result<Vec<T>> {
    let items = match answer.json {
        Value::Object(mut body) => body.remove("data").context("the body has no `data`")?,
        items => items,
    };
    Ok(serde_json::from_value(items)?)
}
