//! Fetching the file of a message from WhatsApp's CDN into the store.
//!
//! It takes no session, only what the message says: so it works for a session that is stopped, and an
//! API does it itself. Constant memory: what comes is decrypted, hashed, encrypted for the store and
//! written, piece by piece; nothing of it can be read by anybody before all of it was verified.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::{Client, Url};

use super::decrypt::Decryptor;
use super::{MediaError, MediaStore, StoredFile, sniff};
use crate::domain::{Download, FileFacts, MediaKind, OrganizationId};

/// How long a host may take to be reached, and to say anything at all.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);
/// The first bytes of a file, by which its type is known.
const HEAD: usize = 8 << 10;

/// Where a file is and how it is decrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// Its path at WhatsApp's hosts.
    pub direct_path: String,
    /// 32 bytes; none where the file is not encrypted.
    pub media_key: Option<Vec<u8>>,
    /// What the keys of its kind are called.
    pub info: &'static str,
    /// SHA-256 of its content.
    pub sha256: Option<Vec<u8>>,
    /// SHA-256 of what the hosts keep.
    pub enc_sha256: Option<Vec<u8>>,
}

impl Reference {
    /// What it takes to fetch a file, as its message says it; `None` where it says too little.
    #[must_use]
    pub fn of(download: &Download) -> Option<Self> {
        let bytes = |text: &Option<String>| match text {
            Some(text) => STANDARD.decode(text).ok().map(Some),
            None => Some(None),
        };
        Some(Self {
            direct_path: download.direct_path.clone()?,
            media_key: bytes(&download.media_key)?,
            info: match download.kind {
                MediaKind::Image => "WhatsApp Image Keys",
                MediaKind::Video => "WhatsApp Video Keys",
                MediaKind::Audio => "WhatsApp Audio Keys",
                MediaKind::Document => "WhatsApp Document Keys",
                MediaKind::StickerPack => "WhatsApp Sticker Pack Keys",
            },
            sha256: bytes(&download.sha256)?,
            enc_sha256: bytes(&download.enc_sha256)?,
        })
    }

    /// Its name in the store: the SHA-256 of its content, as hex.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.sha256.as_ref().map(hex::encode)
    }
}

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The hosts do not take the reference any more: its author's phone has to upload the file again.
    #[error("the reference to the file has expired ({0})")]
    Expired(u16),
    /// No host has the file in a state in which it can be used.
    #[error("no media host gave the file: {0}")]
    Unreachable(String),
    /// It is larger than is fetched.
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    /// The message does not say where it is.
    #[error("the message does not say where its file is")]
    NoReference,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] MediaError),
}

/// What one host answered.
enum Failed {
    Expired(u16),
    Host(String),
    Final(FetchError),
}

impl From<MediaError> for Failed {
    fn from(error: MediaError) -> Self {
        Self::Final(error.into())
    }
}

/// Fetches files. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Fetcher {
    store: MediaStore,
    http: Client,
}

