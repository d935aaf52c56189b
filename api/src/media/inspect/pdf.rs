//! How many pages a PDF has, where it says so in clear.

use std::io::Read;

/// How much of a file is looked at.
const FAR: u64 = 64 << 20;
/// How much of it is in memory at a time.
const WINDOW: usize = 64 << 10;
/// How far from its `/Pages` a `/Count` is looked for, on both sides.
const NEAR: usize = 256;
/// So many places are enough to find the root; a file of nothing else must not take long.
const PLACES: usize = 1_000;

/// The largest `/Count` near a `/Pages`: the root of the page tree counts all of them. `None` where it
/// is compressed.
pub(super) fn pages(reader: impl Read) -> Option<u32> {
    let mut reader = reader.take(FAR);
    let mut text = Vec::with_capacity(WINDOW + 2 * NEAR);
    let (mut most, mut places) = (None, 0);
    loop {
        let before = text.len();
        let read = reader.by_ref().take(WINDOW as u64).read_to_end(&mut text);
        let ended = read.is_err() || text.len() == before;
        // What has less than its surroundings behind it is looked at with what comes next.
        let whole = if ended {
            text.len()
        } else {
            text.len().saturating_sub(NEAR)
        };
        let mut from = 0;
        while let Some(at) = find(&text[from..whole], b"/Pages") {
            let place = from + at;
            let near = &text[place.saturating_sub(NEAR)..(place + NEAR).min(text.len())];
            most = most.max(count(near));
            from = place + 6;
            places += 1;
        }
        if ended || places >= PLACES {
            return most.filter(|pages| *pages > 0);
        }
        // The end of it stays, for what stands across two windows.
        let keep = whole.saturating_sub(NEAR).max(from).min(text.len());
        text.drain(..keep);
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn count(near: &[u8]) -> Option<u32> {
    let at = find(near, b"/Count")? + 6;
    let digits: Vec<u8> = near[at..]
        .iter()
        .skip_while(|byte| byte.is_ascii_whitespace())
        .take_while(|byte| byte.is_ascii_digit())
        .take(9)
        .copied()
        .collect();
    String::from_utf8(digits).ok()?.parse().ok()
}
