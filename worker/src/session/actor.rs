//! The task of one owned session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::domain::SessionStatus;
use gateway_shared::lane::LaneError;
use gateway_shared::session::{Desired, Report, SessionRecord};
use rand::RngExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::binding::{self, Binding, Bound};
use super::commands::handle_command;
use super::dispatch::LinkDispatch;
use super::facts::Facts;
use super::identities::LaneIdentities;
use super::inbound::EventSink;
use super::observe::{Observer, Seen};
use super::presence::{LinkPlace, PresenceSettings};
use super::recall::EmittedMessages;
use super::rest::rest_out;
use super::resting::{self, After};
use super::restrictions::Restrictions;
use super::rests::Rests;
use super::route;
use super::teardown::teardown;
use super::timers::{self, ChatTimers};
use super::undecryptable::Undecryptable;
use super::{Ended, Owner, Runtime};
use crate::engine::{LaneHandle, LaneSpec};
use crate::keystore::{KeystoreError, RedisKeystore};
use crate::link::{ClientVersion, Fact, Link, LinkConfig, LinkParts};
use crate::pool::Order;

/// Pause before a step that Redis did not take is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// Longest random pause before a connection, so that a take-over is no storm.
const JITTER_MS: u64 = 150;
/// How long one connection attempt may keep its place among those under way.
const CONNECTING: Duration = Duration::from_secs(10);
/// How often the session's record is told when WhatsApp was last heard.
const PULSE: Duration = Duration::from_secs(60);
/// How long a session that is to be unlinked may take to connect for its good-bye.
const PARTING: Duration = Duration::from_secs(15);

/// Why a stint of a session's task is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExitReason {
    /// It is to be released, with this status where it shall not go on running.
    Release(Option<SessionStatus>),
    /// WhatsApp no longer knows the device, for this reason.
    LoggedOut(String),
    /// It can not go on by itself, for this reason; a user must start it again.
    Failed(String),
    /// The session is to be removed.
    Delete,
    /// Its record is gone: it was removed before.
    Gone,
    /// Its link is to be opened anew.
    Reopen,
    /// This number scanned its code, and it is bound to another one.
    Stranger(String),
    /// It is somebody else's now, or this worker may not act any more.
    Lost,
}

