//! `gateway-worker export`.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::config::Config;
use gateway_shared::domain::{SendFailure, SessionId, WorkerId};
use gateway_shared::lane::{Epoch, Lanes, SessionRef};
use gateway_shared::redis::Store;
use gateway_shared::registry::Registry;
use gateway_shared::secrets::Keyring;
use gateway_shared::session::{DesiredChange, Sessions};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::keystore::RedisKeystore;
use crate::moving::{baileys, read_out, whatsapp_rust, whatsmeow};

/// How long a worker may take to let go of the session.
const LETTING_GO: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// In which form.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Export {
    /// The files of Baileys. The session is stopped first, and stays so: a device has one owner.
    Baileys {
        /// The session.
        session: SessionId,
        /// The folder to write, which must not exist.
        folder: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// A SQLite file of whatsmeow, for GOWA, wuzapi and others.
    Whatsmeow {
        /// The session.
        session: SessionId,
        /// The folder to write, which must not exist; in it `whatsmeow.db`.
        folder: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// A SQLite file of whatsapp-rust.
    WhatsappRust {
        /// The session.
        session: SessionId,
        /// The folder to write, which must not exist; in it `whatsapp.db`.
        folder: PathBuf,
        #[command(flatten)]
        options: Options,
    },
}

/// What becomes of the session.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// Remove the session here once its keys are written, without unlinking the device at WhatsApp.
    /// What waits in its outbox is given up.
    #[arg(long)]
    forget: bool,
}

impl Export {
    pub(in crate::cli) async fn run(self, config: &Config) -> Result<ExitCode, Box<dyn Error>> {
        let clock = SystemClock::new();
        let (Self::Baileys {
            session,
            folder,
            options,
        }
        | Self::Whatsmeow {
            session,
            folder,
            options,
        }
        | Self::WhatsappRust {
            session,
            folder,
            options,
        }) = &self;
        if folder.exists() {
            return Err(format!("{} exists already", folder.display()).into());
        }
        let keyring = Keyring::load(&config.secrets)?;
        let store = Store::open(&config.redis).await?;
        let all = Registry::new(store.clone()).directory().await?;
        let of = all.into_iter().find(|of| of.session == *session);
        let of = of.ok_or_else(|| format!("there is no session {session}"))?;
        let sessions = Sessions::new(store.clone(), &config.retention);
        let epoch = stop(&sessions, &clock, &of).await?;
        let lost = CancellationToken::new();
        let keystore =
            RedisKeystore::claim(store.clone(), &keyring, session.clone(), epoch, lost).await?;
        let account = read_out::read_out(&keystore).await?;
        new_folder(folder)?;
        let left_out = match &self {
            Self::Baileys { .. } => {
                let (files, left_out) = baileys::write(&account, clock.now())?;
                write_files(folder, &files)?;
                left_out
            }
            Self::Whatsmeow { .. } => {
                let file = private_file(&folder.join("whatsmeow.db"))?;
                whatsmeow::write(&account, &file)?
            }
            Self::WhatsappRust { .. } => {
                let file = private_file(&folder.join("whatsapp.db"))?;
                whatsapp_rust::write(&account, &file, clock.now() / 1_000)?
            }
        };
        println!(
            "{session}: +{} is in {}. The session is stopped here; do not start it while another \
             program uses these keys.",
            account.number(),
            folder.display(),
        );
        for left in left_out {
            println!("  stays behind: {}: {}", left.what, left.why);
        }
        if options.forget {
            let lanes = Lanes::new(store.clone(), config.retention);
            let owner = (&of, Epoch(epoch.unsigned_abs()));
            let failure = SendFailure::new("session_deleted", "the session moved out");
            lanes.abandon(clock.now(), owner, &failure).await?;
            keystore.forget().await?;
            let worker = WorkerId::generate(clock.now());
            sessions.remove(clock.now(), &of, &worker, owner.1).await?;
            println!("{session}: forgotten here; the device stays linked");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Stops a session and waits until no worker has it; gives its epoch.
async fn stop(
    sessions: &Sessions,
    clock: &SystemClock,
    of: &SessionRef,
) -> Result<i64, Box<dyn Error>> {
    let stop = sessions.desired_change(clock.now(), of, DesiredChange::Stop);
    if !stop.await? {
        return Err(format!("there is no session {}", of.session).into());
    }
    println!("{}: stopping", of.session);
    let released = async {
        loop {
            match sessions.record(of).await? {
                None => return Err(format!("{} was deleted meanwhile", of.session).into()),
                Some(record) if record.session.worker.is_none() => {
                    return Ok(i64::try_from(record.epoch.0).unwrap_or(i64::MAX));
                }
                Some(_) => sleep(LOOK).await,
            }
        }
    };
    let released = tokio::time::timeout(LETTING_GO, released).await;
    released.map_err(|_| "its worker does not let go of the session: is it alive?")?
}

/// Makes a folder that nobody else may read.
fn new_folder(folder: &Path) -> Result<(), Box<dyn Error>> {
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    Ok(made.map_err(|error| format!("{}: {error}", folder.display()))?)
}

/// Makes an empty file that nobody else may read.
fn private_file(path: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.to_owned())
}

/// Writes files that nobody else may read.
fn write_files(folder: &Path, files: &crate::moving::files::Files) -> Result<(), Box<dyn Error>> {
    for (name, bytes) in files {
        let path = private_file(&folder.join(name))?;
        let written = fs::write(&path, bytes);
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
