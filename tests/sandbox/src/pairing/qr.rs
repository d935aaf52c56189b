//! Linking by QR code: a phone scans what the client shows.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::passkey;
use super::success::{self, Linked};
use crate::error::PairingError;
use crate::peer;
use crate::world::World;

/// What a QR code says: `reference,noise key,identity key,secret,platform`,
/// with or without the address that phone cameras open.
struct QrCode<'a> {
    reference: &'a str,
    noise_key: Vec<u8>,
    identity: Vec<u8>,
    secret: Vec<u8>,
}

impl<'a> QrCode<'a> {
    fn parse(code: &'a str) -> Result<Self, PairingError> {
        let body = code.trim();
        let body = body.rsplit_once('#').map_or(body, |(_, body)| body);
        let fields: Vec<&str> = body.split(',').collect();
        let &[reference, noise_key, identity, secret, ..] = fields.as_slice() else {
            return Err(PairingError::BadCode(format!(
                "a QR code has at least 4 fields separated by commas, this has {}",
                fields.len()
            )));
        };
        let key = |name: &str, field: &str| match BASE64_STANDARD.decode(field) {
            Ok(key) if key.len() == 32 => Ok(key),
            _ => Err(PairingError::BadCode(format!(
                "the {name} is not 32 bytes in base64"
            ))),
        };
        Ok(Self {
            reference,
            noise_key: key("noise key", noise_key)?,
            identity: key("identity key", identity)?,
            secret: key("secret", secret)?,
        })
    }
}

/// Whose phone scans a code.
#[derive(Debug)]
pub(crate) enum Scanner<'a> {
    /// The phone with this number. The account is made if it is unknown.
    Phone(&'a str),
    /// A new one, with a free number.
    New,
    /// One phone for all clients that give the same push name; a new one for
    /// those that give none.
    PushName,
}

/// How a phone links the client that shows a code.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) scanner: Scanner<'a>,
    /// Whether the account's chats are LID-addressed.
    pub(crate) lid_addressing: bool,
    /// The phone is switched off as soon as it has scanned.
    pub(crate) asleep: bool,
}

/// A phone scans `code`.
pub(crate) async fn scan(
    world: &Arc<World>,
    code: &str,
    scan: Scan<'_>,
) -> Result<Linked, PairingError> {
    let code = QrCode::parse(code)?;
    let candidate = world
        .desk
        .by_reference(code.reference)
        .ok_or(PairingError::UnknownCode)?;
    if candidate.noise_key != *code.noise_key || candidate.registration.identity != *code.identity {
        return Err(PairingError::BadCode(
            "the keys are not those of the client that shows this code".to_owned(),
        ));
    }
    let push_name = candidate.registration.push_name.as_deref();
    let free_number = || world.accounts.free_number();
    let (phone_number, name): (Arc<str>, _) = match (scan.scanner, push_name) {
        (Scanner::Phone(number), _) => (number.into(), None),
        (Scanner::PushName, Some(name)) => (world.desk.by_push_name(name, free_number), Some(name)),
        (Scanner::New | Scanner::PushName, _) => (free_number().into(), None),
    };
    let account = world.accounts.open(&phone_number, name)?;
    if scan.asleep {
        peer::set_asleep(world, &account, true);
    }
    let lid_addressing = scan.lid_addressing;
    if world.conducts.wants_passkey(&phone_number) {
        passkey::begin(world, &candidate, &account, lid_addressing);
        return Err(PairingError::PasskeyWanted);
    }
    success::complete(world, &candidate, &account, &code.secret, lid_addressing).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(reference: &str) -> String {
        let key = BASE64_STANDARD.encode([7_u8; 32]);
        format!("{reference},{key},{key},{key},1")
    }

    #[test]
    fn reads_both_forms() {
        let plain = code("2@abc");
        assert_eq!(QrCode::parse(&plain).unwrap().reference, "2@abc");
        let link = format!("https://wa.me/settings/linked_devices#{plain}\n");
        let parsed = QrCode::parse(&link).unwrap();
        assert_eq!(parsed.reference, "2@abc");
        assert_eq!(parsed.secret, [7; 32]);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |code: &str| match QrCode::parse(code) {
            Err(PairingError::BadCode(reason)) => reason,
            other => panic!("{}", other.is_ok()),
        };
        assert!(error("hello").contains("this has 1"));
        assert!(error("a,b,c,d").contains("noise key"));
    }
}
