//! Linking by QR code: a phone scans what the client shows.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::success::{self, Linked};
use crate::error::PairingError;
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

/// A phone scans `code`. The account is made if it is unknown; without a phone
/// number it gets a free one.
pub(crate) async fn scan(
    world: &Arc<World>,
    code: &str,
    phone_number: Option<&str>,
    lid_addressing: bool,
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
    let phone_number = match phone_number {
        Some(number) => number.to_owned(),
        None => world.accounts.free_number(),
    };
    let account = world.accounts.open(&phone_number, None)?;
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
