//! `[media]`: files that are sent and received.

use serde::{Deserialize, Serialize};

use super::secrets::Hidden;
use super::validate::{Problems, SECOND};
use crate::domain::FileKind;

/// `[media]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaConfig {
    /// The folder with the files, unless a bucket is set.
    pub folder: String,
    /// Most bytes of files that one organization keeps.
    pub quota_bytes: u64,
    /// How long a file is kept after it was last handed in or fetched, in milliseconds.
    pub keep_ms: u64,
    /// How often files that nobody needs any more are looked for, in milliseconds.
    pub sweep_ms: u64,
    /// How long a body with a file may take, in milliseconds.
    pub receive_timeout_ms: u64,
    /// Greatest size of a picture, in bytes.
    pub image_bytes: u64,
    /// Greatest size of a video, a GIF or a short round one, in bytes.
    pub video_bytes: u64,
    /// Greatest size of a piece of audio, in bytes.
    pub audio_bytes: u64,
    /// Greatest size of a voice message, in bytes.
    pub voice_bytes: u64,
    /// Greatest size of a document, in bytes.
    pub document_bytes: u64,
    /// Greatest size of a sticker, in bytes.
    pub sticker_bytes: u64,
    /// Greatest size of a sticker that moves, in bytes.
    pub animated_sticker_bytes: u64,
    /// Most pixels of a picture that is decoded.
    pub most_pixels: u64,
    /// How many files are inspected or converted at once in one API.
    pub inspect_concurrency: usize,
    /// The program that converts sound and films; none if empty.
    pub ffmpeg: String,
    /// How long one conversion may take, in milliseconds.
    pub ffmpeg_timeout_ms: u64,
    /// How much memory one conversion may use, in bytes.
    pub ffmpeg_memory_bytes: u64,
    /// How many files one worker uploads at once.
    pub upload_concurrency: usize,
    /// After how long an upload is made anew before the message is sent, in milliseconds.
    pub upload_lifetime_ms: u64,
    /// Where WhatsApp's files are fetched from: origins, tried in turn.
    pub hosts: Vec<String>,
    /// Greatest file that is fetched, in bytes.
    pub fetch_bytes: u64,
    /// How many files one API fetches at once.
    pub fetch_concurrency: usize,
    /// Greatest file that is fetched by itself (`autoDownload`), in bytes.
    pub auto_download_bytes: u64,
    /// How many files one worker fetches at once by itself.
    pub auto_download_concurrency: usize,
    /// How long a signed address of a file is good, in milliseconds.
    pub link_lifetime_ms: u64,
    /// How long before its time the files of a scheduled send are uploaded, in milliseconds.
    pub upload_ahead_ms: u64,
    /// An S3-compatible store.
    pub s3: S3Config,
}

/// `[media.s3]`: an S3-compatible store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket; the folder is used if empty.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The address of a store that is not Amazon's.
    pub endpoint: String,
    /// The id of the access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Hidden,
    /// Whether the bucket stands in the path rather than in the host's name.
    pub path_style: bool,
}

impl MediaConfig {
    /// The greatest size of a file of this kind, in bytes.
    #[must_use]
    pub fn most_bytes(&self, kind: FileKind, animated: bool) -> u64 {
        match kind {
            FileKind::Image => self.image_bytes,
            FileKind::Video | FileKind::Gif | FileKind::Ptv => self.video_bytes,
            FileKind::Audio => self.audio_bytes,
            FileKind::Voice => self.voice_bytes,
            FileKind::Document => self.document_bytes,
            FileKind::Sticker if animated => self.animated_sticker_bytes,
            FileKind::Sticker => self.sticker_bytes,
        }
    }

    /// The greatest size of any file, in bytes.
    #[must_use]
    pub fn most_bytes_of_any(&self) -> u64 {
        FileKind::ALL
            .into_iter()
            .map(|kind| self.most_bytes(kind, true))
            .max()
            .unwrap_or_default()
    }
}

/// Adds what is not allowed in `[media]`.
pub(super) fn problems(media: &MediaConfig, problems: &mut Problems) {
    const HOUR: u64 = 3_600 * SECOND;
    const GIB: u64 = 1 << 30;
    let sizes = [
        ("media.image_bytes", media.image_bytes),
        ("media.video_bytes", media.video_bytes),
        ("media.audio_bytes", media.audio_bytes),
        ("media.voice_bytes", media.voice_bytes),
        ("media.document_bytes", media.document_bytes),
        ("media.sticker_bytes", media.sticker_bytes),
        ("media.animated_sticker_bytes", media.animated_sticker_bytes),
        ("media.fetch_bytes", media.fetch_bytes),
        ("media.auto_download_bytes", media.auto_download_bytes),
    ];
    for (setting, bytes) in sizes {
        problems.range(setting, bytes, 1_024..=2 * GIB);
    }
    problems.range("media.quota_bytes", media.quota_bytes, 1 << 20..=1 << 50);
    problems.range("media.keep_ms", media.keep_ms, SECOND..=366 * 24 * HOUR);
    problems.range("media.sweep_ms", media.sweep_ms, 100..=24 * HOUR);
    problems.range(
        "media.receive_timeout_ms",
        media.receive_timeout_ms,
        SECOND..=24 * HOUR,
    );
    problems.range("media.most_pixels", media.most_pixels, 1..=1_000_000_000);
    problems.range(
        "media.ffmpeg_timeout_ms",
        media.ffmpeg_timeout_ms,
        SECOND..=HOUR,
    );
    problems.range(
        "media.ffmpeg_memory_bytes",
        media.ffmpeg_memory_bytes,
        64 << 20..=64 * GIB,
    );
    problems.range(
        "media.link_lifetime_ms",
        media.link_lifetime_ms,
        SECOND..=366 * 24 * HOUR,
    );
    problems.range(
        "media.upload_ahead_ms",
        media.upload_ahead_ms,
        SECOND..=HOUR,
    );
    problems.range(
        "media.upload_lifetime_ms",
        media.upload_lifetime_ms,
        SECOND..=30 * 24 * HOUR,
    );
    for (setting, number) in [
        ("media.inspect_concurrency", media.inspect_concurrency),
        ("media.upload_concurrency", media.upload_concurrency),
        ("media.fetch_concurrency", media.fetch_concurrency),
        (
            "media.auto_download_concurrency",
            media.auto_download_concurrency,
        ),
    ] {
        problems.range(setting, number as u64, 1..=256);
    }
    let origin = |host: &String| host.starts_with("https://") || host.starts_with("http://");
    if media.hosts.is_empty() || !media.hosts.iter().all(origin) {
        problems.add(
            "media.hosts",
            "must name at least one origin, such as https://mmg.whatsapp.net",
        );
    }
    if media.s3.bucket.is_empty() && media.folder.is_empty() {
        problems.add(
            "media.folder",
            "is empty; must name a folder, or set media.s3.bucket",
        );
    }
}
