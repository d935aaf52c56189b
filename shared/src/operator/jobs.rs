//! Jobs: one action of an operator on everything that matches a filter.
//!
//! A job is a record and a place: whichever API process holds its runner's key does the next step and then
//! notes how far it came. Steps are harmless to repeat (what was retried is no longer failed), so the end
//! of a process costs at most one step's time.

use std::collections::HashMap;

use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

use super::{Operators, json};
use crate::clock::Millis;
use crate::domain::{JobId, OrganizationId, SendStatus, SessionId};
use crate::redis::RedisFailure;
use crate::redis::keys::{GLOBAL, key};

/// Most jobs that are listed; the oldest go first.
const MOST: isize = 500;
/// How long a job's record stays after its last step, in milliseconds.
const KEPT_MS: i64 = 30 * 86_400_000;
/// After how long a silence of its runner another process goes on with a job, in milliseconds.
const SILENCE_MS: u64 = 5_000;

/// What is done with each send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobAction {
    /// A failed send is queued once more.
    Retry,
    /// A failed send is taken off the list of dead letters.
    Discard,
    /// A send that waits is cancelled.
    Cancel,
}

impl JobAction {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard => "discard",
            Self::Cancel => "cancel",
        }
    }

    /// The status of the sends that it can be done with: failed, or (cancel) queued and scheduled.
    #[must_use]
    pub fn wants(self, status: SendStatus) -> bool {
        match self {
            Self::Retry | Self::Discard => status == SendStatus::Failed,
            Self::Cancel => matches!(status, SendStatus::Queued | SendStatus::Scheduled),
        }
    }
}

impl std::str::FromStr for JobAction {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Retry, Self::Discard, Self::Cancel]
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or("must be retry, discard or cancel")
    }
}

/// Which sends a job is about: all that match everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobFilter {
    /// Of this organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
    /// Of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Failed with this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Accepted at this moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// Accepted before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Its steps are being done.
    Running,
    /// An operator stopped it. What was done stays done.
    Stopped,
    /// Everything that matched was looked at.
    Done,
}

impl JobState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Stopped, Self::Done]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// How far a job came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobProgress {
    /// Sends with which it was done.
    pub done: u64,
    /// Sends that matched and with which it could not be done, for instance since nobody is paired.
    pub skipped: u64,
    /// The session it is in; empty = before the first.
    #[serde(default)]
    pub session: String,
    /// Where in that session it is.
    #[serde(default)]
    pub place: String,
    /// Why sends were skipped, and how many for each reason.
    #[serde(default)]
    pub reasons: std::collections::BTreeMap<String, u64>,
}

/// A job of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is done.
    pub action: JobAction,
    /// With which sends.
    pub filter: JobFilter,
    /// How many matched when it was asked for.
    pub expected: u64,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Millis,
    /// Where it stands.
    pub state: JobState,
    /// How far it came.
    pub progress: JobProgress,
    /// When that was noted.
    pub updated_at: Millis,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    action: JobAction,
    filter: JobFilter,
    expected: u64,
    asked_by: String,
    asked_at: Millis,
}

