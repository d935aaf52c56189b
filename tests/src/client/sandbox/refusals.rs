//! How the sandbox turns its clients away.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::{SandboxAdmin, list};

impl SandboxAdmin {
    /// The page that names the newest version of the client (`worker.whatsapp.version_url`).
    #[must_use]
    pub fn version_page(&self) -> String {
        format!("{}/sw.js", self.address())
    }

    /// Changes which versions of the client are served: `minimum`, `below` (`refuse` or
    /// `never_link`), `newest`, `expiresIn`.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn change_versions(&self, change: &Value) -> Result<Value> {
        let path = "/admin/client-version";
        Ok(self.call(Method::POST, path, Some(change)).await?.json)
    }

    /// Which versions are served, with `fetches` and `refused`.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn versions(&self) -> Result<Value> {
        let path = "/admin/client-version";
        Ok(self.call(Method::GET, path, None).await?.json)
    }

    /// Refuses the next `count` logins of an account with `<failure reason>`; 0 = no more.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn refuse(&self, phone: &str, reason: u16, count: u64) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/refuse");
        let body = json!({ "reason": reason, "count": count });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// Bans an account for so many seconds at its next login.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn ban(&self, phone: &str, seconds: u64) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/refuse");
        let attributes = json!({ "code": "101", "expire": seconds.to_string() });
        let body = json!({ "reason": 402, "attributes": attributes });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// Lets the server give nobody the pre-keys of an account, or again.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn keyless(&self, phone: &str, on: bool) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/keyless");
        self.call(Method::POST, &path, Some(&json!({ "on": on })))
            .await?;
        Ok(())
    }

    /// An account may write to no stranger for so many seconds, and is told so when it asks.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn timelock(&self, phone: &str, seconds: u64) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/timelock");
        let body = json!({ "seconds": seconds });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// An account lets nobody write to it who shows no token of it.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn restrict(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/restrict");
        let body = json!({ "restricted": true });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// The phone of an account sends its first companion the history of its chats with these people.
    ///
    /// # Errors
    /// When there is no such account or companion.
    pub async fn send_history(&self, phone: &str, contacts: &[&str]) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/history");
        let body = json!({ "device": 1, "contacts": contacts });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// How an account was shown: `device`, `available`, `name`, `time`, in order.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn presence(&self, phone: &str) -> Result<Vec<Value>> {
        let path = format!("/admin/accounts/{phone}/presence");
        list(self.call(Method::GET, &path, None).await?)
    }

    /// How many devices are linked to an account.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn devices(&self, phone: &str) -> Result<usize> {
        let path = "/admin/accounts";
        let accounts: Vec<Value> = list(self.call(Method::GET, path, None).await?)?;
        let account = accounts.iter().find(|account| account["phone"] == phone);
        let companions = account.and_then(|account| account["companions"].as_array());
        Ok(companions.map_or(0, Vec::len))
    }

    /// How a phone lists the devices that are linked to it: name and program of each.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn listed(&self, phone: &str) -> Result<Vec<String>> {
        let path = "/admin/accounts";
        let accounts: Vec<Value> = list(self.call(Method::GET, path, None).await?)?;
        let account = accounts.iter().find(|account| account["phone"] == phone);
        let companions = account.and_then(|account| account["companions"].as_array());
        let word =
            |device: &Value, name: &str| device[name].as_str().unwrap_or_default().to_owned();
        Ok(companions
            .into_iter()
            .flatten()
            .map(|device| format!("{} {}", word(device, "name"), word(device, "platform")))
            .collect())
    }

    /// Lets an account be linked only with a passkey.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn want_passkey(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/passkey");
        self.call(Method::POST, &path, Some(&json!({ "on": true })))
            .await?;
        Ok(())
    }

    /// The code that a phone shows while it is linked with a passkey.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn passkey_code(&self, phone: &str) -> Result<String> {
        let path = format!("/admin/accounts/{phone}/passkey");
        self.call(Method::GET, &path, None).await?.text("code")
    }

    /// Somebody else connects with the keys of an account's devices.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn replace(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/replace");
        self.call(Method::POST, &path, None).await?;
        Ok(())
    }
}
