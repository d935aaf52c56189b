//! Files of strangers, by the thousand: whatever is in them, they are read or refused.

use std::io::{Cursor, Seek as _, SeekFrom, Write as _};

use image::{DynamicImage, ImageFormat, RgbImage};

use super::*;

const PIXELS: u64 = 1 << 16;
/// Changed files that are tried of each sample.
const TRIES: u64 = 400;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }

    /// A file that was damaged: bytes changed, cut, doubled or filled.
    fn damage(&mut self, sample: &[u8]) -> Vec<u8> {
        let mut file = sample.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(file.len());
            match self.below(6) {
                0 => file.truncate(at.max(1)),
                1 => file[at..].iter_mut().take(4).for_each(|byte| *byte = 0xFF),
                2 => file[at..].iter_mut().take(8).for_each(|byte| *byte = 0),
                3 => {
                    let again = file[at..].to_vec();
                    file.extend_from_slice(&again[..again.len().min(512)]);
                }
                _ => file[at] ^= 1 << self.below(8),
            }
        }
        file
    }
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(24, 16, |x, y| image::Rgb([x as u8 * 9, y as u8 * 15, 90]));
    let mut out = Cursor::new(Vec::new());
    DynamicImage::from(pixels)
        .write_to(&mut out, format)
        .unwrap();
    out.into_inner()
}

/// An Ogg page with packets of these sizes.
fn page(first: bool, content: &[u8], lacing: &[u8]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(if first { 2 } else { 0 });
    page.extend(48_000_u64.to_le_bytes());
    page.extend([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    page.push(u8::try_from(lacing.len()).unwrap());
    page.extend_from_slice(lacing);
    page.extend_from_slice(content);
    page
}

fn voice() -> Vec<u8> {
    let mut file = page(true, b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0", &[19]);
    file.extend(page(false, b"OpusTags\0\0\0\0\0\0\0\0", &[16]));
    file.extend(page(false, &[0xF8; 30], &[10, 12, 8]));
    file
}

fn atom(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut atom = u32::try_from(content.len() + 8)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    atom.extend_from_slice(kind);
    atom.extend_from_slice(content);
    atom
}

fn film() -> Vec<u8> {
    let mut header = vec![0; 100];
    header[12..20].copy_from_slice(&[0, 0, 3, 0xE8, 0, 0, 0x27, 0x10]);
    let mut track = vec![0; 84];
    track[3] = 7;
    track[15] = 1;
    let moov = [
        atom(b"mvhd", &header),
        atom(b"trak", &atom(b"tkhd", &track)),
    ]
    .concat();
    [atom(b"ftyp", b"isom\0\0\0\0isommp42"), atom(b"moov", &moov)].concat()
}

fn pdf() -> Vec<u8> {
    b"%PDF-1.4\n1 0 obj << /Type /Pages /Count 10000 /Kids [] >> endobj\n%%EOF".to_vec()
}

fn samples() -> Vec<Vec<u8>> {
    let formats = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::Gif,
        ImageFormat::WebP,
    ];
    let pictures = formats.into_iter().map(picture);
    pictures.chain([voice(), film(), pdf()]).collect()
}

fn on_disk(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

#[test]
fn whole_files_are_understood() {
    let facts: Vec<FileFacts> = samples()
        .iter()
        .map(|sample| inspect(&on_disk(sample), PIXELS).unwrap())
        .collect();
    let types: Vec<&str> = facts.iter().map(|facts| facts.mimetype.as_str()).collect();
    assert_eq!(
        types,
        [
            "image/png",
            "image/jpeg",
            "image/gif",
            "image/webp",
            "audio/ogg; codecs=opus",
            "video/mp4",
            "application/pdf"
        ]
    );
    for facts in &facts[..4] {
        assert_eq!((facts.width, facts.height), (Some(24), Some(16)));
        assert!(facts.thumbnail.is_some());
    }
    assert_eq!(facts[4].seconds, Some(1));
    assert_eq!(facts[6].page_count, Some(10_000));
}

#[test]
fn damaged_files_are_read_or_refused_and_never_panic() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for sample in samples() {
        let mut refused = 0;
        for _ in 0..TRIES {
            let file = dice.damage(&sample);
            // Not `inspect`, which would catch the panic of a parser.
            match look(&on_disk(&file), PIXELS) {
                Ok(facts) => {
                    let sides =
                        u64::from(facts.width.unwrap_or(0)) * u64::from(facts.height.unwrap_or(0));
                    assert!(facts.thumbnail.is_none() || sides <= PIXELS);
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused < TRIES, "something is left to read of some");
    }
}

#[test]
fn pages_are_found_wherever_they_are() {
    for padding in [0, 10, 65_520, 65_530, 65_536, 65_700, 200_000] {
        let mut file = vec![b' '; padding];
        file.extend(pdf());
        assert_eq!(pdf::pages(Cursor::new(&file)), Some(10_000), "{padding}");
    }
    assert_eq!(pdf::pages(Cursor::new(b"/Pages /Count x")), None);
}
