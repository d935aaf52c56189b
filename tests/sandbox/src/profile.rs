//! What a person shows of themself: a line of text and a picture. Everybody
//! here has everybody's number, so everybody is told of changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, Server};

use crate::accounts::Account;
use crate::clock;
use crate::mailbox::Class;
use crate::world::World;

/// The profile of one account.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    shown: Mutex<Shown>,
}

#[derive(Debug, Clone, Default)]
struct Shown {
    about: Arc<str>,
    picture: Option<Arc<str>>,
}

impl Profile {
    /// The line of text; empty when there is none.
    pub(crate) fn about(&self) -> Arc<str> {
        Arc::clone(&self.lock().about)
    }

    /// The id of the present picture. The picture itself is not kept.
    pub(crate) fn picture(&self) -> Option<Arc<str>> {
        self.lock().picture.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes the line of text.
pub(crate) fn set_about(world: &Arc<World>, account: &Account, text: &str) {
    account.profile.lock().about = text.into();
    let set = NodeBuilder::new("set").string_content(text).build();
    announce(world, account, "status", &set);
}

/// Changes the picture, or removes it; returns the id of the new one.
pub(crate) fn set_picture(world: &Arc<World>, account: &Account, remove: bool) -> Option<Arc<str>> {
    let picture: Option<Arc<str>> = (!remove).then(|| world.next_number().to_string().into());
    account.profile.lock().picture.clone_from(&picture);
    let change = match &picture {
        Some(id) => NodeBuilder::new("set").attr("id", &**id),
        None => NodeBuilder::new("delete"),
    };
    let jid = account.jid(Server::Pn);
    let change = change.attr("jid", &jid).attr("author", jid).build();
    announce(world, account, "picture", &change);
    picture
}

/// Tells every companion of everybody.
fn announce(world: &Arc<World>, account: &Account, kind: &'static str, change: &Node) {
    for companion in world.accounts.all().iter().flat_map(|one| one.companions()) {
        let id = world.stanza_id();
        let node = NodeBuilder::new("notification")
            .attr("from", account.jid(Server::Pn))
            .attr("type", kind)
            .attr("id", id.as_str())
            .attr("notify", &*account.name())
            .attr("t", clock::now_secs())
            .children([change.clone()])
            .build();
        companion
            .mailbox
            .deliver(Class::Notification, &id, "", &node);
    }
}
