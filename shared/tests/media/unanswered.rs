//! Redis does what it was asked and its answer comes too late, or what it was asked arrives late: a file
//! that is registered stays on the disk.

use std::time::Duration;

use gateway_shared::config::Config;
use gateway_shared::media::{MediaError, MediaStore};
use gateway_shared::redis::{RedisConfig, Store};
use gateway_tests::process::{Mood, Wire};

use crate::{LONG, World, facts, get, put};

/// The longest wait for an answer of Redis, in milliseconds.
const PATIENCE: u64 = 300;

#[tokio::test]
async fn a_file_whose_registration_was_not_answered_can_still_be_read() {
    for held in [false, true] {
        let world = World::new().await;
        let wire = Wire::to(world.server.address()).await.unwrap();
        let url = format!("redis://{}", wire.address());
        let redis = RedisConfig {
            response_timeout_ms: PATIENCE,
            ..RedisConfig::at([url], "t")
        };
        let mut config = Config::defaults().unwrap().media;
        config.folder = world.folder.path().join("files").display().to_string();
        let redis = Store::open(&redis).await.unwrap();
        let far = MediaStore::new(&config, redis, world.keyring.clone());
        let near = world.store().await;
        // Redis knows the scripts from here on.
        put(&far, &world.of, b"another", LONG).await;

        let mut writing = far.begin(&world.of, 0).await.unwrap();
        writing.write(b"a menu").await.unwrap();
        let sha256 = writing.sha256_so_far();
        // The request arrives in time and the answer does not; or it arrives when nobody waits any more.
        wire.set(if held {
            Mood::Still
        } else {
            Mood::Slow(Duration::from_millis(PATIENCE * 2 / 3))
        });
        let unanswered = writing.finish(facts(), LONG, None).await;
        assert!(
            matches!(unanswered, Err(MediaError::Redis(_))),
            "{unanswered:?}"
        );
        wire.set(Mood::Open);
        let registered = async {
            while near.hold(&world.of, &sha256, 0, 0).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), registered).await;
        waited.expect("it is registered");

        // Whoever hands in the same is given the file that is there.
        let file = put(&near, &world.of, b"a menu", LONG).await;
        let size = file.size;
        let read = get(&near, &world.of, &file, 0..size).await.unwrap();
        assert_eq!(read, b"a menu");
        near.sweep(&world.of).await.unwrap();
        assert_eq!(world.objects().len(), 2);
        let read = get(&near, &world.of, &file, 0..size).await.unwrap();
        assert_eq!(read, b"a menu");
    }
}
