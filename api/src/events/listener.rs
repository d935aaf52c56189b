//! One listener: its cursor, its wishes, and the form of what it is told.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_shared::clock::Millis;
use gateway_shared::domain::OrganizationId;
use gateway_shared::events::{Event, GAP_KIND, Place, gap_event, slow_event};
use gateway_shared::redis::RedisFailure;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::batch::Batch;
use super::form::Form;
use super::hub::{Broadcast, Hub};
use super::input::Wanted;
use crate::access::{AuthFailure, Caller, Token};
use crate::state::App;

/// Events read at once while catching up.
const PAGE: usize = 500;
/// As good as never: a year in milliseconds, which a timer can hold.
const FAR: u64 = 366 * 24 * 3_600_000;

/// The pause after a read that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// One listener of `/events`.
pub(super) struct Listener {
    app: Arc<App>,
    organization: OrganizationId,
    token: Option<Token>,
    wanted: Wanted,
    form: Form,
    cursor: Place,
    hub: Arc<Hub>,
    emitted: broadcast::Receiver<Broadcast>,
    changes: watch::Receiver<u64>,
    caught_up: bool,
    /// Since when it is slower than the events come.
    slow_since: Option<Instant>,
    ended: bool,
    ready: VecDeque<Bytes>,
    heartbeat: Pin<Box<Sleep>>,
    /// The end of the caller's token.
    ends_at: Instant,
    interval: Duration,
}

enum Turn {
    Broadcast(Result<Broadcast, RecvError>),
    Heartbeat,
    KeysChanged,
}

impl Listener {
    /// Joins an organization's listeners.
    ///
    /// # Errors
    /// When Redis does not answer at the moment.
    pub(super) async fn join(
        app: Arc<App>,
        caller: &Caller,
        token: Option<Token>,
        wanted: Wanted,
        form: Form,
    ) -> Result<Self, RedisFailure> {
        let organization = caller.organization.clone();
        let changes = app.authenticators.keys().watch();
        let edges = app.events.edges(&organization).await?;
        let present = edges.last;
        let (hub, emitted) = app.hubs.join(&organization, present);
        let interval = Duration::from_millis(app.config.api.events_heartbeat_ms);
        // Something at once, so that the client knows that it is connected.
        let cursor = wanted.since.map_or(present, |since| since.cursor(&edges));
        let ends_at = caller.expires_at.unwrap_or(Millis::MAX);
        let left = u64::try_from(ends_at.saturating_sub(app.now())).unwrap_or(0);
        let ends_at = Instant::now() + Duration::from_millis(left.min(FAR));
        let hello = form.heartbeat(&organization, cursor, app.now());
        Ok(Self {
            cursor,
            ready: VecDeque::from([Bytes::from(hello)]),
            heartbeat: Box::pin(sleep(interval)),
            ends_at,
            caught_up: false,
            slow_since: None,
            ended: false,
            app,
            organization,
            token,
            wanted,
            form,
            hub,
            emitted,
            changes,
            interval,
        })
    }

