//! Small files of every kind, made here.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A picture of so many pixels, as PNG.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let row = |y: u32| (0..width).flat_map(move |x| [(x % 256) as u8, (y % 256) as u8, 128]);
    let pixels: Vec<u8> = (0..height).flat_map(row).collect();
    writer.write_image_data(&pixels).unwrap();
    drop(writer);
    out
}

/// A second of mono silence in Ogg Opus: 50 packets of three bytes.
pub(crate) fn voice() -> Vec<u8> {
    let head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
    let tags = b"OpusTags\x04\0\0\0test\0\0\0\0";
    let silence: &[u8] = &[0xF8, 0xFF, 0xFE];
    let mut out = page(2, 0, 0, &[head]);
    out.extend(page(0, 0, 1, &[tags]));
    out.extend(page(4, 48_000 + 312, 2, &[silence; 50]));
    out
}

/// A page of an Ogg stream.
fn page(flags: u8, granule: u64, number: u32, packets: &[&[u8]]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(7_u32.to_le_bytes());
    page.extend(number.to_le_bytes());
    page.extend(0_u32.to_le_bytes());
    page.push(u8::try_from(packets.len()).unwrap());
    page.extend(
        packets
            .iter()
            .map(|packet| u8::try_from(packet.len()).unwrap()),
    );
    for packet in packets {
        page.extend_from_slice(packet);
    }
    let sum = page.iter().fold(0_u32, |sum, byte| {
        let mut sum = sum ^ (u32::from(*byte) << 24);
        for _ in 0..8 {
            sum = if sum & 0x8000_0000 == 0 {
                sum << 1
            } else {
                (sum << 1) ^ 0x04C1_1DB7
            };
        }
        sum
    });
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

/// A PDF of three pages.
pub(crate) fn pdf() -> Vec<u8> {
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
      2 0 obj<</Type /Pages /Kids [3 0 R 4 0 R 5 0 R] /Count 3>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
        .to_vec()
}

/// What ffmpeg makes of a test signal.
///
/// # Errors
/// When it is not installed (`.ci/install ffmpeg`) or does not do it.
pub(crate) fn by_ffmpeg(arguments: &[&str], extension: &str) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let made = folder.path().join(format!("made.{extension}"));
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-y"])
        .args(arguments)
        .arg(&made)
        .status()
        .context("ffmpeg is missing: .ci/install ffmpeg")?;
    ensure!(done.success(), "ffmpeg {arguments:?}");
    Ok(std::fs::read(made)?)
}

/// Two seconds of film with sound, as phones play it.
pub(crate) fn film() -> Result<Vec<u8>> {
    let picture = "testsrc=duration=2:size=128x72:rate=10";
    by_ffmpeg(
        &[
            "-f",
            "lavfi",
            "-i",
            picture,
            "-f",
            "lavfi",
            "-i",
            "sine=duration=2",
            "-c:v",
            "libx264",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-movflags",
            "+faststart",
        ],
        "mp4",
    )
}

/// Bytes that nothing can be made of.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    })
    .take(length)
    .collect()
}
