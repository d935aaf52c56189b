//! The one subscription of this process: answers, and changes of API keys.

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::apikey::CHANGED_KEY;
use gateway_shared::organization::CHANGED_ORGANIZATION;
use gateway_shared::redis::subscription::{self, Received};
use redis::AsyncCommands;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::state::App;

/// How often this process calls itself over the channel, to know that it would hear.
const PULSE: Duration = Duration::from_secs(1);
/// How many calls in a row may go unheard before the subscription counts as lost. Counted rather
/// than timed: a process that was paused has heard nothing for long and lost nothing.
const UNANSWERED: u32 = 3;
/// What this process publishes to itself. It is no JSON, so it is for nobody.
const CALL: &str = "pulse";

/// Listens until the process ends. A subscription on which this process does not hear itself is
/// replaced, however alive its connection looks.
pub(crate) async fn listen(app: Arc<App>) {
    let keys = &app.store.keys;
    let replies = keys.reply_channel(app.replies.instance().as_str());
    let changed = keys.changed_channel();
    loop {
        let channels = [replies.clone(), changed.clone()];
        let received = subscription::listen(app.config.redis.clone(), channels);
        tokio::select! {
            () = app.ended.cancelled() => return,
            () = follow(&app, received, &replies) => {}
        }
        tracing::warn!("the subscription to Redis fell silent; renewing it");
        lost(&app);
    }
}

/// Follows one subscription until it falls silent.
async fn follow(app: &Arc<App>, mut received: UnboundedReceiver<Received>, replies: &str) {
    let mut health_monitor = interval(PULSE);
    health_monitor.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stands = false;
    let mut unanswered = 0;
    loop {
        tokio::select! {
            next = received.recv() => match next {
                None => return,
                Some(Received::Lost) => {
                    stands = false;
                    lost(app);
                }
                Some(Received::Subscribed) => {
                    (stands, unanswered) = (true, 0);
                    app.authenticators.keys().trust(true);
                    app.replies.renewed();
                    app.subscribed.send_replace(true);
                }
                Some(Received::Message { channel, text }) => {
                    unanswered = 0;
                    dispatch(app, channel == replies, &text);
                }
            },
            _ = health_monitor.tick(), if stands => {
                if unanswered >= UNANSWERED {
                    return;
                }
                unanswered += 1;
                let mut connection = app.store.connection.clone();
                let channel = replies.to_owned();
                // Apart, so that a slow Redis does not hold up the messages. Whether it arrives is
                // what counts.
                tokio::spawn(async move {
                    timeout(PULSE, connection.publish::<_, _, ()>(channel, CALL)).await
                });
            }
        }
    }
}

fn dispatch(app: &Arc<App>, is_reply: bool, text: &str) {
    if !is_reply {
        if let Some(hash) = text.strip_prefix(CHANGED_KEY) {
            app.authenticators.keys().changed(hash);
        } else if text.starts_with(CHANGED_ORGANIZATION) {
            let app = Arc::clone(app);
            tokio::spawn(async move {
                app.suspensions.look(&app.organizations).await;
                // Streams ask again whether they may go on.
                app.authenticators.keys().changed("");
            });
        }
    } else if text != CALL {
        app.replies.deliver(text);
    }
}

/// Without a subscription nothing is heard: memory is not trusted, and this process is not ready.
fn lost(app: &App) {
    app.authenticators.keys().trust(false);
    app.subscribed.send_replace(false);
}
