//! The sandbox's CDN, and the files of its people.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::SandboxAdmin;

impl SandboxAdmin {
    /// The file of a message as a person's phone opens it: decrypted and verified.
    ///
    /// # Errors
    /// When the person has no such file, or it is damaged.
    pub async fn file(&self, phone: &str, id: &str) -> Result<Vec<u8>> {
        let path = format!("/admin/peers/{phone}/media/{id}");
        Ok(self.call(Method::GET, &path, None).await?.bytes)
    }

    /// A person sends a file, with what `fields` say of it. Gives the message id.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn send_file(
        &self,
        phone: &str,
        to: &str,
        kind: &str,
        file: &[u8],
        fields: Value,
    ) -> Result<String> {
        let mut body = json!({ "to": to, "type": kind, "data": STANDARD.encode(file) });
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let path = format!("/admin/peers/{phone}/send");
        self.call(Method::POST, &path, Some(&body))
            .await?
            .text("id")
    }

    /// How often something was asked of the CDN: `uploads`, `resumed`, `uploadedBytes`, `downloads`,
    /// `reuploads`.
    ///
    /// # Errors
    /// When it counts no such thing.
    pub async fn cdn_count(&self, name: &str) -> Result<u64> {
        let answer = self.call(Method::GET, "/admin/media", None).await?;
        answer.json["counts"][name]
            .as_u64()
            .context("no such count")
    }

    /// Lets every reference to a file that there is expire with this status.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn expire_files(&self, status: u16) -> Result<()> {
        let body = json!({ "status": status });
        self.call(Method::POST, "/admin/media/expire", Some(&body))
            .await?;
        Ok(())
    }

    /// A person's phone has none of its files any more.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn forget_files(&self, phone: &str) -> Result<()> {
        let path = format!("/admin/peers/{phone}/forget-media");
        self.call(Method::POST, &path, Some(&json!({}))).await?;
        Ok(())
    }

    /// Something is to go wrong at the CDN.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn cdn_fault(&self, fault: Value) -> Result<()> {
        self.call(Method::POST, "/admin/media/faults", Some(&fault))
            .await?;
        Ok(())
    }
}
