//! Connecting, reconnecting and closing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_shared::lane::ReceiptStatus;
use gateway_worker::link::{Fact, LinkConfig, LinkEnd, NotSent, SendOutcome, Silence};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use wa_sandbox::Config;

use crate::wire::Wire;
use crate::world::{BOB, Linked, OWN, PATIENCE, World, connected, open, text};

fn disconnected(fact: &Fact) -> Option<()> {
    matches!(fact, Fact::Disconnected { .. }).then_some(())
}

#[tokio::test]
async fn a_cut_link_comes_back_by_itself() {
    let world = World::start().await;
    let mut linked = world.paired().await;
    world
        .post(&format!("/admin/accounts/{OWN}/disconnect"), &json!({}))
        .await;
    linked.until(disconnected).await;
    linked.until(connected).await;
    let outcome = linked.link.send(&text("back")).await;
    assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
}

#[tokio::test]
async fn nothing_is_sent_without_a_connection() {
    let world = World::start().await;
    let linked = world.unpaired().await;
    let outcome = linked.link.send(&text("early")).await;
    assert_eq!(outcome, SendOutcome::NotSent(NotSent::NotConnected));
}

#[tokio::test]
async fn a_server_that_acknowledges_nothing_is_left() {
    let world = World::start().await;
    let config = LinkConfig {
        ack_timeout: Duration::from_millis(400),
        silent_acks: 2,
        ..LinkConfig::default()
    };
    let mut linked = world.paired_as(config, Arc::default()).await;
    world.fault("silence", 2).await;
    for _ in 0..2 {
        let outcome = linked.link.send(&text("anybody?")).await;
        assert_eq!(outcome, SendOutcome::Unacked(Silence::Timeout));
    }
    linked.until(disconnected).await;
    linked.until(connected).await;
    let outcome = linked.link.send(&text("there?")).await;
    assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
}

/// A paired link over a wire.
async fn wired(world: &World, config: LinkConfig) -> (Wire, Linked) {
    let wire = Wire::to(&world.sandbox.ws_url()).await;
    let mut linked = open(&wire.url(), Arc::default(), config, Arc::default()).await;
    world.scan(&mut linked, false).await;
    linked.until(connected).await;
    (wire, linked)
}

#[tokio::test]
async fn a_dead_wire_is_noticed_by_the_acks_that_do_not_come() {
    let world = World::start().await;
    let config = LinkConfig {
        ack_timeout: Duration::from_millis(400),
        silent_acks: 1,
        ..LinkConfig::default()
    };
    let (wire, mut linked) = wired(&world, config).await;
    // To a person never written to, whom we have to ask about first, and then to one we know.
    for known in [false, true] {
        wire.go_dead();
        let send = text("lost on the way");
        let outcome = linked.link.send(&send).await;
        if known {
            assert_eq!(outcome, SendOutcome::Unacked(Silence::Timeout));
        } else {
            let lost = [
                SendOutcome::NotSent(NotSent::NotConnected),
                SendOutcome::Unacked(Silence::LinkLost),
            ];
            assert!(lost.contains(&outcome), "{outcome:?}");
        }
        linked.until(disconnected).await;
        linked.until(connected).await;
        let outcome = linked.link.send(&send).await;
        assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
        assert_eq!(world.held(BOB, &send.wa_message_id).await["copies"], 1);
    }
}

