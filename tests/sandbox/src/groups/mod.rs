//! Groups: who is in them, what they are called, and how one gets in.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rand::RngExt as _;
use serde::Serialize;
use wacore_binary::{Jid, Server};

use crate::accounts::{Account, DeviceAddress};
use crate::clock;
use crate::world::World;

mod act;
mod entry;
mod stanza;

pub(crate) use act::{MemberChange, Update, change_members, create, leave, update};
pub(crate) use entry::{Joined, NotJoined, decide, invited, join, reset_invite};

/// The characters of an invite code.
const CODE_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CODE_LENGTH: usize = 22;

/// All groups, found by the user part of their JIDs.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    list: RwLock<BTreeMap<Arc<str>, Arc<Group>>>,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    id: Arc<str>,
    creator: Arc<Account>,
    /// Epoch seconds.
    created_at: u64,
    /// How its members are named on the wire.
    namespace: Server,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    subject: Text,
    description: Option<Text>,
    members: Vec<Member>,
    /// Only admins write.
    announce: bool,
    /// Only admins change subject and description.
    locked: bool,
    /// Only admins add members.
    admin_add: bool,
    /// Whoever follows an invite has to be let in by an admin.
    approval: bool,
    /// After how many seconds messages disappear; 0: they stay.
    ephemeral: u32,
    /// Those who wait for that, in the order in which they asked.
    asking: Vec<Arc<Account>>,
    /// How many may be in it; nobody has said when there is none.
    most_members: Option<usize>,
    /// What the next who would change something are told instead.
    refusals: VecDeque<u16>,
    invite: Invite,
    /// Invites that were good once.
    spent: HashSet<String>,
    /// The phone numbers of those an admin removed: no invite lets them in.
    banned: HashSet<Arc<str>>,
}

/// A text of the group, and who set it when.
#[derive(Debug, Clone)]
struct Text {
    /// The token of this version; subjects have none.
    id: String,
    text: String,
    by: Arc<Account>,
    /// Epoch seconds.
    at: u64,
}

/// Somebody in a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) account: Arc<Account>,
    pub(crate) role: Role,
}

/// What a member may do. The creator cannot be demoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Member,
    Admin,
    SuperAdmin,
}

/// The way in.
#[derive(Debug, Clone)]
pub(crate) struct Invite {
    pub(crate) code: String,
    pub(crate) expired: bool,
}

/// A group as the admin API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupView {
    jid: String,
    subject: String,
    description: Option<String>,
    creator: String,
    /// `lid` or `pn`.
    addressing: &'static str,
    announce: bool,
    locked: bool,
    approval: bool,
    /// The phone numbers of those who ask to be let in.
    asking: Vec<Arc<str>>,
    /// Epoch seconds.
    created_at: u64,
    invite: InviteView,
    members: Vec<MemberView>,
}

#[derive(Debug, Serialize)]
struct InviteView {
    code: String,
    link: String,
    expired: bool,
}

#[derive(Debug, Serialize)]
struct MemberView {
    phone: Arc<str>,
    jid: String,
    lid: String,
    role: Role,
}

impl Groups {
    /// The group with this JID.
    pub(crate) fn get(&self, jid: &Jid) -> Option<Arc<Group>> {
        if jid.server != Server::Group {
            return None;
        }
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.get(jid.user.as_str()).cloned()
    }

    /// All groups, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Group>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.values().cloned().collect()
    }

    fn add(&self, group: Arc<Group>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        list.insert(Arc::clone(&group.id), group);
    }
}

impl Group {
    pub(crate) fn jid(&self) -> Jid {
        Jid::new(&*self.id, Server::Group)
    }

    /// How its members are named on the wire.
    pub(crate) fn namespace(&self) -> Server {
        self.namespace
    }