impl Fetcher {
    /// A fetcher into this store.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub fn new(store: MediaStore) -> Result<Self, MediaError> {
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()?;
        Ok(Self { store, http })
    }

    /// Fetches a file; from then on it is in the store for `media.keep_ms`.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(
        &self,
        organization: &OrganizationId,
        reference: &Reference,
    ) -> Result<StoredFile, FetchError> {
        let mut last = "none is configured".to_owned();
        for host in &self.store.config().hosts {
            let Some(url) = address(host, reference) else {
                return Err(FetchError::NoReference);
            };
            match self.from(url, organization, reference).await {
                Ok(file) => return Ok(file),
                // What one host does not take, none does.
                Err(Failed::Expired(status)) => return Err(FetchError::Expired(status)),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Host(problem)) => {
                    tracing::debug!(host, problem, "a media host did not give a file");
                    last = problem;
                }
            }
        }
        Err(FetchError::Unreachable(last))
    }

    async fn from(
        &self,
        url: Url,
        organization: &OrganizationId,
        reference: &Reference,
    ) -> Result<StoredFile, Failed> {
        let broken = |error: reqwest::Error| Failed::Host(error.without_url().to_string());
        let mut response = self.http.get(url).send().await.map_err(broken)?;
        match response.status().as_u16() {
            200 => {}
            status @ (401 | 403 | 404 | 410) => return Err(Failed::Expired(status)),
            status => return Err(Failed::Host(format!("it answered {status}"))),
        }
        let most = self.store.config().fetch_bytes;
        let too_large = || Failed::Final(FetchError::TooLarge(most));
        let announced = response.content_length().unwrap_or_default();
        if announced > most.saturating_add(64) {
            return Err(too_large());
        }
        let forged = |forged: super::decrypt::Forged| Failed::Host(forged.to_string());
        let mut decryptor = match &reference.media_key {
            Some(key) => Some(Decryptor::new(key, reference.info).map_err(forged)?),
            None => None,
        };
        let mut writing = self.store.begin(organization, announced).await?;
        let mut head = Vec::new();
        let received = async {
            while let Some(piece) = response.chunk().await.map_err(broken)? {
                let plain = match &mut decryptor {
                    Some(decryptor) => Bytes::from(decryptor.update(&piece)),
                    None => piece,
                };
                if writing.size() + plain.len() as u64 > most {
                    return Err(too_large());
                }
                head.extend_from_slice(&plain[..plain.len().min(HEAD - head.len())]);
                writing.write(&plain).await?;
            }
            if let Some(decryptor) = decryptor {
                let rest = decryptor
                    .finish(reference.enc_sha256.as_deref())
                    .map_err(forged)?;
                head.extend_from_slice(&rest[..rest.len().min(HEAD - head.len())]);
                writing.write(&rest).await?;
            }
            let hash = writing.sha256_so_far();
            let expected = reference.sha256.as_ref().map(hex::encode);
            if expected.is_some_and(|expected| expected != hash) {
                return Err(forged(super::decrypt::Forged));
            }
            Ok(())
        };
        if let Err(failed) = received.await {
            writing.abandon().await;
            return Err(failed);
        }
        let facts = FileFacts {
            mimetype: sniff(&head),
            ..FileFacts::default()
        };
        let keep = self.store.config().keep_ms;
        let (file, _) = writing.finish(facts, keep, None).await?;
        Ok(file)
    }
}

/// The address of a file at a host. The path comes from whoever wrote the message: it can lead nowhere
/// else.
fn address(host: &str, reference: &Reference) -> Option<Url> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let host = Url::parse(host).ok()?;
    let path = reference.direct_path.as_str();
    let plain = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2_048
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#');
    if !plain {
        return None;
    }
    let mut url = host.join(path).ok()?;
    let token = reference.enc_sha256.as_ref().or(reference.sha256.as_ref());
    if let Some(token) = token {
        url.query_pairs_mut()
            .append_pair("token", &URL_SAFE_NO_PAD.encode(token));
    }
    (url.origin() == host.origin()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_host_and_nowhere_else() {
        let of = |path: &str| {
            let reference = Reference {
                direct_path: path.to_owned(),
                enc_sha256: Some(vec![0xFF, 0xFE]),
                ..Reference::default()
            };
            address("https://mmg.whatsapp.net", &reference).map(String::from)
        };
        assert_eq!(
            of("/v/t62/a.enc?ccb=11-4&oh=01").as_deref(),
            Some("https://mmg.whatsapp.net/v/t62/a.enc?ccb=11-4&oh=01&token=__4")
        );
        for path in [
            "",
            "v/a",
            "//evil.example/a",
            "/\\evil.example/a",
            "https://evil.example/",
            "/a b",
            "/a#b",
        ] {
            assert_eq!(of(path), None, "{path:?}");
        }
    }
}
