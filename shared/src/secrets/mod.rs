//! Secrets at rest: what Redis keeps encrypted, and the keys that encrypt it.
//!
//! A [`Keyring`] holds the keys of the configuration (`[secrets]`). The active one encrypts, all of
//! them decrypt, so that a key is replaced without a pause: add the new one and make it active, and
//! what the old one sealed is sealed again as it is met ([`Keyring::needs_reseal`]) or by whoever
//! sweeps over it. What is large or written often is sealed by a [`DataKey`] of its own, which the
//! keyring seals (an *envelope*): replacing a key of the configuration then rewrites the data key
//! alone.
//!
//! Every sealing is bound to a *context*, a text that says what the secret is and where it belongs
//! (`webhook:org_…:wh_…`). Whoever may write to Redis can therefore not make the gateway decrypt one
//! tenant's secret in the place of another's: opening under another context fails.
//!
//! # Form
//! AES-256-GCM (`ring`). The key of each sealing is derived from the key of the ring and a random
//! 16-byte salt with HKDF-SHA-256, so there is no bound on how often one key may seal that anybody
//! will reach. Sealed bytes are: four bytes that name the form, for a keyring the length and the
//! text of the key's id, the salt, the ciphertext with its tag. All but the salt is authenticated
//! as associated data together with the context; the salt by the key it derives.

mod cipher;
mod data_key;
mod error;
mod key;
mod keyring;

pub use data_key::DataKey;
pub use error::{KeyringError, OpenError, SealError};
pub use key::{KeyId, SecretKey};
pub use keyring::Keyring;
