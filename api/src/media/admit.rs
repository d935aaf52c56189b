//! From what a request says of a file to what is sent: fetched, looked at, converted, stored.

use std::fs::File;

use gateway_shared::clock::Millis;
use gateway_shared::domain::{FileFacts, FileKind, Media, MediaId, OrganizationId};
use gateway_shared::media::StoredFile;

use super::convert::{self, Conversion, NotConverted};
use super::inspect::{self, Unfit};
use super::receive::{decode, invalid};
use super::{Spool, name, too_large};
use crate::error::{ApiError, Code};
use crate::state::App;

/// How long a file stays beyond the end of the send that needs it: for a last attempt under way.
const GRACE_MS: u64 = 3_600_000;
/// How much is read at once.
const STEP: usize = 256 << 10;

/// Where a file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was handed in before.
    Id(MediaId),
    /// It is fetched from there.
    Url(String),
    /// It is here, as base64.
    Data(String),
}

/// A file as a send names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What it is to be sent as.
    pub(crate) kind: FileKind,
    pub(crate) source: Source,
    pub(crate) mimetype: Option<String>,
    pub(crate) filename: Option<String>,
    pub(crate) caption: Option<String>,
    pub(crate) view_once: bool,
    /// Whether it may be converted.
    pub(crate) convert: bool,
}

impl Wanted {
    /// What the request says, as the content that its fingerprint is made of: the same request is the
    /// same, whatever a URL leads to by then.
    pub(crate) fn as_asked(&self) -> Media {
        use sha2::{Digest, Sha256};
        let source = match &self.source {
            Source::Id(id) => format!("id {}", id.as_str()),
            Source::Url(url) => format!("url {url}"),
            Source::Data(data) => format!("data {}", hex::encode(Sha256::digest(data))),
        };
        Media {
            kind: self.kind,
            sha256: source,
            size: 0,
            mimetype: self.mimetype.clone().unwrap_or_default(),
            caption: self.caption.clone(),
            filename: self.filename.clone(),
            view_once: self.view_once,
            facts: FileFacts {
                plays: self.convert,
                ..FileFacts::default()
            },
            reference: None,
        }
    }
}

/// A file on its way into the store.
enum Held {
    Stored(StoredFile),
    Spooled(Spool, FileFacts),
}

/// Makes what is wanted ready to be sent; `at` is the field that names it. It stays in the store until `until`, and a little longer.
///
/// # Errors
/// 400 where it is no file of the kind, 413 where it is too large or the store is full, 422 where it
/// would have to be converted and can not be.
pub(crate) async fn admit(
    app: &App,
    organization: &OrganizationId,
    wanted: &Wanted,
    at: &str,
    until: Millis,
) -> Result<Media, ApiError> {
    let config = &app.config.media;
    // Whatever it is at first, no more than the largest of its kind is taken in.
    let most = config.most_bytes(wanted.kind, true);
    let field = match &wanted.source {
        Source::Id(_) => format!("{at}.id"),
        Source::Url(_) => format!("{at}.url"),
        Source::Data(_) => format!("{at}.data"),
    };
    let field = field.as_str();
    let mut named = (None, None);
    let mut held = match &wanted.source {
        Source::Id(id) => {
            let unknown = || invalid(field, "names no file of this organization, or not any more");
            let name = app
                .media
                .named(organization, id)
                .await?
                .ok_or_else(unknown)?;
            let file = app
                .media
                .hold(organization, &name.sha256, 0, GRACE_MS)
                .await?;
            named = (name.mimetype, name.filename);
            Held::Stored(file.ok_or_else(unknown)?)
        }
        Source::Data(data) => look(app, decode(data, most).await?, field).await?,
        Source::Url(url) => {
            let fetched = super::fetch::fetch(app, url, most).await?;
            named = (None, fetched.filename);
            look(app, fetched.spool, field).await?
        }
    };
    let mut converted = false;
    if let Some(conversion) = needed(wanted, held.facts(), field)? {
        held = convert(app, organization, held, conversion, field).await?;
        converted = true;
    }
    let facts = held.facts().clone();
    let limit = config.most_bytes(wanted.kind, facts.animated);
    if held.size() > limit {
        return Err(too_large(limit));
    }
    let stored = match held {
        Held::Stored(file) => file,
        Held::Spooled(mut spool, facts) => {
            let facts = finish(app, wanted.kind, &mut spool, facts).await?;
            store(app, organization, spool, facts).await?
        }
    };
    let hold = until.saturating_add(keep_after(app));
    let stored = app
        .media
        .hold(organization, &stored.sha256, hold, config.keep_ms)
        .await?;
    let stored = stored.ok_or_else(|| ApiError::new(Code::Internal, "internal error"))?;
    let given = wanted.mimetype.clone().or(named.0).filter(|_| !converted);
    let mimetype = match wanted.kind {
        FileKind::Sticker => "image/webp".to_owned(),
        FileKind::Voice => "audio/ogg; codecs=opus".to_owned(),
        _ => given.unwrap_or_else(|| stored.facts.mimetype.clone()),
    };
    let filename = wanted.filename.clone().or(named.1);
    Ok(Media {
        kind: wanted.kind,
        filename: match wanted.kind {
            // One without a name arrives as `undefined`.
            FileKind::Document => Some(filename.unwrap_or_else(|| name::name_for(&mimetype))),
            _ => filename,
        },
        sha256: stored.sha256,
        size: stored.size,
        mimetype,
        caption: wanted.caption.clone(),
        view_once: wanted.view_once,
        facts: stored.facts,
        reference: None,
    })
}