/// Runs a session from stint to stint; a stint is one opened link.
pub(super) async fn run(
    runtime: Arc<Runtime>,
    owner: Owner,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> Ended {
    let lost = owner.liveness.fenced().child_token();
    let desired_changes = SeenChanges::default();
    let mut rests = Rests::new(&runtime.config.whatsapp);
    loop {
        let outcome = match run_connection(
            &runtime,
            &owner,
            &lost,
            &desired_changes,
            &mut orders,
            &mut rests,
        )
        .await
        {
            Ok(ExitReason::Reopen) => continue,
            Ok(ExitReason::Lost) => return Ended::Lost,
            Ok(ExitReason::Stranger(found)) => {
                match binding::turn_away(&runtime, &owner, &lost, &found).await {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                }
            }
            Ok(leave) => teardown(&runtime, &owner, &lost, &desired_changes, leave).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return Ended::Released,
            Err(LaneError::Stale(_)) => {
                tracing::warn!(session = %owner.of.session, epoch = owner.epoch.0,
                    "a stale write was refused: the session has a new owner");
                return Ended::Lost;
            }
            Err(LaneError::Redis(error)) => {
                tracing::warn!(session = %owner.of.session, %error, "Redis failed; trying again");
                tokio::select! {
                    () = sleep(AGAIN) => {}
                    () = lost.cancelled() => return Ended::Lost,
                }
            }
        }
    }
}

/// How many desired changes of the session its owner has seen. What comes after them is not to be undone by
/// what the owner decides without knowing of it.
#[derive(Debug, Default)]
pub(super) struct SeenChanges(AtomicU64);

impl SeenChanges {
    pub(super) fn seen(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes what a record says, and in the record that it was seen.
    async fn note(
        &self,
        runtime: &Runtime,
        owner: &Owner,
        record: &SessionRecord,
    ) -> Result<(), LaneError> {
        self.0.store(record.desired_changes, Ordering::Relaxed);
        if record.changes == record.changes_seen {
            return Ok(());
        }
        let report = Report {
            fields: vec![("changesSeen", record.changes.to_string())],
            ..Report::default()
        };
        runtime
            .sessions
            .report(runtime.now(), owner.fence(), &report)
            .await
    }
}

/// What a stint works with.
struct ConnectionRun<'a> {
    runtime: &'a Arc<Runtime>,
    owner: &'a Owner,
    desired_changes: &'a SeenChanges,
    record: SessionRecord,
    lane: Arc<LaneHandle>,
    link: Arc<Link>,
    facts: Facts,
    presence: Arc<PresenceSettings>,
    /// The device is to be unlinked as soon as the link is up.
    parting: bool,
    /// How long it rests after what.
    rests: &'a mut Rests,
    /// The version that the link announces.
    version: ClientVersion,
    /// What WhatsApp said when it last refused the login.
    refusal: String,
    binding: Binding,
    restrictions: Arc<Restrictions>,
    undecryptable: Arc<Undecryptable>,
    timers: Arc<ChatTimers>,
    /// Until when WhatsApp waits for a passkey.
    passkey_until: Millis,
}

async fn run_connection(
    runtime: &Arc<Runtime>,
    owner: &Owner,
    lost: &CancellationToken,
    desired_changes: &SeenChanges,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    rests: &mut Rests,
) -> Result<ExitReason, LaneError> {
    let Some(record) = runtime.sessions.record(&owner.of).await? else {
        return Ok(ExitReason::Gone);
    };
    if record.epoch != owner.epoch {
        return Ok(ExitReason::Lost);
    }
    desired_changes.note(runtime, owner, &record).await?;
    if let Some(leave) = exit_at_once(&record) {
        return Ok(leave);
    }
    rests.restore(
        record.rests.as_deref().unwrap_or_default(),
        record.desired_changes,
    );
    let stale = lost.child_token();
    // However the stint ends: what the link's last tasks may still write of its keys must not reach
    // Redis after the next stint, under the same epoch, has read them.
    let _over = stale.clone().drop_guard();
    let claim = RedisKeystore::claim(
        runtime.store.clone(),
        &runtime.keyring,
        owner.of.session.clone(),
        i64::try_from(owner.epoch.0).unwrap_or(i64::MAX),
        stale.clone(),
    );
    let keystore = match claim.await {
        Ok(keystore) => keystore,
        Err(KeystoreError::Redis(error)) => return Err(error.into()),
        Err(error @ KeystoreError::Sealed { .. }) => {
            tracing::error!(session = %owner.of.session, %error, "no key opens the session's keys");
            let reason = "the session's keys cannot be decrypted: see secrets.keys";
            return Ok(ExitReason::Failed(reason.to_owned()));
        }
        Err(_) => return Ok(ExitReason::Lost),
    };
    let observer = Observer::new(runtime, owner, lost);
    if let Some(leave) = rest_out(runtime, owner, lost, &record, orders).await? {
        return Ok(leave);
    }
    let network = match route::of(runtime, &record) {
        Ok(network) => network,
        Err(error) => {
            tracing::error!(session = %owner.of.session, %error, "a session has no way to WhatsApp");
            return Ok(ExitReason::Failed(error.to_string()));
        }
    };
    observer.starting("").await?;

    let permit = admission(runtime, lost).await;
    let Some(permit) = permit else {
        return Ok(ExitReason::Lost);
    };
    let (tell, facts) = Facts::channel();
    let place = Arc::new(LinkPlace::default());
    let presence = Arc::new(PresenceSettings::of(&record.session, &place));
    let timers = Arc::new(ChatTimers::open(runtime, owner).await?);
    let emitted = EmittedMessages::new(runtime, owner, &place);
    let sink = Arc::new(EventSink::new(runtime, owner, &presence, &timers));
    let binding = Binding::of(&record);
    let restrictions = Arc::new(Restrictions::new(runtime, owner));
    let undecryptable = Undecryptable::new(runtime, owner, &place);
    let parts = LinkParts {
        network,
        clock: runtime.clock.clone(),
        backend: Arc::new(
            keystore
                .recalling(Arc::new(emitted))
                .identifying(Arc::new(LaneIdentities::new(runtime, owner, &stale))),
        ),
        facts: tell,
        inbound: Arc::new(Bound {
            binding: binding.clone(),
            place: Arc::clone(&place),
            sink: Arc::clone(&sink),
        }),
        channels: sink,
        may_act: {
            let (liveness, stale) = (owner.liveness.clone(), stale.clone());
            Arc::new(move || !stale.is_cancelled() && liveness.may_act())
        },
    };
    let version = runtime.versions.current().await;
    let config = LinkConfig {
        version,
        online: record.session.online,
        ..link_config(runtime, &record)
    };
    let link = match Link::open(config, parts).await {
        Ok(link) => Arc::new(link),
        Err(error) => {
            tracing::error!(session = %owner.of.session, %error, "could not open the link");
            observer
                .starting("the session's keys could not be read")
                .await?;
            sleep(AGAIN).await;
            return Ok(if lost.is_cancelled() {
                ExitReason::Lost
            } else {
                ExitReason::Reopen
            });
        }
    };
    place.fill(&link);
    runtime.ahead.follow(owner, &link);
    let lane = runtime.engine.attach(LaneSpec {
        from: owner.of.clone(),
        epoch: owner.epoch,
        limits: record.session.limits,
        lost: stale.clone(),
        dispatch: Arc::new(LinkDispatch::new(
            runtime,
            owner,
            Arc::clone(&link),
            &presence,
            &restrictions,
            &timers,
        )),
    });
    let lane = match lane.await {
        Ok(lane) => Arc::new(lane),
        Err(error) => {
            link.sever();
            return Err(error);
        }
    };
    let parting = record.logout || record.desired == Desired::Deleted;
    let mut run_connection = ConnectionRun {
        runtime,
        owner,
        desired_changes,
        record,
        lane,
        link,
        facts,
        presence,
        parting,
        rests,
        version,
        refusal: String::new(),
        binding,
        restrictions,
        undecryptable,
        timers,
        passkey_until: 0,
    };
    let leave = run_connection
        .watch(&observer, &stale, permit, orders)
        .await;
    run_connection.clean_up(&observer, &leave).await;
    leave
}

/// How the link of a session behaves: as the installation says, and as the session says for itself.
fn link_config(runtime: &Runtime, record: &SessionRecord) -> LinkConfig {
    let mut config = runtime.link.clone();
    if let Some(name) = &record.session.device_name {
        config.device_name.clone_from(name);
    }
    if let Some(platform) = &record.session.platform {
        config.platform.clone_from(platform);
    }
    config
}

/// What a record says that needs no link.
pub(super) fn exit_at_once(record: &SessionRecord) -> Option<ExitReason> {
    let paired = record.session.wa_jid.is_some();
    match record.desired {
        // What has begun to be given up is given up: there may be no keys any more to connect with.
        Desired::Deleted if !paired || record.ending.is_some() => Some(ExitReason::Delete),
        _ if record.ending.is_some() => record.ending.clone().map(ExitReason::LoggedOut),
        Desired::Running | Desired::Stopped if record.logout && !paired => {
            Some(ExitReason::LoggedOut("logout".into()))
        }
        Desired::Stopped if !record.logout => {
            let logged_out = record.session.status == SessionStatus::LoggedOut;
            Some(ExitReason::Release(
                (!logged_out).then_some(SessionStatus::Stopped),
            ))
        }
        _ => None,
    }
}

/// A place among the connections under way, after a random pause; `None` when fenced meanwhile.
async fn admission(runtime: &Runtime, lost: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    let pause = Duration::from_millis(rand::rng().random_range(0..JITTER_MS));
    let wait = async {
        sleep(pause).await;
        Arc::clone(&runtime.connecting).acquire_owned().await.ok()
    };
    lost.run_until_cancelled(wait).await.flatten()
}

impl ConnectionRun<'_> {
    /// Follows the link and the orders until there is a reason to leave.
    async fn watch(
        &mut self,
        observer: &Observer<'_>,
        stale: &CancellationToken,
        permit: OwnedSemaphorePermit,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Result<ExitReason, LaneError> {
        let opened = Instant::now();
        let mut pulse = tokio::time::interval_at(opened + PULSE, PULSE);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut permit = Some(permit);
        let mut rest_until: Option<Millis> = None;
        loop {
            let rest = rest_until.map_or(Duration::MAX, |until| {
                Duration::from_millis(u64::try_from(until - self.runtime.now()).unwrap_or(0))
            });
            tokio::select! {
                biased;
                () = stale.cancelled() => return Ok(ExitReason::Lost),
                () = self.lane.stale() => return Ok(ExitReason::Lost),
                order = orders.recv() => match order {
                    Some(Order::Look) => {
                        if let Some(leave) = self.look(observer).await? {
                            return Ok(leave);
                        }
                    }
                    Some(Order::Command(command)) => handle_command(self.runtime, &self.link, *command),
                    Some(Order::HandOver) | None => return Ok(ExitReason::Release(None)),
                },
                fact = self.facts.next() => {
                    let Some(fact) = fact else { return Ok(ExitReason::Reopen) };
                    tracing::debug!(session = %self.owner.of.session, ?fact, "fact");
                    let Some(fact) = self.record(observer, fact).await? else { continue };
                    permit = None;
                    let Some(fact) = self.sift(fact).await else { continue };
                    if let Fact::Connected { jid: Some(jid), .. } = &fact
                        && self.binding.refuses(jid).is_some()
                    {
                        let found = binding::number(jid).to_owned();
                        self.part(observer).await;
                        return Ok(ExitReason::Stranger(found));
                    }
                    match observer.observe(fact).await? {
                        Seen::Up if self.parting => return Ok(self.part(observer).await),
                        Seen::Up => {
                            observer.end_of_other_accounts().await?;
                            self.rests.connected(self.runtime.now());
                            self.runtime.versions.accepted().await;
                            observer.fields(self.connected_fields()).await?;
                            self.lane.open();
                        }
                        Seen::Down => self.lane.hold(),
                        Seen::Nothing => {}
                        Seen::LoggedOut(reason) => return Ok(ExitReason::LoggedOut(reason)),
                        // A banned account rests until the ban is over.
                        Seen::Reopen if rest_until.is_some() => {}
                        Seen::Reopen => return Ok(ExitReason::Reopen),
                        Seen::RestUntil(until) => {
                            self.lane.hold();
                            rest_until = Some(until);
                        }
                        Seen::Refused(why) => {
                            self.lane.hold();
                            self.refusal = why;
                        }
                        Seen::Expires(at) => self.runtime.versions.expires(at).await,
                        Seen::Rest(cause) => {
                            self.lane.hold();
                            let end = resting::End {
                                cause,
                                version: self.version,
                                refusal: &self.refusal,
                                paired: self.link.is_paired(),
                            };
                            let after = resting::after(self.runtime, observer, self.rests, end);
                            let after = after.await?;
                            let kept = self.rests.text(self.record.desired_changes);
                            observer.fields(vec![("rests", kept)]).await?;
                            match after {
                                After::Reopen => return Ok(ExitReason::Reopen),
                                After::Rest(until) => rest_until = Some(until),
                                After::Stop(reason) => return Ok(ExitReason::Failed(reason)),
                            }
                        }
                    }
                },
                _ = pulse.tick() => observer.fields(self.pulse_fields()).await?,
                () = sleep(rest), if rest_until.is_some() => return Ok(ExitReason::Reopen),
                () = sleep_until(opened + CONNECTING), if permit.is_some() => permit = None,
                () = sleep_until(opened + PARTING), if self.parting => return Ok(self.part(observer).await),
            }
        }
    }

    /// Takes out facts that are nobody else's matter. Gives back any other.
    async fn sift(&mut self, fact: Fact) -> Option<Fact> {
        match fact {
            Fact::Undecrypted(message) => {
                self.undecryptable.follow(*message);
                None
            }
            // The library goes on with its codes while it waits for a passkey; nobody wants one now.
            Fact::QrCode { .. } if self.passkey_until > self.runtime.now() => None,
            Fact::PasskeyRequest { ref options } => {
                self.passkey_until = super::passkey::expires_at(options, self.runtime.now());
                Some(fact)
            }
            // Linked to this account before: nobody needs to compare codes.
            Fact::PasskeyCode { known: true, .. } => {
                let link = Arc::clone(&self.link);
                tokio::spawn(async move {
                    if let Err(error) = link.confirm_passkey().await {
                        tracing::warn!(%error, "a pairing with a passkey was not confirmed");
                    }
                });
                Some(fact)
            }
            Fact::PasskeyFailed { .. } => {
                self.passkey_until = 0;
                Some(fact)
            }
            // The end of what this pairing begins follows when it connects.
            Fact::Paired { jid, .. } if self.binding.refuses(&jid).is_some() => None,
            Fact::TemporaryBan { code, until, .. } => {
                self.restrictions.banned(code, until).await;
                Some(fact)
            }
            fact => Some(fact),
        }
    }

    /// What the record says of a session that is connected.
    fn connected_fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("clientVersion", self.version.to_string()),
            // Whoever was meant to take the session's place has done so.
            ("rebind", String::new()),
            ("rests", self.rests.text(self.record.desired_changes)),
        ];
        fields.extend(self.pulse_fields());
        fields
    }

    /// What the record says of when WhatsApp was last heard.
    fn pulse_fields(&self) -> Vec<(&'static str, String)> {
        let at = |name, at: Option<Millis>| at.map(|at| (name, at.to_string()));
        let ack = at("lastAckAt", self.link.last_ack_at());
        let pong = at("lastPongAt", self.link.last_pong_at());
        ack.into_iter().chain(pong).collect()
    }

    /// Records what WhatsApp waits for us to have: a change to a group, a call, a message that could
    /// not be read, or a receipt and those that have come after it. Gives back any other fact.
    async fn record(
        &mut self,
        observer: &Observer<'_>,
        fact: Fact,
    ) -> Result<Option<Fact>, LaneError> {
        let recorded = match fact {
            Fact::Receipt(first) => {
                let _turn = self.runtime.recording.acquire().await;
                let receipts = self.facts.receipts(first);
                observer.receipts(&receipts).await?;
                receipts.len()
            }
            Fact::Group(notice) => {
                observer.group(&notice).await?;
                if let Some(timer) = timers::of_notice(&notice) {
                    self.timers.keep(&timer);
                }
                1
            }
            Fact::Call(call) => {
                observer.call(&call).await?;
                1
            }
            Fact::Undecryptable(message) => {
                observer.undecryptable(&message).await?;
                1
            }
            other => return Ok(Some(other)),
        };
        self.link.recorded(recorded as u64);
        Ok(None)
    }

    /// Does something with the link, and records meanwhile what it tells: what is written to
    /// WhatsApp waits for what was heard before.
    async fn recording<T>(&mut self, observer: &Observer<'_>, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            let fact = tokio::select! {
                done = &mut work => return done,
                fact = self.facts.next() => fact,
            };
            let recorded = match fact {
                Some(fact) => self.record(observer, fact).await,
                None => return work.await,
            };
            if recorded.is_err() {
                return work.await;
            }
        }
    }

    /// Looks at the record again: a wish, or other limits.
    async fn look(&mut self, observer: &Observer<'_>) -> Result<Option<ExitReason>, LaneError> {
        let Some(record) = self.runtime.sessions.record(&self.owner.of).await? else {
            return Ok(Some(ExitReason::Lost));
        };
        if record.epoch != self.owner.epoch {
            return Ok(Some(ExitReason::Lost));
        }
        self.desired_changes
            .note(self.runtime, self.owner, &record)
            .await?;
        if let Some(leave) = exit_at_once(&record) {
            return Ok(Some(leave));
        }
        if record.session.limits != self.record.session.limits {
            self.lane.set_limits(record.session.limits);
        }
        self.presence.follow(&record.session);
        self.binding = Binding::of(&record);
        // Who asked for it has it shown by a command; this is for who did so while we were away.
        self.link.wish_presence(record.session.online);
        self.parting = record.logout || record.desired == Desired::Deleted;
        let restart = record.restarts != self.record.restarts
            // What arrives is held against the binding that the link was opened with.
            // No message more goes by the way that was left.
            || record.proxy != self.record.proxy
            || (record.rebind != self.record.rebind && !self.link.is_connected());
        self.record = record;
        if self.parting && self.link.is_connected() {
            return Ok(Some(self.part(observer).await));
        }
        Ok(restart.then_some(ExitReason::Reopen))
    }

    /// Asks WhatsApp to forget the device, as far as it can be reached.
    async fn part(&mut self, observer: &Observer<'_>) -> ExitReason {
        self.lane.hold();
        let link = Arc::clone(&self.link);
        if let Err(error) = self.recording(observer, link.logout()).await {
            tracing::warn!(session = %self.owner.of.session, %error,
                "WhatsApp could not be told of the logout; the phone may still list the device");
        }
        if self.record.desired == Desired::Deleted {
            ExitReason::Delete
        } else {
            ExitReason::LoggedOut("logout".to_owned())
        }
    }

    /// Ends what the stint began: in order where it may, at once where it must.
    async fn clean_up(&mut self, observer: &Observer<'_>, leave: &Result<ExitReason, LaneError>) {
        if matches!(leave, Ok(ExitReason::Lost) | Err(LaneError::Stale(_))) {
            self.link.sever();
            self.lane.abandon();
            return;
        }
        let limit = Duration::from_millis(self.runtime.config.drain_timeout_ms);
        let (lane, link) = (Arc::clone(&self.lane), Arc::clone(&self.link));
        let leaving = async {
            lane.detach(limit).await;
            link.close().await;
        };
        self.recording(observer, leaving).await;
    }
}
