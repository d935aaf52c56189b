//! How many files and sockets this process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors kept back from connections of clients: for Redis, its subscriptions, one reader for
/// each organization that is listened to, log files and the like.
const RESERVE: u64 = 64;
/// More than this is not asked for: some systems take long to close so many in a child process.
const ENOUGH: u64 = 1 << 20;

/// How many connections of clients the system has room for, beside what this process needs itself.
/// The soft limit is raised to the hard one first.
pub(super) fn for_clients() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return usize::MAX;
    };
    let wanted = hard.min(ENOUGH).max(soft);
    let have = match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    };
    // Of very few, half are for clients.
    let clients = have.saturating_sub(RESERVE).max(have / 2);
    usize::try_from(clients).unwrap_or(usize::MAX)
}
