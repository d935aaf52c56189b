//! The store of files against a real Redis and a folder.

mod s3;
mod unanswered;

use std::path::Path;

use gateway_shared::config::{Config, MediaConfig};
use gateway_shared::domain::{FileFacts, MediaId, OrganizationId};
use gateway_shared::media::{CHUNK, MediaError, MediaStore, NewName, StoredFile};
use gateway_shared::redis::{RedisConfig, Store};
use gateway_shared::secrets::Keyring;
use gateway_tests::process::{Persistence, RedisServer};
use redis::AsyncCommands;

/// Longer than any test.
const LONG: u64 = 3_600_000;

struct World {
    folder: tempfile::TempDir,
    server: RedisServer,
    keyring: Keyring,
    of: OrganizationId,
}

impl World {
    async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            server: RedisServer::temporary(Persistence::Unsynced).await.unwrap(),
            keyring: Keyring::generate().unwrap(),
            of: OrganizationId::generate(1),
        }
    }

    async fn redis(&self) -> Store {
        let config = RedisConfig {
            response_timeout_ms: 20_000,
            ..RedisConfig::at([self.server.url()], "t")
        };
        Store::open(&config).await.unwrap()
    }

    async fn store_at(&self, folder: &Path, change: impl FnOnce(&mut MediaConfig)) -> MediaStore {
        let mut config = Config::defaults().unwrap().media;
        config.folder = folder.join("files").display().to_string();
        change(&mut config);
        MediaStore::new(&config, self.redis().await, self.keyring.clone())
    }

    async fn store(&self) -> MediaStore {
        self.store_at(self.folder.path(), |_| {}).await
    }

    /// Objects on the disk, and what was begun beside them.
    fn objects(&self) -> Vec<String> {
        let folder = self.folder.path().join("files").join(self.of.as_str());
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    async fn used(&self) -> u64 {
        let key = format!("t:{{{}}}:mu", self.of);
        let used: Option<u64> = self
            .redis()
            .await
            .connection
            .clone()
            .get(key)
            .await
            .unwrap();
        used.unwrap_or_default()
    }
}

fn facts() -> FileFacts {
    FileFacts {
        mimetype: "text/plain".into(),
        ..FileFacts::default()
    }
}

async fn put(store: &MediaStore, of: &OrganizationId, content: &[u8], needed: u64) -> StoredFile {
    let mut writing = store.begin(of, 0).await.unwrap();
    for piece in content.chunks(1_000) {
        writing.write(piece).await.unwrap();
    }
    writing.finish(facts(), needed, None).await.unwrap().0
}

