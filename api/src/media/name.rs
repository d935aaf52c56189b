//! Names of files that do no harm wherever they are written.

/// Greatest length of a name, in characters.
const LENGTH: usize = 255;

/// The name without what could mean something else somewhere: folders, control characters, marks that
/// turn the direction of writing, white space around it. `None` where nothing is left.
pub(crate) fn safe_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last
        .chars()
        .filter(|c| !c.is_control() && !turns_direction(*c))
        .collect();
    let kept = kept.trim();
    if kept.is_empty() || kept.chars().all(|c| c == '.') {
        return None;
    }
    if kept.chars().count() <= LENGTH {
        return Some(kept.to_owned());
    }
    // What a long name ends with says what it is.
    let extension: String = match kept.rsplit_once('.') {
        Some((_, extension)) if extension.chars().count() <= 16 => format!(".{extension}"),
        _ => String::new(),
    };
    let room = LENGTH - extension.chars().count();
    Some(kept.chars().take(room).chain(extension.chars()).collect())
}

/// Whether a character changes the direction of what follows, or can not be seen.
fn turns_direction(c: char) -> bool {
    matches!(
        c,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    )
}

/// A name for a file without one, by its type.
pub(crate) fn name_for(mimetype: &str) -> String {
    let essence = mimetype.split(';').next().unwrap_or_default().trim();
    let extension = match essence {
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "text/plain" => "txt",
        "text/csv" => "csv",
        "image/jpeg" => "jpg",
        "image/svg+xml" => "svg",
        "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "video/quicktime" => "mov",
        _ => essence.split_once('/').map_or("", |(_, subtype)| subtype),
    };
    let plain = !extension.is_empty()
        && extension.len() <= 8
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    format!("file.{}", if plain { extension } else { "bin" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_does_harm_and_nothing_else() {
        for (given, kept) in [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\temp\\a \"b\".txt", Some("a \"b\".txt")),
            ("a\r\nX: y", Some("aX: y")),
            ("exe\u{202E}fdp.gnp", Some("exefdp.gnp")),
            ("rapport été 日本.pdf", Some("rapport été 日本.pdf")),
            ("..", None),
            ("dir/", None),
            ("\u{200B} ", None),
        ] {
            assert_eq!(safe_name(given).as_deref(), kept, "{given:?}");
        }
        let long = safe_name(&format!("{}.pdf", "x".repeat(10_000))).unwrap();
        assert_eq!((long.len(), long.ends_with("x.pdf")), (255, true));
    }

    #[test]
    fn every_type_gives_a_name() {
        for (kind, name) in [
            ("application/pdf", "file.pdf"),
            ("audio/ogg; codecs=opus", "file.ogg"),
            ("video/mp4", "file.mp4"),
            ("application/x-weird-thing", "file.bin"),
            ("", "file.bin"),
        ] {
            assert_eq!(name_for(kind), name);
        }
    }
}
