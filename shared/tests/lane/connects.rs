//! Connections to WhatsApp are begun at a rate, by all workers together.

use std::time::Duration;

use gateway_shared::connects::{Booked, Connects};

use crate::world::World;

#[tokio::test]
async fn all_workers_share_one_rate() {
    let world = World::new().await;
    // Two workers; one connection a second, ten of them at once.
    let workers = [(); 2].map(|()| Connects::new(world.store.clone(), 60));
    let mut booked = Vec::new();
    for turn in 0..40 {
        booked.push(workers[turn % 2].book(0).await.unwrap());
    }
    let at_once = booked
        .iter()
        .filter(|one| **one == Booked::After(Duration::ZERO));
    let at_once = at_once.count();
    assert!((10..=12).contains(&at_once), "{at_once}: {booked:?}");
    let waits: Vec<Duration> = booked
        .iter()
        .filter_map(|one| match one {
            Booked::After(wait) if !wait.is_zero() => Some(*wait),
            _ => None,
        })
        .collect();
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    assert!((9..=11).contains(&waits.len()), "{waits:?}");
    // The others book nothing, so the queue does not grow.
    let full = booked.iter().filter(|one| matches!(one, Booked::Full(_)));
    assert!(full.count() >= 15, "{booked:?}");
    let unlimited = Connects::new(world.store.clone(), 0);
    let free = Booked::After(Duration::ZERO);
    assert_eq!(unlimited.book(0).await.unwrap(), free);
}
