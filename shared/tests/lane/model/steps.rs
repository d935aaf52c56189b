//! What can happen to a lane.

use gateway_shared::clock::Millis;
use gateway_shared::lane::ReceiptStatus;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::state::CHATS;
use crate::world::DAY;

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Accept {
        chat: usize,
        sync: bool,
        ttl: Millis,
        delay: Millis,
        key: Option<(u8, u8)>,
    },
    /// The owner settles some of what is in flight, and claims.
    Turn {
        ends: Vec<(Index, End)>,
        most: u32,
    },
    /// A claim whose answer is lost on the way.
    LostClaim {
        most: u32,
    },
    /// The owner is gone; a new one takes over, and the old one comes back from the dead.
    TakeOver(Gone),
    Receipt {
        of: Index,
        status: ReceiptStatus,
    },
    Cancel {
        of: Index,
    },
    /// Once more, if it has failed.
    RetryFailed {
        of: Index,
    },
    Pause {
        operator: bool,
        millis: Millis,
    },
    /// WhatsApp lets the session write to nobody new.
    HoldNewChats {
        millis: Millis,
    },
    Advance {
        millis: Millis,
    },
    Sweep,
    Abandon,
}

/// How an owner went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gone {
    /// It crashed, as far as anybody knows.
    Vanished,
    /// It gave the session up in order, with sends in flight.
    Parted,
    /// It was cut off, and said after the take-over that it lives.
    CutOff,
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Sent,
    Retry(Millis),
    Silent(Millis),
    Release,
    Cut,
    Dead,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        5 => Just(End::Sent),
        2 => select(vec![0, 40, 900]).prop_map(End::Retry),
        1 => select(vec![0, 900]).prop_map(End::Silent),
        2 => Just(End::Release),
        1 => Just(End::Cut),
        1 => Just(End::Dead),
    ];
    let accept = (
        0..CHATS.len(),
        prop::bool::weighted(0.3),
        select(vec![50, 700, DAY, DAY]),
        select(vec![0, 0, 0, 30, 800]),
        prop::option::weighted(0.2, (0..3_u8, 0..2_u8)),
    );
    let accept = accept.prop_map(|(chat, sync, ttl, delay, key)| Step::Accept {
        chat,
        sync,
        ttl,
        delay,
        key,
    });
    let status = select(vec![
        ReceiptStatus::Delivered,
        ReceiptStatus::Read,
        ReceiptStatus::Played,
    ]);
    prop_oneof![
        12 => accept,
        12 => (vec((any::<Index>(), end), 0..4), 0..4_u32)
            .prop_map(|(ends, most)| Step::Turn { ends, most }),
        1 => (1..4_u32).prop_map(|most| Step::LostClaim { most }),
        2 => select(vec![Gone::Vanished, Gone::Vanished, Gone::Parted, Gone::CutOff])
            .prop_map(Step::TakeOver),
        2 => any::<Index>().prop_map(|of| Step::RetryFailed { of }),
        1 => select(vec![100, 2_000]).prop_map(|millis| Step::HoldNewChats { millis }),
        3 => (any::<Index>(), status).prop_map(|(of, status)| Step::Receipt { of, status }),
        2 => any::<Index>().prop_map(|of| Step::Cancel { of }),
        1 => (any::<bool>(), select(vec![0, 100, 2_000]))
            .prop_map(|(operator, millis)| Step::Pause { operator, millis }),
        5 => select(vec![1, 35, 60, 700, 30_000]).prop_map(|millis| Step::Advance { millis }),
        1 => Just(Step::Sweep),
        1 => prop::bool::weighted(0.2).prop_map(|abandon| {
            if abandon { Step::Abandon } else { Step::Sweep }
        }),
    ]
}
