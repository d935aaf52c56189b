//! What the names of files say.

use wacore_binary::Jid;

use crate::moving::records;

/// What a file holds, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Creds,
    PreKey(u32),
    Session(Jid),
    Identity(Jid),
    /// Group and sender.
    SenderKey(String, Jid),
    /// Of a group: who has our sender key.
    SenderKeyMemory(String),
    /// The id, as it was before it became a name.
    SyncKey(String),
    SyncVersion(String),
    /// A number, digits.
    LidMapping(String),
    /// A contact.
    TcToken(String),
    /// What whatsapp-rust finds out by itself.
    Derived,
    /// Not one of Baileys.
    Unknown,
    /// One of Baileys by its kind, of nothing that there is.
    Wrong,
}

pub(super) fn kind(name: &str) -> Kind {
    if name == "creds.json" {
        return Kind::Creds;
    }
    let Some(name) = name.strip_suffix(".json") else {
        return Kind::Unknown;
    };
    let or_wrong = |kind: Option<Kind>| kind.unwrap_or(Kind::Wrong);
    if let Some(id) = name.strip_prefix("pre-key-") {
        let id = id.parse().ok().filter(|id| (1..1 << 24).contains(id));
        return or_wrong(id.map(Kind::PreKey));
    }
    if let Some(address) = name.strip_prefix("session-") {
        return or_wrong(address_of(address, '.').map(Kind::Session));
    }
    if let Some(address) = name.strip_prefix("identity-key-") {
        return or_wrong(address_of(address, '.').map(Kind::Identity));
    }
    if let Some(group) = name.strip_prefix("sender-key-memory-") {
        return or_wrong(is_group(group).then(|| Kind::SenderKeyMemory(group.to_owned())));
    }
    if let Some(name) = name.strip_prefix("sender-key-") {
        return or_wrong(sender_key(name));
    }
    if let Some(id) = name.strip_prefix("app-state-sync-key-") {
        return Kind::SyncKey(id.replace("__", "/"));
    }
    if let Some(collection) = name.strip_prefix("app-state-sync-version-") {
        return Kind::SyncVersion(collection.to_owned());
    }
    if let Some(person) = name.strip_prefix("lid-mapping-") {
        return if person.ends_with("_reverse") {
            Kind::Derived
        } else {
            Kind::LidMapping(person.to_owned())
        };
    }
    if let Some(contact) = name.strip_prefix("tctoken-") {
        return if contact == "__index" {
            Kind::Derived
        } else {
            Kind::TcToken(contact.to_owned())
        };
    }
    if name.starts_with("device-list-") {
        return Kind::Derived;
    }
    Kind::Unknown
}

/// `user[_domain]` and the device behind `separator`.
fn address_of(text: &str, separator: char) -> Option<Jid> {
    let (user, device) = text.rsplit_once(separator)?;
    let (user, domain) = match user.split_once('_') {
        Some((user, domain)) => (user, domain.parse().ok()?),
        None => (user, 0),
    };
    records::jid(user, domain, device.parse().ok()?)
}

/// `group::user[_domain]::device`, in which the colons are dashes, all of them or one.
fn sender_key(name: &str) -> Option<Kind> {
    let name = name.replace(':', "-");
    let (group, sender) = ["@g.us--", "@broadcast--"].into_iter().find_map(|end| {
        let at = name.find(end)? + end.len();
        Some((&name[..at - 2], &name[at..]))
    })?;
    let (user, device) = sender.rsplit_once("--")?;
    let sender = address_of(&format!("{user}.{device}"), '.')?;
    is_group(group).then(|| Kind::SenderKey(group.to_owned(), sender))
}

fn is_group(text: &str) -> bool {
    let user = text
        .strip_suffix("@g.us")
        .or_else(|| text.strip_suffix("@broadcast"));
    user.is_some_and(|user| {
        !user.is_empty()
            && user.len() <= 64
            && user.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

/// The name of a record: its kind and id.
pub(super) fn file_name(kind: &str, id: &str) -> String {
    format!("{kind}-{id}.json")
        .replace('/', "__")
        .replace(':', "-")
}

/// A device as libsignal's JavaScript names it.
pub(super) fn address(jid: &Jid) -> Option<(String, u16)> {
    let user = match records::domain(jid.server)? {
        0 => jid.user.to_string(),
        domain => format!("{}_{domain}", jid.user),
    };
    Some((user, jid.device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_holds() {
        let lid = records::jid("100000012345", 1, 2).unwrap();
        for (name, expected) in [
            ("creds.json", Kind::Creds),
            ("pre-key-12.json", Kind::PreKey(12)),
            ("pre-key-0.json", Kind::Wrong),
            ("session-100000012345_1.2.json", Kind::Session(lid.clone())),
            ("session-nobody.json", Kind::Wrong),
            (
                "sender-key-1203-77@g.us--100000012345_1--2.json",
                Kind::SenderKey("1203-77@g.us".into(), lid.clone()),
            ),
            (
                "sender-key-1203@g.us-:100000012345_1::2.json",
                Kind::SenderKey("1203@g.us".into(), lid),
            ),
            (
                "sender-key-memory-1203@g.us.json",
                Kind::SenderKeyMemory("1203@g.us".into()),
            ),
            ("sender-key-memory-..__x.json", Kind::Wrong),
            (
                "app-state-sync-key-AA__+=.json",
                Kind::SyncKey("AA/+=".into()),
            ),
            ("lid-mapping-100000012345_reverse.json", Kind::Derived),
            (
                "lid-mapping-15550000001.json",
                Kind::LidMapping("15550000001".into()),
            ),
            ("tctoken-__index.json", Kind::Derived),
            ("notes.txt", Kind::Unknown),
            ("anything.json", Kind::Unknown),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }
}
