//! Groups on the wire: what queries are answered with, and the notifications
//! (`w:gp2`) that tell of changes. The shapes are those that whatsapp-rust reads
//! in `wacore::iq::groups` and `wacore::stanza::groups`.

use std::sync::Arc;

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, Server};

use super::{Group, Member, Role, Text};
use crate::accounts::{Account, opposite};
use crate::clock;
use crate::mailbox::Class;
use crate::world::World;

impl Group {
    /// `<group>`: everything about it, with its members unless they are not to
    /// be told.
    pub(crate) fn node(&self, with_members: bool) -> Node {
        let state = self.state();
        let mut children = Vec::new();
        if with_members {
            children.extend(state.members.iter().map(|member| participant(self, member)));
        }
        if let Some(text) = &state.description {
            let body = NodeBuilder::new("body").string_content(text.text.as_str());
            let node = NodeBuilder::new("description")
                .attr("id", text.id.as_str())
                .attr("participant", text.by.jid(self.namespace))
                .attr("t", text.at)
                .children([body.build()]);
            children.push(node.build());
        }
        if state.locked {
            children.push(NodeBuilder::new("locked").build());
        }
        if state.announce {
            children.push(NodeBuilder::new("announcement").build());
        }
        children.push(add_mode(state.admin_add));
        if state.approval {
            children.push(approval_mode(true));
        }
        if state.ephemeral > 0 {
            children.push(ephemeral(state.ephemeral));
        }
        let mut node = NodeBuilder::new("group")
            .attr("id", &*self.id)
            .attr("subject", state.subject.text.as_str())
            .attr("creation", self.created_at)
            .attr("creator", self.creator.jid(self.namespace))
            .attr("s_t", state.subject.at)
            .attr("s_o", state.subject.by.jid(self.namespace))
            .attr("size", state.members.len())
            .attr("addressing_mode", self.addressing());
        if self.namespace == Server::Lid {
            node = node
                .attr("creator_pn", self.creator.jid(Server::Pn))
                .attr("s_o_pn", state.subject.by.jid(Server::Pn));
        }
        node.children(children).build()
    }

    /// The hash by which a client says which members it knows.
    pub(crate) fn member_hash(&self) -> Option<String> {
        let members = self.members();
        let members = members
            .iter()
            .map(|member| member.account.jid(self.namespace));
        let members: Vec<Jid> = members.collect();
        MessageUtils::participant_list_hash(&members).ok()
    }
}

fn participant(group: &Group, member: &Member) -> Node {
    let named = NodeBuilder::new("participant").attr("jid", member.account.jid(group.namespace));
    let other = member.account.jid(opposite(group.namespace));
    let named = if group.namespace == Server::Lid {
        named.attr("phone_number", other)
    } else {
        named.attr("lid", other)
    };
    match member.role {
        Role::Member => named,
        Role::Admin => named.attr("type", "admin"),
        Role::SuperAdmin => named.attr("type", "superadmin"),
    }
    .build()
}

/// Tells every companion of these people what somebody did.
pub(super) fn tell(
    world: &Arc<World>,
    group: &Group,
    by: &Account,
    emitted: &[Member],
    child: Node,
) {
    let id = world.stanza_id();
    let other = if group.namespace == Server::Lid {
        "participant_pn"
    } else {
        "participant_lid"
    };
    let node = NodeBuilder::new("notification")
        .attr("from", group.jid())
        .attr("type", "w:gp2")
        .attr("id", id.as_str())
        .attr("participant", by.jid(group.namespace))
        .attr(other, by.jid(opposite(group.namespace)))
        .attr("addressing_mode", group.addressing())
        .attr("notify", &*by.name())
        .attr("t", clock::now_secs())
        .children([child])
        .build();
    for companion in emitted
        .iter()
        .flat_map(|member| member.account.companions())
    {
        companion
            .mailbox
            .deliver(Class::Notification, &id, "", &node);
    }
}

pub(super) fn created(group: &Group) -> Node {
    NodeBuilder::new("create")
        .attr("type", "new")
        .children([group.node(true)])
        .build()
}

pub(super) fn subject(group: &Group, subject: &Text) -> Node {
    NodeBuilder::new("subject")
        .attr("subject", subject.text.as_str())
        .attr("s_o", subject.by.jid(group.namespace))
        .attr("s_t", subject.at)
        .build()
}

pub(super) fn description(id: &str, text: Option<&str>) -> Node {
    let child = match text {
        Some(text) => NodeBuilder::new("body").string_content(text).build(),
        None => NodeBuilder::new("delete").build(),
    };
    NodeBuilder::new("description")
        .attr("id", id)
        .children([child])
        .build()
}

pub(super) fn flag(on: bool, set: &'static str, unset: &'static str) -> Node {
    NodeBuilder::new(if on { set } else { unset }).build()
}

pub(super) fn add_mode(admins_only: bool) -> Node {
    let mode = if admins_only {
        "admin_add"
    } else {
        "all_member_add"
    };
    NodeBuilder::new("member_add_mode")
        .string_content(mode)
        .build()
}

pub(super) fn approval_mode(on: bool) -> Node {
    let state = if on { "on" } else { "off" };
    let child = NodeBuilder::new("group_join").attr("state", state);
    NodeBuilder::new("membership_approval_mode")
        .children([child.build()])
        .build()
}

pub(super) fn ephemeral(seconds: u32) -> Node {
    if seconds == 0 {
        return NodeBuilder::new("not_ephemeral").build();
    }
    NodeBuilder::new("ephemeral")
        .attr("expiration", seconds)
        .build()
}

/// Somebody who followed an invite waits to be let in.
pub(super) fn requested(group: &Group, account: &Account) -> Node {
    let mut user = NodeBuilder::new("requested_user").attr("jid", account.jid(group.namespace));
    if group.namespace == Server::Lid {
        user = user.attr("phone_number", account.jid(Server::Pn));
    }
    NodeBuilder::new("created_membership_requests")
        .attr("request_method", "invite_link")
        .children([user.build()])
        .build()
}

/// Somebody is not let in.
pub(super) fn rejected(group: &Group, account: &Account) -> Node {
    let user = NodeBuilder::new("participant").attr("jid", account.jid(group.namespace));
    NodeBuilder::new("revoked_membership_requests")
        .children([user.build()])
        .build()
}

pub(super) fn members(group: &Group, tag: &'static str, changed: &[Member]) -> Node {
    let changed = changed.iter().map(|member| participant(group, member));
    NodeBuilder::new(tag).children(changed).build()
}

pub(super) fn invite(code: &str) -> Node {
    NodeBuilder::new("invite").attr("code", code).build()
}
