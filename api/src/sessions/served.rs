//! How a session is shown while nobody serves it.

use gateway_shared::domain::{Session, SessionStatus};

use crate::state::App;

/// What is said of a session whose worker is gone.
const NOBODY: &str = "no worker serves it at present";

/// The session as its callers see it. A record says what the last owner observed; when that worker
/// lives no more, the session is neither working nor waiting for a phone.
pub(crate) fn as_served(app: &App, mut session: Session) -> Session {
    let stands = matches!(
        session.status,
        SessionStatus::Working
            | SessionStatus::ScanQrCode
            | SessionStatus::PasskeyRequired
            | SessionStatus::Starting
    );
    if !stands {
        return session;
    }
    let served = match &session.worker {
        Some(worker) => app.health_monitor.lives(worker),
        None => app.health_monitor.any_worker(),
    };
    if !served {
        session.status = SessionStatus::Starting;
        session.worker = None;
        session.last_error.get_or_insert_with(|| NOBODY.to_owned());
    }
    session
}
