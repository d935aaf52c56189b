//! Events over a WebSocket, and the ticket for those who can set no header.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::{World, answer};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(world: &World, query: &str) -> Result<Socket, Error> {
    let base = world.apis[0].base.replacen("http", "ws", 1);
    let address = format!("{base}/api/v1/events?{query}");
    Ok(connect_async(address).await?.0)
}

/// The next envelope that is no heartbeat.
async fn event(socket: &mut Socket) -> Value {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
        let message = next.expect("an event in time").expect("a message").unwrap();
        if let Message::Text(text) = message {
            let event: Value = serde_json::from_str(&text).unwrap();
            if event["event"] != "stream.heartbeat" {
                return event;
            }
        }
    }
}

async fn ticket(world: &World) -> String {
    let got = answer(world.request(Method::POST, "/events:ticket")).await;
    got.text("ticket")
}

#[tokio::test]
async fn a_ticket_opens_one_socket_that_resumes_like_any_listener() {
    let world = World::start().await;
    let session = world.session().await;
    let first_ticket = ticket(&world).await;
    let mut live = open(&world, &format!("ticket={first_ticket}"))
        .await
        .unwrap();
    let sent = answer(world.send(&session, "?async=true", "one")).await;
    let first = event(&mut live).await;
    assert_eq!(first["payload"]["outboxId"], sent.text("outboxId"));
    assert_eq!(first["schema"], "v1");
    answer(world.send(&session, "?async=true", "two")).await;
    let second = event(&mut live).await;

    let since = format!(
        "ticket={}&since={}&types=message.status",
        ticket(&world).await,
        first["id"].as_str().unwrap()
    );
    let mut resumed = open(&world, &since).await.unwrap();
    assert_eq!(event(&mut resumed).await, second);

    // It is used up, and none that was made up opens anything.
    for used in [first_ticket.as_str(), "wat_0000", "nothing"] {
        match open(&world, &format!("ticket={used}")).await {
            Err(Error::Http(refused)) => assert_eq!(refused.status(), 401, "{used}"),
            other => panic!("{used}: {other:?}"),
        }
    }
    // A ticket is for listening and for nothing else.
    let other = ticket(&world).await;
    let path = format!("/api/v1/sessions?ticket={other}");
    let got = answer(world.api(0, Method::GET, &path)).await;
    assert_eq!(got.code(), "unauthorized");
}

#[tokio::test]
async fn a_socket_ends_with_the_key_that_its_ticket_was_made_with() {
    let world = World::start().await;
    let all = gateway_shared::apikey::Capabilities::all();
    let (key, record) = world.key_for(&world.organization, all, None).await;
    let request = world.api(0, Method::POST, "/api/v1/events:ticket");
    let made = answer(request.header("x-api-key", &key)).await;
    let query = format!("ticket={}", made.text("ticket"));
    let mut socket = open(&world, &query).await.unwrap();
    let path = format!("/api-keys/{}", record.id);
    answer(world.request(Method::DELETE, &path)).await;
    let end = async {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), end).await;
    ended.expect("it ends");
}
