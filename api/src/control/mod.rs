//! What operators see and do: the one set of functions behind the pages of the operations room and the
//! routes under `/admin`.
//!
//! - `census`: all lanes, workers and endpoints of the installation at a moment, in memory
//! - `find`: one send by whatever is known of it
//! - `action`: what there is to do; `act`: who may, and that it is recorded before it is done;
//!   `on_session`, `on_installation`: what each does
//! - `jobs`: one action on everything that matches a filter, in steps
//! - `suspension`: organizations whose keys are refused
//! - `uses`: when keys were last used

pub(crate) mod act;
mod action;
pub(crate) mod census;
pub(crate) mod find;
pub(crate) mod jobs;
mod on_installation;
mod on_session;
mod suspension;
mod uses;

use std::time::Duration;

pub(crate) use act::{Actor, act};
pub(crate) use action::Action;
pub(crate) use census::{Census, Lane};
pub(crate) use suspension::Suspensions;
pub(crate) use uses::KeyUses;

use crate::state::App;

/// How often the uses of keys are written down.
const KEY_USES: Duration = Duration::from_secs(15);
/// How often suspensions are looked up anew: so long a process may not know of one.
const SUSPENSIONS: Duration = Duration::from_secs(2);

/// Does what operators left to do, until the process ends.
pub(crate) async fn keep(app: std::sync::Arc<App>) {
    let uses = async {
        loop {
            tokio::time::sleep(KEY_USES).await;
            app.key_uses.write(&app.keys).await;
        }
    };
    let suspensions = async {
        loop {
            app.suspensions.look(&app.organizations).await;
            tokio::time::sleep(SUSPENSIONS).await;
        }
    };
    let work = async {
        tokio::join!(
            jobs::run(&app),
            app.lanes.tally().keep(&app.store, &app.clock),
            uses,
            suspensions
        );
    };
    tokio::select! {
        () = app.ended.cancelled() => app.key_uses.write(&app.keys).await,
        () = work => {}
    }
}
