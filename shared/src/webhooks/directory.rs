//! Making, finding and changing webhooks: what the API does with them.

use std::collections::HashMap;

use redis::{AsyncCommands, Value};
use serde::{Deserialize, Serialize};

use super::record::{
    CustomHeaders, EventFilter, Format, Health, HealthState, RetryPolicy, Webhook,
};
use super::secret::Secrets;
use super::{WebhookError, WebhookRef, Webhooks, webhook_member};
use crate::clock::Millis;
use crate::domain::{OrganizationId, SessionId, WebhookId};
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{RedisFailure, script, unexpected};

/// What an organization says of its webhook, as Redis keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Definition {
    url: String,
    events: EventFilter,
    session_id: Option<SessionId>,
    format: Format,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    auto_download: bool,
    retry_policy: Option<RetryPolicy>,
    /// [`Sealed`], sealed, in hex.
    sealed: String,
    created_at: Millis,
    updated_at: Millis,
}

/// What lets one act as the organization, or as its receiver.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    secrets: Secrets,
    custom_headers: CustomHeaders,
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct CreateWebhook {
    /// Where events are posted.
    pub url: String,
    /// The kinds it wants.
    pub events: EventFilter,
    /// Only events of this session.
    pub session_id: Option<SessionId>,
    /// The form of what is posted.
    pub format: Format,
    /// Whether the files of messages are fetched at once, and their signed addresses posted.
    pub auto_download: bool,
    /// Headers of one's own.
    pub custom_headers: CustomHeaders,
    /// When a refused event is tried again.
    pub retry_policy: Option<RetryPolicy>,
    /// Whether events are posted from the start.
    pub active: bool,
    /// SHA-256 of the Idempotency-Key and the fingerprint of the request, where one was given.
    pub idempotency: Option<(String, String)>,
}

/// What became of the wish for a webhook.
#[derive(Debug, Clone)]
pub enum Created {
    /// It was made.
    Made(Webhook, Secrets),
    /// The same request made this one before.
    Replayed(Webhook, Secrets),
    /// The Idempotency-Key belongs to another request.
    KeyReused,
    /// The organization has as many as it may have.
    Limit,
}

/// What became of a change.
#[derive(Debug, Clone)]
pub enum Updated {
    /// It was changed.
    Changed(Box<Webhook>),
    /// There is no such webhook.
    NotFound,
}

/// What an inactive webhook goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// With the first event that was not delivered.
    Stopped,
    /// With the next event: what waits is skipped.
    Now,
}

/// How often a change is tried again that others were faster than.
const CHANGE_ATTEMPTS: usize = 8;

impl Webhooks {
    /// Makes a webhook of an organization that may have `most`.
    ///
    /// # Errors
    /// When Redis does not answer, or nothing can be sealed.
    pub async fn create(
        &self,
        now: Millis,
        organization: &OrganizationId,
        new: &CreateWebhook,
        most: usize,
        idempotency_ms: u64,
    ) -> Result<Created, WebhookError> {
        let of = WebhookRef {
            organization: organization.clone(),
            webhook: WebhookId::generate(now),
        };
        let secrets = Secrets::generate();
        let definition = Definition {
            url: new.url.clone(),
            events: new.events.clone(),
            session_id: new.session_id.clone(),
            format: new.format,
            auto_download: new.auto_download,
            retry_policy: new.retry_policy,
            sealed: self.seal(&of, &secrets, &new.custom_headers)?,
            created_at: now,
            updated_at: now,
        };
        // Whoever finds it in the directory and nowhere else takes it out again.
        self.list_as_active(&of).await?;
        let root = self.root(organization);
        let (key, fingerprint) = new
            .idempotency
            .as_ref()
            .map_or(("", ""), |(key, print)| (key.as_str(), print.as_str()));
        let mut call = self.scripts.create.on(&root);
        call.arg(of.webhook.as_str())
            .arg(to_json(&definition))
            .arg(most)
            .arg(key)
            .arg(fingerprint)
            .arg(idempotency_ms)
            .arg(u8::from(new.active));
        let reply: Vec<String> = script::run_durably(&self.store.connection, &call)
            .await
            .map_err(RedisFailure)?;
        match reply.first().map(String::as_str) {
            Some("created") => {
                // A worker that was faster may have taken the name for one without a webhook.
                self.list_as_active(&of).await?;
                self.announce(&of).await?;
                let state = HashMap::new();
                let webhook = webhook(&of, &definition, &new.custom_headers, &state, 0);
                let active = new.active;
                Ok(Created::Made(Webhook { active, ..webhook }, secrets))
            }
            Some("replayed") => {
                let id = reply.get(1).and_then(|id| id.parse().ok());
                let of = WebhookRef {
                    organization: organization.clone(),
                    webhook: id.ok_or_else(|| unexpected("create.lua"))?,
                };
                match self.get(&of).await? {
                    Some((webhook, secrets)) => Ok(Created::Replayed(webhook, secrets)),
                    // Deleted in between.
                    None => Ok(Created::KeyReused),
                }
            }
            Some("key_reused") => Ok(Created::KeyReused),
            Some("limit") => Ok(Created::Limit),
            _ => Err(unexpected("create.lua").into()),
        }
    }

