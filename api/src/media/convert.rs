//! Making of a file what phones can play: pictures here, sound and films by ffmpeg.
//!
//! ffmpeg is a process of its own, bounded in time, memory and number. It is told which format it
//! reads, so that no file can be a playlist that names other ones, and that it may open files only: it
//! has no network.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::Stdio;
use std::time::Duration;

use gateway_shared::config::MediaConfig;
use gateway_shared::domain::{FileFacts, FileKind, HexBytes};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageReader, RgbaImage, imageops};
use tokio::process::Command;

use super::inspect;

/// The side of a sticker, in pixels.
const STICKER: u32 = 512;
/// The shell answers so where a program is not installed.
const NOT_FOUND: i32 = 127;

/// What is made of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// A picture of another format becomes a JPEG.
    Jpeg,
    /// A picture becomes a WebP of 512 × 512.
    Sticker,
    /// Sound becomes mono Opus in Ogg.
    Voice,
    /// Sound becomes AAC in MP4.
    Audio,
    /// A film becomes H.264 and AAC in MP4; without its sound for a GIF.
    Film {
        /// Whether it keeps its sound.
        sound: bool,
    },
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotConverted {
    /// ffmpeg is not installed, or switched off.
    #[error("ffmpeg is not available")]
    Unavailable,
    /// It could not read the file, or took too much time or memory.
    #[error("could not be converted: {0}")]
    Failed(String),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Conversion {
    /// What it takes for a file of these facts to be sent as this kind; `None` where it can be sent as
    /// it is.
    ///
    /// # Errors
    /// What kinds of file are allowed, where it can be made none of them.
    pub(super) fn needed(kind: FileKind, facts: &FileFacts) -> Result<Option<Self>, &'static str> {
        let mimetype = facts.mimetype.as_str();
        let is_film = mimetype.starts_with("video/");
        let is_sound = mimetype.starts_with("audio/");
        match kind {
            FileKind::Document => Ok(None),
            FileKind::Image => match mimetype {
                "image/jpeg" | "image/png" => Ok(None),
                "image/webp" | "image/gif" => Ok(Some(Self::Jpeg)),
                _ => Err("a picture is a JPEG, PNG, WebP or GIF"),
            },
            FileKind::Sticker => match mimetype {
                "image/webp" if facts.animated => match (facts.width, facts.height) {
                    (Some(STICKER), Some(STICKER)) => Ok(None),
                    _ => Err("a sticker that moves is a WebP of 512 × 512 pixels"),
                },
                "image/webp" if (facts.width, facts.height) == (Some(STICKER), Some(STICKER)) => {
                    Ok(None)
                }
                "image/webp" | "image/png" | "image/jpeg" | "image/gif" => Ok(Some(Self::Sticker)),
                _ => {
                    Err("a sticker is a WebP of 512 × 512 pixels, or a PNG or JPEG to make one of")
                }
            },
            FileKind::Voice => match mimetype {
                "audio/ogg; codecs=opus" if facts.plays => Ok(None),
                _ if is_sound || is_film => Ok(Some(Self::Voice)),
                _ => Err("a voice message is sound: Opus in Ogg, or what can be converted to it"),
            },
            FileKind::Audio => match mimetype {
                "audio/mpeg"
                | "audio/mp4"
                | "audio/m4a"
                | "audio/aac"
                | "audio/amr"
                | "audio/ogg; codecs=opus" => Ok(None),
                _ if is_sound || is_film => Ok(Some(Self::Audio)),
                _ => {
                    Err("audio is sound: MP3, M4A, AAC, AMR, Opus in Ogg, or what can be converted")
                }
            },
            FileKind::Video | FileKind::Ptv => match mimetype {
                "video/mp4" | "video/3gpp" if facts.plays => Ok(None),
                _ if is_film || mimetype == "image/gif" => Ok(Some(Self::Film { sound: true })),
                _ => Err("a video is MP4 with H.264 and AAC, or what can be converted to it"),
            },
            FileKind::Gif => match mimetype {
                "video/mp4" if facts.plays => Ok(None),
                _ if is_film || mimetype == "image/gif" => Ok(Some(Self::Film { sound: false })),
                _ => Err("a GIF is a GIF, or a video"),
            },
        }
    }

    /// Whether ffmpeg does it.
    pub(super) fn needs_ffmpeg(self) -> bool {
        !matches!(self, Self::Jpeg | Self::Sticker)
    }

    /// Makes it, of a picture.
    ///
    /// # Errors
    /// When the picture can not be read.
    pub(super) fn of_picture(self, file: &File) -> Result<(File, u64), NotConverted> {
        let mut source = file;
        source.seek(SeekFrom::Start(0))?;
        let reader = ImageReader::new(io::BufReader::new(source)).with_guessed_format()?;
        let failed = |error: image::ImageError| NotConverted::Failed(error.to_string());
        let picture = reader.decode().map_err(failed)?;
        let mut made = io::BufWriter::new(tempfile::tempfile()?);
        match self {
            Self::Sticker => {
                let square = square(&picture);
                square
                    .write_with_encoder(WebPEncoder::new_lossless(&mut made))
                    .map_err(failed)?;
            }
            _ => {
                let flat = flattened(&picture);
                flat.write_with_encoder(JpegEncoder::new_with_quality(&mut made, 85))
                    .map_err(failed)?;
            }
        }
        let mut made = made.into_inner().map_err(io::IntoInnerError::into_error)?;
        let size = made.stream_position()?;
        Ok((made, size))
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Voice => &[
                "-map",
                "0:a:0",
                "-vn",
                "-c:a",
                "libopus",
                "-b:a",
                "32k",
                "-vbr",
                "on",
                "-application",
                "voip",
                "-ar",
                "48000",
                "-ac",
                "1",
                "-map_metadata",
                "-1",
                "-f",
                "ogg",
            ],
            Self::Audio => &[
                "-map",
                "0:a:0",
                "-vn",
                "-c:a",
                "aac",
                "-b:a",
                "128k",
                "-movflags",
                "+faststart",
                "-f",
                "mp4",
            ],
            Self::Film { sound: false } => &[
                "-map",
                "0:v:0",
                "-an",
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-pix_fmt",
                "yuv420p",
                "-vf",
                "scale=trunc(iw/2)*2:trunc(ih/2)*2",
                "-movflags",
                "+faststart",
                "-f",
                "mp4",
            ],
            _ => &[
                "-map",
                "0:v:0",
                "-map",
                "0:a:0?",
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-pix_fmt",
                "yuv420p",
                "-vf",
                "scale=trunc(iw/2)*2:trunc(ih/2)*2",
                "-c:a",
                "aac",
                "-b:a",
                "128k",
                "-movflags",
                "+faststart",
                "-f",
                "mp4",
            ],
        }
    }

    /// Makes it with ffmpeg, of a file of this type.
    ///
    /// # Errors
    /// See [`NotConverted`].
    pub(super) async fn by_ffmpeg(
        self,
        config: &MediaConfig,
        file: File,
        mimetype: &str,
        most: u64,
    ) -> Result<(File, u64), NotConverted> {
        run(config, file, mimetype, self.arguments(), most).await
    }
}

