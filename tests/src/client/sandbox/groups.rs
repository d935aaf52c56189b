//! The sandbox's groups.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::SandboxAdmin;

impl SandboxAdmin {
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

    /// Changes what a group says about itself: `subject`, `description`, `announce`, `locked`,
    /// `approval`, `mostMembers` and what else the README of the sandbox tells, and `by` whom, if not by its creator.
    ///
    /// # Errors
    /// When there is no such group.
    pub async fn change_group(&self, jid: &str, changes: &Value) -> Result<()> {
        let path = format!("/admin/groups/{jid}");
        self.call(Method::PATCH, &path, Some(changes)).await?;
        Ok(())
    }

    /// Does something (`add`, `remove`, `promote`, `demote`, `leave`, `join`, `admit`, `reject`) to
    /// members.
    ///
    /// # Errors
    /// When it is refused for any of them.
    pub async fn change_members(&self, jid: &str, action: &str, phones: &[&str]) -> Result<()> {
        let path = format!("/admin/groups/{jid}/members");
        let body = json!({ "action": action, "members": phones });
        self.call(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    /// Lets nobody add somebody to groups: whoever would is told this code; 0 lets anybody.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn refuse_groups(&self, phone: &str, code: u16) -> Result<()> {
        let path = format!("/admin/accounts/{phone}/group-adds");
        let body = json!({ "code": code });
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
}
