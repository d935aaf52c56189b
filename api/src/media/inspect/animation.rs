//! Whether a picture moves.

use std::io::{BufRead, Read};

/// How far into a file the answer is looked for.
const FAR: u64 = 1 << 20;

/// Whether a WebP or GIF has more than one frame.
pub(super) fn moves(mimetype: &str, reader: impl BufRead) -> bool {
    let mut head = Vec::new();
    if reader.take(FAR).read_to_end(&mut head).is_err() {
        return false;
    }
    match mimetype {
        // The extended header says so in a flag.
        "image/webp" => {
            head.get(12..16) == Some(b"VP8X") && head.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        // Each frame begins with a graphic control extension.
        "image/gif" => {
            let control = [0x21, 0xF9, 0x04];
            head.windows(3).filter(|window| *window == control).count() > 1
        }
        _ => false,
    }
}
