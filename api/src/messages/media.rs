//! The file of a media message.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use gateway_shared::domain::{FileKind, MediaId};
use serde_json::{Map, Value, json};

use crate::error::{ApiError, Code};
use crate::media::{Source, Wanted, is_mimetype, safe_name};
use crate::openapi::{Object, flag, one_of, text};
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
            .optional("viewOnce", flag("It may be looked at once: image, video, voice."))
            .optional("convert", json!({
                "enum": ["auto", "never"],
                "description": "Whether a file that phones can not play is converted (`auto`, the \
                                default) or refused.",
            }))
    };
    let mut id = json!({"type": "string", "pattern": "^med_[0-9A-HJKMNP-TV-Z]{26}$"});
    id["description"] = "The name of a file that was handed in with `POST /media`.".into();
    one_of([
        form("id", id).named("MediaById"),
        form("data", data).named("MediaByData"),
        form("url", url).named("MediaByUrl"),
    ])
}

/// Whether a body asks for a file to be sent to a channel.
pub(super) fn goes_to_channel(body: &Map<String, Value>) -> bool {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = text("type");
    text("to").ends_with("@newsletter") && (kind == "album" || kind.parse::<FileKind>().is_ok())
}

/// Files to channels are not encrypted, and uploaded in a way that the library does not have.
pub(super) fn not_to_channels() -> ApiError {
    ApiError::new(
        Code::NotImplemented,
        "files can not be sent to channels: WhatsApp wants them uploaded in a way of their own",
    )
    .with("reason", "channel_media")
}

/// Reads `media` and tells of every problem in it.
pub(super) fn read(kind: FileKind, fields: &mut Fields, problems: &mut Problems) -> Option<Wanted> {
    fields.require(problems, "media");
    let at = fields.path("media");
    let mut media = fields.object(problems, "media")?;
    let given = ["id", "data", "url"]
        .iter()
        .filter(|name| media.has(name))
        .count();
    if given != 1 {
        problems.add(at.as_str(), "must have exactly one of id, data and url");
    }
    let id = media.parsed::<MediaId>(problems, "id").map(Source::Id);
    let data = media.text(problems, "data");
    if let Some(data) = &data
        && let Err(problem) = check_data(data)
    {
        problems.add(media.path("data"), problem);
    }
    let url = media.text_of(problems, "url", ADDRESS);
    if url.as_deref().is_some_and(|url| !is_web_address(url)) {
        problems.add(media.path("url"), "must be an http:// or https:// address");
    }
    let mimetype = media.text_of(problems, "mimetype", MIMETYPE);
    if mimetype.as_deref().is_some_and(|text| !is_mimetype(text)) {
        problems.add(
            media.path("mimetype"),
            "must be a media type such as image/jpeg",
        );
    }
    let caption = media.text_of(problems, "caption", CAPTION);
    if caption.is_some() && !kind.has_caption() {
        problems.add(
            media.path("caption"),
            format!("is no field of type {}", kind.as_str()),
        );
    }
    let filename = media.text_of(problems, "filename", FILENAME);
    let safe = filename.as_deref().and_then(safe_name);
    if filename.is_some() && safe.is_none() {
        problems.add(media.path("filename"), "must be the name of a file");
    }
    let view_once = media.flag(problems, "viewOnce").unwrap_or(false);
    if view_once && !kind.may_be_view_once() {
        problems.add(
            media.path("viewOnce"),
            format!("is no field of type {}", kind.as_str()),
        );
    }
    let convert = media.text(problems, "convert");
    let convert = match convert.as_deref() {
        None | Some("auto") => true,
        Some("never") => false,
        Some(_) => {
            problems.add(media.path("convert"), "must be auto or never");
            false
        }
    };
    media.finish(problems, &[], "");
    Some(Wanted {
        kind,
        source: id.or(data.map(Source::Data)).or(url.map(Source::Url))?,
        mimetype,
        filename: safe,
        caption: caption.filter(|caption| !caption.is_empty()),
        view_once,
        convert,
    })
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
