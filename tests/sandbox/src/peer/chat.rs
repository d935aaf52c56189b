//! The chats that a phone writes in.

use std::sync::Arc;

use wacore_binary::{Jid, Server};

use crate::accounts::Account;
use crate::destination::Destination;
use crate::groups::Group;

/// A chat that a person writes in.
#[derive(Debug, Clone)]
pub(crate) enum Chat {
    /// With one person.
    Person(Arc<Account>),
    /// With everybody in a group.
    Group(Arc<Group>),
}

impl Chat {
    /// As the API names it: people by phone number.
    pub(super) fn name(&self) -> Arc<str> {
        self.destination().chat().to_string().into()
    }

    /// As it is named on the wire.
    pub(super) fn jid(&self) -> Jid {
        match self {
            Self::Person(person) => person.jid(person.namespace()),
            Self::Group(group) => group.jid(),
        }
    }

    /// How people are named in it.
    pub(super) fn namespace(&self) -> Server {
        match self {
            Self::Person(person) => person.namespace(),
            Self::Group(group) => group.namespace(),
        }
    }

    pub(super) fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }

    /// Everybody whom a message in it reaches.
    pub(super) fn destination(&self) -> Destination {
        match self {
            Self::Person(person) => Destination::User {
                account: Arc::clone(person),
            },
            Self::Group(group) => Destination::Group {
                group: Arc::clone(group),
            },
        }
    }
}
