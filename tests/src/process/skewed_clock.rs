//! The wall clock of a host that is wrong.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where Debian and Ubuntu put libfaketime, by architecture (`.ci/install faketime`).
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// Moves the wall clock of the processes that are started with its variables, and not their
/// monotonic one: as when somebody sets a host's clock.
#[derive(Debug, Clone)]
pub struct SkewedClock {
    offset: PathBuf,
    library: &'static str,
}

impl SkewedClock {
    /// A clock that is right so far; `file` will hold its offset.
    ///
    /// # Errors
    /// When libfaketime is not installed, or the file can not be written.
    pub fn new(file: &Path) -> Result<Self> {
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
        let Some(library) = library else {
            bail!("libfaketime is missing: .ci/install faketime");
        };
        let clock = Self {
            offset: file.to_owned(),
            library,
        };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it to so many seconds ahead, at once.
    ///
    /// # Errors
    /// When the file can not be written.
    pub fn set(&self, ahead: i64) -> Result<()> {
        // At once, so that nobody reads half of it.
        let written = self.offset.with_extension("new");
        std::fs::write(&written, format!("{ahead:+}"))?;
        std::fs::rename(&written, &self.offset).context("the offset of a clock")
    }

    /// The variables of a process on that host.
    #[must_use]
    pub fn env(&self) -> [(String, String); 5] {
        let file = self.offset.display().to_string();
        [
            ("LD_PRELOAD", self.library),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    }
}