impl Operators {
    /// Asks for a job; a process does its first step within a second.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn ask_job(
        &self,
        now: Millis,
        by: &str,
        action: JobAction,
        filter: &JobFilter,
        expected: u64,
    ) -> Result<Job, RedisFailure> {
        let id = JobId::generate(now);
        let asked = Asked {
            action,
            filter: filter.clone(),
            expected,
            asked_by: by.to_owned(),
            asked_at: now,
        };
        let job = Job {
            id: id.clone(),
            action,
            filter: filter.clone(),
            expected,
            asked_by: by.to_owned(),
            asked_at: now,
            state: JobState::Running,
            progress: JobProgress::default(),
            updated_at: now,
        };
        let record = self.global("job", &[id.as_str()]);
        let list = self.global("jobs", &[]);
        let fields = [
            ("asked", json(&asked)?),
            ("state", job.state.as_str().to_owned()),
            ("progress", json(&job.progress)?),
            ("updatedAt", now.to_string()),
        ];
        let () = redis::pipe()
            .atomic()
            .hset_multiple(&record, &fields)
            .pexpire(&record, KEPT_MS)
            .zadd(&list, id.as_str(), now)
            .zremrangebyrank(&list, 0, -1 - MOST)
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(job)
    }

    /// The latest jobs, the newest first, at most `most`.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn jobs(&self, most: usize) -> Result<Vec<Job>, RedisFailure> {
        let most = isize::try_from(most).unwrap_or(MOST).max(1);
        let mut connection = self.store.connection.clone();
        let ids: Vec<String> = connection
            .zrevrange(self.global("jobs", &[]), 0, most - 1)
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut reads = redis::pipe();
        for id in &ids {
            reads.hgetall(self.global("job", &[id]));
        }
        let records: Vec<HashMap<String, String>> = reads.query_async(&mut connection).await?;
        let jobs = ids.iter().zip(&records);
        Ok(jobs
            .filter_map(|(id, fields)| parse(&id.parse().ok()?, fields))
            .collect())
    }

    /// One job.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn job(&self, id: &JobId) -> Result<Option<Job>, RedisFailure> {
        let record = self.global("job", &[id.as_str()]);
        let fields: HashMap<String, String> = self.store.connection.clone().hgetall(record).await?;
        Ok(parse(id, &fields))
    }

    /// Whether the caller, a process of this name, is to do the next step of a job.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn run_job(&self, id: &JobId, runner: &str) -> Result<bool, RedisFailure> {
        let lock = key(
            GLOBAL,
            &self.store.keys.global(),
            "job_runner",
            &[id.as_str()],
        );
        let mut connection = self.store.connection.clone();
        let mut take = redis::cmd("SET");
        take.arg(&lock)
            .arg(runner)
            .arg("NX")
            .arg("PX")
            .arg(SILENCE_MS);
        let taken: Option<String> = take.query_async(&mut connection).await?;
        if taken.is_some() {
            return Ok(true);
        }
        let holder: Option<String> = connection.get(&lock).await?;
        if holder.as_deref() != Some(runner) {
            return Ok(false);
        }
        let silence = i64::try_from(SILENCE_MS).unwrap_or(i64::MAX);
        let () = connection.pexpire(&lock, silence).await?;
        Ok(true)
    }

    /// Notes how far a job came; gives the state it has now, which is another than `Running` where
    /// somebody stopped it meanwhile.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn note_job(
        &self,
        now: Millis,
        id: &JobId,
        progress: &JobProgress,
        ended: bool,
    ) -> Result<JobState, RedisFailure> {
        let record = self.global("job", &[id.as_str()]);
        let mut connection = self.store.connection.clone();
        let mut note = redis::pipe();
        note.atomic()
            .hset(&record, "progress", json(progress)?)
            .ignore()
            .hset(&record, "updatedAt", now)
            .ignore()
            .pexpire(&record, KEPT_MS)
            .ignore();
        if ended {
            note.hset(&record, "state", JobState::Done.as_str())
                .ignore();
        }
        note.hget(&record, "state");
        let (state,): (String,) = note.query_async(&mut connection).await?;
        Ok(JobState::parse(&state).unwrap_or(JobState::Stopped))
    }

    /// Stops a job before its next step; false where there is none that runs.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn stop_job(&self, id: &JobId) -> Result<bool, RedisFailure> {
        let running = self.job(id).await?;
        if running.is_none_or(|job| job.state != JobState::Running) {
            return Ok(false);
        }
        let record = self.global("job", &[id.as_str()]);
        let mut connection = self.store.connection.clone();
        let () = connection
            .hset(record, "state", JobState::Stopped.as_str())
            .await?;
        Ok(true)
    }
}

fn parse(id: &JobId, fields: &HashMap<String, String>) -> Option<Job> {
    let asked: Asked = serde_json::from_str(fields.get("asked")?).ok()?;
    Some(Job {
        id: id.clone(),
        action: asked.action,
        filter: asked.filter,
        expected: asked.expected,
        asked_by: asked.asked_by,
        asked_at: asked.asked_at,
        state: JobState::parse(fields.get("state")?)?,
        progress: serde_json::from_str(fields.get("progress")?).ok()?,
        updated_at: fields.get("updatedAt")?.parse().ok()?,
    })
}