async fn get(
    store: &MediaStore,
    of: &OrganizationId,
    file: &StoredFile,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, MediaError> {
    let mut reading = store.read(of, file, range).await?;
    let mut content = Vec::new();
    while let Some(chunk) = reading.chunk().await? {
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn any_part_of_a_file_is_read_back_and_the_disk_shows_nothing_of_it() {
    let world = World::new().await;
    let store = world.store().await;
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17] {
        let whole = content(length);
        let file = put(&store, &world.of, &whole, LONG).await;
        assert_eq!(file.size, length as u64);
        let size = file.size;
        assert!(
            get(&store, &world.of, &file, 0..size).await.unwrap() == whole,
            "{length}"
        );
        for (from, to) in [
            (0, 1),
            (CHUNK - 1, CHUNK + 1),
            (CHUNK, 2 * CHUNK),
            (length / 2, length),
        ] {
            let (from, to) = (from.min(length), to.min(length));
            let part = get(&store, &world.of, &file, from as u64..to as u64)
                .await
                .unwrap();
            assert!(part == whole[from..to], "{length}: {from}..{to}");
        }
        let path = world.folder.path().join("files").join(&file.object);
        let sealed = std::fs::read(path).unwrap();
        if length > 64 {
            assert!(!sealed.windows(64).any(|window| window == &whole[..64]));
        }
    }
}

#[tokio::test]
async fn the_same_content_is_kept_once_for_an_organization_and_apart_for_another() {
    let world = World::new().await;
    let store = world.store().await;
    let first = put(&store, &world.of, b"the same", LONG).await;
    let second = put(&store, &world.of, b"the same", LONG).await;
    assert_eq!(first, second);
    assert_eq!(world.objects().len(), 1);
    assert_eq!(world.used().await, 8);
    let other = OrganizationId::generate(2);
    assert!(
        store
            .hold(&other, &first.sha256, 0, 0)
            .await
            .unwrap()
            .is_none()
    );
    let theirs = put(&store, &other, b"the same", LONG).await;
    assert_ne!(theirs.object, first.object);
    // One organization's object can not be read as another's, whatever Redis says.
    assert!(get(&store, &other, &first, 0..8).await.is_err());
}

#[tokio::test]
async fn what_is_not_needed_any_more_is_swept_and_what_is_stays() {
    let world = World::new().await;
    let store = world.store().await;
    let kept = put(&store, &world.of, b"kept", LONG).await;
    let held = put(&store, &world.of, b"held", 0).await;
    let gone = put(&store, &world.of, b"gone", 0).await;
    assert!(
        store
            .hold(&world.of, &held.sha256, 0, LONG)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.sweep(&world.of).await.unwrap(), 1);
    assert_eq!(world.objects().len(), 2);
    assert_eq!(world.used().await, 8);
    for file in [&kept, &held] {
        assert_eq!(get(&store, &world.of, file, 0..4).await.unwrap().len(), 4);
    }
    assert!(
        store
            .hold(&world.of, &gone.sha256, 0, LONG)
            .await
            .unwrap()
            .is_none()
    );
    assert!(matches!(
        get(&store, &world.of, &gone, 0..4).await,
        Err(MediaError::Damaged)
    ));
    // The same content again is a new object, which nothing that was due before can hit.
    let again = put(&store, &world.of, b"gone", LONG).await;
    assert_ne!(again.object, gone.object);
    assert_eq!(store.sweep(&world.of).await.unwrap(), 0);
    assert_eq!(get(&store, &world.of, &again, 0..4).await.unwrap(), b"gone");
}

/// A writer that is killed at any step leaves nothing once the sweep has passed.
#[tokio::test]
async fn a_writer_that_dies_leaves_nothing() {
    let world = World::new().await;
    let store = world.store().await;
    let mut died = store.begin(&world.of, 5_000_000).await.unwrap();
    died.write(&content(2_000_000)).await.unwrap();
    std::mem::forget(died);
    assert!(!world.objects().is_empty());
    assert_eq!(world.used().await, 5_000_000);
    assert_eq!(
        store.sweep(&world.of).await.unwrap(),
        0,
        "it may still live"
    );
    // Its silence is over: as the sweep sees it, ten minutes later.
    let objects = format!("t:{{{}}}:mo", world.of);
    let mut redis = world.redis().await.connection.clone();
    let names: Vec<String> = redis.zrange(&objects, 0, -1).await.unwrap();
    let _: () = redis.zadd(&objects, &names[0], 1).await.unwrap();
    assert_eq!(store.sweep(&world.of).await.unwrap(), 1);
    assert_eq!(world.objects(), Vec::<String>::new());
    assert_eq!(world.used().await, 0);
}

/// A sweeper that was killed after Redis forgot a file and before its object was removed.
#[tokio::test]
async fn a_sweep_that_dies_is_continued_by_the_next() {
    let world = World::new().await;
    let store = world.store().await;
    put(&store, &world.of, b"gone", 0).await;
    let path = world.folder.path().join("files").join(world.of.as_str());
    let aside = world.folder.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    std::fs::write(&path, b"no folder").unwrap();
    assert!(store.sweep(&world.of).await.is_err(), "the disk failed");
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(world.objects().len(), 1);
    assert_eq!(store.sweep(&world.of).await.unwrap(), 1);
    assert_eq!(world.objects(), Vec::<String>::new());
    assert_eq!(
        (world.used().await, store.sweep(&world.of).await.unwrap()),
        (0, 0)
    );
}

#[tokio::test]
async fn an_organization_keeps_no_more_than_its_quota() {
    let world = World::new().await;
    let store = world
        .store_at(world.folder.path(), |config| config.quota_bytes = 20 << 20)
        .await;
    let full = |result: Result<_, MediaError>| match result {
        Err(MediaError::Full { quota, .. }) => quota,
        Err(other) => panic!("{other}"),
        Ok(()) => panic!("there was room"),
    };
    // Announced.
    let refused = store.begin(&world.of, 21 << 20).await.map(|_| ());
    assert_eq!(full(refused), 20 << 20);
    // Not announced: noticed on the way.
    let mut writing = store.begin(&world.of, 0).await.unwrap();
    let piece = content(1 << 20);
    let mut written = Ok(());
    while written.is_ok() && writing.size() < 64 << 20 {
        written = writing.write(&piece).await;
    }
    assert!(writing.size() <= 17 << 20);
    full(written);
    writing.abandon().await;
    assert_eq!(world.used().await, 0);
    assert_eq!(world.objects(), Vec::<String>::new());
    put(&store, &world.of, &piece, LONG).await;
    assert_eq!(world.used().await, 1 << 20);
}

#[tokio::test]
async fn a_name_lives_as_long_as_its_file() {
    let world = World::new().await;
    let store = world.store().await;
    let id = MediaId::generate(1);
    let mut writing = store.begin(&world.of, 5).await.unwrap();
    writing.write(b"named").await.unwrap();
    let name = NewName {
        id: id.clone(),
        mimetype: None,
        filename: Some("a \"file\"".into()),
    };
    let (file, name) = writing.finish(facts(), LONG, Some(name)).await.unwrap();
    let found = store.named(&world.of, &id).await.unwrap();
    assert_eq!(found, name);
    let found = found.unwrap();
    assert_eq!(
        (&found.sha256, found.filename.as_deref()),
        (&file.sha256, Some("a \"file\""))
    );
    assert_eq!(found.expires_at - found.created_at, LONG as i64);
    let other = OrganizationId::generate(2);
    assert!(store.named(&other, &id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_folder_that_is_not_the_installations_is_not_used() {
    let world = World::new().await;
    world.store().await.check().await.unwrap();
    world.store().await.check().await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = world.store_at(elsewhere.path(), |_| {}).await;
    let refused = other.begin(&world.of, 1).await.unwrap_err();
    assert!(
        refused.to_string().contains("share the folder"),
        "{refused}"
    );
    assert!(
        !elsewhere
            .path()
            .join("files")
            .join("gateway-media")
            .exists()
    );
    // A folder of another installation.
    let second = World::new().await;
    let theirs = second.store_at(elsewhere.path(), |_| {}).await;
    theirs.check().await.unwrap();
    let mixed = world.store_at(elsewhere.path(), |_| {}).await;
    let refused = mixed.check().await.unwrap_err();
    assert!(
        refused.to_string().contains("another installation"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_damaged_object_gives_nothing() {
    let world = World::new().await;
    let store = world.store().await;
    let file = put(&store, &world.of, &content(2 * CHUNK + 5), LONG).await;
    let path = world.folder.path().join("files").join(&file.object);
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[512 + CHUNK + 100] ^= 1;
    let short = whole[..whole.len() - 5 - 36].to_vec();
    for damaged in [flipped, short, whole[..100].to_vec(), Vec::new()] {
        std::fs::write(&path, &damaged).unwrap();
        let read = get(&store, &world.of, &file, 0..file.size).await;
        assert!(read.is_err(), "{} bytes", damaged.len());
    }
}
