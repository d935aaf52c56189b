//! The product on one machine for people: `make run`, `make up`, `make down`.

mod down;
mod file;
mod real;
mod screen;
mod show;
mod start;
mod wait;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

pub use file::{Peer, Pids, Sandbox, Session, StackFile};
pub use start::Stack;

use crate::process::workspace_root;

/// The usual folder of everything a stack keeps: `.run` of the workspace.
#[must_use]
pub fn run_folder() -> PathBuf {
    // The root is named through the harness's own folder; a person reads the short form.
    let root = workspace_root();
    root.canonicalize()
        .unwrap_or_else(|_| root.to_owned())
        .join(".run")
}

/// Starts a stack with its files in `folder`, shows a message on its way, and stays until Ctrl-C.
///
/// # Errors
/// When a part does not start, or what is to be shown does not happen.
pub async fn run(folder: &Path) -> Result<()> {
    refuse_second(folder)?;
    let screen = screen::Screen::new();
    screen.title("WhatsApp Gateway", "the whole product on this machine");
    let mut stack = Stack::start(folder, false, &screen).await?;
    let result = match show::show(&stack, &screen).await {
        Ok(()) => {
            show::teardown(&stack, &screen, folder);
            wait::until_told_to_end(&mut stack).await
        }
        Err(error) => Err(error),
    };
    screen.step("stopping");
    stack.stop().await;
    StackFile::remove(folder);
    result
}

/// Starts a stack that stays when this program has ended.
///
/// # Errors
/// When a part does not start.
pub async fn up(folder: &Path) -> Result<()> {
    refuse_second(folder)?;
    let screen = screen::Screen::new();
    let stack = Stack::start(folder, true, &screen).await?;
    show::teardown(&stack, &screen, folder);
    screen.note("It runs in the background; `make down` stops it.");
    Ok(())
}

/// Stops the stack of [`up`].
///
/// # Errors
/// When one of its processes does not end.
pub async fn down(folder: &Path) -> Result<()> {
    down::down(folder).await
}

/// Says what runs.
///
/// # Errors
/// When the description of the stack cannot be read.
pub fn status(folder: &Path) -> Result<()> {
    down::status(folder)
}

/// Runs against the real WhatsApp: the release worker, no sandbox, the QR code in the terminal.
///
/// # Errors
/// When a part does not start.
pub async fn real(folder: &Path) -> Result<()> {
    refuse_second(folder)?;
    real::run(folder).await
}

fn refuse_second(folder: &Path) -> Result<()> {
    if let Some(file) = StackFile::read(folder)? {
        if down::alive(&file.pids).next().is_some() {
            bail!(
                "a stack runs already ({}): `make down` stops it",
                folder.join(file::NAME).display()
            );
        }
        StackFile::remove(folder);
    }
    Ok(())
}