    /// What `addressing_mode` says.
    pub(crate) fn addressing(&self) -> &'static str {
        if self.namespace == Server::Lid {
            "lid"
        } else {
            "pn"
        }
    }

    /// Everybody in it, in the order in which they came.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.state().members.clone()
    }

    /// What somebody is in it; none for a stranger.
    pub(crate) fn role(&self, account: &Account) -> Option<Role> {
        self.state().member(account).map(|member| member.role)
    }

    /// Every device of every member.
    pub(crate) fn devices(&self) -> Vec<DeviceAddress> {
        let members = self.members();
        let devices = members.iter().flat_map(|member| member.account.devices());
        devices.collect()
    }

    /// Whether somebody may write in it.
    pub(crate) fn admits(&self, account: &Account) -> bool {
        let state = self.state();
        state
            .member(account)
            .is_some_and(|member| !state.announce || member.role > Role::Member)
    }

    /// Whether somebody may change its subject and description.
    pub(crate) fn may_edit(&self, account: &Account) -> bool {
        let state = self.state();
        state
            .member(account)
            .is_some_and(|member| !state.locked || member.role > Role::Member)
    }

    /// Whether somebody may add members.
    pub(crate) fn may_add(&self, account: &Account) -> bool {
        let state = self.state();
        state
            .member(account)
            .is_some_and(|member| !state.admin_add || member.role > Role::Member)
    }

    /// The token of the present description.
    pub(crate) fn description_id(&self) -> Option<String> {
        let state = self.state();
        state.description.as_ref().map(|text| text.id.clone())
    }

    pub(crate) fn invite(&self) -> Invite {
        self.state().invite.clone()
    }

    /// Makes the present invite useless, without a new one in its place.
    pub(crate) fn expire_invite(&self) {
        self.state().invite.expired = true;
    }

    /// After how many seconds messages disappear; 0: they stay.
    pub(crate) fn timer(&self) -> u32 {
        self.state().ephemeral
    }

    /// Lets no more than so many in. Whoever is in stays.
    pub(crate) fn limit_members(&self, most: usize) {
        self.state().most_members = Some(most);
    }

    /// Refuses the next who would change something, each with the next of these codes; 0 is none.
    pub(crate) fn refuse(&self, codes: Vec<u16>) {
        self.state().refusals = codes.into();
    }

    /// Whether this change is refused.
    pub(crate) fn refuses(&self) -> Option<u16> {
        self.state().refusals.pop_front().filter(|code| *code != 0)
    }

    /// Whoever made it.
    pub(crate) fn creator(&self) -> &Arc<Account> {
        &self.creator
    }

    /// The group as the admin API shows it.
    pub(crate) fn show(&self) -> GroupView {
        let state = self.state();
        let members = state.members.iter().map(|member| MemberView {
            phone: Arc::clone(member.account.phone_number()),
            jid: member.account.jid(Server::Pn).to_string(),
            lid: member.account.jid(Server::Lid).to_string(),
            role: member.role,
        });
        GroupView {
            jid: self.jid().to_string(),
            subject: state.subject.text.clone(),
            description: state.description.as_ref().map(|text| text.text.clone()),
            creator: self.creator.jid(Server::Pn).to_string(),
            addressing: self.addressing(),
            announce: state.announce,
            locked: state.locked,
            approval: state.approval,
            asking: state
                .asking
                .iter()
                .map(|account| Arc::clone(account.phone_number()))
                .collect(),
            created_at: self.created_at,
            invite: InviteView {
                link: format!("https://chat.whatsapp.com/{}", state.invite.code),
                code: state.invite.code.clone(),
                expired: state.invite.expired,
            },
            members: members.collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.most_members
            .is_some_and(|most| self.members.len() >= most)
    }

    fn is_asking(&self, account: &Account) -> bool {
        let mut asking = self.asking.iter();
        asking.any(|one| one.phone_number() == account.phone_number())
    }

    fn member(&self, account: &Account) -> Option<&Member> {
        let mut members = self.members.iter();
        members.find(|member| member.account.phone_number() == account.phone_number())
    }

    fn member_mut(&mut self, account: &Account) -> Option<&mut Member> {
        let mut members = self.members.iter_mut();
        members.find(|member| member.account.phone_number() == account.phone_number())
    }
}

impl Invite {
    fn new() -> Self {
        let mut rng = rand::rng();
        let letter = |_| char::from(CODE_ALPHABET[rng.random_range(0..CODE_ALPHABET.len())]);
        Self {
            code: (0..CODE_LENGTH).map(letter).collect(),
            expired: false,
        }
    }
}

/// An id such as WhatsApp gives to groups.
fn group_id(world: &World) -> Arc<str> {
    format!("120363{:012}", world.next_number()).into()
}

fn now() -> u64 {
    clock::now_secs()
}
