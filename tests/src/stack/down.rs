//! Ending a stack by the process ids it left.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::file::{Pids, StackFile};
use crate::client::eventually_within;

/// How long a part may take to end; workers hand over what is in flight.
const PATIENCE: Duration = Duration::from_secs(30);

/// A part of a stack: what its executable is called, and its process id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    executable: &'static str,
    pid: u32,
}

/// The parts in the order in which they end: first who writes, at last who keeps.
fn parts(pids: &Pids) -> impl Iterator<Item = Part> {
    let part = |executable| {
        move |pid: &u32| Part {
            executable,
            pid: *pid,
        }
    };
    let workers = pids.workers.iter().map(part("gateway-worker"));
    let apis = pids.api.iter().map(part("gateway-api"));
    let sandbox = pids.sandbox.iter().map(part("wa-sandbox"));
    workers
        .chain(apis)
        .chain(sandbox)
        .chain([part("redis")(&pids.redis)])
        .collect::<Vec<_>>()
        .into_iter()
}

/// The parts that live. A process id that now belongs to another program is not one of them.
pub(super) fn alive(pids: &Pids) -> impl Iterator<Item = Part> {
    parts(pids).filter(Part::lives)
}

impl Part {
    fn lives(&self) -> bool {
        let proc = format!("/proc/{}", self.pid);
        // A dead child that nobody has buried yet has no executable any more.
        let executable = std::fs::read_link(format!("{proc}/exe"));
        executable.is_ok_and(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().contains(self.executable))
        })
    }

    fn signal(&self, signal: Signal) {
        // One that has ended meanwhile needs no signal.
        if let Ok(pid) = i32::try_from(self.pid) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Ends the stack described in `folder`, kind by kind.
pub(super) async fn down(folder: &Path) -> Result<()> {
    let Some(file) = StackFile::read(folder)? else {
        println!(
            "no stack runs (there is no {}/stack.json)",
            folder.display()
        );
        return Ok(());
    };
    let mut stubborn = Vec::new();
    for part in alive(&file.pids) {
        part.signal(Signal::SIGTERM);
        let what = format!("{} {} ends", part.executable, part.pid);
        let ended = eventually_within(PATIENCE, &what, async || Ok((!part.lives()).then_some(())));
        if ended.await.is_err() {
            part.signal(Signal::SIGKILL);
            stubborn.push(what);
        }
    }
    StackFile::remove(folder);
    if !stubborn.is_empty() {
        bail!(
            "had to be killed, not in {PATIENCE:?}: {}",
            stubborn.join(", ")
        );
    }
    println!("stopped; logs stay in {}/logs", folder.display());
    Ok(())
}

/// Says which parts live.
pub(super) fn status(folder: &Path) -> Result<()> {
    let Some(file) = StackFile::read(folder)? else {
        println!("no stack runs");
        return Ok(());
    };
    println!("api    {}\nredis  {}", file.api, file.redis);
    for part in parts(&file.pids) {
        let state = if part.lives() { "runs" } else { "has ended" };
        println!("{:<16} {:>8}  {state}", part.executable, part.pid);
    }
    Ok(())
}