    /// The webhooks of an organization, oldest first.
    ///
    /// # Errors
    /// When Redis does not answer, or secrets can not be opened.
    pub async fn list(&self, organization: &OrganizationId) -> Result<Vec<Webhook>, WebhookError> {
        let all = self.key(organization, "webhooks", &[]);
        let found: HashMap<String, String> = self
            .store
            .connection
            .clone()
            .hgetall(all)
            .await
            .map_err(RedisFailure)?;
        let mut webhooks = Vec::with_capacity(found.len());
        for (id, json) in found {
            let Ok(webhook) = id.parse() else { continue };
            let of = WebhookRef {
                organization: organization.clone(),
                webhook,
            };
            webhooks.extend(self.read(&of, &json).await?.map(|(webhook, _)| webhook));
        }
        webhooks.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(webhooks)
    }

    /// A webhook and its secrets.
    ///
    /// # Errors
    /// When Redis does not answer, or its secrets can not be opened.
    pub async fn get(&self, of: &WebhookRef) -> Result<Option<(Webhook, Secrets)>, WebhookError> {
        match self.definition(of).await? {
            Some(json) => self.read(of, &json).await,
            None => Ok(None),
        }
    }

    /// Changes a webhook by `change`; `active` where it is to be.
    ///
    /// # Errors
    /// When Redis does not answer, or its secrets can not be opened.
    pub async fn update(
        &self,
        now: Millis,
        of: &WebhookRef,
        active: Option<bool>,
        change: impl Fn(&mut Webhook),
    ) -> Result<Updated, WebhookError> {
        self.change(now, of, active, |webhook, _| change(webhook))
            .await
    }

    /// Gives a webhook a new secret. The former one signs beside it for `keep_ms`.
    ///
    /// # Errors
    /// When Redis does not answer, or its secrets can not be opened.
    pub async fn rotate_secret(
        &self,
        now: Millis,
        of: &WebhookRef,
        keep_ms: u64,
    ) -> Result<Option<Secrets>, WebhookError> {
        let until = now.saturating_add(Millis::try_from(keep_ms).unwrap_or(Millis::MAX));
        let changed = self
            .change(now, of, None, |_, secrets| {
                *secrets = secrets.clone().rotated(until);
            })
            .await?;
        match changed {
            Updated::Changed(_) => Ok(self.get(of).await?.map(|(_, secrets)| secrets)),
            Updated::NotFound => Ok(None),
        }
    }

