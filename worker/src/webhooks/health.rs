//! How long an endpoint has done nothing but fail, and the events about it.

use gateway_shared::clock::Millis;
use gateway_shared::domain::WebhookId;
use gateway_shared::webhooks::{OwnedWebhook, Step, WebhookConfig};
use serde_json::json;

/// Failures of an endpoint since its last success.
#[derive(Debug)]
pub(super) struct Health {
    webhook: WebhookId,
    failures: u32,
    since: Option<Millis>,
    /// Whether `webhook.failing` was emitted.
    reported: bool,
}

impl Health {
    pub(super) fn of(owned: &OwnedWebhook) -> Self {
        Self {
            webhook: owned.webhook.id.clone(),
            failures: owned.webhook.health.failures,
            since: owned.webhook.health.failing_since,
            reported: owned.failing,
        }
    }

    /// An attempt succeeded.
    pub(super) fn succeeded(&mut self, now: Millis) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.failures > 0 || self.since.is_some() {
            steps.push(Step::Field("failures", String::new()));
            steps.push(Step::Field("failingSince", String::new()));
        }
        if self.reported {
            steps.push(Step::Field("failing", String::new()));
            let payload = json!({
                "webhookId": self.webhook,
                "failures": self.failures,
                "failingSince": self.since,
                "timestamp": now,
            });
            steps.push(Step::Event("webhook.recovered", payload.to_string()));
        }
        self.failures = 0;
        self.since = None;
        self.reported = false;
        steps
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, config: &WebhookConfig, now: Millis, why: &str) -> Vec<Step> {
        self.failures = self.failures.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        let mut steps = vec![
            Step::Field("failures", self.failures.to_string()),
            Step::Field("failingSince", since.to_string()),
            Step::Field("lastError", why.to_owned()),
        ];
        if !self.reported && self.failures >= config.failing_after {
            self.reported = true;
            steps.push(Step::Field("failing", "1".to_owned()));
            steps.push(Step::Event("webhook.failing", self.payload(now, why)));
        }
        let patience = Millis::try_from(config.disable_after_ms).unwrap_or(Millis::MAX);
        if now.saturating_sub(since) >= patience {
            steps.extend(self.disabled("failing", now, why));
        }
        steps
    }

    /// The endpoint is disabled.
    pub(super) fn disabled(&self, reason: &'static str, now: Millis, why: &str) -> Vec<Step> {
        let payload = json!({
            "webhookId": self.webhook,
            "reason": reason,
            "failures": self.failures,
            "failingSince": self.since,
            "lastError": why,
            "timestamp": now,
        });
        vec![
            Step::Disable(reason),
            Step::Event("webhook.disabled", payload.to_string()),
        ]
    }

    fn payload(&self, now: Millis, why: &str) -> String {
        let payload = json!({
            "webhookId": self.webhook,
            "failures": self.failures,
            "failingSince": self.since,
            "lastError": why,
            "timestamp": now,
        });
        payload.to_string()
    }
}

#[cfg(test)]
mod tests {
    use gateway_shared::config::Config;

    use super::*;

    fn events(steps: &[Step]) -> Vec<&'static str> {
        steps
            .iter()
            .filter_map(|step| match step {
                Step::Event(kind, _) => Some(*kind),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn failing_is_emitted_once_and_so_are_recovery_and_the_end() {
        let config = Config::defaults().unwrap().webhooks;
        let mut health = Health {
            webhook: WebhookId::generate(1),
            failures: 0,
            since: None,
            reported: false,
        };
        let fail = |health: &mut Health, now| {
            let steps = health.failed(&config, now, "500");
            events(&steps)
        };
        for now in 1..4 {
            assert!(fail(&mut health, now).is_empty());
        }
        assert_eq!(fail(&mut health, 4), ["webhook.failing"]);
        assert!(fail(&mut health, 5).is_empty());
        assert_eq!(events(&health.succeeded(6)), ["webhook.recovered"]);
        assert!(health.succeeded(7).is_empty());
        let day = 24 * 3_600_000;
        for now in [day, 2 * day, 3 * day] {
            assert!(fail(&mut health, now).is_empty());
        }
        assert_eq!(fail(&mut health, 4 * day), ["webhook.failing"]);
        assert_eq!(fail(&mut health, 6 * day), ["webhook.disabled"]);
    }
}
