//! A worker that loses its Redis between any two steps of a session's end leaves nothing half done.

use anyhow::{Context, Result};
use gateway_tests::client::eventually;
use gateway_tests::process::Fuse;
use gateway_tests::world::{WorkerProcess, World, pair};
use reqwest::Method;
use serde_json::{Value, json};

/// How a session is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// A user logs it out.
    Logout,
    /// Its phone unlinks it.
    Unlinked,
    /// A user deletes it.
    Delete,
}

/// Ends sessions, each with one more command of its worker going through to Redis, until one ends
/// without being cut. Every third time the worker dies with its connection.
async fn end_cut_everywhere(end: End) -> Result<()> {
    World::builder()
        .workers(0)
        .setting("GATEWAY_WORKER__HEARTBEAT_MS", "200")
        .setting("GATEWAY_WORKER__LIVENESS_MS", "1500")
        .setting("GATEWAY_WORKER__FENCE_MARGIN_MS", "200")
        .run(async |world| {
            let api = world.api(0);
            let fuse = Fuse::before(world.redis.address()).await?;
            let mut installation = world.installation().clone();
            let urls = json!([fuse.url()]).to_string();
            let variable = "GATEWAY_REDIS__URLS".to_owned();
            installation.worker_env.push((variable, urls));
            let mut worker = WorkerProcess::start(&installation, "cut").await?;
            let mut commands = 0;
            loop {
                let phone = format!("1555010{commands:04}");
                let session = api.create_session("torn", 0, 0).await?;
                pair(&api, &world.sandbox(), &session, &phone).await?;
                fuse.arm(&session, commands);
                let path = format!("/sessions/{session}");
                match end {
                    End::Logout => {
                        let logout = api.request(Method::POST, &format!("{path}:logout"));
                        api.call(logout).await?.expect(200)?;
                    }
                    End::Unlinked => world.sandbox().logout(&phone).await?,
                    End::Delete => api.delete(&path).await?.expect(204).map(drop)?,
                }
                let what = format!("{end:?} is cut after {commands} commands, or done");
                let blown = eventually(&what, async || {
                    let done = is_over(world, &session, end).await?;
                    Ok((fuse.is_blown() || done).then_some(fuse.is_blown()))
                })
                .await?;
                if blown && commands % 3 == 2 {
                    worker.program.kill9().await?;
                }
                fuse.mend();
                if blown && commands % 3 == 2 {
                    worker.restart().await?;
                }
                let what = format!("{end:?}, cut after {commands} commands, is finished");
                eventually(&what, async || {
                    Ok(is_over(world, &session, end).await?.then_some(()))
                })
                .await?;
                if end != End::Delete {
                    // Nothing of the former account is left: it shows a code again.
                    api.start_session(&session).await?;
                    api.wait_for_qr(&session).await.context(what)?;
                    api.delete(&path).await?.expect(204)?;
                }
                if !blown {
                    assert!(commands >= 4, "it was cut {commands} times");
                    worker.program.term().await?;
                    return Ok(());
                }
                commands += 1;
            }
        })
        .await
}

/// Whether a session has ended, with all that belongs to it.
async fn is_over(world: &World, session: &str, end: End) -> Result<bool> {
    let record: Value = world
        .api(0)
        .get(&format!("/sessions/{session}"))
        .await?
        .json;
    let ended = record["status"] == "logged_out" && record["waJid"].is_null();
    if end != End::Delete && !ended {
        return Ok(false);
    }
    // Its keys are gone, but for the fence; of a deleted one the record as well.
    let keys: Vec<String> = world.redis.ask(&format!("KEYS *{session}*")).await?;
    let left = |key: &&String| {
        let keys_of_it = key.contains(&format!("{{{session}}}")) && !key.ends_with(":fence");
        keys_of_it || end == End::Delete && key.contains(":s:") && !key.ends_with(":o")
    };
    Ok(keys.iter().find(left).is_none())
}

#[tokio::test]
async fn a_logout_that_is_cut_anywhere_is_finished() -> Result<()> {
    end_cut_everywhere(End::Logout).await
}

#[tokio::test]
async fn what_a_phone_unlinks_is_given_up_wherever_it_is_cut() -> Result<()> {
    end_cut_everywhere(End::Unlinked).await
}

#[tokio::test]
async fn a_deletion_that_is_cut_anywhere_is_finished() -> Result<()> {
    end_cut_everywhere(End::Delete).await
}
