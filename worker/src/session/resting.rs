//! What a session does after WhatsApp ended its connection: it says why, and rests.

use gateway_shared::clock::Millis;
use gateway_shared::lane::LaneError;
use gateway_shared::session::ReportedEvent;
use serde_json::json;

use super::Runtime;
use super::observe::Observer;
use super::rests::{Cause, Rest, Rests};
use crate::link::ClientVersion;

/// How a connection ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) cause: Cause,
    /// The version that it announced.
    pub(super) version: ClientVersion,
    /// What WhatsApp said, if it refused the login.
    pub(super) refusal: &'a str,
    /// Whether a phone has taken the device in.
    pub(super) paired: bool,
}

/// How the session goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum After {
    /// At once.
    Reopen,
    /// Not before this time.
    Rest(Millis),
    /// When it is started again; it was never paired, so nobody misses it meanwhile.
    Stop(String),
}

/// Says why the connection ended, and gives what follows.
pub(super) async fn after(
    runtime: &Runtime,
    observer: &Observer<'_>,
    rests: &mut Rests,
    end: End<'_>,
) -> Result<After, LaneError> {
    let rest = rests.next(end.cause, runtime.now());
    if end.cause == Cause::QrCodes {
        return Ok(unscanned(runtime, rest, end));
    }
    let (reason, event) = match end.cause {
        Cause::Outdated => {
            let newest = runtime.versions.rejected(end.version).await;
            if newest != end.version && rest.times == 1 {
                observer.starting(&outdated(end.version)).await?;
                return Ok(After::Reopen);
            }
            let event = ReportedEvent {
                kind: "session.client_outdated",
                payload: json!({
                    "clientVersion": end.version,
                    "newestVersion": newest,
                    "retryAt": rest.until,
                })
                .to_string(),
            };
            (outdated(end.version), Some(event))
        }
        Cause::Replaced => (replaced(rest), None),
        Cause::Locked => (
            "WhatsApp locked the account: open WhatsApp on its phone. The keys are kept; the \
             session is tried again, and :logout gives it up"
                .to_owned(),
            None,
        ),
        Cause::Refused | Cause::QrCodes => (end.refusal.to_owned(), None),
    };
    observer.resting(rest.status, reason, event).await?;
    Ok(After::Rest(rest.until))
}

fn outdated(version: ClientVersion) -> String {
    format!(
        "WhatsApp rejects client version {version}: the newest one is being asked for, and the \
         session tries again"
    )
}

fn replaced(rest: Rest) -> String {
    let reason = "another client took this device's place";
    if rest.times < 3 {
        return reason.to_owned();
    }
    format!(
        "{reason}, {} times in a row: somebody runs a copy of this session's keys (a second \
         installation on the same data, or on a backup of it). Stop it, or both lose messages",
        rest.times
    )
}

/// Nobody scanned any code of a connection.
fn unscanned(runtime: &Runtime, rest: Rest, end: End<'_>) -> After {
    let rounds = runtime.config.whatsapp.qr_rounds;
    if end.paired || rounds == 0 || rest.times < rounds {
        return After::Reopen;
    }
    let version = end.version;
    After::Stop(format!(
        "nobody scanned a QR code; start the session for new ones. If the phone said \"Couldn't \
         link device\", WhatsApp may no longer link client version {version}"
    ))
}