/// How long a file stays after its send has ended: as long as that can be asked to be retried.
fn keep_after(app: &App) -> Millis {
    let kept = app.config.retention.outbox_ms.saturating_add(GRACE_MS);
    Millis::try_from(kept).unwrap_or(Millis::MAX)
}

impl Held {
    fn facts(&self) -> &FileFacts {
        match self {
            Self::Stored(file) => &file.facts,
            Self::Spooled(_, facts) => facts,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Stored(file) => file.size,
            Self::Spooled(spool, _) => spool.size(),
        }
    }
}

/// What has to be made of a file before it can be sent.
fn needed(wanted: &Wanted, facts: &FileFacts, field: &str) -> Result<Option<Conversion>, ApiError> {
    if matches!(
        facts.mimetype.as_str(),
        "image/heif" | "image/heic" | "image/avif"
    ) && matches!(wanted.kind, FileKind::Image | FileKind::Sticker)
    {
        return Err(ApiError::new(
            Code::Unprocessable,
            "pictures of this format can not be converted here: send a JPEG or PNG, or a document",
        )
        .with("reason", "heic_unsupported"));
    }
    let needed = Conversion::needed(wanted.kind, facts)
        .map_err(|allowed| invalid(field, &format!("is {}; {allowed}", facts.mimetype)))?;
    match needed {
        Some(_) if !wanted.convert => Err(invalid(
            field,
            &format!(
                "is {}, which would have to be converted, and convert is never",
                facts.mimetype
            ),
        )),
        needed => Ok(needed),
    }
}

/// Looks at a file that has come in.
async fn look(app: &App, mut spool: Spool, field: &str) -> Result<Held, ApiError> {
    let facts = facts_of(app, &mut spool, field).await?;
    Ok(Held::Spooled(spool, facts))
}

/// What is in a file.
///
/// # Errors
/// 400 where it can not be read as what it claims to be.
pub(super) async fn facts_of(
    app: &App,
    spool: &mut Spool,
    field: &str,
) -> Result<FileFacts, ApiError> {
    let _turn = app.inspecting.acquire().await;
    let view = spool.view().await?;
    let most = app.config.media.most_pixels;
    let looked = tokio::task::spawn_blocking(move || inspect::inspect(&view, most)).await;
    looked
        .unwrap_or_else(|_| Err(Unfit::Damaged("file".to_owned())))
        .map_err(|unfit| invalid(field, &unfit.to_string()))
}

