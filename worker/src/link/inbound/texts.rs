//! Texts with a link: a preview, a group's invitation, a business' catalog.

use gateway_shared::events::inbound::{Catalog, Content, GroupInvite, LinkPreview};
use waproto::whatsapp::message::ExtendedTextMessage;

use super::files::{base64, thumbnail};
use super::reading::Reading;

/// What invitations to groups lead to.
const INVITE: &str = "chat.whatsapp.com/";
/// What links to catalogs begin with, after the host.
const CATALOG: &str = "wa.me/c/";

/// A text that says more than its words.
pub(super) fn extended(text: &ExtendedTextMessage) -> Reading {
    let words = text.text.clone();
    let Some(url) = text.matched_text.clone().filter(|url| !url.is_empty()) else {
        return Reading::plain("text", words);
    };
    let small = thumbnail(text.jpeg_thumbnail.as_deref());
    let sha256 = text.thumbnail_sha256.as_deref().map(base64);
    if let Some(code) = after(&url, INVITE) {
        let content = Content::GroupInvite(GroupInvite {
            code: code.to_owned(),
            group_name: text.title.clone(),
            description: text.description.clone(),
            thumbnail: small,
            thumbnail_sha256: sha256,
            url,
            ..GroupInvite::default()
        });
        return Reading::of(content, words);
    }
    if let Some(owner) = after(&url, CATALOG) {
        let content = Content::Catalog(Catalog {
            catalog_id: owner.to_owned(),
            title: text.title.clone(),
            description: text.description.clone(),
            thumbnail: small,
            url,
        });
        return Reading::of(content, words);
    }
    // A link that nothing was shown of is part of the words.
    let shown = text.title.is_some() || text.description.is_some() || small.is_some();
    Reading {
        link_preview: shown.then(|| LinkPreview {
            title: text.title.clone(),
            description: text.description.clone(),
            thumbnail: small,
            thumbnail_sha256: sha256,
            thumbnail_id: None,
            url,
        }),
        ..Reading::plain("text", words)
    }
}

/// What stands in the path of a link after `part`, up to a further part.
fn after<'a>(url: &'a str, part: &str) -> Option<&'a str> {
    let rest = url
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .strip_prefix(part)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|found| !found.is_empty())
}
