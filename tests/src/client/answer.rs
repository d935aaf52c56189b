//! An answer of the API, read to its end.

use anyhow::{Context, Result, ensure};
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` when it is none.
    pub json: Value,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Reads an answer to its end.
    ///
    /// # Errors
    /// When the connection breaks before.
    pub async fn read(response: reqwest::Response) -> Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await.context("read the answer")?.to_vec();
        Ok(Self {
            status,
            headers,
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
        })
    }

    /// This answer, if it has the status.
    ///
    /// # Errors
    /// When it has another; the error shows the body.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "expected {status}, got {}: {}",
            self.status,
            String::from_utf8_lossy(&self.bytes)
        );
        Ok(self)
    }

    /// A field of the body that is a text, found by a JSON pointer without its first slash
    /// (`error/code`).
    ///
    /// # Errors
    /// When there is none.
    pub fn text(&self, path: &str) -> Result<String> {
        self.json
            .pointer(&format!("/{path}"))
            .and_then(Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("no text {path} in {}", self.json))
    }

    /// The code of the error envelope; empty when it is none.
    #[must_use]
    pub fn error_code(&self) -> &str {
        self.at("error/code").as_str().unwrap_or_default()
    }

    /// `details.reason` of the error envelope; empty when it has none.
    #[must_use]
    pub fn error_reason(&self) -> &str {
        self.at("error/details/reason").as_str().unwrap_or_default()
    }

    /// The names of the fields that a `validation_error` complains of, in its order.
    #[must_use]
    pub fn error_fields(&self) -> Vec<&str> {
        let errors = self.at("error/details/errors").as_array();
        errors
            .into_iter()
            .flatten()
            .filter_map(|error| error.get("field")?.as_str())
            .collect()
    }

    /// A place in the body, `null` where there is none; the path as in [`Answer::text`].
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        self.json
            .pointer(&format!("/{path}"))
            .unwrap_or(&Value::Null)
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
