//! Events that were read together, written once for all who want all of them.

use std::sync::OnceLock;

use bytes::Bytes;
use gateway_shared::events::Event;

use super::form::Form;

/// Events that were read together, in order.
#[derive(Debug)]
pub(super) struct Batch {
    events: Vec<Event>,
    sse: OnceLock<Bytes>,
    ndjson: OnceLock<Bytes>,
}

impl Batch {
    pub(super) fn new(events: Vec<Event>) -> Self {
        Self {
            events,
            sse: OnceLock::new(),
            ndjson: OnceLock::new(),
        }
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// All of them in a form in which they can be sent together; the listeners share the bytes.
    pub(super) fn whole(&self, form: Form) -> Option<Bytes> {
        let written = match form {
            Form::Sse => &self.sse,
            Form::Ndjson => &self.ndjson,
            Form::WebSocket => return None,
        };
        let bytes = written.get_or_init(|| {
            let mut text = String::new();
            for event in &self.events {
                form.write(event, &mut text);
            }
            Bytes::from(text)
        });
        Some(bytes.clone())
    }
}
