//! The end of every pairing: the phone vouches, the companion countersigns, and
//! the account has a new device.

use std::sync::Arc;
use std::time::Duration;

use buffa::Message as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, Server};
use waproto::whatsapp::ClientPairingProps;

use super::Candidate;
use crate::accounts::{Account, DeviceAddress};
use crate::adv;
use crate::clock;
use crate::devices::{self, Change, Device};
use crate::error::PairingError;
use crate::peer;
use crate::prekeys::PreKeys;
use crate::world::World;

/// How long a client may take to countersign.
const COUNTERSIGN_SECS: u64 = 20;

/// Clients settle their pairing state after they sent their signature. One that
/// is told to reconnect before that reconnects twice; nothing on the wire tells
/// when it has, so the server waits as the real one does.
const BEFORE_RESTART: Duration = Duration::from_millis(100);

/// A companion that was just linked.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) device: DeviceAddress,
}

/// Links `candidate` to `account`: sends `pair-success`, waits for the
/// companion's signature, adds the device and tells the client to log in.
pub(crate) async fn complete(
    world: &Arc<World>,
    candidate: &Arc<Candidate>,
    account: &Arc<Account>,
    adv_secret: &[u8],
    lid_addressing: bool,
) -> Result<Linked, PairingError> {
    if world.versions.never_links(candidate.registration.version) {
        return Err(PairingError::CouldNotLink);
    }
    let id = account.reserve_device();
    let key_index = u32::from(id);
    let address = DeviceAddress {
        account: Arc::clone(account),
        device: id,
    };
    let identity = adv::seal_device_identity(
        account.phone.identity(),
        &candidate.registration.identity,
        adv_secret,
        key_index,
        clock::now_secs(),
    )?;

    let iq = world.stanza_id();
    let answer = candidate.expect_answer(iq.clone());
    candidate
        .link
        .send(&pair_success(&iq, &address, identity, lid_addressing));
    let identity_proof =
        match tokio::time::timeout(Duration::from_secs(COUNTERSIGN_SECS), answer).await {
            Ok(Ok(identity_proof)) => identity_proof,
            Ok(Err(_)) => return Err(PairingError::ClientLeft),
            Err(_) => return Err(PairingError::Timeout(COUNTERSIGN_SECS)),
        };

    let registration = &candidate.registration;
    let prekeys = PreKeys::new(
        registration.registration_id,
        registration.identity,
        registration.signed.clone(),
    );
    let device = Arc::new(Device::new(
        id,
        key_index,
        candidate.noise_key,
        identity_proof,
        prekeys,
        registration.listed.clone(),
    ));
    peer::write_push_name(account);
    account.set_lid_addressing(lid_addressing);
    account.link(Arc::clone(&device))?;
    world.desk.forget(candidate);
    devices::announce(world, account, &device, Change::Added);
    tracing::info!(device = id, lid_addressing, "a companion was linked");

    let link = Arc::clone(&candidate.link);
    tokio::spawn(async move {
        tokio::time::sleep(BEFORE_RESTART).await;
        link.send(&NodeBuilder::new("stream:error").attr("code", "515").build());
        link.close();
    });
    Ok(Linked { device: address })
}

fn pair_success(id: &str, device: &DeviceAddress, identity: Vec<u8>, lid: bool) -> Node {
    let props = ClientPairingProps {
        is_chat_db_lid_migrated: Some(lid),
        ..Default::default()
    };
    NodeBuilder::new("iq")
        .attr("from", Jid::new("", Server::Pn))
        .attr("type", "set")
        .attr("id", id)
        .attr("xmlns", "md")
        .attr("t", clock::now_secs())
        .children([NodeBuilder::new("pair-success")
            .children([
                NodeBuilder::new("device-identity").bytes(identity).build(),
                NodeBuilder::new("device")
                    .attr("jid", device.jid(Server::Pn))
                    .attr("lid", device.jid(Server::Lid))
                    .build(),
                NodeBuilder::new("platform").attr("name", "android").build(),
                NodeBuilder::new("client-props")
                    .bytes(props.encode_to_vec())
                    .build(),
            ])
            .build()])
        .build()
}