    /// The next piece of the answer; `None` at its end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                self.heartbeat
                    .as_mut()
                    .reset(Instant::now() + self.interval);
                return Some(chunk);
            }
            if self.ended {
                return None;
            }
            if self.is_too_slow() {
                self.give_up();
                continue;
            }
            let stopping = self.app.stopping.clone();
            let ended = sleep_until(self.ends_at);
            if self.caught_up {
                let turn = tokio::select! {
                    // In this order: who may not listen any more gets no further event.
                    biased;
                    () = stopping.cancelled() => return None,
                    () = ended => return None,
                    _ = self.changes.changed() => Turn::KeysChanged,
                    emitted = self.emitted.recv() => Turn::Broadcast(emitted),
                    () = self.heartbeat.as_mut() => Turn::Heartbeat,
                };
                match turn {
                    Turn::Broadcast(Ok(Broadcast::Events(batch))) => self.pass_on(&batch),
                    // Too slow for the hub, or the hub was interrupted.
                    Turn::Broadcast(Ok(Broadcast::Interrupted)) => self.caught_up = false,
                    Turn::Broadcast(Err(RecvError::Lagged(_))) => {
                        self.caught_up = false;
                        self.slow_since.get_or_insert_with(Instant::now);
                    }
                    Turn::Broadcast(Err(RecvError::Closed)) => self.rejoin(),
                    Turn::Heartbeat => self.beat().await?,
                    Turn::KeysChanged => self.check().await?,
                }
            } else {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return None,
                    () = ended => return None,
                    went_on = self.catch_up() => went_on?,
                }
            }
        }
    }

    /// Reads one page of the stream after the cursor; `None` where the caller may not listen any
    /// more, which is asked for each page, as there may be many.
    async fn catch_up(&mut self) -> Option<()> {
        let read = async {
            let page = self
                .app
                .events
                .after(&self.organization, self.cursor, PAGE)
                .await?;
            let edges = self.app.events.edges(&self.organization).await?;
            // After the page was read: what was told after a revocation is in none that is passed on.
            let allowed = match &self.token {
                Some(token) => match self.app.authenticators.authenticate(token).await? {
                    Some(caller) => {
                        caller.operator || !self.app.suspensions.has(&self.organization)
                    }
                    None => false,
                },
                None => true,
            };
            Ok::<_, AuthFailure>((page, edges, allowed))
        };
        let (page, edges) = match read.await {
            Ok((_, _, false)) => return None,
            Ok((page, edges, true)) => (page, edges),
            Err(error) => {
                tracing::debug!(organization = %self.organization, %error, "can not catch up");
                sleep(PAUSE).await;
                if self.heartbeat.is_elapsed() {
                    self.push_heartbeat();
                }
                return Some(());
            }
        };
        if let Some(resumed) = edges.gap_after(self.cursor) {
            tracing::info!(organization = %self.organization, "a listener was told of a gap");
            let gap = gap_event(&self.organization, self.cursor, resumed, self.app.now());
            self.cursor = resumed;
            self.tell(&Vec::from_iter(gap));
            return Some(());
        }
        self.tell(&page.events);
        match page.last {
            Some(last) => self.cursor = last,
            None => {
                self.caught_up = true;
                self.slow_since = None;
            }
        }
        Some(())
    }

    /// Puts what is wanted of these events into the answer, and moves on to the last of them.
    fn tell(&mut self, events: &[Event]) {
        let mut chunk = String::new();
        for event in events {
            let gap = event.kind == GAP_KIND;
            if (gap || event.place > self.cursor) && self.wanted.wants(event) {
                self.form.write(event, &mut chunk);
                if self.form == Form::WebSocket {
                    self.ready
                        .push_back(Bytes::from(std::mem::take(&mut chunk)));
                }
            }
        }
        if let Some(last) = events.last() {
            self.cursor = self.cursor.max(last.place);
        }
        if !chunk.is_empty() {
            self.ready.push_back(Bytes::from(chunk));
        }
    }

    /// Puts a whole batch into the answer.
    fn pass_on(&mut self, batch: &Batch) {
        let events = batch.events();
        let follows = events
            .first()
            .is_some_and(|first| first.place > self.cursor);
        match batch.whole(self.form) {
            Some(whole) if follows && self.wanted.wants_everything() => {
                if let Some(last) = events.last() {
                    self.cursor = last.place;
                }
                self.ready.push_back(whole);
            }
            _ => self.tell(events),
        }
    }

    /// Whether it has been slower than the events come for too long.
    fn is_too_slow(&self) -> bool {
        let limit = Duration::from_millis(self.app.config.api.events_slow_ms);
        self.slow_since
            .is_some_and(|since| since.elapsed() >= limit)
    }

    /// Says so, and ends: it can resume from where it was.
    fn give_up(&mut self) {
        tracing::info!(organization = %self.organization, "a listener is too slow and is dropped");
        let slow = slow_event(&self.organization, self.cursor, self.app.now());
        for event in slow.iter() {
            let mut chunk = String::new();
            self.form.write(event, &mut chunk);
            self.ready.push_back(Bytes::from(chunk));
        }
        self.ended = true;
    }

    fn push_heartbeat(&mut self) {
        let now = self.app.now();
        let beat = self.form.heartbeat(&self.organization, self.cursor, now);
        self.ready.push_back(Bytes::from(beat));
    }

    /// A sign of life, if the caller may still listen.
    async fn beat(&mut self) -> Option<()> {
        self.push_heartbeat();
        self.check().await
    }

    /// `None` where the caller may not listen any more: its key was revoked or has expired.
    async fn check(&mut self) -> Option<()> {
        let token = self.token.as_ref()?;
        match self.app.authenticators.authenticate(token).await {
            Ok(caller) => caller
                .filter(|one| one.operator || !self.app.suspensions.has(&self.organization))
                .map(|_| ()),
            // It can not be told at the moment. Nothing can be read at the moment either.
            Err(_) => Some(()),
        }
    }

    fn rejoin(&mut self) {
        let (hub, emitted) = self.app.hubs.join(&self.organization, self.cursor);
        self.hub = hub;
        self.emitted = emitted;
        self.caught_up = false;
    }
}
