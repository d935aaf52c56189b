//! What peers wrote to the sessions: each message is an event once, and those of a chat are in order
//! but for those that had to be asked for again.

use std::collections::HashMap;

use super::{Evidence, Violations};
use crate::clients::Journal;

/// Compares what was written with what the event logs hold.
pub(super) fn check(journal: &Journal, evidence: &Evidence, out: &mut Violations) {
    // Where in the log of its organization each message is, by session and WhatsApp id.
    let mut places: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for seen in &evidence.tenants {
        for (place, event) in seen.events.iter().enumerate() {
            if event.kind() == "message" {
                let message = (event.session(), event.text("waMessageId"));
                places.entry(message).or_default().push(place);
            }
        }
    }
    let mut last: HashMap<(&str, &str), (usize, &str)> = HashMap::new();
    for written in &journal.received {
        let (session, id) = (written.session.as_str(), written.id.as_str());
        let what = format!("{id} from {} to {session}", written.peer);
        match places.get(&(session, id)).map(Vec::as_slice) {
            None | Some([]) => out.inbound_lost.push(format!("{what} is no event")),
            // What could not be read, or was read by a worker that died before it told, comes late.
            Some([_]) if evidence.asked_again.contains(id) => {}
            Some([place]) => {
                let chat = (session, written.peer.as_str());
                if let Some((before, other)) = last.get(&chat)
                    && before > place
                {
                    let problem = format!("{what} is an event before {other}");
                    out.inbound_misordered.push(problem);
                } else {
                    last.insert(chat, (*place, id));
                }
            }
            Some(places) => {
                let problem = format!("{what} is {} events", places.len());
                out.inbound_twice.push(problem);
            }
        }
    }
}
