//! The same store in an S3 bucket: moto, which `.ci/tools` installs.

use std::process::Stdio;
use std::time::Duration;

use gateway_shared::media::{MediaError, MediaStore};
use gateway_tests::process::{free_port, workspace_root};
use tokio::process::{Child, Command};

use super::{LONG, World, content, get, put};

/// How long moto may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);
const BUCKET: &str = "files";

/// An S3 server with an empty bucket, for as long as this lives.
struct S3 {
    address: String,
    _server: Child,
}

/// Starts one; `None` where moto is not installed and whoever runs the tests has said so.
async fn s3() -> Option<S3> {
    let program = workspace_root().join("target/moto/bin/moto_server");
    if !program.exists() {
        let without = std::env::var("GATEWAY_TESTS_WITHOUT").unwrap_or_default();
        assert!(
            without.split_whitespace().any(|tool| tool == "moto"),
            "moto is not installed: run .ci/tools, or GATEWAY_TESTS_WITHOUT=moto to leave these \
             tests out"
        );
        eprintln!("skipped: moto is not installed");
        return None;
    }
    let port = free_port().unwrap();
    let server = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let address = format!("http://127.0.0.1:{port}");
    let http = reqwest::Client::new();
    let made = tokio::time::timeout(PATIENCE, async {
        loop {
            let bucket = http.put(format!("{address}/{BUCKET}")).send().await;
            if bucket.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    made.await.expect("moto does not answer");
    Some(S3 {
        address,
        _server: server,
    })
}

impl S3 {
    async fn store(&self, world: &World) -> MediaStore {
        let address = self.address.clone();
        world
            .store_at(world.folder.path(), |config| {
                let json = serde_json::json!({
                    "bucket": BUCKET, "region": "us-east-1", "endpoint": address,
                    "access_key": "key", "secret_key": "secret", "path_style": true,
                });
                config.s3 = serde_json::from_value(json).unwrap();
            })
            .await
    }

    /// What the bucket lists, and the uploads of it that were begun and not ended.
    async fn lists(&self) -> (usize, usize) {
        let count = async |query: &str, what: &str| {
            let url = format!("{}/{BUCKET}?{query}", self.address);
            let listed = reqwest::get(url).await.unwrap().text().await.unwrap();
            listed.matches(what).count()
        };
        (
            count("list-type=2", "<Key>").await,
            count("uploads", "<UploadId>").await,
        )
    }
}

#[tokio::test]
async fn a_bucket_keeps_what_a_folder_keeps() {
    let Some(s3) = s3().await else { return };
    let world = World::new().await;
    let store = s3.store(&world).await;
    store.check().await.unwrap();
    let marker = (1, 0);
    assert_eq!(s3.lists().await, marker);
    // One part, and several.
    for length in [0, 1_000, 11 << 20] {
        let whole = content(length);
        let file = put(&store, &world.of, &whole, LONG).await;
        let all = get(&store, &world.of, &file, 0..file.size).await;
        assert!(all.unwrap() == whole, "{length}");
        if length > 0 {
            let end = length as u64;
            let part = get(&store, &world.of, &file, end - 700..end - 3).await;
            assert!(part.unwrap() == whole[length - 700..length - 3]);
        }
        // The same content is kept once.
        let again = put(&store, &world.of, &whole, 1).await;
        assert_eq!(again.object, file.object);
    }
    assert_eq!(s3.lists().await, (4, 0));
}

#[tokio::test]
async fn a_bucket_is_swept_and_broken_off_writes_leave_nothing() {
    let Some(s3) = s3().await else { return };
    let world = World::new().await;
    let store = s3.store(&world).await;
    let file = put(&store, &world.of, &content(6 << 20), 1).await;
    let kept = put(&store, &world.of, &content(10), LONG).await;
    let mut writing = store.begin(&world.of, 0).await.unwrap();
    writing.write(&content(7 << 20)).await.unwrap();
    writing.abandon().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    store.sweep(&world.of).await.unwrap();
    assert_eq!(s3.lists().await, (2, 0), "the marker, and what is needed");
    let gone = get(&store, &world.of, &file, 0..1).await;
    assert!(matches!(gone, Err(MediaError::Damaged)));
    assert_eq!(
        get(&store, &world.of, &kept, 0..10).await.unwrap(),
        content(10)
    );
}

#[tokio::test]
async fn a_bucket_of_another_installation_is_not_used() {
    let Some(s3) = s3().await else { return };
    let world = World::new().await;
    s3.store(&world).await.check().await.unwrap();
    let other = World::new().await;
    // Its Redis knows another marker.
    other.store().await.check().await.unwrap();
    let refused = s3.store(&other).await.check().await;
    assert!(
        matches!(refused, Err(MediaError::Foreign(_))),
        "{refused:?}"
    );
}
