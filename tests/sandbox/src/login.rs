//! Who a client is: what its payload says, and whether it may come in.

use std::collections::BTreeMap;
use std::sync::Arc;

use buffa::Message as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, Server};
use waproto::whatsapp::{ClientPayload, DeviceProps};

use crate::accounts::DeviceAddress;
use crate::clock;
use crate::devices::Device;
use crate::link::Link;
use crate::pairing::{Listed, Registration};
use crate::prekeys::{SignedPreKey, fixed, number};
use crate::versions::Version;
use crate::world::World;

/// What a client wants.
pub(crate) enum Purpose {
    /// To be linked to a phone.
    Register(Registration),
    /// To come in as a companion that was linked before.
    Login { phone_number: String, device: u16 },
}

impl Purpose {
    /// Reads the payload of the handshake.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let payload = ClientPayload::decode_from_slice(payload).ok()?;
        if let Some(username) = payload.username {
            let device = u16::try_from(payload.device.unwrap_or_default()).ok()?;
            return Some(Self::Login {
                phone_number: username.to_string(),
                device,
            });
        }
        let version = announced(&payload);
        let data = payload.device_pairing_data.into_option()?;
        Some(Self::Register(Registration {
            version,
            registration_id: number(data.e_regid.as_deref())?,
            identity: fixed(data.e_ident.as_deref())?,
            signed: SignedPreKey {
                id: number(data.e_skey_id.as_deref())?,
                value: fixed(data.e_skey_val.as_deref())?,
                signature: fixed(data.e_skey_sig.as_deref())?,
            },
            push_name: payload.push_name.filter(|name| !name.is_empty()),
            listed: listed(data.device_props.as_deref().unwrap_or_default()),
        }))
    }
}

/// How a phone lists a device that says this of itself.
fn listed(props: &[u8]) -> Listed {
    let Ok(props) = DeviceProps::decode_from_slice(props) else {
        return Listed::default();
    };
    let platform = props.platform_type;
    Listed {
        name: props.os.unwrap_or_default(),
        platform: platform.map_or_else(String::new, |platform| {
            format!("{platform:?}").to_lowercase()
        }),
    }
}

/// The version that a client says it is, whatever it wants.
pub(crate) fn version(payload: &[u8]) -> Version {
    let payload = ClientPayload::decode_from_slice(payload);
    payload.map_or_else(|_| Version::default(), |payload| announced(&payload))
}

fn announced(payload: &ClientPayload) -> Version {
    let agent = payload.user_agent.as_option();
    let version = agent.and_then(|agent| agent.app_version.as_option());
    version.map_or_else(Version::default, |version| {
        let part = |part: Option<u32>| part.unwrap_or_default();
        Version([
            part(version.primary),
            part(version.secondary),
            part(version.tertiary),
        ])
    })
}

/// Why a login is refused: what the `<failure>` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: u16,
    /// Further attributes, such as the `code` and `expire` of a ban.
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Refusal {
    /// The companion is not linked (any more).
    pub(crate) const LOGGED_OUT: Self = Self {
        reason: 401,
        attributes: BTreeMap::new(),
    };

    /// The client is too old.
    pub(crate) const OUTDATED: Self = Self {
        reason: 405,
        attributes: BTreeMap::new(),
    };

    pub(crate) fn node(&self) -> Node {
        let mut node = NodeBuilder::new("failure")
            .attr("reason", self.reason)
            .attr("location", "sandbox")
            .build();
        for (key, value) in &self.attributes {
            node.attrs.insert(key.clone(), value.as_str());
        }
        node
    }
}

/// Lets a companion in: checks its key, replaces its older connection and
/// greets it. Its queue waits until it asks.
pub(crate) fn enter(
    world: &World,
    link: &Arc<Link>,
    noise_key: &[u8; 32],
    phone_number: &str,
    device: u16,
) -> Result<(DeviceAddress, Arc<Device>), Refusal> {
    let account = world
        .accounts
        .by_phone(phone_number)
        .ok_or(Refusal::LOGGED_OUT)?;
    let companion = account.companion(device).ok_or(Refusal::LOGGED_OUT)?;
    if companion.noise_key != *noise_key {
        return Err(Refusal::LOGGED_OUT);
    }
    if let Some(refusal) = account.refuses() {
        return Err(refusal);
    }
    let address = DeviceAddress { account, device };
    if let Some(older) = companion.mailbox.attach(Arc::clone(link)) {
        older.send(&conflict("replaced"));
        older.close();
    }
    link.send(
        &NodeBuilder::new("success")
            .attr("t", clock::now_secs())
            .attr("props", 1)
            .attr("lid", address.jid(Server::Lid))
            .attr("display_name", &*address.account.name())
            .attr("creation", clock::now_secs())
            .attr("location", "sandbox")
            .build(),
    );
    Ok((address, companion))
}

/// The `<stream:error>` that ends a connection for good: `replaced` by another
/// one, or `device_removed`.
pub(crate) fn conflict(kind: &'static str) -> Node {
    let error = NodeBuilder::new("stream:error");
    let error = if kind == "device_removed" {
        error.attr("code", 401)
    } else {
        error
    };
    error
        .children([NodeBuilder::new("conflict").attr("type", kind).build()])
        .build()
}
