//! Channels (newsletters): one writes, many follow, and nothing is encrypted.
//!
//! The server numbers the posts of a channel. It brings a post to the devices that are connected when
//! it is posted, once, and keeps none for those that are not: they ask for what they missed by its
//! number.

mod stanza;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;
use wacore_binary::{Jid, Server};

use crate::accounts::Account;
use crate::clock;
use crate::world::World;

pub(crate) use stanza::{handle, page};

/// The number of a channel's first post. Clients take smaller ones for none.
const FIRST: u64 = 100;

/// All channels, by the user part of their JID.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    all: Mutex<HashMap<String, Arc<Channel>>>,
}

/// One channel.
#[derive(Debug)]
pub(crate) struct Channel {
    id: String,
    invite: String,
    created_at: u64,
    owner: Arc<Account>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    name: String,
    description: String,
    followers: Vec<Arc<Account>>,
    posts: Vec<Post>,
    next: u64,
}

/// A post.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) at: u64,
    /// `text`, `media` and so on.
    pub(crate) kind: String,
    pub(crate) mediatype: Option<String>,
    pub(crate) plaintext: Vec<u8>,
    /// The edit attribute, of what changes an earlier post.
    pub(crate) edit: Option<String>,
    /// Who reacted, by emoji.
    reactions: BTreeMap<String, HashSet<Arc<str>>>,
}

/// What somebody posts.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) mediatype: Option<String>,
    pub(crate) plaintext: Vec<u8>,
    pub(crate) edit: Option<String>,
}

/// What a channel says of itself to somebody.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) jid: Jid,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) followers: usize,
    pub(crate) invite: String,
    pub(crate) created_at: u64,
    pub(crate) role: &'static str,
}

impl Channels {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Channel>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody makes a channel, and follows it.
    pub(crate) fn create(
        &self,
        owner: &Arc<Account>,
        name: &str,
        description: &str,
    ) -> Arc<Channel> {
        let id = format!(
            "120363{:012}",
            rand::rng().random_range(0..1_000_000_000_000_u64)
        );
        let invite: [u8; 11] = rand::rng().random();
        let channel = Arc::new(Channel {
            id: id.clone(),
            invite: hex::encode_upper(invite),
            created_at: clock::now_secs(),
            owner: Arc::clone(owner),
            state: Mutex::new(State {
                name: name.to_owned(),
                description: description.to_owned(),
                followers: vec![Arc::clone(owner)],
                posts: Vec::new(),
                next: FIRST,
            }),
        });
        self.lock().insert(id, Arc::clone(&channel));
        channel
    }

    /// The channel of this JID, or with this invite.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<Channel>> {
        let id = key.strip_suffix("@newsletter").unwrap_or(key);
        let all = self.lock();
        let by_invite = || all.values().find(|channel| channel.invite == key).cloned();
        all.get(id).cloned().or_else(by_invite)
    }

    /// The channels that somebody follows.
    pub(crate) fn followed_by(&self, account: &Account) -> Vec<Arc<Channel>> {
        let mut followed: Vec<_> = self
            .lock()
            .values()
            .filter(|channel| channel.is_followed_by(account))
            .cloned()
            .collect();
        followed.sort_by(|one, other| one.id.cmp(&other.id));
        followed
    }
}

impl Channel {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn jid(&self) -> Jid {
        Jid::new(self.id.as_str(), Server::Newsletter)
    }

    fn is_followed_by(&self, account: &Account) -> bool {
        let state = self.state();
        let mut followers = state.followers.iter();
        followers.any(|follower| std::ptr::eq(&**follower, account))
    }

    /// What it says of itself to this person.
    pub(crate) fn about(&self, account: &Account) -> About {
        let role = if std::ptr::eq(&*self.owner, account) {
            "owner"
        } else if self.is_followed_by(account) {
            "subscriber"
        } else {
            "guest"
        };
        let state = self.state();
        About {
            jid: self.jid(),
            name: state.name.clone(),
            description: state.description.clone(),
            followers: state.followers.len(),
            invite: self.invite.clone(),
            created_at: self.created_at,
            role,
        }
    }

    /// Somebody follows it, or no longer does.
    pub(crate) fn follow(&self, account: &Arc<Account>, follows: bool) {
        let mut state = self.state();
        state
            .followers
            .retain(|follower| !Arc::ptr_eq(follower, account));
        if follows {
            state.followers.push(Arc::clone(account));
        }
    }

    /// Its owner calls it something else. False when somebody else would.
    pub(crate) fn rename(&self, by: &Account, name: Option<&str>, about: Option<&str>) -> bool {
        if !std::ptr::eq(&*self.owner, by) {
            return false;
        }
        let mut state = self.state();
        if let Some(name) = name {
            name.clone_into(&mut state.name);
        }
        if let Some(about) = about {
            about.clone_into(&mut state.description);
        }
        true
    }

    /// The owner posts something, which goes to everybody who is connected. Returns its number; none
    /// when somebody else would post, or change what is not there.
    pub(crate) fn post(&self, world: &World, by: &Account, draft: Draft) -> Option<u64> {
        if !std::ptr::eq(&*self.owner, by) {
            return None;
        }
        let (post, followers) = {
            let mut state = self.state();
            let post = match &draft.edit {
                Some(_) => state.change(draft)?,
                None => state.add(draft),
            };
            (post, state.followers.clone())
        };
        let fault = world
            .faults
            .strike(by.phone_number(), None, &self.jid(), &post.id);
        if !matches!(fault, Some(crate::faults::Action::Silence)) {
            let node = stanza::delivered(&self.jid(), &post);
            stanza::bring(&followers, by, &node);
        }
        Some(post.number)
    }

    /// Somebody reacts to a post; an empty emoji takes it back.
    pub(crate) fn react(&self, by: &Account, number: u64, emoji: &str) {
        let (post, followers) = {
            let mut state = self.state();
            let Some(post) = state.posts.iter_mut().find(|post| post.number == number) else {
                return;
            };
            for people in post.reactions.values_mut() {
                people.remove(by.phone_number());
            }
            if !emoji.is_empty() {
                let people = post.reactions.entry(emoji.to_owned()).or_default();
                people.insert(Arc::clone(by.phone_number()));
            }
            (post.clone(), state.followers.clone())
        };
        stanza::tell_reactions(&self.jid(), &post, &followers);
    }

    /// Up to `count` posts before the one of this number, in order.
    pub(crate) fn posts(&self, count: usize, before: Option<u64>) -> Vec<Post> {
        let state = self.state();
        let posts = state
            .posts
            .iter()
            .filter(|post| before.is_none_or(|before| post.number < before));
        let mut posts: Vec<Post> = posts.rev().take(count).cloned().collect();
        posts.reverse();
        posts
    }
}

impl State {
    fn add(&mut self, draft: Draft) -> Post {
        let post = Post {
            number: self.next,
            id: draft.id,
            at: clock::now_secs(),
            kind: draft.kind,
            mediatype: draft.mediatype,
            plaintext: draft.plaintext,
            edit: None,
            reactions: BTreeMap::new(),
        };
        self.next += 1;
        self.posts.push(post.clone());
        post
    }

    /// What a post was before is kept nowhere.
    fn change(&mut self, draft: Draft) -> Option<Post> {
        let post = self.posts.iter_mut().find(|post| post.id == draft.id)?;
        post.plaintext = draft.plaintext;
        let mut emitted = post.clone();
        emitted.at = clock::now_secs();
        emitted.edit = draft.edit;
        Some(emitted)
    }
}
