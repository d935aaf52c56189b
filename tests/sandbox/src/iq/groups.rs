//! Queries about groups (`w:g2`).

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Jid, Node, NodeRef, Server};

use super::Answer;
use crate::accounts::Account;
use crate::client::Session;
use crate::groups::{self, Group, Invite, Joined, MemberChange, NotJoined, Role, Update};

const FORBIDDEN: Answer = Answer::Error(403, "forbidden");
const CONFLICT: Answer = Answer::Error(409, "conflict");
/// Nobody with this number is there.
const NOT_ON_WHATSAPP: u16 = 404;

/// What asks for something: whoever asks, and about which group.
struct Asked<'a> {
    session: &'a Session,
    account: &'a Arc<Account>,
    group: Arc<Group>,
}

/// Answers a query to the server of groups, or about one group.
pub(super) fn handle(session: &Session, query: &NodeRef<'_>, set: bool) -> Answer {
    let Some(child) = query.children().and_then(|children| children.first()) else {
        return Answer::BAD_REQUEST;
    };
    let to = query.get_attr("to").and_then(ValueRef::to_jid);
    match to.filter(|to| !to.user.is_empty()) {
        None => of_the_server(session, child, set),
        Some(to) => match session.world.groups.get(&to) {
            None => Answer::NOT_FOUND,
            Some(group) => {
                let account = &session.address.account;
                let asked = Asked {
                    session,
                    account,
                    group,
                };
                if set {
                    asked.set(child)
                } else {
                    asked.get(child)
                }
            }
        },
    }
}

fn of_the_server(session: &Session, child: &NodeRef<'_>, set: bool) -> Answer {
    let (world, account) = (&session.world, &session.address.account);
    match (&*child.tag, set) {
        ("create", true) => create(session, child),
        ("leave", true) => {
            let left = child.get_children_by_tag("group").map(|group| {
                let jid = group.get_attr("id").and_then(ValueRef::to_jid);
                let group = jid.and_then(|jid| world.groups.get(&jid));
                let left = group.filter(|group| groups::leave(world, group, account));
                left.map(|group| NodeBuilder::new("group").attr("id", group.jid()).build())
            });
            match left.collect::<Option<Vec<Node>>>() {
                Some(left) => {
                    Answer::Result(vec![NodeBuilder::new("leave").children(left).build()])
                }
                None => Answer::NOT_FOUND,
            }
        }
        ("invite", set) => {
            let code = child.get_attr("code").map(ValueRef::as_str);
            let code = code.unwrap_or_default();
            let answer = if set {
                groups::join(world, &code, account).map(|joined| {
                    let (tag, group) = match joined {
                        Joined::In(group) => ("group", group),
                        Joined::Asking(group) => ("membership_approval_request", group),
                    };
                    NodeBuilder::new(tag).attr("jid", group.jid()).build()
                })
            } else {
                groups::invited(world, &code).map(|group| group.node(false))
            };
            match answer {
                Ok(answer) => Answer::Result(vec![answer]),
                Err(NotJoined::Unknown) => Answer::Error(406, "not-acceptable"),
                Err(NotJoined::Gone) => Answer::Error(410, "gone"),
                Err(NotJoined::Member) => CONFLICT,
                Err(NotJoined::Banned) => Answer::Error(405, "not-allowed"),
                Err(NotJoined::Refused(code)) => Answer::Error(code, "refused"),
                Err(NotJoined::Full) => Answer::Error(419, "resource-limit"),
            }
        }
        ("participating", false) => {
            let all = world.groups.all();
            let own = all.iter().filter(|group| group.role(account).is_some());
            let own = own.map(|group| group.node(true));
            Answer::Result(vec![NodeBuilder::new("groups").children(own).build()])
        }
        _ => Answer::NOT_IMPLEMENTED,
    }
}

/// Groups that clients make are LID-addressed, as WhatsApp makes them today.
/// Whom nobody knows is left out.
fn create(session: &Session, child: &NodeRef<'_>) -> Answer {
    let subject = child.get_attr("subject").map(ValueRef::as_str);
    let subject = subject.filter(|subject| !subject.is_empty());
    let Some(subject) = subject else {
        return Answer::BAD_REQUEST;
    };
    let world = &session.world;
    let others = participants(child);
    let others = others.iter().filter_map(|jid| world.accounts.resolve(jid));
    let others: Vec<Arc<Account>> = others.collect();
    let description = child.get_optional_child("description").and_then(|node| {
        let id = node.get_attr("id").map(ValueRef::as_str)?.into_owned();
        Some((
            id,
            node.get_optional_child("body")?
                .content_as_string()?
                .to_string(),
        ))
    });
    let group = groups::create(
        world,
        &session.address.account,
        subject.into_owned(),
        description,
        &others,
        Server::Lid,
    );
    Answer::Result(vec![group.node(true)])
}

fn participants(node: &NodeRef<'_>) -> Vec<Jid> {
    let jids = node.get_children_by_tag("participant");
    jids.filter_map(|participant| participant.get_attr("jid").and_then(ValueRef::to_jid))
        .collect()
}

