//! Listening to channels for as long as one wants, through every loss of the connection.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::connection::{Connection, RedisConfig};

/// Pause before a lost subscription is renewed.
const RENEW: Duration = Duration::from_millis(150);
/// How often a silent subscription is probed, since a dead connection says nothing by itself.
const PROBE: Duration = Duration::from_secs(5);

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// The subscription stands (again). Whatever was published before this moment may have been
    /// missed: look at the records.
    Subscribed,
    /// A message.
    Message {
        /// The channel it came by.
        channel: String,
        /// What it says.
        text: String,
    },
    /// The subscription is lost; [`Received::Subscribed`] follows when it stands again.
    Lost,
}

/// Listens to `channels` until the receiver is dropped. A loss is logged once, and its end.
#[must_use]
pub fn listen<const N: usize>(
    config: RedisConfig,
    channels: [String; N],
) -> mpsc::UnboundedReceiver<Received> {
    let (tell, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lost = false;
        while !tell.is_closed() {
            let Err(error) = follow(&config, &channels, &tell, &mut lost).await else {
                return;
            };
            if !lost {
                tracing::warn!(%error, ?channels, "a subscription was lost; renewing it");
                lost = true;
                if tell.send(Received::Lost).is_err() {
                    return;
                }
            }
            tokio::time::sleep(RENEW).await;
        }
    });
    received
}

/// Follows one subscription; `Ok` when nobody listens any more.
async fn follow(
    config: &RedisConfig,
    channels: &[String],
    tell: &mpsc::UnboundedSender<Received>,
    lost: &mut bool,
) -> redis::RedisResult<()> {
    let limit = Duration::from_millis(config.response_timeout_ms);
    let silent = |_| redis::RedisError::from((redis::ErrorKind::Io, "the subscription is silent"));
    let (mut sink, mut messages) = Connection::open_subscriber(config).await?.split();
    let subscribed = tokio::time::timeout(limit, sink.subscribe(channels)).await;
    subscribed.map_err(silent)??;
    if *lost {
        tracing::info!(?channels, "the subscription stands again");
        *lost = false;
    }
    if tell.send(Received::Subscribed).is_err() {
        return Ok(());
    }
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else {
                    return Err((redis::ErrorKind::Io, "the subscription ended").into());
                };
                let Ok(text) = message.get_payload::<String>() else { continue };
                let channel = message.get_channel_name().to_owned();
                if tell.send(Received::Message { channel, text }).is_err() {
                    return Ok(());
                }
            }
            () = tell.closed() => return Ok(()),
            () = tokio::time::sleep(PROBE) => {
                // Subscribing again is answered, which a dead connection can not do.
                let answered = tokio::time::timeout(limit, sink.subscribe(channels)).await;
                answered.map_err(silent)??;
            }
        }
    }
}
