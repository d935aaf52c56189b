//! Request headers that carry meaning.

use axum::http::HeaderMap;

use super::Problems;

/// The header of an idempotency key.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Its greatest length, in characters.
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 1..=255;

/// The request's `Idempotency-Key`: 1 to 255 visible ASCII characters, given at most once.
pub(crate) fn idempotency_key<'a>(
    headers: &'a HeaderMap,
    problems: &mut Problems,
) -> Option<&'a str> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = values.next()?;
    if values.next().is_some() {
        problems.add("Idempotency-Key", "must be given once");
        return None;
    }
    if !is_idempotency_key(value.as_bytes()) {
        problems.add(
            "Idempotency-Key",
            "must have 1 to 255 visible ASCII characters",
        );
        return None;
    }
    value.to_str().ok()
}

/// Whether these bytes are an idempotency key: 1 to 255 visible ASCII characters.
pub(crate) fn is_idempotency_key(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic) && KEY_LENGTH.contains(&bytes.len())
}
