//! All lanes of a worker: whose turn it is, how many sends may be in flight, and one timer heap.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use gateway_shared::clock::Millis;
use gateway_shared::domain::{OutboxId, SessionId};
use gateway_shared::lane::{ClaimedSend, Epoch, LaneError, Recovered, SessionRef, Turn};

use super::dispatch::{LanePause, Verdict};
use super::lane::{Call, Lane, Step};

/// One attachment of a session; a session that is attached again is another lane.
pub(super) type LaneKey = u64;

/// A claimed send on its way to its handler.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) number: u64,
    pub(super) lane: LaneKey,
    pub(super) send: ClaimedSend,
}

/// A claimed send whose handler has not ended.
#[derive(Debug)]
struct Flight {
    lane: LaneKey,
    id: OutboxId,
    attempt: u32,
}

/// A call that is to be made.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) lane: LaneKey,
    pub(super) from: SessionRef,
    pub(super) epoch: Epoch,
    pub(super) call: Call,
    /// How many places in flight are kept for what it may claim.
    reserved: u32,
}

/// What Redis answered to a call.
#[derive(Debug)]
pub(super) enum Answer {
    Recovered(Recovered),
    Paused(LanePause),
    Turn(Turn),
}

/// The lanes and what is due.
#[derive(Debug)]
pub(super) struct Scheduler {
    lanes: HashMap<LaneKey, Lane>,
    by_session: HashMap<SessionId, LaneKey>,
    /// Lanes that may have something to do, in turn.
    ready: VecDeque<LaneKey>,
    /// Lanes that would claim if there were room.
    waiting_for_slot: VecDeque<LaneKey>,
    timers: BinaryHeap<Reverse<(Millis, LaneKey)>>,
    flights: HashMap<u64, Flight>,
    arrivals: VecDeque<Arrival>,
    room: u32,
    batch: u32,
    next_lane: LaneKey,
    next_flight: u64,
    calls: usize,
    pub(super) draining: bool,
    /// Redis did not take the last call; told once.
    failing: bool,
}

impl Scheduler {
    pub(super) fn new(concurrency: u32, batch: u32) -> Self {
        Self {
            lanes: HashMap::new(),
            by_session: HashMap::new(),
            ready: VecDeque::new(),
            waiting_for_slot: VecDeque::new(),
            timers: BinaryHeap::new(),
            flights: HashMap::new(),
            arrivals: VecDeque::new(),
            room: concurrency,
            batch,
            next_lane: 0,
            next_flight: 0,
            calls: 0,
            draining: false,
            failing: false,
        }
    }

    pub(super) fn attach(&mut self, lane: Lane) -> LaneKey {
        self.next_lane += 1;
        let key = self.next_lane;
        self.by_session.insert(lane.from.session.clone(), key);
        self.lanes.insert(key, lane);
        self.list(key);
        key
    }

    pub(super) fn lane(&self, key: LaneKey) -> Option<&Lane> {
        self.lanes.get(&key)
    }

