//! The file of a media message.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use serde_json::{Value, json};

use crate::openapi::{Object, one_of, text};
use crate::request::{Fields, Problems};

/// Greatest size of a file, decoded.
const FILE: usize = 16 << 20;
/// Characters of a caption.
const CAPTION: std::ops::RangeInclusive<usize> = 0..=65_536;
/// Characters of a file's name, of its type, and of an address.
const FILENAME: std::ops::RangeInclusive<usize> = 1..=255;
const MIMETYPE: std::ops::RangeInclusive<usize> = 3..=255;
const ADDRESS: std::ops::RangeInclusive<usize> = 1..=8_192;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `media` as the document shows it.
pub(super) fn schema() -> Value {
    // The last group of base64 has 2, 3 or 4 characters; bits that are left over are zero.
    let data = json!({
        "type": "string",
        "pattern": "^(data:[^,]*;base64,)?([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}\
                    |[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=?|[A-Za-z0-9+/][AQgw](==)?)$",
        "description": "The file as base64, with or without padding, or as a `data:` URI; at most \
                        16 MiB.",
    });
    let mut url = text(ADDRESS, "Where the file is.");
    url["pattern"] = "^https?://\\S+$".into();
    let form = |name: &'static str, from: Value| {
        let mut mimetype = text(MIMETYPE, "Such as image/jpeg.");
        mimetype["pattern"] = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(;.*)?$".into();
        Object::new()
            .required(name, from)
            .optional("mimetype", mimetype)
            .optional("caption", text(CAPTION, "What is written below it."))
            .optional("filename", text(FILENAME, "What it is called."))
            .into()
    };
    one_of([form("data", data), form("url", url)])
}

/// Reads `media` and tells of every problem in it.
pub(super) fn read(fields: &mut Fields, problems: &mut Problems) {
    fields.require(problems, "media");
    let Some(mut media) = fields.object(problems, "media") else {
        return;
    };
    if media.has("data") == media.has("url") {
        problems.add("media", "must have either data or url");
    }
    if let Some(data) = media.text(problems, "data")
        && let Err(problem) = check_data(&data)
    {
        problems.add("media.data", problem);
    }
    let url = media.text_of(problems, "url", ADDRESS);
    if url.is_some_and(|url| !is_web_address(&url)) {
        problems.add("media.url", "must be an http:// or https:// address");
    }
    let mimetype = media.text_of(problems, "mimetype", MIMETYPE);
    if mimetype.is_some_and(|text| !is_mimetype(&text)) {
        problems.add("media.mimetype", "must be a media type such as image/jpeg");
    }
    media.text_of(problems, "caption", CAPTION);
    media.text_of(problems, "filename", FILENAME);
    media.finish(problems, &[], "");
}

fn check_data(data: &str) -> Result<(), &'static str> {
    const BASE64_NEEDED: &str = "must be base64, or a data: URI with base64";
    let encoded = match data.strip_prefix("data:") {
        Some(uri) => {
            let (kind, encoded) = uri.split_once(',').ok_or(BASE64_NEEDED)?;
            if !kind.ends_with(";base64") {
                return Err(BASE64_NEEDED);
            }
            encoded
        }
        None => data,
    };
    // Told apart before decoding, so that too large a file costs no memory.
    if encoded.len() / 4 * 3 > FILE + 3 {
        return Err("must be at most 16 MiB, decoded");
    }
    match BASE64.decode(encoded) {
        Ok(file) if file.is_empty() => Err("must not be empty"),
        Ok(file) if file.len() > FILE => Err("must be at most 16 MiB, decoded"),
        Ok(_) => Ok(()),
        Err(_) => Err(BASE64_NEEDED),
    }
}

fn is_web_address(url: &str) -> bool {
    let rest = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && !url.contains(char::is_whitespace))
}

fn is_mimetype(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_as_base64_with_or_without_padding_or_as_data_uris() {
        for data in ["aGk=", "aGk", "data:text/plain;base64,aGk"] {
            assert_eq!(check_data(data), Ok(()), "{data}");
        }
        for data in ["", "a", "ä", "a G k", "data:text/plain,hi", "data:"] {
            assert!(check_data(data).is_err(), "{data}");
        }
    }

    #[test]
    fn a_file_over_sixteen_mebibytes_is_refused() {
        let largest = BASE64.encode(vec![0; FILE]);
        assert_eq!(check_data(&largest), Ok(()));
        let over = BASE64.encode(vec![0; FILE + 1]);
        assert!(check_data(&over).is_err());
    }
}
