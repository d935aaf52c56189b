//! Where a message goes. The one place that turns the `to` of a message into
//! devices; a new kind of chat is a new variant here.

use std::sync::Arc;

use wacore_binary::{Jid, Server};

use crate::accounts::{Account, DeviceAddress};
use crate::groups::{Group, Role};
use crate::submission::Submission;
use crate::world::World;

/// What a message is addressed to.
#[derive(Debug)]
pub(crate) enum Destination {
    /// A person: all devices of the account and the other devices of the sender.
    User { account: Arc<Account> },
    /// One device: a resend after a retry receipt, or a message among the
    /// devices of one account.
    Device { device: DeviceAddress },
    /// All devices of the members of a group.
    Group { group: Arc<Group> },
    /// One device of a member of a group: a resend.
    GroupDevice {
        group: Arc<Group>,
        device: DeviceAddress,
    },
}

impl Destination {
    /// Finds the destination of a message; none when nobody is there.
    pub(crate) fn resolve(world: &World, submission: &Submission) -> Option<Self> {
        let to = &submission.to;
        let only = || {
            let device = world.accounts.device(&submission.copies.first()?.to)?;
            device.account.has_device(device.device).then_some(device)
        };
        if to.server == Server::Group {
            let group = world.groups.get(to)?;
            return Some(if submission.single_payload {
                let device = only()?;
                Self::GroupDevice { group, device }
            } else {
                Self::Group { group }
            });
        }
        if submission.single_payload {
            return Some(Self::Device { device: only()? });
        }
        let account = world.accounts.resolve(to)?;
        Some(Self::User { account })
    }

    /// The chat, people by phone number.
    pub(crate) fn chat(&self) -> Jid {
        match self {
            Self::User { account } => account.jid(Server::Pn),
            Self::Device { device } => device.account.jid(Server::Pn),
            Self::Group { group } | Self::GroupDevice { group, .. } => group.jid(),
        }
    }

    /// The group, if it is one.
    pub(crate) fn group(&self) -> Option<&Arc<Group>> {
        match self {
            Self::Group { group } | Self::GroupDevice { group, .. } => Some(group),
            Self::User { .. } | Self::Device { .. } => None,
        }
    }

    /// Whether its sender may not say this here: one who is not in the group,
    /// or may not write in it, and one who would revoke somebody else's message
    /// without being an admin. A message that its own author revokes says so,
    /// and only its author's clients can make others believe it.
    pub(crate) fn forbids(&self, submission: &Submission) -> bool {
        let sender = &submission.from.account;
        let Some(group) = self.group() else {
            return submission.revokes_as_admin();
        };
        let admin = group.role(sender) > Some(Role::Member);
        !group.admits(sender) || (submission.revokes_as_admin() && !admin)
    }

    /// Whether a copy of a message from `sender` may go to `device`.
    pub(crate) fn includes(&self, sender: &DeviceAddress, device: &DeviceAddress) -> bool {
        if device.same_as(sender) || !device.account.has_device(device.device) {
            return false;
        }
        match self {
            Self::User { account } => {
                Arc::ptr_eq(account, &device.account)
                    || Arc::ptr_eq(&sender.account, &device.account)
            }
            Self::Device { device: only } => only.same_as(device),
            Self::Group { group } => group.role(&device.account).is_some(),
            Self::GroupDevice {
                group,
                device: only,
            } => only.same_as(device) && group.role(&device.account).is_some(),
        }
    }

    /// The devices that a complete message from `sender` has a copy for. None
    /// when the sender need not know them all.
    pub(crate) fn everyone(&self, sender: &DeviceAddress) -> Option<Vec<DeviceAddress>> {
        let mut devices = match self {
            Self::Device { .. } | Self::GroupDevice { .. } => return None,
            Self::Group { group } => group.devices(),
            Self::User { account } => {
                let mut devices = account.devices();
                if !Arc::ptr_eq(account, &sender.account) {
                    devices.extend(sender.account.devices());
                }
                devices
            }
        };
        devices.retain(|device| !device.same_as(sender));
        Some(devices)
    }
}