    /// Changes a lane and has it looked at.
    pub(super) fn change(&mut self, key: LaneKey, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            change(lane);
            self.list(key);
        }
    }

    pub(super) fn wake(&mut self, session: &SessionId) {
        if let Some(key) = self.by_session.get(session) {
            self.change(*key, Lane::wake);
        }
    }

    /// Changes all lanes and has them looked at.
    pub(super) fn change_all(&mut self, change: impl Fn(&mut Lane)) {
        let keys: Vec<_> = self.lanes.keys().copied().collect();
        for key in keys {
            self.change(key, &change);
        }
    }

    /// How many sends are claimed and not settled, and calls under way.
    pub(super) fn unfinished(&self) -> usize {
        self.calls + self.lanes.values().map(Lane::in_flight).sum::<usize>()
    }

    /// Has a lane looked at.
    fn list(&mut self, key: LaneKey) {
        if let Some(lane) = self.lanes.get_mut(&key)
            && !lane.enqueued
        {
            lane.enqueued = true;
            self.ready.push_back(key);
        }
    }

    /// The next call that is to be made, going round the lanes that may have something to do.
    pub(super) fn next_job(&mut self, now: Millis) -> Option<Job> {
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if let Some(lane) = self.lanes.get_mut(&key)
                && lane.timer == at
            {
                lane.timer = Millis::MAX;
                self.list(key);
            }
        }
        while let Some(key) = self.ready.pop_front() {
            let waiting = u32::try_from(self.ready.len() + 1).unwrap_or(u32::MAX);
            let share = self.room.div_ceil(waiting).min(self.batch);
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            lane.enqueued = false;
            match lane.step(now, self.room.min(self.batch), share, self.draining) {
                Step::Gone => self.remove(key),
                Step::Rest { until, for_room } => {
                    if until < lane.timer {
                        lane.timer = until;
                        self.timers.push(Reverse((until, key)));
                    }
                    if for_room && !lane.waiting_for_slot {
                        lane.waiting_for_slot = true;
                        self.waiting_for_slot.push_back(key);
                    }
                }
                Step::Call(call) => {
                    let reserved = match &call {
                        Call::Turn { claim, .. } => claim.map_or(0, |claim| claim.most),
                        _ => 0,
                    };
                    self.room -= reserved;
                    self.calls += 1;
                    return Some(Job {
                        lane: key,
                        from: lane.from.clone(),
                        epoch: lane.epoch,
                        call,
                        reserved,
                    });
                }
            }
        }
        None
    }

    fn remove(&mut self, key: LaneKey) {
        if let Some(lane) = self.lanes.remove(&key) {
            if self.by_session.get(&lane.from.session) == Some(&key) {
                self.by_session.remove(&lane.from.session);
            }
            lane.quiet.send_replace(true);
        }
    }

    /// When the first timer is due.
    pub(super) fn next_timer(&self) -> Option<Millis> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// A call came back. True when there are arrivals for the worker.
    pub(super) fn answered(
        &mut self,
        job: Job,
        answer: Result<Answer, LaneError>,
        now: Millis,
        sweep: Millis,
    ) -> bool {
        self.calls -= 1;
        self.make_room(job.reserved);
        if !matches!(answer, Err(LaneError::Redis(_))) {
            if self.failing {
                tracing::info!("Redis takes the lanes' calls again");
            }
            self.failing = false;
        }
        let Some(lane) = self.lanes.get_mut(&job.lane) else {
            // The lane was dropped meanwhile. What this call claimed is the next owner's to find.
            return false;
        };
        let mut arrived = false;
        match answer {
            Ok(Answer::Turn(turn)) => {
                let abandoned = lane.halt.is_cancelled() && lane.leaving;
                lane.took_turn(&job.call, &turn, now, sweep);
                if abandoned {
                    // Nothing of it may start, and nothing of it is settled by this worker.
                    lane.abandon();
                } else {
                    arrived = !turn.sends.is_empty();
                    self.take_off(job.lane, turn.sends);
                }
            }
            Ok(Answer::Recovered(recovered)) => lane.recovered(recovered),
            Ok(Answer::Paused(pause)) => lane.paused(&pause),
            Err(LaneError::Stale(_)) => {
                tracing::warn!(session = %lane.from.session, epoch = lane.epoch.0,
                    "a stale call was refused: the session has a new owner");
                lane.release_call();
                lane.lose();
            }
            Err(LaneError::Redis(error)) => {
                if !self.failing {
                    tracing::warn!(%error, "Redis does not take the lanes' calls; trying again");
                }
                self.failing = true;
                lane.failed(job.call, now);
            }
        }
        self.list(job.lane);
        arrived
    }

    fn take_off(&mut self, lane: LaneKey, sends: Vec<ClaimedSend>) {
        for send in sends {
            self.next_flight += 1;
            let number = self.next_flight;
            self.room = self.room.saturating_sub(1);
            let flight = Flight {
                lane,
                id: send.id.clone(),
                attempt: send.attempt,
            };
            self.flights.insert(number, flight);
            self.arrivals.push_back(Arrival { number, lane, send });
        }
    }

    fn make_room(&mut self, places: u32) {
        self.room += places;
        // As many lanes as there are places for: a thousand lanes that wait for one place must not
        // all look at it.
        for _ in 0..self.room {
            let Some(key) = self.waiting_for_slot.pop_front() else {
                break;
            };
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.waiting_for_slot = false;
            }
            self.list(key);
        }
    }

    /// At most `most` claimed sends for the worker.
    pub(super) fn arrivals(&mut self, most: usize) -> Vec<Arrival> {
        let most = most.min(self.arrivals.len());
        self.arrivals.drain(..most).collect()
    }

    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// A handler has ended. `verdict` is given the attempt's number.
    pub(super) fn completed(
        &mut self,
        number: u64,
        now: Millis,
        rest: Millis,
        verdict: impl FnOnce(u32) -> Verdict,
    ) {
        let Some(flight) = self.flights.remove(&number) else {
            return;
        };
        self.make_room(1);
        let verdict = verdict(flight.attempt);
        self.change(flight.lane, |lane| {
            lane.conclude(&flight.id, verdict, now, rest);
        });
    }

    /// Lets go of everything: the engine has ended.
    pub(super) fn close(&mut self) {
        self.draining = true;
        let keys: Vec<_> = self.lanes.keys().copied().collect();
        for key in keys {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.abandon();
            }
            self.remove(key);
        }
    }
}
