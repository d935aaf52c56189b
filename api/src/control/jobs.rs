//! Jobs: one action on everything that matches a filter, in steps of 100.
//!
//! Any API process does the next step of a job that nobody else does; after each it notes how far it came,
//! so a job survives whoever ran it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gateway_shared::domain::SendStatus;
use gateway_shared::lane::{Cancelled, OutboxEntry, OutboxFilter, SessionRef};
use gateway_shared::operator::{Job, JobAction, JobFilter, JobProgress, JobState};

use super::act::{Actor, Done};
use super::on_session::retried_or;
use crate::error::{ApiError, Code};
use crate::state::App;

/// Above so many sends a job asks for the number to be typed.
pub(crate) const TYPED_ABOVE: u64 = 100;
/// Sends of one step.
const STEP: usize = 100;
/// How often it is looked for jobs.
const PAUSE: Duration = Duration::from_millis(500);
/// Most sends that are counted before a job begins; beyond it the number is "10,000+".
pub(crate) const MOST_COUNTED: u64 = 10_000;

/// Begins a job, unless more match than were confirmed.
pub(super) async fn begin(
    app: &Arc<App>,
    actor: &Actor,
    action: JobAction,
    filter: JobFilter,
    typed: Option<u64>,
) -> Result<Done, ApiError> {
    let expected = count(app, action, &filter).await?;
    // While it was typed, a few may have come or gone.
    let close = |typed: u64| typed.abs_diff(expected) <= expected / 20;
    if expected > TYPED_ABOVE && !typed.is_some_and(close) {
        return Err(ApiError::new(
            Code::Conflict,
            format!("{expected} sends match: type that number to go on"),
        )
        .with("reason", "number_not_confirmed")
        .with("matching", expected));
    }
    let now = app.now();
    let job = app
        .operators
        .ask_job(now, &actor.name, action, &filter, expected)
        .await?;
    let verb = action.as_str();
    Ok(Done {
        sentence: format!("The job to {verb} {expected} sends has begun."),
        job: Some(job),
        ..Done::default()
    })
}

/// How many sends match, up to [`MOST_COUNTED`].
///
/// # Errors
/// When Redis does not answer.
pub(crate) async fn count(
    app: &Arc<App>,
    action: JobAction,
    filter: &JobFilter,
) -> Result<u64, ApiError> {
    let sessions = sessions(app, filter, "").await?;
    let narrow = filter.code.is_some() || filter.since.is_some() || filter.until.is_some();
    if !narrow {
        // The lanes know without being read.
        let lanes = super::census::lanes(app, &sessions).await?;
        let all = lanes.iter().map(|lane| match action {
            JobAction::Retry | JobAction::Discard => lane.gauge.dead_letters,
            JobAction::Cancel => lane.gauge.depth.saturating_sub(lane.gauge.in_flight),
        });
        return Ok(all.sum());
    }
    let mut counted = 0;
    for of in &sessions {
        let mut progress = JobProgress::default();
        loop {
            let (entries, next) = page(app, of, action, &progress.place).await?;
            let matching = entries
                .iter()
                .filter(|entry| matches(action, filter, entry));
            counted += u64::try_from(matching.count()).unwrap_or(0);
            if counted >= MOST_COUNTED {
                return Ok(MOST_COUNTED);
            }
            if next.is_empty() {
                break;
            }
            progress.place = next;
        }
    }
    Ok(counted)
}

/// The sessions that a filter is about, from `from` on, in the order of their ids.
async fn sessions(app: &App, filter: &JobFilter, from: &str) -> Result<Vec<SessionRef>, ApiError> {
    let mut all = match &filter.session {
        Some(session) => vec![super::act::session_of(app, session).await?],
        None => app.registry.directory().await?,
    };
    all.retain(|of| {
        of.session.as_str() >= from
            && filter
                .organization
                .as_ref()
                .is_none_or(|one| *one == of.organization)
    });
    all.sort_unstable_by(|a, b| a.session.cmp(&b.session));
    Ok(all)
}

fn matches(action: JobAction, filter: &JobFilter, entry: &OutboxEntry) -> bool {
    let code = entry.error.as_ref().map(|error| error.code.as_str());
    action.wants(entry.status)
        && filter
            .code
            .as_deref()
            .is_none_or(|wanted| code == Some(wanted))
        && filter.since.is_none_or(|at| entry.created_at >= at)
        && filter.until.is_none_or(|at| entry.created_at < at)
}

