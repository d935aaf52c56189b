//! A rolling restart under load.

use anyhow::{Context, Result};
use gateway_chaos::audit::{Counts, drain};
use gateway_chaos::clients::Clients;
use gateway_chaos::run::{SETTINGS, SETTLING, examine, folder, follow};
use gateway_chaos::stage::{Cast, Stage};
use gateway_tests::process::Topology;

/// All APIs and workers are told to end and started again, one after the other, while clients keep
/// sending: nothing is lost, repeated or out of order, and no client gets an answer that the
/// contract does not allow. What it may get meanwhile is a refused connection from the one API
/// that is down, and 503 with Retry-After for a synchronous send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_and_repeats_nothing() -> Result<()> {
    let folder = folder("rolling")?;
    let cast = Cast {
        tenants: 2,
        sessions: 4,
        apis: 2,
        workers: 2,
        limits: true,
        topology: Topology::Single,
    };
    let mut stage = Stage::set(&folder, cast, &SETTINGS).await?;
    let followers = follow(&stage).await?;
    let clients = Clients::start(&stage, 1)?;
    for worker in &mut stage.workers {
        let status = worker.process.program.term().await?;
        assert!(status.success(), "{status}");
        worker.process.restart().await?;
    }
    for api in &mut stage.apis {
        let status = api.process.program.term().await?;
        assert!(status.success(), "{status}");
        api.process.restart().await?;
    }
    let journal = clients.finish().await;
    assert_eq!(drain(&stage, SETTLING).await.context("drain")?, 0);
    let (evidence, violations) = examine(&stage, &journal, &followers, None).await?;
    assert_eq!(violations.counts(), Counts::default(), "{violations:#?}");
    assert_eq!(journal.unexpected, Vec::<String>::new());
    assert!(!journal.sent.is_empty(), "clients were at work");
    // Nothing was killed, so nobody was in doubt: no message went over the wire twice.
    assert_eq!(evidence.copies(), evidence.accepted());
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
