//! What Redis held before a round, to put it back after it.

use std::time::Duration;

use anyhow::Result;
use redis::aio::MultiplexedConnection;

/// How often the end of a rewrite is looked for.
const GLANCE: Duration = Duration::from_millis(20);

/// Every key of a small Redis.
#[derive(Debug)]
pub(super) struct Snapshot(Vec<(Vec<u8>, Vec<u8>)>);

impl Snapshot {
    /// Reads every key, and keeps Redis from compacting its append-only file when it likes: a
    /// fork in the middle of a round would meet one side only.
    pub(super) async fn take(redis: &mut MultiplexedConnection) -> Result<Self> {
        let mut quiet = redis::cmd("CONFIG");
        quiet.arg("SET").arg("auto-aof-rewrite-percentage").arg(0);
        let () = quiet.query_async(redis).await?;
        let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(redis).await?;
        let mut keys = Vec::new();
        for name in names {
            let dump: Option<Vec<u8>> = redis::cmd("DUMP").arg(&name).query_async(redis).await?;
            keys.extend(dump.map(|dump| (name, dump)));
        }
        Ok(Self(keys))
    }

    /// Removes everything else, and compacts the append-only file.
    pub(super) async fn restore(&self, redis: &mut MultiplexedConnection) -> Result<()> {
        let mut commands = redis::pipe();
        commands.atomic().cmd("FLUSHALL").arg("SYNC").ignore();
        for (name, dump) in &self.0 {
            commands.cmd("RESTORE").arg(name).arg(0).arg(dump).ignore();
        }
        let () = commands.query_async(redis).await?;
        let () = redis::cmd("BGREWRITEAOF").query_async(redis).await?;
        loop {
            let info: String = redis::cmd("INFO")
                .arg("persistence")
                .query_async(redis)
                .await?;
            let done = ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
            if done.iter().all(|line| info.contains(line)) {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}
