//! How large a store of another program may be.

/// Files of one store. A number with 100,000 contacts has about 250,000.
pub const FILES: usize = 500_000;

/// One file, in bytes. A session with all the keys that libsignal keeps has less than 1 MiB; the
/// credentials of old versions of Baileys hold the ids of what was synchronized.
pub const FILE_BYTES: u64 = 16 << 20;

/// All files of one store, in bytes.
pub const STORE_BYTES: u64 = 1 << 30;

/// Stores in one folder, for `--all`.
pub const STORES: usize = 10_000;

/// Characters of a file's name.
pub const NAME: usize = 512;
