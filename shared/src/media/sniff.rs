//! What a file is, by its first bytes.

/// The type of a file by its first bytes.
#[must_use]
pub fn sniff(head: &[u8]) -> String {
    if head.starts_with(b"OggS") {
        return "audio/ogg".to_owned();
    }
    if let Some(kind) = infer::get(head) {
        return match kind.mime_type() {
            "audio/x-wav" => "audio/wav",
            "audio/opus" => "audio/ogg",
            other => other,
        }
        .to_owned();
    }
    match std::str::from_utf8(head) {
        Ok(text) if is_text(text) => of_text(text).to_owned(),
        // A character may be cut at the end of what was read.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            let text = String::from_utf8_lossy(&head[..error.valid_up_to()]);
            if is_text(&text) {
                of_text(&text)
            } else {
                "application/octet-stream"
            }
            .to_owned()
        }
        _ => "application/octet-stream".to_owned(),
    }
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace())
}

fn of_text(text: &str) -> &'static str {
    let begins = text.trim_start().to_ascii_lowercase();
    if begins.starts_with("<svg") || (begins.starts_with("<?xml") && begins.contains("<svg")) {
        "image/svg+xml"
    } else {
        "text/plain"
    }
}
