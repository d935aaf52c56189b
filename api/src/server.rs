//! Serving, from the first connection to the last.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use gateway_shared::config::Config;
use gateway_shared::egress::EgressError;
use gateway_shared::installation::Foreign;
use gateway_shared::media::MediaError;
use gateway_shared::redis::RedisFailure;
use gateway_shared::secrets::{Keyring, KeyringError};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::connections::serve;
use crate::replies;
use crate::router::router;
use crate::state::App;
use crate::{control, health_monitor, metrics, ops};

/// How long answers to those who waited too long may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long the first look at Redis may hold up the start.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The service could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Redis can not be reached in principle: a malformed address, or no node of a Cluster.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
    /// Redis was written by a newer version of this program, or with other keys.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// There is no usable key for secrets at rest.
    #[error(transparent)]
    Secrets(#[from] KeyringError),
    /// No client for files could be made.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Requests to addresses that tenants name can not be made: TLS can not be set up.
    #[error(transparent)]
    Egress(#[from] EgressError),
}

/// Where a process listens.
#[derive(Debug)]
pub struct Listeners {
    /// The API.
    pub api: TcpListener,
    /// The operations room, if there is one.
    pub ops: Option<TcpListener>,
    /// Figures for Prometheus, if they are wanted.
    pub metrics: Option<TcpListener>,
}

/// Serves on `listeners` until `shutdown` completes, and then ends in order: no new connections,
/// event streams end, synchronous sends may finish until `api.drain_timeout_ms` and are answered
/// 202 then. Returns when all is done.
///
/// # Errors
/// When Redis' address is malformed. Redis being down is no error: requests
/// are answered 503 until it is back.
pub async fn run(
    listeners: Listeners,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let drain = Duration::from_millis(config.api.drain_timeout_ms);
    let keyring = Keyring::load(&config.secrets)?;
    let app = App::open(config, keyring).await?;
    // The clock and the workers are known before the first request, unless Redis is slow or down.
    let _ = timeout(FIRST_LOOK, app.health_monitor.beat(&app)).await;
    if let Some(foreign) = app.installation.foreign().filter(Foreign::is_final) {
        return Err(foreign.into());
    }
    let tasks = [
        tokio::spawn(health_monitor::watch(app.clone())),
        tokio::spawn(replies::listen(app.clone())),
        tokio::spawn(refresh_logins(app.clone())),
        tokio::spawn(sweep_media(app.clone())),
        tokio::spawn(control::keep(app.clone())),
    ];

    for (listener, router) in [
        (listeners.ops, ops::router(&app)),
        (listeners.metrics, metrics::router(&app)),
    ] {
        if let Some(listener) = listener {
            tokio::spawn(serve_inside(listener, router, app.ended.clone()));
        }
    }
    let router = router(&app);
    let stopping = app.stopping.clone();
    let server = async {
        let stop = async {
            shutdown.await;
            tracing::info!("ending: no new connections are taken");
            stopping.cancel();
        };
        tokio::join!(stop, serve(listeners.api, &app, router));
    };
    let watchdog = async {
        app.stopping.cancelled().await;
        tokio::time::sleep(drain).await;
        if app.replies.count() > 0 {
            tracing::info!(waiting = app.replies.count(), "answering who still waits");
        }
        app.overdue.cancel();
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = server => {}
        () = watchdog => {
            tracing::warn!("connections were still open at the end of the time to drain");
        }
    }
    app.ended.cancel();
    for task in tasks {
        // A background task that panicked has nothing left to end.
        let _ = task.await;
    }
    Ok(())
}

/// Serves pages or figures to operators until the process ends.
async fn serve_inside(listener: TcpListener, router: Router, ended: CancellationToken) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        () = ended.cancelled() => {}
        served = axum::serve(listener, service) => if let Err(error) = served {
            tracing::error!(%error, "a listener for operators failed");
        },
    }
}

/// Keeps the keys of login tokens fresh until the process ends.
async fn refresh_logins(app: Arc<App>) {
    tokio::select! {
        () = app.ended.cancelled() => {}
        () = app.authenticators.refresh() => {}
    }
}

/// Removes files that nobody needs any more, until the process ends. Every API does: two at once do no
/// harm.
async fn sweep_media(app: Arc<App>) {
    let every = Duration::from_millis(app.config.media.sweep_ms);
    let sweeping = async {
        loop {
            tokio::time::sleep(every).await;
            let organizations = match app.organizations.all().await {
                Ok(organizations) => organizations,
                // The next round finds what this one did not.
                Err(_) => continue,
            };
            for organization in organizations {
                match app.media.sweep(&organization).await {
                    Ok(0) => {}
                    Ok(removed) => {
                        tracing::info!(%organization, removed, "files were removed");
                    }
                    Err(error) => {
                        tracing::warn!(%organization, %error, "files could not be removed");
                    }
                }
            }
        }
    };
    tokio::select! {
        () = app.ended.cancelled() => {}
        () = sweeping => {}
    }
}
