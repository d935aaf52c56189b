//! Where the binaries of this workspace are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The folder of the workspace.
#[must_use]
pub fn workspace_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The binary `name` that was built beside this program, so of the same profile.
///
/// # Errors
/// When it was not built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("find the own executable")?;
    // A test executable is in `target/PROFILE/deps`, a binary in `target/PROFILE`.
    let folder = own
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"))
        .context("the own executable has no folder")?;
    let path = folder.join(name);
    ensure!(
        path.is_file(),
        "{} is missing: build it with `cargo build --workspace --bins` (`make build`)",
        path.display()
    );
    Ok(path)
}