/// Waits for the library's own pings: up to a minute.
#[tokio::test]
async fn a_dead_wire_is_noticed_by_the_pongs_that_do_not_come() {
    let world = World::start().await;
    let (wire, mut linked) = wired(&world, LinkConfig::default()).await;
    wire.go_dead();
    linked.until(disconnected).await;
    linked.until(connected).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_does_not_hold_up_a_close() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws/chat", server.local_addr().unwrap());
    // First one that does not even answer the upgrade, then one that does not shake hands.
    for upgrades in [false, true] {
        let linked = open(&url, Arc::default(), LinkConfig::default(), Arc::default()).await;
        let (mut socket, _) = server.accept().await.unwrap();
        let mut hello = vec![0; 4096];
        let count = socket.read(&mut hello).await.unwrap();
        if upgrades {
            let request = String::from_utf8_lossy(&hello[..count]);
            let key = request.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("sec-websocket-key")
                    .then(|| value.trim())
            });
            let accepted = derive_accept_key(key.unwrap().as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
            // The client's half of the handshake.
            assert!(socket.read(&mut hello).await.unwrap() > 0);
        }
        let began = Instant::now();
        linked.link.close().await;
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn a_closed_link_leaves_nothing_running() {
    let world = World::start().await;
    let Linked { link, backend, .. } = world.paired().await;
    link.close().await;
    drop(link);
    // Whatever still ran would hold the backend.
    let freed = async {
        while Arc::strong_count(&backend) > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.unwrap();
}

#[tokio::test]
async fn a_closed_link_goes_on_elsewhere_without_pairing() {
    let world = World::start().await;
    let mut linked = world.paired().await;
    assert!(matches!(
        linked.link.send(&text("one")).await,
        SendOutcome::Acked { .. }
    ));
    let began = Instant::now();
    linked.link.close().await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    let end = linked
        .until(|fact| match fact {
            Fact::Ended(end) => Some(*end),
            _ => None,
        })
        .await;
    assert_eq!(end, LinkEnd::Closed);
    world
        .eventually("/admin/accounts", |accounts| {
            let own = accounts["data"].as_array()?;
            let own = own.iter().find(|account| account["phone"] == OWN)?;
            (own["companions"][0]["connected"] == json!(false)).then_some(())
        })
        .await;

    let mut again = world
        .open(
            Arc::clone(&linked.backend),
            LinkConfig::default(),
            Arc::default(),
        )
        .await;
    again.until(connected).await;
    let send = text("two");
    assert!(matches!(
        again.link.send(&send).await,
        SendOutcome::Acked { .. }
    ));
    assert_eq!(world.held(BOB, &send.wa_message_id).await["content"], "two");
    again
        .receipt(&send.wa_message_id, ReceiptStatus::Delivered)
        .await;
}

#[tokio::test]
async fn a_severed_link_is_silent_at_once() {
    let world = World::start().await;
    let mut linked = world.paired().await;
    linked.link.sever();
    assert!(!linked.link.is_connected());
    let outcome = linked.link.send(&text("late")).await;
    assert_eq!(outcome, SendOutcome::NotSent(NotSent::NotConnected));
    linked
        .until(|fact| matches!(fact, Fact::Ended(LinkEnd::Closed)).then_some(()))
        .await;
}

#[tokio::test]
async fn an_unreachable_server_is_dialed_until_it_is_there() {
    // A port that nobody listens on, until a sandbox does.
    let probe = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = probe.local_addr().unwrap();
    drop(probe);
    let url = format!("ws://{address}/ws/chat");
    let mut linked = open(&url, Arc::default(), LinkConfig::default(), Arc::default()).await;
    for _ in 0..2 {
        linked
            .until(|fact| matches!(fact, Fact::DialFailed { .. }).then_some(()))
            .await;
    }
    let config = Config {
        ws: address,
        ..Config::default()
    };
    let world = World::with(config).await;
    world.scan(&mut linked, false).await;
    linked.until(connected).await;
}

#[tokio::test]
async fn a_link_that_is_dialing_closes_at_once() {
    let probe = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws/chat", probe.local_addr().unwrap());
    drop(probe);
    let mut linked = open(&url, Arc::default(), LinkConfig::default(), Arc::default()).await;
    linked
        .until(|fact| matches!(fact, Fact::DialFailed { .. }).then_some(()))
        .await;
    let began = Instant::now();
    linked.link.close().await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}
