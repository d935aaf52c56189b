//! A listener that is slower than the hub: a test that needs to see both from inside.

use std::sync::Arc;

use gateway_shared::apikey::Capabilities;
use gateway_shared::config::Config;
use gateway_shared::domain::OrganizationId;
use gateway_shared::events::Place;
use gateway_shared::redis::RedisConfig;
use gateway_shared::secrets::Keyring;
use gateway_tests::process::{Persistence, RedisServer};

use super::form::Form;
use super::input::Wanted;
use super::listener::Listener;
use crate::access::Caller;
use crate::request::Problems;
use crate::state::App;

async fn tell(app: &App, organization: &OrganizationId, number: usize) {
    let stream = format!("{}:ev", app.store.keys.partition(organization));
    let _: String = redis::cmd("XADD")
        .arg(stream)
        .arg("*")
        .arg(&["event", "chat.update", "session", "s", "timestamp", "1"])
        .arg("payload")
        .arg(number)
        .query_async(&mut app.store.connection.clone())
        .await
        .unwrap();
}

#[tokio::test]
async fn it_misses_nothing_and_hears_nothing_twice() {
    const EVENTS: usize = 200;
    let server = RedisServer::temporary(Persistence::Unsynced).await.unwrap();
    let mut config = Config::defaults().unwrap();
    config.redis = RedisConfig::at([server.url()], "test");
    let app = App::open(config, Keyring::generate().unwrap())
        .await
        .unwrap();
    let caller = Caller {
        organization: OrganizationId::generate(1),
        capabilities: Capabilities::all(),
        sessions: None,
        expires_at: None,
        has_organization: true,
        operator: false,
        name: "key".to_owned(),
        is_key: true,
    };
    let uri = "/events".parse().unwrap();
    let wanted = Wanted::read(&uri, &Default::default(), &caller, &mut Problems::default());
    let organization = caller.organization.clone();
    let mut listener = Listener::join(Arc::clone(&app), &caller, None, wanted, Form::Ndjson)
        .await
        .unwrap();
    // Caught up, and then not asked for more while the hub goes far ahead of it.
    let (_hub, mut ahead) = app.hubs.join(&organization, Place::START);
    tell(&app, &organization, 0).await;
    let mut received = Vec::new();
    while received.is_empty() {
        received.extend(numbers(&listener.next().await.unwrap()));
    }
    ahead.recv().await.unwrap();
    for number in 1..EVENTS {
        tell(&app, &organization, number).await;
        // A batch for each, so that the backlog overflows.
        ahead.recv().await.unwrap();
    }
    while received.len() < EVENTS {
        received.extend(numbers(&listener.next().await.unwrap()));
    }
    assert_eq!(received, (0..EVENTS).collect::<Vec<_>>());
}

/// The numbers of the events in a chunk.
fn numbers(chunk: &[u8]) -> Vec<usize> {
    let text = std::str::from_utf8(chunk).unwrap();
    text.lines()
        .filter_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            usize::try_from(event["payload"].as_u64()?).ok()
        })
        .collect()
}
