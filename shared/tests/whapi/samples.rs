//! The samples of the format's documentation. Its three malformed ones are repaired after their
//! neighbours, the addresses that the page hides are filled in, and `chat_name`, `device_id` and
//! `status` of what is not this gateway's to know are left out.

use gateway_shared::events::inbound::MessagePayload;
use gateway_shared::events::whapi;

use super::{event, golden, read, schema};

#[test]
fn every_sample_is_what_its_event_becomes() {
    let (schema, mut seen) = (schema(), 0);
    for file in std::fs::read_dir(golden()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(name) = name.strip_suffix(".event.json") else {
            continue;
        };
        let envelope = read(&path);
        let body = whapi::render(&event(&envelope)).unwrap();
        schema
            .fits(&body)
            .unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let sample = read(&golden().join(format!("{name}.json")));
        assert_eq!(body, sample, "{name}");
        if envelope["event"] != "message.status" {
            // The event itself is one that this gateway makes.
            let payload = envelope["payload"].clone();
            let payload: MessagePayload = serde_json::from_value(payload).unwrap();
            assert!(
                payload.content.is_some() || payload.kind == "text",
                "{name}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 22, "samples of the documentation");
}
