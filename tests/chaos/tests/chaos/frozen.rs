//! A worker that is frozen past its lease, and wakes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use gateway_chaos::run::folder;
use gateway_chaos::stage::{Cast, PREFIX, Stage};
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::process::Topology;

/// Sends that are under way when the worker freezes.
const SENDS: usize = 40;

/// Everything that Redis holds of a session and its organization: events, outbox, lane, record,
/// key material. Only the heartbeats of workers stand elsewhere.
async fn everything(stage: &Stage) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut connection = stage.redis.connect().await?;
    let tenant = stage.tenants.first().context("an organization")?;
    let session = tenant.sessions.first().context("a session")?;
    let mut all = BTreeMap::new();
    for tag in [&tenant.key.organization, &session.paired.id] {
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{PREFIX}:{{{tag}}}*"))
            .query_async(&mut connection)
            .await?;
        for key in keys {
            let value: Option<Vec<u8>> = redis::cmd("DUMP")
                .arg(&key)
                .query_async(&mut connection)
                .await?;
            all.insert(key, value.unwrap_or_default());
        }
    }
    Ok(all)
}

/// It is frozen in the middle of its sends for longer than its lease. The other one takes the
/// session and finishes. Then the frozen one wakes: nothing changes in Redis, and nothing more
/// reaches the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_wakes_after_its_lease_changes_nothing() -> Result<()> {
    let folder = folder("frozen")?;
    let cast = Cast {
        tenants: 1,
        sessions: 1,
        apis: 1,
        workers: 2,
        limits: false,
        topology: Topology::Single,
    };
    let stage = Stage::set(&folder, cast, &[]).await?;
    let tenant = stage.tenants.first().context("an organization")?;
    let session = &tenant.sessions.first().context("a session")?.paired;
    let api = stage.callers(tenant).remove(0);
    let admin = stage.admin();

    let before = api.session(&session.id).await?["worker"].clone();
    let owner = |id: &str| stage.workers.iter().position(|w| w.process.id() == id);
    let frozen = owner(before.as_str().context("an owner")?).context("one of ours")?;
    let frozen = &stage.workers[frozen].process;
    for number in 0..SENDS {
        let to = &tenant.peers[number % tenant.peers.len()].phone;
        let send = SendRequest::text(to, &format!("number {number}")).asynchronous();
        api.send(&session.id, &send).await?.expect(202)?;
    }
    admin.wait_for_ledger(&session.phone, 3).await?;
    frozen.program.freeze()?;

    eventually("the other worker has sent everything", async || {
        let now = api.session(&session.id).await?;
        let outbox = api.whole_outbox(&session.id).await?;
        let open = ["queued", "sending"];
        let emitted = outbox
            .iter()
            .all(|entry| open.iter().all(|open| entry["status"] != *open));
        Ok((emitted && now["worker"] != before && now["status"] == "working").then_some(()))
    })
    .await?;
    // The last receipts come in.
    let mut record = everything(&stage).await?;
    eventually("nothing changes any more", async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = std::mem::replace(&mut record, everything(&stage).await?);
        Ok((before == record).then_some(()))
    })
    .await?;
    let ledger = admin.ledger(&session.phone).await?;

    frozen.program.thaw()?;
    // It has noticed when it has joined again, as somebody else.
    eventually("it joins anew", async || {
        Ok((before != frozen.id().as_str()).then_some(()))
    })
    .await?;
    let after = admin.ledger(&session.phone).await?;
    assert_eq!(ledger.len(), after.len(), "nothing reached the server");
    let now = everything(&stage).await?;
    for (key, value) in &now {
        // Refusals are counted; that count is no record of the session.
        if !key.ends_with(":refused") && !key.ends_with(":fence") {
            let was = record.get(key);
            assert!(was == Some(value), "{key} was {was:?} and is {value:?}");
        }
    }
    assert!(
        record.keys().all(|key| now.contains_key(key)),
        "something is gone"
    );
    drop(stage);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
