//! MP4 and what is made like it: how long it is, how large its picture is, and whether phones play it.

use std::io::Read;

use gateway_shared::domain::FileFacts;
use mp4parse::{MediaContext, SampleEntry, TrackType};

/// Adds what is known of a film; nothing where it can not be read.
pub(super) fn look(mut reader: impl Read, facts: &mut FileFacts) {
    let Ok(film) = mp4parse::read_mp4(&mut reader) else {
        return;
    };
    let scale = film
        .timescale
        .map(|scale| scale.0)
        .filter(|scale| *scale > 0);
    let mut longest = 0;
    let mut has_picture = false;
    for track in &film.tracks {
        if track.track_type == TrackType::Video {
            has_picture = true;
            if let Some(header) = &track.tkhd {
                // Whole pixels are in the upper half.
                facts.width = Some(header.width >> 16).filter(|width| *width > 0);
                facts.height = Some(header.height >> 16).filter(|height| *height > 0);
            }
        }
        if let (Some(header), Some(scale)) = (&track.tkhd, scale) {
            longest = longest.max(header.duration / scale);
        }
    }
    facts.seconds = u32::try_from(longest).ok().filter(|seconds| *seconds > 0);
    facts.plays = plays(&film);
    let is_sound = |track: &mp4parse::Track| track.track_type == TrackType::Audio;
    if !has_picture && film.tracks.iter().any(is_sound) {
        facts.mimetype = "audio/mp4".to_owned();
    }
}

/// Whether every phone plays it: H.264 and AAC.
fn plays(film: &MediaContext) -> bool {
    let codecs = film.tracks.iter().filter_map(|track| {
        let entries = &track.stsd.as_ref()?.descriptions;
        entries.iter().next()
    });
    let mut any = false;
    for codec in codecs {
        any = true;
        let fit = match codec {
            SampleEntry::Video(video) => video.codec_type == mp4parse::CodecType::H264,
            SampleEntry::Audio(audio) => audio.codec_type == mp4parse::CodecType::AAC,
            SampleEntry::Unknown => false,
        };
        if !fit {
            return false;
        }
    }
    any
}
