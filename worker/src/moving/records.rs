//! Keys and addresses in the forms of whatsapp-rust.

use wacore::libsignal::protocol::{KeyPair, PrivateKey, PublicKey};
use wacore::store::Device;
use wacore::types::jid::JidExt;
use wacore_binary::{Jid, Server};

use super::MovingError;
use super::sqlite::Row;

/// A public key of 32 bytes, or of 33 with its type in front.
pub(super) fn public_key(bytes: &[u8]) -> Option<PublicKey> {
    match bytes.len() {
        32 => PublicKey::from_djb_public_key_bytes(bytes).ok(),
        33 => PublicKey::deserialize(bytes).ok(),
        _ => None,
    }
}

/// The pair of a private key.
pub(super) fn key_pair(private: &[u8]) -> Option<KeyPair> {
    if private.len() != 32 {
        return None;
    }
    let private = PrivateKey::deserialize(private).ok()?;
    let public = private.public_key().ok()?;
    Some(KeyPair::new(public, private))
}

/// A person's device by the names that libsignal's JavaScript gives it: the domain is 0 for
/// numbers, 1 for LIDs, 128 and 129 for the hosted ones of either.
pub(super) fn jid(user: &str, domain: u32, device: u16) -> Option<Jid> {
    let server = match domain {
        0 => Server::Pn,
        1 => Server::Lid,
        128 => Server::Hosted,
        129 => Server::HostedLid,
        _ => return None,
    };
    let plain = !user.is_empty()
        && user.len() <= 64
        && user
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
    plain.then(|| {
        let mut jid = Jid::new(user, server);
        jid.device = device;
        jid
    })
}

/// The domain of a server in the same names.
pub(super) fn domain(server: Server) -> Option<u32> {
    Some(match server {
        Server::Pn | Server::Legacy => 0,
        Server::Lid => 1,
        Server::Hosted => 128,
        Server::HostedLid => 129,
        _ => return None,
    })
}

/// The address under which whatsapp-rust keeps what it agreed on with a device.
pub(super) fn address(jid: &Jid) -> String {
    jid.to_protocol_address_string()
}

/// The device behind such an address.
pub(super) fn parse_address(address: &str) -> Option<Jid> {
    let name = address.strip_suffix(".0")?;
    let jid: Jid = name.parse().ok()?;
    Some(match jid.server {
        Server::Legacy => Jid {
            server: Server::Pn,
            ..jid
        },
        _ => jid,
    })
}

/// Reads the keys of a device from the columns 3 to 8 that both programs list alike, and checks that they
/// belong together. `pair` reads a pair in the form of the one program.
pub(super) fn own_keys(
    row: &Row<'_>,
    device: &mut Device,
    pair: impl Fn(usize) -> Result<KeyPair, MovingError>,
) -> Result<(), MovingError> {
    device.noise_key = pair(3)?;
    device.identity_key = pair(4)?;
    device.signed_pre_key = pair(5)?;
    device.signed_pre_key_id = row.number(6)?;
    device.signed_pre_key_signature = row.array::<64>(7)?;
    let message = device.signed_pre_key.public_key.serialize();
    let own = &device.identity_key.public_key;
    if !own.verify_signature(&message, &device.signed_pre_key_signature) {
        return Err(row.error(7, "is not made by identity_key"));
    }
    device.adv_secret_key = row.array::<32>(8)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_there_and_back() {
        for (user, domain, device, text) in [
            ("15550000001", 0, 0, "15550000001@c.us.0"),
            ("15550000001", 0, 3, "15550000001:3@c.us.0"),
            ("100000012345", 1, 0, "100000012345@lid.0"),
            ("100000012345", 1, 7, "100000012345:7@lid.0"),
        ] {
            let jid = jid(user, domain, device).unwrap();
            assert_eq!(address(&jid), text);
            assert_eq!(parse_address(text), Some(jid.clone()), "{text}");
            assert_eq!(super::domain(jid.server), Some(domain));
        }
        assert!(jid("../../etc", 0, 0).is_none());
        assert!(jid("1", 7, 0).is_none());
    }
}