/// The picture on white, as JPEG knows no transparency.
fn flattened(picture: &DynamicImage) -> image::RgbImage {
    let rgba = picture.to_rgba8();
    let mut flat = RgbaImage::from_pixel(rgba.width(), rgba.height(), image::Rgba([255; 4]));
    imageops::overlay(&mut flat, &rgba, 0, 0);
    DynamicImage::ImageRgba8(flat).into_rgb8()
}

/// The picture in the middle of a clear square.
fn square(picture: &DynamicImage) -> RgbaImage {
    let small = picture
        .resize(STICKER, STICKER, imageops::FilterType::Triangle)
        .into_rgba8();
    let mut square = RgbaImage::new(STICKER, STICKER);
    let left = i64::from((STICKER - small.width()) / 2);
    let top = i64::from((STICKER - small.height()) / 2);
    imageops::overlay(&mut square, &small, left, top);
    square
}

/// The waveform of a recording, as it sounds.
pub(super) async fn waveform(config: &MediaConfig, file: File, mimetype: &str) -> Option<HexBytes> {
    let arguments = [
        "-map", "0:a:0", "-vn", "-ac", "1", "-ar", "4000", "-t", "3600", "-f", "s16le",
    ];
    let made = run(config, file, mimetype, &arguments, 64 << 20).await;
    let (mut made, _) = made.ok()?;
    let mut bytes = Vec::new();
    made.seek(SeekFrom::Start(0)).ok()?;
    made.read_to_end(&mut bytes).ok()?;
    let samples: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    inspect::waveform_of(&samples)
}

