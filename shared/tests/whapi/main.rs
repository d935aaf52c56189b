//! The Whapi webhook format: every sample of the format's own documentation, and every type of
//! message, against golden files and the schema in `docs/`.

mod samples;
mod types;

use std::fs;
use std::path::{Path, PathBuf};

use gateway_shared::events::{Event, Place};
use gateway_tests::contract::Contract;
use serde_json::Value;

/// The schema of all bodies.
fn schema() -> Contract {
    Contract::of_schema(include_str!("../../../docs/whapi.schema.json")).unwrap()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/whapi/golden")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The event with this envelope.
fn event(envelope: &Value) -> Event {
    let text = |name: &str| envelope[name].as_str().unwrap().to_owned();
    Event {
        place: Place::START,
        id: text("id").parse().unwrap(),
        kind: text("event"),
        session: text("session"),
        json: envelope.to_string(),
    }
}
