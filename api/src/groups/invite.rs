//! The invites of groups, in every form in which people pass them on.

use std::str::FromStr;

/// Fewest and most characters of a code; those of WhatsApp have 22.
const CODE_LENGTH: std::ops::RangeInclusive<usize> = 8..=64;

/// The code of an invite, without the link around it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct InviteCode(String);

/// Why a text is no invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the code of an invite or its link: https://chat.whatsapp.com/<code> or \
     whatsapp://chat?code=<code>"
)]
pub(super) struct InvalidInvite;

impl InviteCode {
    /// The code as text.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// An invite lets in whoever has it.
impl std::fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InviteCode")
    }
}

impl FromStr for InviteCode {
    type Err = InvalidInvite;

    /// Reads a code, a link, or a text with one link in it, as people pass invites on.
    fn from_str(text: &str) -> Result<Self, InvalidInvite> {
        let text = text.trim();
        if is_code(text) {
            return Ok(Self(text.to_owned()));
        }
        let mut codes = text
            .split(|c: char| c.is_whitespace() || is_bracket(c))
            .map(|word| word.trim_matches(is_punctuation))
            .filter_map(code_of_link)
            .filter(|code| is_code(code));
        let code = codes.next().ok_or(InvalidInvite)?;
        // Of two different invites it can not be told which one is meant.
        if codes.any(|other| other != code) {
            return Err(InvalidInvite);
        }
        Ok(Self(code.to_owned()))
    }
}

fn is_code(text: &str) -> bool {
    CODE_LENGTH.contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What people put around a link.
fn is_bracket(c: char) -> bool {
    matches!(
        c,
        '<' | '>'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '"'
            | '\''
            | '`'
            | '“'
            | '”'
            | '„'
            | '«'
            | '»'
    )
}

/// What ends a sentence, and may stand right behind a link.
fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '*' | '~' | '…')
}

/// The code in a link: its last step, or the parameter `code` where the link leads to the app or
/// to WhatsApp Web. Parameters after a code (`?mode=…`) say from where it was shared.
fn code_of_link(link: &str) -> Option<&str> {
    let (scheme, rest) = link.split_once("://").unwrap_or(("https", link));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('#').next().unwrap_or_default();
    let place = place.split('#').next().unwrap_or_default();
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let path = path.trim_end_matches('/');
    let parameter = || {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(name, _)| *name == "code")
            .map(|(_, code)| code)
    };
    let is = |text: &str, other: &str| text.eq_ignore_ascii_case(other);
    if is(scheme, "whatsapp") {
        return (is(host, "chat") && path.is_empty()).then(parameter)?;
    }
    let port = if is(scheme, "https") {
        ":443"
    } else if is(scheme, "http") {
        ":80"
    } else {
        return None;
    };
    // A host may be written with the port that it has anyway, with the dot of the root, and with www.
    let host = host.strip_suffix(port).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = match host.get(..4) {
        Some(start) if is(start, "www.") => &host[4..],
        _ => host,
    };
    if is(host, "chat.whatsapp.com") {
        let code = path.strip_prefix("invite/").unwrap_or(path);
        let code = code.trim_end_matches(is_punctuation);
        return (!code.is_empty() && !code.contains('/')).then_some(code);
    }
    let web = is(host, "web.whatsapp.com") && path == "accept";
    web.then(parameter)?
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "BxnEkf2xLeLKAwBwn5EZLK";

    #[test]
    fn the_code_is_found_in_every_form() {
        for form in [
            "{}",
            " {}\n",
            "https://chat.whatsapp.com/{}",
            "http://chat.whatsapp.com/{}",
            "HTTPS://Chat.WhatsApp.com/{}",
            "chat.whatsapp.com/{}",
            "https://chat.whatsapp.com/{}/",
            "https://chat.whatsapp.com/invite/{}",
            "https://chat.whatsapp.com/{}?mode=ac_t",
            "https://chat.whatsapp.com/{}#top",
            "whatsapp://chat?code={}",
            "whatsapp://chat/?code={}",
            "https://web.whatsapp.com/accept?code={}",
            "https://web.whatsapp.com/accept/?a=b&code={}",
            "https://www.chat.whatsapp.com/{}",
            "https://chat.whatsapp.com:443/{}",
            "http://chat.whatsapp.com:80/{}",
            "https://chat.whatsapp.com./{}",
            "https://WWW.chat.whatsapp.com.:443/{}?mode=ac_t",
            "https://chat.whatsapp.com/{}.",
            "https://chat.whatsapp.com/{}./",
            "Join us: https://chat.whatsapp.com/{}!",
            "Join us (https://chat.whatsapp.com/{}), please",
            "\u{201c}chat.whatsapp.com/{}\u{201d}",
            "Open this link to join my WhatsApp Group: https://chat.whatsapp.com/{}\n\nSee you",
            "https://chat.whatsapp.com/{} https://chat.whatsapp.com/{}",
            "<whatsapp://chat?code={}>",
        ] {
            let invite = form.replace("{}", CODE);
            let code = invite.parse::<InviteCode>().map(InviteCode::into_string);
            assert_eq!(code.as_deref(), Ok(CODE), "{invite}");
        }
    }

    #[test]
    fn what_is_no_invite_is_refused() {
        for text in [
            "",
            "short",
            "a code with spaces",
            "two codes: BxnEkf2xLeLKAwBwn5EZLK",
            "https://chat.whatsapp.com/BxnEkf2xLeLKAwBwn5EZLK https://chat.whatsapp.com/AAAAAf2xLeLKAwBwn5EZLK",
            "https://chat.whatsapp.com:8443/BxnEkf2xLeLKAwBwn5EZLK",
            "http://chat.whatsapp.com:443/BxnEkf2xLeLKAwBwn5EZLK",
            "https://user@chat.whatsapp.com/BxnEkf2xLeLKAwBwn5EZLK",
            "https://www.www.chat.whatsapp.com/BxnEkf2xLeLKAwBwn5EZLK",
            "https://chat.whatsapp.com/",
            "https://chat.whatsapp.com/invite/",
            "https://chat.whatsapp.com/a/BxnEkf2xLeLKAwBwn5EZLK",
            "https://example.com/BxnEkf2xLeLKAwBwn5EZLK",
            "https://chat.whatsapp.com.example.com/BxnEkf2xLeLKAwBwn5EZLK",
            "https://example.com/?code=BxnEkf2xLeLKAwBwn5EZLK",
            "https://wa.me/15550000001",
            "ftp://chat.whatsapp.com/BxnEkf2xLeLKAwBwn5EZLK",
            "whatsapp://send?code=BxnEkf2xLeLKAwBwn5EZLK",
            "whatsapp://chat?code=",
            "https://chat.whatsapp.com/Bxn%2FEkf2xLeLKAwBwn5EZLK",
        ] {
            assert_eq!(text.parse::<InviteCode>(), Err(InvalidInvite), "{text}");
        }
    }
}
