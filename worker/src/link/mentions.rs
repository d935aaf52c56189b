//! Mentions in the name space of the chat.
//!
//! A group knows its members by number or by LID, and its clients find a mention only under the name
//! that the group uses. A caller may name a person by either.

use gateway_shared::domain::{Content, Jid as Person, MessageContext};
use wacore_binary::Jid;
use whatsapp_rust::Client;

/// A content whose mentions, and the `@…` of its text that belong to them, are by LID or by number, as
/// the chat's are. Whoever's other name is not known keeps the one they were given.
pub(super) async fn named_as_in_chat(client: &Client, content: &Content, by_lid: bool) -> Content {
    let mut names: Vec<(Person, Person)> = Vec::new();
    for person in content.mentions() {
        if let Some(other) = other_name(client, person, by_lid).await {
            names.push((person.clone(), other));
        }
    }
    let mut content = content.clone();
    if !names.is_empty() {
        rename(&mut content, &names);
    }
    content
}

/// The name of a person in the wanted name space, where it is known and not the one they have.
async fn other_name(client: &Client, person: &Person, by_lid: bool) -> Option<Person> {
    let jid: Jid = person.as_str().parse().ok()?;
    if jid.is_lid() == by_lid {
        return None;
    }
    let entry = client.get_lid_pn_entry(&jid).await.ok()??;
    let name = if by_lid {
        format!("{}@lid", entry.lid)
    } else {
        format!("{}@s.whatsapp.net", entry.phone_number)
    };
    name.parse().ok()
}

fn rename(content: &mut Content, names: &[(Person, Person)]) {
    let renamed = |people: &mut Vec<Person>| {
        for person in people.iter_mut() {
            if let Some((_, other)) = names.iter().find(|(one, _)| one == person) {
                *person = other.clone();
            }
        }
        // The same person may have been named by both names.
        let mut seen = std::collections::HashSet::new();
        people.retain(|person| seen.insert(person.clone()));
    };
    match content {
        Content::Text { text, context } => {
            *text = retagged(text, names);
            renamed(&mut context.mentions);
        }
        Content::Edit { text, mentions, .. } => {
            *text = retagged(text, names);
            renamed(mentions);
        }
        Content::Media { media, context } => {
            if let Some(caption) = &mut media.caption {
                *caption = retagged(caption, names);
            }
            renamed(&mut context.mentions);
        }
        Content::Album { items, context } => {
            for caption in items
                .iter_mut()
                .filter_map(|item| item.media.caption.as_mut())
            {
                *caption = retagged(caption, names);
            }
            renamed(&mut context.mentions);
        }
        other => {
            if let Some(MessageContext { mentions, .. }) = other.context_mut() {
                renamed(mentions);
            }
        }
    }
}

/// A text whose `@<user>` name people by their other names. Clients show a mention where they find
/// the user of its address behind an `@`.
fn retagged(text: &str, names: &[(Person, Person)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, tag) = rest.split_at(at + 1);
        out.push_str(before);
        let digits = tag.bytes().take_while(u8::is_ascii_digit).count();
        let (user, behind) = tag.split_at(digits);
        let other = names.iter().find(|(one, _)| one.user() == user);
        out.push_str(other.map_or(user, |(_, other)| other.user()));
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<(Person, Person)> {
        [("15550000001", "100@lid"), ("15550000002", "200@lid")]
            .map(|(number, lid)| (number.parse().unwrap(), lid.parse().unwrap()))
            .to_vec()
    }

    #[test]
    fn the_tags_of_a_text_follow_its_mentions() {
        for (text, retagged_text) in [
            ("hi @15550000001", "hi @100"),
            (
                "@15550000001@15550000002 and @15550000003",
                "@100@200 and @15550000003",
            ),
            (
                "@155500000011 is somebody else",
                "@155500000011 is somebody else",
            ),
            (
                "15550000001 is no tag, me@15550000001x is one",
                "15550000001 is no tag, me@100x is one",
            ),
            ("@", "@"),
            ("é@15550000002", "é@200"),
        ] {
            assert_eq!(retagged(text, &names()), retagged_text);
        }
    }

    #[test]
    fn a_person_named_by_both_names_is_mentioned_once() {
        let mentions = ["15550000001", "100@lid", "300@lid"];
        let mut content = Content::Text {
            text: "@15550000001 @100".into(),
            context: MessageContext {
                mentions: mentions.map(|name| name.parse().unwrap()).to_vec(),
                ..MessageContext::default()
            },
        };
        rename(&mut content, &names());
        let Content::Text { text, context } = content else {
            panic!("a text stays one");
        };
        assert_eq!(text, "@100 @100");
        let mentions: Vec<_> = context.mentions.iter().map(Person::as_str).collect();
        assert_eq!(mentions, ["100@lid", "300@lid"]);
    }
}
