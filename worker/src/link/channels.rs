//! Channels: their posts are told once and in the order of their numbers, also those that were posted
//! while the session was not connected.
//!
//! WhatsApp delivers a post to a connected device once and keeps none for later. So the number of the
//! newest post told is kept with the session, in the same step as its event, and after each
//! connection what came after it is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wacore::types::events::InboundMessage as LibraryMessage;
use wacore::types::message::{MessageInfo, MessageSource};
use wacore_binary::Jid;
use whatsapp_rust::Client;
use whatsapp_rust::features::NewsletterMessage;

use super::InboundMessage;
use super::ack_gate::Ticket;
use super::inbound::{commit_persistently, read};
use super::state::Core;

/// How many posts are asked for at once.
const PAGE: u32 = 50;
/// How many posts of one channel are fetched at most after a connection.
const MOST: usize = 1_000;

/// Where the place in each channel is kept.
#[async_trait]
pub trait ChannelPlaces: Send + Sync {
    /// The number of the newest post told of each channel; nothing where that can not be known now.
    async fn channels(&self) -> Option<HashMap<String, u64>>;

    /// The posts of a channel are told from after this one on.
    async fn follow(&self, channel: &str, server_id: u64);
}

/// What is to be committed apart from the receive pipeline, in order.
pub(super) enum Late {
    /// Posts that arrived.
    Posts(Vec<LibraryMessage>),
    /// Messages that our phone decrypted for us, and what holds the frames until they are committed.
    Recovered(Vec<LibraryMessage>, Ticket),
    /// The link is connected: what was missed is to be fetched.
    Connected,
}

/// Commits what is given, in its order, until the link is over.
///
/// Posts that arrive while earlier ones are fetched are committed after these. The frames do not wait
/// for them meanwhile, since the fetching is done with frames: if the worker dies, the next owner
/// fetches them.
pub(super) async fn follow(core: Arc<Core>, mut late: mpsc::UnboundedReceiver<Late>) {
    let mut fetching: Option<JoinHandle<()>> = None;
    let mut behind: Vec<LibraryMessage> = Vec::new();
    loop {
        let next = tokio::select! {
            next = late.recv() => next,
            () = done(&mut fetching) => {
                fetching = None;
                posts(&core, &std::mem::take(&mut behind)).await;
                continue;
            }
            () = core.closing.cancelled() => None,
        };
        match next {
            None => break,
            Some(Late::Posts(batch)) if fetching.is_some() => {
                let arrived = batch.iter();
                arrived.for_each(|post| core.arrivals.committed(&post.info));
                behind.extend(batch);
            }
            Some(Late::Posts(batch)) => posts(&core, &batch).await,
            Some(Late::Recovered(batch, ticket)) => {
                if let Some(client) = core.client()
                    && commit_persistently(&core, &read(&client, &batch).await).await
                {
                    core.received.release(ticket);
                }
            }
            Some(Late::Connected) => {
                if let Some(before) = fetching.replace(tokio::spawn(caught_up(Arc::clone(&core)))) {
                    // Of a connection that is gone.
                    before.abort();
                }
            }
        }
    }
    if let Some(fetching) = fetching {
        fetching.abort();
    }
}

/// Waits for the end of what is being fetched; for ever where nothing is.
async fn done(fetching: &mut Option<JoinHandle<()>>) {
    match fetching {
        // However it ended.
        Some(running) => drop(running.await),
        None => std::future::pending().await,
    }
}

async fn posts(core: &Core, batch: &[LibraryMessage]) {
    let Some(client) = core.client() else {
        return;
    };
    if !batch.is_empty() && commit_persistently(core, &read(&client, batch).await).await {
        for post in batch {
            core.arrivals.committed(&post.info);
        }
    }
}

async fn caught_up(core: Arc<Core>) {
    let Some(client) = core.client() else {
        return;
    };
    if let Err(error) = catch_up(&core, &client).await {
        // The next connection tries again.
        tracing::debug!(%error, "channels could not be asked for what was missed");
    }
}

async fn catch_up(core: &Core, client: &Arc<Client>) -> anyhow::Result<()> {
    let Some(places) = core.channels.channels().await else {
        return Ok(());
    };
    for channel in client.newsletter().list_subscribed().await? {
        let jid = channel.jid;
        match places.get(&jid.to_string()) {
            Some(place) => fetch(core, client, &jid, *place).await?,
            None => {
                // Followed since lately: what was posted before is not news.
                let newest = client
                    .newsletter()
                    .get_messages(jid.clone(), 1, None)
                    .await?;
                let newest = newest.iter().map(|post| post.server_id).max();
                core.channels
                    .follow(&jid.to_string(), newest.unwrap_or(0))
                    .await;
            }
        }
    }
    Ok(())
}

/// Commits what was posted after the post of this number.
async fn fetch(core: &Core, client: &Arc<Client>, channel: &Jid, place: u64) -> anyhow::Result<()> {
    let mut missed: Vec<NewsletterMessage> = Vec::new();
    let mut before = None;
    while missed.len() < MOST {
        let page = client
            .newsletter()
            .get_messages(channel.clone(), PAGE, before)
            .await?;
        let oldest = page.iter().map(|post| post.server_id).min();
        let full = page.len() >= PAGE as usize;
        missed.extend(page.into_iter().filter(|post| post.server_id > place));
        match oldest {
            Some(oldest) if full && oldest > place => before = Some(oldest),
            _ => break,
        }
    }
    missed.sort_by_key(|post| post.server_id);
    let posts: Vec<LibraryMessage> = missed
        .into_iter()
        .filter_map(|post| delivered(channel, post))
        .collect();
    let messages: Vec<InboundMessage> = read(client, &posts).await;
    if !messages.is_empty() {
        commit_persistently(core, &messages).await;
    }
    Ok(())
}

/// A fetched post as if it had been delivered.
fn delivered(channel: &Jid, post: NewsletterMessage) -> Option<LibraryMessage> {
    let info = MessageInfo {
        source: MessageSource {
            chat: channel.clone(),
            sender: channel.clone(),
            is_from_me: post.is_sender,
            ..MessageSource::default()
        },
        id: if post.message_id.is_empty() {
            post.server_id.to_string()
        } else {
            post.message_id
        },
        server_id: i32::try_from(post.server_id).ok()?,
        timestamp: wacore::time::from_secs(i64::try_from(post.timestamp).ok()?)?,
        is_offline: true,
        ..MessageInfo::default()
    };
    Some(
        LibraryMessage::builder()
            .message(Arc::new(post.message?))
            .info(Arc::new(info))
            .build(),
    )
}
