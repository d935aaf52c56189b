//! `gateway-worker import`.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use futures_util::{StreamExt, stream};
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::config::Config;
use gateway_shared::domain::OrganizationId;
use gateway_shared::installation::Installation;
use gateway_shared::organization::Organizations;
use gateway_shared::redis::Store;
use gateway_shared::secrets::Keyring;
use gateway_shared::session::Sessions;

use crate::link::{ClientVersion, LinkError, Looked, Network, NetworkConfig, look};
use crate::moving::settle::{Destination, Settled, Settler};
use crate::moving::{ImportedAccount, MovingError, Summary, baileys, files};
use crate::moving::{whatsapp_rust, whatsmeow};
use crate::session::Versions;

/// Where numbers come from.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Import {
    /// The files of Baileys: WAHA (NOWEB), Evolution, OpenWA on Baileys, and whatever else calls
    /// useMultiFileAuthState.
    Baileys {
        /// A folder with `creds.json`, a tar of one, or `-` for a tar on standard input.
        from: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// A SQLite file of whatsmeow: WAHA (GOWS), GOWA, wuzapi, Evolution Go.
    Whatsmeow {
        /// The file.
        from: PathBuf,
        /// Which of its devices, by JID; without it, the only one.
        #[arg(long)]
        jid: Option<String>,
        #[command(flatten)]
        options: Options,
    },
    /// A SQLite file of whatsapp-rust: waxum and others.
    WhatsappRust {
        /// The file.
        from: PathBuf,
        /// Which of its devices, by id; without it, the only one.
        #[arg(long)]
        device: Option<i64>,
        #[command(flatten)]
        options: Options,
    },
}

/// How they come.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The organization that gets the sessions: its id, or its name.
    #[arg(long)]
    org: Option<String>,
    /// The name of the session; without it, the number.
    #[arg(long)]
    label: Option<String>,
    /// Only say what is there and what cannot come along.
    #[arg(long)]
    dry_run: bool,
    /// Every account: each folder in the folder, each folder in the tar, each device of the database.
    #[arg(long)]
    all: bool,
    /// Leave the sessions stopped; `:start` lets them connect.
    #[arg(long)]
    stopped: bool,
    /// Move a number even while its former owner is connected. Whoever connects later displaces the
    /// other, again and again, and both spoil the keys: only when the other is about to be stopped.
    #[arg(long)]
    even_if_connected: bool,
    /// For how many seconds the former owner is waited for. A program that is meant to run comes
    /// back within a few seconds.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=120))]
    watch: u64,
}

/// Numbers of which it is looked at a time whether somebody uses them.
const LOOKS: usize = 16;

/// Accounts to be read one after the other, so that only one is held.
type Accounts = Box<dyn Iterator<Item = (String, Result<ImportedAccount, MovingError>)>>;

