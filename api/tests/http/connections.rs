//! Connections that take a place and do not use it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::world::{World, eventually};

async fn connect(world: &World) -> TcpStream {
    let host = world.apis[0].base.strip_prefix("http://").unwrap();
    TcpStream::connect(host).await.unwrap()
}

/// What the server says until it closes the connection, and how long that took.
async fn until_closed(stream: &mut TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut emitted = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut emitted)).await;
    // A reset is a close as well.
    let _ = read.expect("the server closes the connection");
    (
        String::from_utf8_lossy(&emitted).into_owned(),
        began.elapsed(),
    )
}

#[tokio::test]
async fn who_sends_no_request_loses_the_place() {
    let world = World::with(1, |config| {
        config.api.header_timeout_ms = 300;
        config.api.idle_timeout_ms = 1_000;
    })
    .await;
    let header = Duration::from_millis(300);
    let mut silent = connect(&world).await;
    let mut half = connect(&world).await;
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    for stream in [&mut silent, &mut half] {
        let (emitted, _) = until_closed(stream).await;
        assert_eq!(emitted, "");
    }
    // A connection between two requests has longer than one that never sent any.
    let mut idle = connect(&world).await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let (emitted, took) = until_closed(&mut idle).await;
    assert!(emitted.starts_with("HTTP/1.1 200"), "{emitted}");
    assert!(took > 2 * header, "{took:?}");
    // And half of a next request has the deadline of a request.
    let mut next = connect(&world).await;
    next.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /")
        .await
        .unwrap();
    let (emitted, _) = until_closed(&mut next).await;
    assert!(emitted.starts_with("HTTP/1.1 200"), "{emitted}");
}

#[tokio::test]
async fn one_address_does_not_take_every_place() {
    let world = World::with(1, |config| {
        config.api.max_connections = 40;
        config.api.max_connections_per_address = 8;
    })
    .await;
    let mut held = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&world).await;
        // The answer to who has no place comes at once; the others wait for a request.
        let mut first = [0; 12];
        match timeout(Duration::from_millis(150), stream.read_exact(&mut first)).await {
            Ok(Ok(_)) => refused.push(String::from_utf8_lossy(&first).into_owned()),
            Ok(Err(_)) => refused.push("HTTP/1.1 503".into()),
            Err(_) => held.push(stream),
        }
    }
    // The test's own client keeps a connection or two.
    assert!((5..=8).contains(&held.len()), "{}", held.len());
    assert!(
        refused.iter().all(|emitted| emitted == "HTTP/1.1 503"),
        "{refused:?}"
    );
    drop(held);
    eventually("there are places again", async || {
        let answer = world.api(0, reqwest::Method::GET, "/healthz").send().await;
        answer
            .is_ok_and(|answer| answer.status() == 200)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_takes_no_answer_loses_the_place() {
    let world = World::with(1, |config| config.api.write_timeout_ms = 300).await;
    let mut stream = connect(&world).await;
    // Requests for a large document, and nothing of the answers is read.
    let request = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    let wrote = async {
        loop {
            if stream.write_all(request).await.is_err() {
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), wrote)
        .await
        .expect("the server ends it");
}

/// What an answer says of the connection holds: a client that sends its next request there loses it
/// otherwise.
#[tokio::test]
async fn who_is_answered_before_the_body_was_read_is_told_whether_to_go_on() {
    let world = World::start().await;
    let head = |length: usize| {
        format!(
            "POST /api/v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        )
    };
    // A little is read to its end, and the next request is answered.
    let mut stream = connect(&world).await;
    stream.write_all(head(2).as_bytes()).await.unwrap();
    stream.write_all(b"{}").await.unwrap();
    let next = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(next).await.unwrap();
    let (both, _) = until_closed(&mut stream).await;
    assert!(both.starts_with("HTTP/1.1 401"), "{both}");
    assert_eq!(both.matches("connection: close").count(), 1, "{both}");
    assert!(both.contains("HTTP/1.1 200"), "{both}");
    // Much is not, whether it comes or not.
    let mut stream = connect(&world).await;
    stream.write_all(head(8 << 20).as_bytes()).await.unwrap();
    let (refused, _) = until_closed(&mut stream).await;
    assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
    assert!(refused.contains("connection: close"), "{refused}");
}
