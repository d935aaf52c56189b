//! A short run of chaos, as a part of every test run.

use anyhow::Result;
use gateway_chaos::{Options, run};

/// A minute in which everything is broken that can be: nothing accepted is lost, repeated, out of
/// order or at the wrong address, no status is missing, no budget exceeded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_of_chaos_breaks_no_promise() -> Result<()> {
    let options = Options {
        seconds: 60,
        // Always the same plan: what one run of the tests shows, the next one shows too.
        seed: Some(1),
        workers: 3,
        sessions: 6,
        cluster: false,
    };
    let outcome = run(&options).await?;
    assert!(outcome.kept(), "{outcome:#?}");
    Ok(())
}