    async fn change(
        &self,
        now: Millis,
        of: &WebhookRef,
        active: Option<bool>,
        change: impl Fn(&mut Webhook, &mut Secrets),
    ) -> Result<Updated, WebhookError> {
        for _ in 0..CHANGE_ATTEMPTS {
            let Some(json) = self.definition(of).await? else {
                return Ok(Updated::NotFound);
            };
            let Some((mut webhook, mut secrets)) = self.read(of, &json).await? else {
                return Ok(Updated::NotFound);
            };
            change(&mut webhook, &mut secrets);
            webhook.updated_at = now;
            let next = Definition {
                url: webhook.url.clone(),
                events: webhook.events.clone(),
                session_id: webhook.session_id.clone(),
                format: webhook.format,
                auto_download: webhook.auto_download,
                retry_policy: webhook.retry_policy,
                sealed: self.seal(of, &secrets, &webhook.custom_headers)?,
                created_at: webhook.created_at,
                updated_at: now,
            };
            let root = self.root(&of.organization);
            let mut call = self.scripts.update.on(&root);
            call.arg(of.webhook.as_str())
                .arg(&json)
                .arg(to_json(&next))
                .arg(active.map_or("", |active| if active { "1" } else { "0" }));
            let reply: Vec<String> = script::run_durably(&self.store.connection, &call)
                .await
                .map_err(RedisFailure)?;
            match reply.first().map(String::as_str) {
                Some("updated") => {
                    self.announce(of).await?;
                    let found = self.get(of).await?;
                    return Ok(found.map_or(Updated::NotFound, |(hook, _)| {
                        Updated::Changed(Box::new(hook))
                    }));
                }
                Some("changed") => {}
                Some("not_found") => return Ok(Updated::NotFound),
                _ => return Err(unexpected("update.lua").into()),
            }
        }
        Err(unexpected("update.lua").into())
    }

    /// Deletes a webhook with all that is known of it; false where there is none.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn delete(&self, of: &WebhookRef) -> Result<bool, RedisFailure> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.delete.on(&root);
        call.arg(of.webhook.as_str());
        let reply: Vec<String> = script::run_durably(&self.store.connection, &call).await?;
        self.unlist(of).await?;
        self.announce(of).await?;
        Ok(reply.first().is_some_and(|name| name == "deleted"))
    }

    /// Makes a webhook active again, or skips what waits for it; false where there is none.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn resume(&self, of: &WebhookRef, from: Resume) -> Result<bool, RedisFailure> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.resume.on(&root);
        call.arg(of.webhook.as_str()).arg(match from {
            Resume::Stopped => "stopped",
            Resume::Now => "now",
        });
        let reply: Vec<String> = script::run_durably(&self.store.connection, &call).await?;
        self.announce(of).await?;
        Ok(reply.first().is_some_and(|name| name == "resumed"))
    }

    async fn definition(&self, of: &WebhookRef) -> Result<Option<String>, RedisFailure> {
        let all = self.key(&of.organization, "webhooks", &[]);
        let mut connection = self.store.connection.clone();
        Ok(connection.hget(all, of.webhook.as_str()).await?)
    }

    pub(super) async fn read(
        &self,
        of: &WebhookRef,
        json: &str,
    ) -> Result<Option<(Webhook, Secrets)>, WebhookError> {
        let id = of.webhook.as_str();
        let mut connection = self.store.connection.clone();
        let (state, held): (HashMap<String, String>, u64) = redis::pipe()
            .hgetall(self.key(&of.organization, "webhook", &[id]))
            .zcard(self.key(&of.organization, "webhook_held", &[id]))
            .query_async(&mut connection)
            .await
            .map_err(RedisFailure)?;
        let Some((definition, sealed)) = self.open(of, json)? else {
            return Ok(None);
        };
        let webhook = webhook(of, &definition, &sealed.custom_headers, &state, held);
        Ok(Some((webhook, sealed.secrets)))
    }

    fn open(
        &self,
        of: &WebhookRef,
        json: &str,
    ) -> Result<Option<(Definition, Sealed)>, WebhookError> {
        let Ok(definition) = serde_json::from_str::<Definition>(json) else {
            return Ok(None);
        };
        let bytes = hex::decode(&definition.sealed).unwrap_or_default();
        let opened = self.keyring.open(&context(of), &bytes)?;
        let sealed: Sealed =
            serde_json::from_slice(&opened).map_err(|_| unexpected("a sealed webhook"))?;
        Ok(Some((definition, sealed)))
    }

    /// What becomes of a definition whose parts an owner was handed.
    pub(super) fn opened(
        &self,
        of: &WebhookRef,
        json: &str,
        state: &HashMap<String, String>,
        held: u64,
    ) -> Result<Option<(Webhook, Secrets)>, WebhookError> {
        let opened = self.open(of, json)?;
        Ok(opened.map(|(definition, sealed)| {
            let webhook = webhook(of, &definition, &sealed.custom_headers, state, held);
            (webhook, sealed.secrets)
        }))
    }

    fn seal(
        &self,
        of: &WebhookRef,
        secrets: &Secrets,
        headers: &CustomHeaders,
    ) -> Result<String, WebhookError> {
        let sealed = Sealed {
            secrets: secrets.clone(),
            custom_headers: headers.clone(),
        };
        let bytes = self
            .keyring
            .seal(&context(of), to_json(&sealed).as_bytes())?;
        Ok(hex::encode(bytes))
    }

    async fn list_as_active(&self, of: &WebhookRef) -> Result<(), RedisFailure> {
        let all = key(GLOBAL, &self.store.keys.global(), "webhooks", &[]);
        let () = self
            .store
            .connection
            .clone()
            .sadd(all, webhook_member(of))
            .await?;
        Ok(())
    }

    /// Takes a webhook out of the directory of those that have an owner.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn unlist(&self, of: &WebhookRef) -> Result<(), RedisFailure> {
        let all = key(GLOBAL, &self.store.keys.global(), "webhooks", &[]);
        let () = self
            .store
            .connection
            .clone()
            .srem(all, webhook_member(of))
            .await?;
        Ok(())
    }

    /// Has the workers look at a webhook.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn announce(&self, of: &WebhookRef) -> Result<(), RedisFailure> {
        let channel = self.store.keys.webhooks_channel();
        let () = self
            .store
            .connection
            .clone()
            .publish(channel, webhook_member(of))
            .await?;
        Ok(())
    }
}

