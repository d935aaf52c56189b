//! Ogg with Opus: how long it is, whether it is mono, and how loud it is along its length.

use std::io::Read;

use gateway_shared::domain::{FileFacts, HexBytes};

/// Values of a waveform.
const VALUES: usize = 64;
/// Opus counts in these, whatever the rate was.
const RATE: u64 = 48_000;
/// Most packets that are looked at: three hours of the usual 20 ms.
const PACKETS: usize = 540_000;

/// An Ogg Opus stream as its pages tell.
#[derive(Debug, Default)]
struct Opus {
    channels: u8,
    skip: u64,
    samples: u64,
    /// Bytes of each packet after the two headers.
    packets: Vec<u16>,
}

/// Adds what is known of an Ogg file; nothing where it is not Opus.
pub(super) fn look(reader: impl Read, facts: &mut FileFacts) {
    let Some(opus) = read(reader) else { return };
    facts.mimetype = "audio/ogg; codecs=opus".to_owned();
    facts.plays = opus.channels == 1;
    let seconds = opus.samples.saturating_sub(opus.skip).div_ceil(RATE);
    facts.seconds = u32::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    facts.waveform = waveform(&opus.packets);
}

/// The pages of a stream; `None` where it is not Opus or breaks off before its headers.
fn read(mut reader: impl Read) -> Option<Opus> {
    let mut opus = Opus::default();
    let mut number = 0_usize;
    let mut length = 0_usize;
    let mut first = Vec::new();
    loop {
        let mut header = [0; 27];
        if reader.read_exact(&mut header).is_err() || &header[..4] != b"OggS" {
            break;
        }
        let granule = u64::from_le_bytes(header[6..14].try_into().ok()?);
        let mut lacing = vec![0; usize::from(header[26])];
        if reader.read_exact(&mut lacing).is_err() {
            break;
        }
        let mut body = vec![0; lacing.iter().map(|size| usize::from(*size)).sum()];
        if reader.read_exact(&mut body).is_err() {
            break;
        }
        let mut at = 0;
        for size in lacing {
            let piece = &body[at..at + usize::from(size)];
            at += usize::from(size);
            length += piece.len();
            if number == 0 && first.len() < 64 {
                first.extend_from_slice(piece);
            }
            // A packet goes on in the next segment where this one is full.
            if size == 255 {
                continue;
            }
            match number {
                0 if first.starts_with(b"OpusHead") && first.len() >= 19 => {
                    opus.channels = first[9];
                    opus.skip = u64::from(u16::from_le_bytes([first[10], first[11]]));
                }
                0 => return None,
                1 => {}
                _ if opus.packets.len() < PACKETS => {
                    opus.packets.push(u16::try_from(length).unwrap_or(u16::MAX));
                }
                _ => {}
            }
            number += 1;
            length = 0;
        }
        // -1 stands for no packet that ends on this page.
        if granule != u64::MAX {
            opus.samples = opus.samples.max(granule);
        }
    }
    (number > 0).then_some(opus)
}

/// How loud a recording is along its length, from how many bytes its packets took: a variable bit
/// rate follows the energy of speech. 0 where it is quietest, 100 where it is loudest.
fn waveform(packets: &[u16]) -> Option<HexBytes> {
    if packets.is_empty() {
        return None;
    }
    let part = |value: usize| {
        let from = value * packets.len() / VALUES;
        let to = ((value + 1) * packets.len() / VALUES).max(from + 1);
        let part = &packets[from.min(packets.len() - 1)..to.min(packets.len())];
        part.iter().map(|size| u32::from(*size)).sum::<u32>()
            / u32::try_from(part.len().max(1)).unwrap_or(1)
    };
    let loud: Vec<u32> = (0..VALUES).map(part).collect();
    let (least, most) = (*loud.iter().min()?, *loud.iter().max()?);
    let scale = |value: u32| match most - least {
        0 => 50,
        range => u8::try_from((value - least) * 100 / range).unwrap_or(100),
    };
    Some(HexBytes(loud.into_iter().map(scale).collect()))
}

/// The waveform of samples, from their energy.
pub(in crate::media) fn waveform_of(samples: &[i16]) -> Option<HexBytes> {
    if samples.is_empty() {
        return None;
    }
    let energy = |value: usize| {
        let from = value * samples.len() / VALUES;
        let to = ((value + 1) * samples.len() / VALUES)
            .max(from + 1)
            .min(samples.len());
        let part = &samples[from.min(samples.len() - 1)..to];
        let sum: f64 = part.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (sum / part.len() as f64).sqrt()
    };
    let loud: Vec<f64> = (0..VALUES).map(energy).collect();
    let most = loud.iter().copied().fold(1.0, f64::max);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 100"
    )]
    let scale = |value: f64| (value / most * 100.0).round() as u8;
    Some(HexBytes(loud.into_iter().map(scale).collect()))
}
