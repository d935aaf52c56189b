//! The sandbox's admin API: its people, its ledger, its faults.

mod faults;
mod groups;
mod ledger;
mod media;
mod peers;
mod refusals;
mod social;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::Answer;

pub use faults::Fault;
pub use ledger::LedgerEntry;
pub use peers::PeerMessage;

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

    /// The root of the certificates by which clients know the sandbox, in hex.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn root_key(&self) -> Result<String> {
        let answer = self.call(Method::GET, "/admin/root-key", None).await?;
        answer.text("rootKey")
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
