//! The admin API, as a test uses it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::PATIENCE;

/// The admin API of one sandbox.
pub(crate) struct Admin {
    url: String,
    http: reqwest::Client,
}

impl Admin {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: reqwest::Client::new(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self
            .http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "GET {path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.try_post(path, body).await;
        assert_eq!(status, StatusCode::OK, "POST {path}: {answer}");
        answer
    }

    pub(crate) async fn try_post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.url);
        let response = self.http.post(url).json(&body).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        let response = self
            .http
            .delete(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "DELETE {path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn scan(&self, code: &str, phone: &str, lid: bool) -> Value {
        let path = format!("/admin/scan-qr?phone={phone}&lid={lid}");
        self.post(&path, json!({ "code": code })).await
    }

    pub(crate) async fn peer(&self, phone: &str) -> Value {
        self.post("/admin/peers", json!({ "phone": phone, "name": "Alice" }))
            .await
    }

    /// What a person was sent.
    pub(crate) async fn messages(&self, phone: &str) -> Vec<Value> {
        let answer = self.get(&format!("/admin/peers/{phone}/messages")).await;
        answer["data"].as_array().unwrap().clone()
    }

    /// Waits until a person holds `count` messages.
    pub(crate) async fn wait_messages(&self, phone: &str, count: usize) -> Vec<Value> {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let messages = self.messages(phone).await;
                if messages.len() >= count {
                    return messages;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("{phone} did not get {count} messages"))
    }

    /// A person writes a text; returns its id.
    pub(crate) async fn say(&self, phone: &str, to: &str, text: &str) -> String {
        let body = json!({ "to": to, "type": "text", "text": text });
        let answer = self.post(&format!("/admin/peers/{phone}/send"), body).await;
        answer["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ledger(&self, phone: &str) -> Vec<Value> {
        let answer = self.get(&format!("/admin/ledger?phone={phone}")).await;
        answer["data"].as_array().unwrap().clone()
    }

    pub(crate) async fn fault(&self, fault: Value) {
        self.post("/admin/faults", fault).await;
    }
}
