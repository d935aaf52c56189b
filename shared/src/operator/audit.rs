//! The audit log: who did what, when, from where. Kept apart from the retention of messages.

use std::collections::HashMap;

use super::Operators;
use crate::clock::Millis;
use crate::redis::RedisFailure;

/// Most lines that are kept; the oldest go first.
const MOST: usize = 100_000;

/// Something an operator is about to do or did.
#[derive(Debug, Clone, Copy)]
pub struct AuditEntry<'a> {
    /// Who.
    pub operator: &'a str,
    /// From which address.
    pub from: &'a str,
    /// What, as a verb: `lane.pause`, `message.reveal`.
    pub action: &'a str,
    /// To what.
    pub target: &'a str,
    /// What was before and after, or any other detail; no message bodies.
    pub detail: &'a str,
}

/// A line of the audit log.
#[derive(Debug, Clone)]
pub struct AuditLine {
    /// Its place in the log; its first half is the time in milliseconds.
    pub id: String,
    /// Who, from where, what, to what, and details, in this order.
    pub fields: [String; 5],
}

impl AuditLine {
    /// When it was written.
    #[must_use]
    pub fn at(&self) -> Millis {
        let at = self.id.split('-').next();
        at.and_then(|at| at.parse().ok()).unwrap_or(0)
    }
}

/// Whether a text is a place in the log, or empty.
#[must_use]
pub fn is_place(text: &str) -> bool {
    text.len() <= 40
        && match text.split_once('-') {
            Some((at, number)) => {
                let digits =
                    |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                digits(at) && digits(number)
            }
            None => text.is_empty(),
        }
}

const FIELDS: [&str; 5] = ["operator", "from", "action", "target", "detail"];

impl Operators {
    /// Appends a line.
    ///
    /// # Errors
    /// When Redis does not answer; the action must not be done then.
    pub async fn audit(&self, entry: AuditEntry<'_>) -> Result<(), RedisFailure> {
        let values = [
            entry.operator,
            entry.from,
            entry.action,
            entry.target,
            entry.detail,
        ];
        let mut command = redis::cmd("XADD");
        command
            .arg(self.global("audit", &[]))
            .arg("MAXLEN")
            .arg("~")
            .arg(MOST)
            .arg("*");
        for (name, value) in FIELDS.iter().zip(values) {
            command.arg(name).arg(value);
        }
        let _: String = command
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(())
    }

    /// The newest lines, at most `most`, before the line `before` (empty = from the newest).
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn audit_log(
        &self,
        before: &str,
        most: usize,
    ) -> Result<Vec<AuditLine>, RedisFailure> {
        let end = if before.is_empty() {
            "+".to_owned()
        } else {
            format!("({before}")
        };
        let reply: Vec<(String, HashMap<String, String>)> = redis::cmd("XREVRANGE")
            .arg(self.global("audit", &[]))
            .arg(end)
            .arg("-")
            .arg("COUNT")
            .arg(most)
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(reply
            .into_iter()
            .map(|(id, mut fields)| AuditLine {
                id,
                fields: FIELDS.map(|name| fields.remove(name).unwrap_or_default()),
            })
            .collect())
    }
}