impl Import {
    pub(in crate::cli) async fn run(self, config: &Config) -> Result<ExitCode, Box<dyn Error>> {
        let clock = Arc::new(SystemClock::new());
        let now = clock.now();
        let (accounts, options) = match self {
            Self::Baileys { from, options } => {
                (baileys_accounts(&from, options.all, now / 1_000)?, options)
            }
            Self::Whatsmeow { from, jid, options } => {
                let devices = whatsmeow::devices(&from)?;
                let devices = chosen(devices, jid, options.all, "--jid")?;
                let read = move |jid: String| {
                    let account = whatsmeow::read(&from, &jid, now / 1_000);
                    (jid, account)
                };
                (Box::new(devices.into_iter().map(read)) as Accounts, options)
            }
            Self::WhatsappRust {
                from,
                device,
                options,
            } => {
                let devices = whatsapp_rust::devices(&from)?;
                let devices = chosen(devices, device, options.all, "--device")?;
                let read = move |id: i64| (format!("device {id}"), whatsapp_rust::read(&from, id));
                (Box::new(devices.into_iter().map(read)) as Accounts, options)
            }
        };
        let target = match (&options.org, options.dry_run) {
            (_, true) => None,
            (None, false) => return Err("--org is needed: whose are the sessions?".into()),
            (Some(org), false) => Some(Target::open(config, &clock, org).await?),
        };
        let (mut moved, mut here, mut failed) = (0, 0, 0);
        let began = Instant::now();
        let (target, options) = (target.as_ref(), &options);
        let mut outcomes = stream::iter(accounts)
            .map(async |(name, account)| {
                let outcome = match account {
                    Ok(account) => one(target, &clock, &name, &account, options).await,
                    Err(error) => Err(error.into()),
                };
                (name, outcome)
            })
            .buffer_unordered(LOOKS);
        while let Some((name, outcome)) = outcomes.next().await {
            match outcome {
                Ok(None) => {}
                Ok(Some(Settled::Moved(_))) => moved += 1,
                Ok(Some(Settled::Here(_))) => here += 1,
                Err(NotMoved::Store(
                    error @ (MovingError::Redis(_) | MovingError::Keystore(_)),
                )) => return Err(error.into()),
                Err(error) => {
                    failed += 1;
                    eprintln!("{name}: not moved, nothing of it was written: {error}");
                }
            }
        }
        if !options.dry_run {
            let seconds = began.elapsed().as_secs_f64();
            println!("{moved} moved in, {here} here already, {failed} failed, in {seconds:.1} s");
        }
        Ok(if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Why a number was not moved.
#[derive(Debug, thiserror::Error)]
enum NotMoved {
    #[error(transparent)]
    Store(#[from] MovingError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(
        "its former owner is connected (conflict). Stop it there first, the session or the whole \
         program, so that it does not come back; --even-if-connected moves it all the same"
    )]
    InUse,
    #[error("it can not connect: {0}")]
    Refused(String),
    #[error("WhatsApp did not answer, so nobody knows whether its former owner is connected")]
    Unreachable,
}

/// Moves one number, or says what it consists of.
async fn one(
    target: Option<&Target>,
    clock: &SystemClock,
    name: &str,
    account: &ImportedAccount,
    options: &Options,
) -> Result<Option<Settled>, NotMoved> {
    let summary = account.summary();
    let Some(target) = target else {
        print_summary(name, &summary);
        return Ok(None);
    };
    let settled = match target.settler.find(account).await? {
        Some(of) => Settled::Here(of),
        None => {
            if !options.even_if_connected {
                target.look(account, options.watch).await?;
            }
            target.settle(clock.now(), account, options).await?
        }
    };
    print_settled(name, &summary, &settled);
    Ok(Some(settled))
}

/// Where they go.
struct Target {
    organization: OrganizationId,
    settler: Settler,
    network: Arc<Network>,
    version: ClientVersion,
}

impl Target {
    async fn open(
        config: &Config,
        clock: &Arc<SystemClock>,
        organization: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let keyring = Keyring::load(&config.secrets)?;
        let store = Store::open(&config.redis).await?;
        let installation =
            Installation::new(store.clone(), config.redis.expected()).sealed_by(keyring.clone());
        if let Some(foreign) = installation.look(clock.now()).await? {
            return Err(foreign.into());
        }
        let organizations = Organizations::new(store.clone());
        let found = match organization.parse::<OrganizationId>() {
            Ok(id) => organizations.get(&id).await?,
            Err(_) => organizations.named(organization).await?,
        };
        let found = found.ok_or_else(|| format!("there is no organization {organization}"))?;
        let whatsapp = &config.worker.whatsapp;
        let network = Network::new(&NetworkConfig {
            url: Some(whatsapp.url.clone()).filter(|url| !url.is_empty()),
            concurrent_dials: LOOKS,
        })?;
        let versions = Versions::new(whatsapp, store.clone(), &network, clock);
        let version = versions.current().await;
        let sessions = Sessions::new(store.clone(), &config.retention);
        Ok(Self {
            organization: found.id,
            settler: Settler::new(store, keyring, sessions),
            network,
            version,
        })
    }

    /// Refuses a number that somebody else uses, or that can not connect at all.
    async fn look(&self, account: &ImportedAccount, watch: u64) -> Result<(), NotMoved> {
        let watch = Duration::from_secs(watch);
        match look(&self.network, self.version, &account.device, watch).await? {
            Looked::Free => Ok(()),
            Looked::InUse => Err(NotMoved::InUse),
            Looked::Refused(why) => Err(NotMoved::Refused(why)),
            Looked::Unreachable => Err(NotMoved::Unreachable),
        }
    }

    async fn settle(
        &self,
        now: i64,
        account: &ImportedAccount,
        options: &Options,
    ) -> Result<Settled, MovingError> {
        let label = options.label.clone();
        let to = Destination {
            organization: self.organization.clone(),
            label: label.unwrap_or_else(|| format!("+{}", account.number())),
            start: !options.stopped,
        };
        self.settler.settle(now, account, &to).await
    }
}

/// Which devices of a database: the one that is meant, the only one, or all.
fn chosen<T: PartialEq + std::fmt::Display>(
    devices: Vec<T>,
    wanted: Option<T>,
    all: bool,
    option: &str,
) -> Result<Vec<T>, Box<dyn Error>> {
    if let Some(wanted) = wanted {
        return match devices.into_iter().find(|device| *device == wanted) {
            Some(device) => Ok(vec![device]),
            None => Err(format!("there is no device {wanted} in it").into()),
        };
    }
    match devices.len() {
        0 => Err("no device in it is linked".into()),
        several if several > 1 && !all => {
            let names: Vec<String> = devices.iter().take(10).map(ToString::to_string).collect();
            let names = names.join(", ");
            let problem = format!(
                "it holds {several} devices ({names}, …): {option} takes one of them, --all takes all"
            );
            Err(problem.into())
        }
        _ => Ok(devices),
    }
}

fn baileys_accounts(from: &Path, all: bool, now: i64) -> Result<Accounts, Box<dyn Error>> {
    if from.is_dir() {
        if !all {
            let shown = from.display().to_string();
            let read = move |from: &Path| baileys::read(&files::read_folder(from)?, now);
            return Ok(Box::new(std::iter::once((shown, read(from)))));
        }
        let folders = files::folders_in(from)?.into_iter();
        return Ok(Box::new(folders.map(move |folder| {
            let name = folder.file_name().unwrap_or_default();
            let account = files::read_folder(&folder).and_then(|files| baileys::read(&files, now));
            (name.to_string_lossy().into_owned(), account)
        })));
    }
    let shown = from.display().to_string();
    let stores = if from == Path::new("-") {
        files::read_tar("standard input", stdin().lock())?
    } else {
        let file = File::open(from).map_err(|error| format!("{shown}: {error}"))?;
        files::read_tar(&shown, BufReader::new(file))?
    };
    // What holds no credentials is no account: a folder that others lie in.
    let stores: Vec<_> = stores
        .into_iter()
        .filter(|(_, files)| files.contains_key("creds.json"))
        .collect();
    match (stores.len(), all) {
        (0, _) => return Err(format!("{shown}: holds no creds.json").into()),
        (1, _) | (_, true) => {}
        (several, false) => {
            let problem = format!("{shown}: holds {several} accounts; --all takes all of them");
            return Err(problem.into());
        }
    }
    Ok(Box::new(stores.into_iter().map(move |(name, files)| {
        let name = if name.is_empty() { shown.clone() } else { name };
        (name, baileys::read(&files, now))
    })))
}

fn print_summary(name: &str, summary: &Summary) {
    println!("{name}: +{} (device {})", summary.number, summary.device);
    let rows = [
        ("contacts with sessions", summary.contacts),
        ("Signal sessions", summary.sessions),
        ("groups with sender keys", summary.groups),
        ("sender keys", summary.sender_keys),
        ("pre-keys", summary.pre_keys),
        ("app-state keys", summary.app_state_keys),
        ("app-state collections", summary.collections),
        ("LID mappings", summary.lid_mappings),
        ("contact tokens", summary.contact_tokens),
        ("message secrets", summary.message_secrets),
    ];
    for (what, count) in rows {
        println!("  {count:>8} {what}");
    }
    for left in &summary.left_out {
        println!("  stays behind: {}: {}", left.what, left.why);
    }
}

fn print_settled(name: &str, summary: &Summary, settled: &Settled) {
    let number = &summary.number;
    match settled {
        Settled::Moved(of) => println!(
            "{name}: +{number} is session {} now ({} contacts, {} groups)",
            of.session, summary.contacts, summary.groups
        ),
        Settled::Here(of) => println!("{name}: +{number} is here already: {}", of.session),
    }
}