async fn convert(
    app: &App,
    organization: &OrganizationId,
    held: Held,
    conversion: Conversion,
    field: &str,
) -> Result<Held, ApiError> {
    let config = &app.config.media;
    let mimetype = held.facts().mimetype.clone();
    let mut spool = match held {
        Held::Spooled(spool, _) => spool,
        Held::Stored(file) => unpack(app, organization, &file).await?,
    };
    let view = spool.view().await?;
    let made = {
        let _turn = app.inspecting.acquire().await;
        if conversion.needs_ffmpeg() {
            let most = config.video_bytes.max(config.audio_bytes);
            conversion.by_ffmpeg(config, view, &mimetype, most).await
        } else {
            let work = move || conversion.of_picture(&view);
            tokio::task::spawn_blocking(work)
                .await
                .unwrap_or_else(|_| Err(NotConverted::Failed("it is damaged".to_owned())))
        }
    };
    let (file, size) = made.map_err(|problem| match problem {
        NotConverted::Unavailable => ApiError::new(
            Code::Unprocessable,
            format!(
                "{mimetype} would have to be converted, and ffmpeg is not installed on the API's \
                 machine (`apt-get install ffmpeg`)"
            ),
        )
        .with("reason", "conversion_unavailable"),
        NotConverted::Failed(problem) => invalid(field, &format!("is {mimetype}, and {problem}")),
        NotConverted::Disk(error) => super::spool::disk(error),
    })?;
    spool.replace(file, size);
    look(app, spool, field).await
}

/// What phones show before they have the file, where it takes ffmpeg to know.
async fn finish(
    app: &App,
    kind: FileKind,
    spool: &mut Spool,
    mut facts: FileFacts,
) -> Result<FileFacts, ApiError> {
    let config = &app.config.media;
    match kind {
        FileKind::Voice => {
            let _turn = app.inspecting.acquire().await;
            let view: File = spool.view().await?;
            if let Some(received) = convert::waveform(config, view, &facts.mimetype).await {
                facts.waveform = Some(received);
            }
        }
        FileKind::Video | FileKind::Gif | FileKind::Ptv if facts.thumbnail.is_none() => {
            let _turn = app.inspecting.acquire().await;
            let view: File = spool.view().await?;
            facts.thumbnail = convert::first_frame(config, view, &facts.mimetype).await;
        }
        _ => {}
    }
    Ok(facts)
}

/// Puts a file into the store.
async fn store(
    app: &App,
    organization: &OrganizationId,
    mut spool: Spool,
    facts: FileFacts,
) -> Result<StoredFile, ApiError> {
    let writing = fill(app, organization, &mut spool).await?;
    let (file, _) = writing
        .finish(facts, app.config.media.keep_ms, None)
        .await?;
    Ok(file)
}

/// Writes a file into the store; what is left is to end it.
pub(super) async fn fill(
    app: &App,
    organization: &OrganizationId,
    spool: &mut Spool,
) -> Result<gateway_shared::media::Writing, ApiError> {
    let mut writing = app.media.begin(organization, spool.size()).await?;
    spool.rewind().await?;
    let mut buffer = vec![0; STEP];
    loop {
        let copied = match spool.chunk(&mut buffer).await {
            Ok(0) => return Ok(writing),
            Ok(read) => writing.write(&buffer[..read]).await.map_err(ApiError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = copied {
            writing.abandon().await;
            return Err(error);
        }
    }
}

/// A stored file on this machine's disk.
async fn unpack(
    app: &App,
    organization: &OrganizationId,
    file: &StoredFile,
) -> Result<Spool, ApiError> {
    let mut spool = Spool::new(file.size).await?;
    let mut reading = app.media.read(organization, file, 0..file.size).await?;
    while let Some(chunk) = reading.chunk().await? {
        spool.write(&chunk).await?;
    }
    Ok(spool)
}
