//! What tells whether a repeat with the same idempotency key is the same request.

use gateway_shared::domain::{Content, Jid};
use gateway_shared::lane::IdempotencyKey;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::submit::Times;
use crate::access::IdempotencyScope;

/// The key of a send and the fingerprint of its request: method, path and body. The body counts
/// by its meaning, so the order of fields, white space and the spelling of an address make no
/// difference; nor does `?async`, so that a client may fetch the result of an async send by
/// repeating it synchronously.
pub(super) fn of_send(
    key: &str,
    scope: &IdempotencyScope,
    session: &str,
    to: &Jid,
    content: &Content,
    times: Times,
) -> IdempotencyKey {
    let mut hash = Sha256::new();
    hash.update("POST /sessions/");
    hash.update(session);
    hash.update("/messages\n");
    hash.update(to.as_str());
    hash.update("\n");
    // Content is made of plain structs: it always has a JSON form, always the same one.
    hash.update(serde_json::to_vec(content).unwrap_or_default());
    hash.update(format!(
        "\n{} {}",
        times.send_at,
        times.expires_at.unwrap_or(0)
    ));
    IdempotencyKey {
        hash: scope.hash(key),
        fingerprint: hex::encode(hash.finalize()),
    }
}

/// The key of an operation on a message and the fingerprint of its request: all that its method,
/// path and body say.
pub(super) fn of_operation(key: &str, scope: &IdempotencyScope, request: &Value) -> IdempotencyKey {
    IdempotencyKey {
        hash: scope.hash(key),
        fingerprint: hex::encode(Sha256::digest(request.to_string())),
    }
}
