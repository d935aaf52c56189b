//! Sessions that come and go while everything breaks: made, paired, written from, and ended in each of
//! the ways there are. What was wished last must hold, with nothing half done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use gateway_tests::client::{ApiClient, SandboxAdmin, SendRequest};
use reqwest::Method;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::stage::Stage;

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long a session may take to be paired before it is ended as it is.
const PAIRING: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// How a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A user deleted it.
    Delete,
    /// A user logged it out.
    Logout,
    /// Its phone unlinked it.
    Unlinked,
}

/// A session that came and went.
#[derive(Debug, Clone)]
pub struct Life {
    /// Its organization: the place on the stage.
    pub tenant: usize,
    /// Its id.
    pub session: String,
    /// How; `None` where nobody answered that it would.
    pub end: Option<End>,
}

/// Callers at work.
#[derive(Debug)]
pub struct Lives {
    lived: Arc<Mutex<Vec<Life>>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Lives {
    /// Starts a caller for each organization.
    ///
    /// # Errors
    /// When an HTTP client can not be set up, or the sandbox makes no person.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let lived = Arc::default();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for (place, tenant) in stage.tenants.iter().enumerate() {
            let within = |api: &ApiClient| api.within(PATIENCE);
            let apis: Result<Vec<_>> = stage.callers(tenant).iter().map(within).collect();
            // Whom only these sessions write to.
            let to = format!("15561{place}99999");
            stage.admin().create_person(&to, "Somebody").await?;
            let caller = Caller {
                tenant: place,
                to,
                apis: apis?,
                admin: stage.admin(),
                stopped: stopped.clone(),
            };
            tasks.spawn(caller.work(Arc::clone(&lived)));
        }
        Ok(Self { lived, stop, tasks })
    }

    /// Lets each end the session it is at, and gives those that were ended.
    pub async fn finish(mut self) -> Vec<Life> {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        std::mem::take(&mut self.lived.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Caller {
    tenant: usize,
    to: String,
    apis: Vec<ApiClient>,
    admin: SandboxAdmin,
    stopped: watch::Receiver<bool>,
}

impl Caller {
    async fn work(self, lived: Arc<Mutex<Vec<Life>>>) {
        for number in 0_usize.. {
            if *self.stopped.borrow() {
                return;
            }
            let end = [End::Delete, End::Logout, End::Delete, End::Unlinked][number % 4];
            let Some(session) = self.make(number).await else {
                return;
            };
            let phone = format!("15560{}{number:05}", self.tenant);
            let paired = self.pair(&session, &phone).await;
            // Something that may still wait when it ends.
            let send = SendRequest::text(&self.to, &format!("of {session}")).asynchronous();
            let _ = self.api(number).send(&session, &send).await;
            let end = if paired { end } else { End::Delete };
            let ended = self.end(&session, &phone, end).await;
            let life = Life {
                tenant: self.tenant,
                session,
                end: ended.then_some(end),
            };
            let mut lived = lived.lock().unwrap_or_else(PoisonError::into_inner);
            lived.push(life);
        }
    }

    fn api(&self, turn: usize) -> &ApiClient {
        &self.apis[turn % self.apis.len()]
    }

    /// Makes a session, under a key, so that it is made once however often it has to be asked for.
    async fn make(&self, number: usize) -> Option<String> {
        for turn in number.. {
            let request = self.api(turn).request(Method::POST, "/sessions");
            let request = request
                .header("Idempotency-Key", format!("life-{number}"))
                .json(&json!({"label": format!("life {number}")}));
            if let Ok(answer) = self.api(turn).call(request).await
                && answer.status == 201
            {
                return answer.text("id").ok();
            }
            sleep(PAUSE).await;
        }
        None
    }

    /// Has a phone scan its code; whether it works then.
    async fn pair(&self, session: &str, phone: &str) -> bool {
        let deadline = Instant::now() + PAIRING;
        for turn in 0.. {
            let api = self.api(turn);
            if let Ok(answer) = api.get(&format!("/sessions/{session}/qr")).await
                && answer.status == 200
                && let Ok(code) = answer.text("code")
            {
                let _ = self.admin.scan_qr(phone, &code).await;
            }
            if let Ok(known) = api.get(&format!("/sessions/{session}")).await
                && known.at("status") == "working"
            {
                return true;
            }
            if Instant::now() > deadline || *self.stopped.borrow() {
                return false;
            }
            sleep(PAUSE).await;
        }
        false
    }

    /// Ends it, asking again until the answer is that it will be.
    async fn end(&self, session: &str, phone: &str, end: End) -> bool {
        let path = format!("/sessions/{session}");
        let until = Instant::now() + PAIRING * 2;
        for turn in 1.. {
            let api = self.api(turn);
            let done = match end {
                End::Delete => {
                    matches!(api.delete(&path).await, Ok(answer) if answer.status == 204)
                }
                End::Logout => {
                    let request = api.request(Method::POST, &format!("{path}:logout"));
                    matches!(api.call(request).await, Ok(answer) if answer.status == 200)
                }
                End::Unlinked => self.admin.logout(phone).await.is_ok(),
            };
            if done {
                return true;
            }
            if Instant::now() > until {
                return false;
            }
            sleep(PAUSE).await;
        }
        false
    }
}