fn context(of: &WebhookRef) -> String {
    format!("webhook:{}:{}", of.organization, of.webhook)
}

fn to_json(value: &impl Serialize) -> String {
    // Numbers and texts always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

fn webhook(
    of: &WebhookRef,
    definition: &Definition,
    custom_headers: &CustomHeaders,
    state: &HashMap<String, String>,
    held: u64,
) -> Webhook {
    let definition = definition.clone();
    Webhook {
        id: of.webhook.clone(),
        organization_id: of.organization.clone(),
        url: definition.url,
        events: definition.events,
        session_id: definition.session_id,
        format: definition.format,
        auto_download: definition.auto_download,
        custom_headers: custom_headers.clone(),
        retry_policy: definition.retry_policy,
        active: state.get("active").is_none_or(|active| active == "1"),
        health: health(state, held),
        created_at: definition.created_at,
        updated_at: definition.updated_at,
    }
}

fn health(state: &HashMap<String, String>, held: u64) -> Health {
    let text = |name: &str| state.get(name).filter(|text| !text.is_empty());
    fn number<T: std::str::FromStr>(text: Option<&String>) -> Option<T> {
        text?.parse().ok()
    }
    let failures = number(text("failures")).unwrap_or(0);
    let retry_at = number(text("openUntil")).filter(|at: &Millis| *at > 0);
    let state = if text("active").is_some_and(|active| active != "1") {
        HealthState::Disabled
    } else if retry_at.is_some() {
        HealthState::Down
    } else if failures > 0 {
        HealthState::Failing
    } else {
        HealthState::Ok
    };
    Health {
        state,
        failing_since: number(text("failingSince")),
        failures,
        last_error: text("lastError").filter(|_| failures > 0).cloned(),
        retry_at,
        disabled_reason: text("disabledReason").cloned(),
        delivered: number(text("delivered")).unwrap_or(0),
        dead: number(text("dead")).unwrap_or(0),
        held,
    }
}

/// A reply's number or text at a place.
pub(super) fn text_at(reply: &[Value], index: usize) -> Option<String> {
    redis::from_redis_value_ref(reply.get(index)?).ok()
}
