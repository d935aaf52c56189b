//! What is in a file: its type, and what phones want to know before they show it.
//!
//! Everything here reads files that strangers made. Nothing is trusted: sizes are looked at before
//! anything is decoded, parsers that fail say nothing, and one that panics is a file that can not be
//! read.

mod animation;
mod film;
mod ogg;
mod pdf;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

pub(super) use ogg::waveform_of;

use gateway_shared::domain::{FileFacts, HexBytes};
use gateway_shared::media::sniff;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

/// How many of its first bytes say what a file is.
const HEAD: u64 = 8 << 10;
/// The greatest side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 100;
/// The greatest side that any format has.
const SIDE: u32 = 65_535;

/// A file that nobody should be sent as what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// It has more pixels than are decoded.
    #[error("has {pixels} pixels; the limit is {most}")]
    TooManyPixels { pixels: u64, most: u64 },
    /// It is damaged.
    #[error("is a damaged {0}")]
    Damaged(String),
}

/// Looks at a file. `decode` says whether its pictures are decoded: only what is sent as a picture or
/// sticker has to be sound.
///
/// # Errors
/// See [`Unfit`].
pub(super) fn inspect(file: &File, most_pixels: u64) -> Result<FileFacts, Unfit> {
    // A parser that panics has met a file that it can not read: that is the file's fault.
    let look = std::panic::AssertUnwindSafe(|| look(file, most_pixels));
    std::panic::catch_unwind(look).unwrap_or_else(|_| Err(Unfit::Damaged("file".to_owned())))
}

fn look(file: &File, most_pixels: u64) -> Result<FileFacts, Unfit> {
    let mut head = Vec::new();
    let mut reader = rewound(file);
    reader
        .by_ref()
        .take(HEAD)
        .read_to_end(&mut head)
        .unwrap_or_default();
    let mut facts = FileFacts {
        mimetype: sniff(&head),
        ..FileFacts::default()
    };
    match facts.mimetype.as_str() {
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" => {
            picture(file, most_pixels, &mut facts)?;
        }
        "video/mp4" | "video/quicktime" | "audio/m4a" | "video/x-m4v" | "video/3gpp" => {
            film::look(rewound(file), &mut facts);
        }
        "audio/ogg" => ogg::look(rewound(file), &mut facts),
        "application/pdf" => facts.page_count = pdf::pages(rewound(file)),
        _ => {}
    }
    Ok(facts)
}

fn rewound(file: &File) -> BufReader<&File> {
    let mut file = file;
    // A file of this process: it can be read again from its beginning, or nothing of it can.
    file.seek(SeekFrom::Start(0)).unwrap_or_default();
    BufReader::with_capacity(64 << 10, file)
}

fn picture(file: &File, most_pixels: u64, facts: &mut FileFacts) -> Result<(), Unfit> {
    let damaged = || Unfit::Damaged(facts_name(&facts.mimetype));
    let reader = ImageReader::new(rewound(file)).with_guessed_format();
    let reader = reader.map_err(|_| damaged())?;
    let mut decoder = reader.into_decoder().map_err(|_| damaged())?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    // Before anything is decoded: a few bytes can promise a picture of any size.
    if pixels > most_pixels || width > SIDE || height > SIDE {
        return Err(Unfit::TooManyPixels {
            pixels,
            most: most_pixels,
        });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(most_pixels.saturating_mul(8).max(64 << 20));
    decoder.set_limits(limits).map_err(|_| damaged())?;
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| damaged())?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    facts.width = Some(picture.width());
    facts.height = Some(picture.height());
    facts.animated = animation::moves(&facts.mimetype, rewound(file));
    facts.thumbnail = thumbnail(&picture);
    Ok(())
}

/// The name of a type, for people.
fn facts_name(mimetype: &str) -> String {
    mimetype
        .rsplit('/')
        .next()
        .unwrap_or(mimetype)
        .to_ascii_uppercase()
}

/// A small JPEG of a picture.
fn thumbnail(picture: &DynamicImage) -> Option<HexBytes> {
    let small = picture.thumbnail(THUMBNAIL, THUMBNAIL).into_rgb8();
    let mut jpeg = Cursor::new(Vec::new());
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 60);
    small.write_with_encoder(encoder).ok()?;
    Some(HexBytes(jpeg.into_inner()))
}
