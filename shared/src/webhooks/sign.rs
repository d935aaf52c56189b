//! Signatures, to the letter of Standard Webhooks 1.0.0, and beside them the headers of the system
//! that this one takes over from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA256, HMAC_SHA512, Key, sign as hmac};

use super::secret::Secrets;
use crate::clock::Millis;

/// The headers that a delivery is signed with: names in lower case, and their values.
pub type SignedHeaders = [(&'static str, String); 7];

/// Signs a body. `id` is the same for every attempt, `now` is the moment of this one.
///
/// The content that `webhook-signature` signs is `id.timestamp.body`, with the timestamp in
/// seconds; `x-webhook-hmac` is of the body alone, by the text of the present secret.
#[must_use]
pub fn sign(secrets: &Secrets, id: &str, now: Millis, body: &[u8]) -> SignedHeaders {
    let seconds = now.div_euclid(1_000).to_string();
    let mut content = Vec::with_capacity(id.len() + seconds.len() + 2 + body.len());
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        content.extend_from_slice(part);
    }
    let signatures: Vec<String> = secrets
        .at(now)
        .map(|secret| {
            let key = Key::new(HMAC_SHA256, &secret.key());
            format!("v1,{}", STANDARD.encode(hmac(&key, &content)))
        })
        .collect();
    let legacy = Key::new(HMAC_SHA512, secrets.present.reveal().as_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signatures.join(" ")),
        ("x-webhook-request-id", id.to_owned()),
        ("x-webhook-timestamp", now.to_string()),
        ("x-webhook-hmac", hex::encode(hmac(&legacy, body))),
        ("x-webhook-hmac-algorithm", "sha512".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // From the specification's reference libraries: secret, id, timestamp, body, signature.
        let secrets: Secrets = serde_json::from_str(
            r#"{"present":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","former":null}"#,
        )
        .unwrap();
        let headers = sign(
            &secrets,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330_999,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(headers[1].1, "1614265330");
        assert_eq!(
            headers[2].1,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
