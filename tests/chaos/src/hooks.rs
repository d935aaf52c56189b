//! Endpoints of webhooks, one for each organization, that are not always well.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use gateway_tests::receiver::{Posted, Receiver, Reply};
use serde_json::json;

use crate::stage::Stage;

/// The receivers of a run, in the order of the organizations.
#[derive(Debug)]
pub struct Hooks {
    receivers: Vec<Receiver>,
}

impl Hooks {
    /// Starts a receiver for each organization and has all of its events posted there. Of thirty
    /// requests one is refused, one meets an endpoint that is down, and one gets no answer.
    ///
    /// # Errors
    /// When a webhook can not be made.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let mut receivers = Vec::new();
        for tenant in &stage.tenants {
            let receiver = Receiver::start().await?;
            let count = AtomicU32::new(0);
            receiver.answer(move |_| match count.fetch_add(1, Ordering::Relaxed) % 90 {
                17 | 47 | 77 => Reply::Status(500),
                29 | 59 => Reply::Status(503),
                89 => Reply::Hang,
                _ => Reply::Status(200),
            });
            let api = stage.callers(tenant).into_iter().next().context("no API")?;
            let body = json!({"url": receiver.url("/"), "events": ["*"]});
            api.post("/webhooks", &body).await?.expect(201)?;
            receivers.push(receiver);
        }
        Ok(Self { receivers })
    }

    /// From now on every request is answered with success.
    pub fn heal(&self) {
        for receiver in &self.receivers {
            receiver.answer(|_| Reply::Status(200));
        }
    }

    /// What each of them accepted, every event once, in order.
    #[must_use]
    pub fn delivered(&self) -> Vec<Vec<Posted>> {
        self.receivers.iter().map(Receiver::delivered).collect()
    }
}