/// The first picture of a film.
pub(super) async fn first_frame(
    config: &MediaConfig,
    file: File,
    mimetype: &str,
) -> Option<HexBytes> {
    let arguments = [
        "-map",
        "0:v:0",
        "-frames:v",
        "1",
        "-vf",
        "scale=100:-2",
        "-f",
        "mjpeg",
    ];
    let made = run(config, file, mimetype, &arguments, 256 << 10).await;
    let (mut made, _) = made.ok()?;
    let mut jpeg = Vec::new();
    made.seek(SeekFrom::Start(0)).ok()?;
    made.read_to_end(&mut jpeg).ok()?;
    jpeg.starts_with(&[0xFF, 0xD8]).then_some(HexBytes(jpeg))
}

/// What ffmpeg calls a format; `None` where it is not to be let near it.
fn demuxer(mimetype: &str) -> Option<&'static str> {
    Some(match mimetype.split(';').next().unwrap_or_default() {
        "video/mp4" | "video/quicktime" | "video/x-m4v" | "video/3gpp" | "audio/mp4"
        | "audio/m4a" => "mov",
        "video/webm" | "video/x-matroska" => "matroska",
        "video/x-msvideo" => "avi",
        "video/mpeg" => "mpeg",
        "video/x-flv" => "flv",
        "video/x-ms-wmv" => "asf",
        "image/gif" => "gif",
        "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "audio/wav" => "wav",
        "audio/x-flac" => "flac",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        "audio/x-aiff" => "aiff",
        _ => return None,
    })
}

async fn run(
    config: &MediaConfig,
    mut file: File,
    mimetype: &str,
    arguments: &[&str],
    most: u64,
) -> Result<(File, u64), NotConverted> {
    if config.ffmpeg.is_empty() {
        return Err(NotConverted::Unavailable);
    }
    let format = demuxer(mimetype)
        .ok_or_else(|| NotConverted::Failed(format!("{mimetype} is not converted")))?;
    file.seek(SeekFrom::Start(0))?;
    let made = tempfile::NamedTempFile::new()?;
    let memory = (config.ffmpeg_memory_bytes >> 10).to_string();
    // The shell bounds the memory of what takes its place.
    let bounded = "ulimit -v \"$1\" && shift && exec \"$@\"";
    let child = Command::new("/bin/sh")
        .args(["-c", bounded, "sh", &memory, &config.ffmpeg])
        .args([
            "-nostdin",
            "-hide_banner",
            "-loglevel",
            "error",
            "-threads",
            "1",
        ])
        .args([
            "-protocol_whitelist",
            "file",
            "-f",
            format,
            "-i",
            "/proc/self/fd/0",
        ])
        .args(arguments)
        .args(["-fs", &most.to_string(), "-y"])
        .arg(made.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::from(file))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let limit = Duration::from_millis(config.ffmpeg_timeout_ms);
    let Ok(output) = tokio::time::timeout(limit, child.wait_with_output()).await else {
        return Err(NotConverted::Failed("it took too long".to_owned()));
    };
    let output = output?;
    if output.status.code() == Some(NOT_FOUND) {
        return Err(NotConverted::Unavailable);
    }
    let mut file = made.reopen()?;
    let size = file.seek(SeekFrom::End(0))?;
    if !output.status.success() || size == 0 {
        let emitted = String::from_utf8_lossy(&output.stderr);
        tracing::debug!(status = ?output.status, emitted = %emitted.trim(), "ffmpeg failed");
        return Err(NotConverted::Failed("ffmpeg can not read it".to_owned()));
    }
    file.seek(SeekFrom::Start(0))?;
    Ok((file, size))
}