/// The next sends of a session that an action may be about.
async fn page(
    app: &App,
    of: &SessionRef,
    action: JobAction,
    place: &str,
) -> Result<(Vec<OutboxEntry>, String), ApiError> {
    let filter = OutboxFilter {
        status: match action {
            JobAction::Retry | JobAction::Discard => Some(SendStatus::Failed),
            JobAction::Cancel => None,
        },
        cursor: place.to_owned(),
        limit: STEP,
        ..OutboxFilter::default()
    };
    Ok(app.lanes.list(of, &filter).await?)
}

/// Does what is to be done of jobs, for as long as it is polled.
pub(super) async fn run(app: &Arc<App>) {
    loop {
        if let Err(error) = round(app).await {
            tracing::debug!(?error, "jobs wait");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn round(app: &Arc<App>) -> Result<(), ApiError> {
    let me = app.replies.instance().as_str().to_owned();
    let jobs = app.operators.jobs(STEP).await?;
    for job in jobs.into_iter().rev() {
        if job.state != JobState::Running {
            continue;
        }
        let mut job = job;
        while job.state == JobState::Running && app.operators.run_job(&job.id, &me).await? {
            job = step(app, job).await?;
        }
        if job.state != JobState::Running {
            tracing::info!(job = %job.id, state = job.state.as_str(), done = job.progress.done,
                skipped = job.progress.skipped, "a job has ended");
        }
    }
    Ok(())
}

/// One step: a hundred sends, or the rest of a session.
async fn step(app: &Arc<App>, mut job: Job) -> Result<Job, ApiError> {
    let sessions = sessions(app, &job.filter, &job.progress.session).await;
    let sessions = match sessions {
        // The one session that it was about is gone, and its sends with it.
        Err(error) if error.code() == Code::NotFound => Vec::new(),
        sessions => sessions?,
    };
    let Some(of) = sessions.first() else {
        job.state = app
            .operators
            .note_job(app.now(), &job.id, &job.progress, true)
            .await?;
        return Ok(job);
    };
    if job.progress.session != of.session.as_str() {
        job.progress.session = of.session.to_string();
        job.progress.place.clear();
    }
    let (entries, next) = page(app, of, job.action, &job.progress.place).await?;
    let wanted = entries
        .iter()
        .filter(|entry| matches(job.action, &job.filter, entry));
    let outcomes = join_all(wanted.map(|entry| apply(app, of, job.action, entry))).await;
    for outcome in outcomes {
        match outcome? {
            None => job.progress.done += 1,
            Some(reason) => {
                job.progress.skipped += 1;
                *job.progress.reasons.entry(reason.to_owned()).or_default() += 1;
            }
        }
    }
    let mut ended = false;
    if next.is_empty() {
        match sessions.get(1) {
            Some(following) => job.progress.session = following.session.to_string(),
            None => ended = true,
        }
    }
    job.progress.place = next;
    job.state = app
        .operators
        .note_job(app.now(), &job.id, &job.progress, ended)
        .await?;
    Ok(job)
}

/// Does it with one send; why it was not done, where it was not.
async fn apply(
    app: &App,
    of: &SessionRef,
    action: JobAction,
    entry: &OutboxEntry,
) -> Result<Option<&'static str>, ApiError> {
    let now = app.now();
    let id = &entry.outbox_id;
    Ok(match action {
        JobAction::Retry => {
            let (life, depth) = (
                app.config.send.time_to_live_ms,
                app.config.send.max_lane_depth,
            );
            let retried = app.lanes.retry(now, of, id, life, depth).await?;
            retried_or(retried).err().map(|(reason, _)| reason)
        }
        JobAction::Discard => {
            let discarded = app.lanes.discard(of, id).await?;
            (!discarded).then_some("not_failed")
        }
        JobAction::Cancel => match app.lanes.cancel(now, of, id, None).await? {
            Cancelled::Done => None,
            Cancelled::NotFound => Some("not_found"),
            Cancelled::InFlight => Some("in_flight"),
            Cancelled::AlreadyTerminal(_) => Some("already_terminal"),
        },
    })
}
