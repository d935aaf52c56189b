//! What the CDN keeps: files on disk, references to them in memory.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use tempfile::TempDir;

use super::faults::{Direction, Fault, Faults, Host};

/// The CDN of one sandbox.
#[derive(Debug)]
pub(crate) struct Cdn {
    folder: TempDir,
    address: OnceLock<SocketAddr>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the hash of the ciphertext, as clients write it into the URL.
    files: HashMap<String, Held>,
    references: HashMap<String, Reference>,
    faults: Faults,
    next: u64,
    auth: u64,
    counts: Counts,
}

/// Bytes of a file that are on the disk.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    /// Whether it is all of the file, and its hash is right.
    pub(super) whole: bool,
}

#[derive(Debug, Clone)]
struct Reference {
    token: String,
    /// What it is answered with since it expired.
    expired: Option<u16>,
}

/// How often what was asked for.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    /// Uploads that were begun.
    pub(crate) begun: u64,
    /// Uploads that came to their end.
    pub(crate) uploads: u64,
    /// Of these, those that went on where an earlier one had broken off.
    pub(crate) resumed: u64,
    /// Bytes of ciphertext taken.
    pub(crate) uploaded_bytes: u64,
    /// Downloads that were begun.
    pub(crate) downloads: u64,
    /// Re-upload requests that a phone answered, whatever the answer.
    pub(crate) reuploads: u64,
}

/// What a download finds.
#[derive(Debug)]
pub(super) enum Found {
    File(Held),
    /// The status to answer with.
    Refused(u16),
}

impl Cdn {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            folder: tempfile::Builder::new()
                .prefix("wa-sandbox-cdn-")
                .tempdir()?,
            address: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    /// Where it listens; said once, at the start.
    pub(crate) fn listens_at(&self, address: SocketAddr) {
        self.address.get_or_init(|| address);
    }

    /// Its two hosts, primary first; none before it listens.
    pub(crate) fn hosts(&self) -> Option<[String; 2]> {
        self.address.get().copied().map(super::hosts)
    }

    /// What uploads have to show.
    pub(crate) fn auth(&self) -> String {
        format!("sandbox-{}", self.state().auth)
    }

    /// Uploads must show something new from now on.
    pub(crate) fn rotate_auth(&self) {
        self.state().auth += 1;
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    pub(super) fn strike(&self, host: Host, on: Direction) -> Option<Fault> {
        self.state().faults.strike(host, on)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.state().counts);
    }

    /// A path for a new file.
    pub(super) fn new_path(&self) -> PathBuf {
        let mut state = self.state();
        state.next += 1;
        self.folder.path().join(state.next.to_string())
    }

    /// What is held under a hash.
    pub(super) fn held(&self, token: &str) -> Option<Held> {
        self.state().files.get(token).cloned()
    }

    /// Takes what is held under a hash, to write more of it.
    pub(super) fn take(&self, token: &str) -> Option<Held> {
        self.state().files.remove(token)
    }

    /// Keeps a file, or as much of one as came. A whole file is never replaced by a part.
    pub(super) fn keep(&self, token: &str, held: Held) {
        let mut state = self.state();
        let replaced = match state.files.get(token) {
            Some(known) if known.whole && !held.whole => Some(held),
            _ => state.files.insert(token.to_owned(), held),
        };
        if let Some(replaced) = replaced
            && state
                .files
                .get(token)
                .is_none_or(|kept| kept.path != replaced.path)
        {
            std::fs::remove_file(replaced.path).ok();
        }
    }

    /// A new reference to a file.
    pub(crate) fn refer(&self, token: &str) -> String {
        let mut state = self.state();
        state.next += 1;
        let path = format!(
            "/v/t62.7118-24/{}_{}_n.enc",
            state.next,
            &token[..token.len().min(16)]
        );
        let reference = Reference {
            token: token.to_owned(),
            expired: None,
        };
        state.references.insert(path.clone(), reference);
        path
    }

    /// Follows a direct path. `token` is the hash that the client names, if it does.
    pub(super) fn find(&self, path: &str, token: Option<&str>) -> Found {
        let state = self.state();
        let Some(reference) = state.references.get(path) else {
            return Found::Refused(404);
        };
        if let Some(status) = reference.expired {
            return Found::Refused(status);
        }
        if token.is_some_and(|token| token != reference.token) {
            return Found::Refused(403);
        }
        match state.files.get(&reference.token) {
            Some(held) if held.whole => Found::File(held.clone()),
            _ => Found::Refused(404),
        }
    }

    /// Whether a direct path leads to the file with this hash at the moment.
    pub(crate) fn leads_to(&self, path: &str, enc_sha256: &[u8]) -> bool {
        matches!(self.find(path, Some(&token_of(enc_sha256))), Found::File(_))
    }

    /// Lets references expire: all, or one. Returns how many did.
    pub(crate) fn expire(&self, path: Option<&str>, status: u16) -> usize {
        let mut state = self.state();
        let mut expired = 0;
        for (known, reference) in &mut state.references {
            if path.is_none_or(|path| path == known) && reference.expired.is_none() {
                reference.expired = Some(status);
                expired += 1;
            }
        }
        expired
    }

    /// Where the ciphertext with this hash is, if all of it is here.
    pub(crate) fn ciphertext(&self, enc_sha256: &[u8]) -> Option<PathBuf> {
        let held = self.held(&token_of(enc_sha256))?;
        held.whole.then_some(held.path)
    }

    /// Keeps a ciphertext that a phone of the sandbox has made, and refers to it.
    pub(crate) fn put(&self, enc_sha256: &[u8], ciphertext: &[u8]) -> io::Result<String> {
        let token = token_of(enc_sha256);
        let path = self.new_path();
        std::fs::write(&path, ciphertext)?;
        let length = u64::try_from(ciphertext.len()).unwrap_or(u64::MAX);
        let held = Held {
            path,
            length,
            whole: true,
        };
        self.keep(&token, held);
        Ok(self.refer(&token))
    }

    /// Another reference to a file that is here.
    pub(crate) fn refer_again(&self, enc_sha256: &[u8]) -> Option<String> {
        self.ciphertext(enc_sha256)?;
        Some(self.refer(&token_of(enc_sha256)))
    }

    pub(crate) fn count_reupload(&self) {
        self.count(|counts| counts.reuploads += 1);
    }

    /// A file that is gone with the sandbox, for what is decrypted on demand.
    pub(crate) fn scratch(&self) -> io::Result<std::fs::File> {
        tempfile::tempfile_in(self.folder())
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash as clients write it into the URL.
pub(super) fn token_of(enc_sha256: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(enc_sha256)
}