impl Asked<'_> {
    fn role(&self) -> Option<Role> {
        self.group.role(self.account)
    }

    fn get(&self, child: &NodeRef<'_>) -> Answer {
        match &*child.tag {
            "query" => {
                if self.role().is_none() {
                    return FORBIDDEN;
                }
                let known = child.get_attr("phash").map(ValueRef::as_str);
                if known.is_some() && known.as_deref() == self.group.member_hash().as_deref() {
                    return Answer::EMPTY;
                }
                Answer::Result(vec![self.group.node(true)])
            }
            "invite" => self.as_admin(|| invite(&self.group.invite())),
            _ => Answer::NOT_IMPLEMENTED,
        }
    }

    fn set(&self, child: &NodeRef<'_>) -> Answer {
        if let Some(code) = self.group.refuses() {
            return Answer::Error(code, "refused");
        }
        if let Some(change) = MemberChange::parse(&child.tag) {
            return self.change_members(change, child);
        }
        let text = || child.content_as_string().map(|text| text.to_string());
        let update = match &*child.tag {
            "invite" => {
                return self.as_admin(|| {
                    let world = &self.session.world;
                    invite(&groups::reset_invite(world, &self.group, self.account))
                });
            }
            "subject" => text().map(Update::Subject),
            "description" => return self.describe(child),
            "announcement" => Some(Update::Announce(true)),
            "not_announcement" => Some(Update::Announce(false)),
            "locked" => Some(Update::Locked(true)),
            "unlocked" => Some(Update::Locked(false)),
            "ephemeral" => child
                .get_attr("expiration")
                .and_then(|seconds| seconds.as_str().parse().ok())
                .map(Update::Ephemeral),
            "not_ephemeral" => Some(Update::Ephemeral(0)),
            "membership_approval_mode" => child
                .get_optional_child("group_join")
                .and_then(|join| join.get_attr("state"))
                .map(|state| Update::Approval(state.as_str() == "on")),
            "member_add_mode" => text().map(|mode| Update::AdminAdd(mode == "admin_add")),
            _ => return Answer::NOT_IMPLEMENTED,
        };
        let Some(update) = update else {
            return Answer::BAD_REQUEST;
        };
        let may = match update {
            Update::Subject(_) => self.group.may_edit(self.account),
            _ => self.role() > Some(Role::Member),
        };
        if !may {
            return FORBIDDEN;
        }
        groups::update(&self.session.world, &self.group, self.account, update);
        Answer::EMPTY
    }

    /// `prev` must name the description that is to be replaced.
    fn describe(&self, child: &NodeRef<'_>) -> Answer {
        if !self.group.may_edit(self.account) {
            return FORBIDDEN;
        }
        let attr = |key| child.get_attr(key).map(|value| value.as_str().into_owned());
        if attr("prev") != self.group.description_id() {
            return CONFLICT;
        }
        let body = child.get_optional_child("body");
        let text = body.and_then(NodeRef::content_as_string);
        let update = Update::Description {
            id: attr("id").unwrap_or_default(),
            text: text.map(|text| text.to_string()),
        };
        groups::update(&self.session.world, &self.group, self.account, update);
        Answer::EMPTY
    }

    fn change_members(&self, change: MemberChange, child: &NodeRef<'_>) -> Answer {
        let may = match change {
            MemberChange::Add => self.group.may_add(self.account),
            _ => self.role() > Some(Role::Member),
        };
        if !may {
            return FORBIDDEN;
        }
        let world = &self.session.world;
        let results = participants(child).into_iter().map(|jid| {
            let Some(account) = world.accounts.resolve(&jid) else {
                return result(&jid, Some(NOT_ON_WHATSAPP));
            };
            let accounts = [Arc::clone(&account)];
            let outcome =
                groups::change_members(world, &self.group, self.account, change, &accounts);
            let namespace = self.group.namespace();
            let mut node = result(
                &account.jid(namespace),
                outcome.into_iter().next().flatten(),
            );
            if namespace == Server::Lid {
                node.attrs.insert("phone_number", account.jid(Server::Pn));
            }
            node
        });
        let results: Vec<Node> = results.collect();
        Answer::Result(vec![
            NodeBuilder::new(change.tag()).children(results).build(),
        ])
    }

    fn as_admin(&self, answer: impl FnOnce() -> Answer) -> Answer {
        if self.role() > Some(Role::Member) {
            answer()
        } else {
            FORBIDDEN
        }
    }
}

fn result(jid: &Jid, error: Option<u16>) -> Node {
    let node = NodeBuilder::new("participant").attr("jid", jid);
    match error {
        Some(code) => node.attr("error", code),
        // Some clients read the one, some the other.
        None => node.attr("code", 200).attr("type", 200),
    }
    .build()
}

fn invite(invite: &Invite) -> Answer {
    let invite = NodeBuilder::new("invite").attr("code", invite.code.as_str());
    Answer::Result(vec![invite.build()])
}
