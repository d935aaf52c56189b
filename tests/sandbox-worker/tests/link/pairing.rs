//! Pairing and parting.

use std::sync::Arc;

use gateway_worker::link::{Fact, LinkConfig, LinkEnd, Pairing, PairingFailure};
use serde_json::json;

use crate::world::{OWN, World, connected};

fn ended(fact: &Fact) -> Option<LinkEnd> {
    match fact {
        Fact::Ended(end) => Some(*end),
        _ => None,
    }
}

#[tokio::test]
async fn a_phone_scans_the_code() {
    let world = World::start().await;
    let mut linked = world.unpaired().await;
    assert!(!linked.link.is_paired());
    world.scan(&mut linked, false).await;
    let paired = linked
        .until(|fact| match fact {
            Fact::Paired { jid, lid } => Some((jid.clone(), lid.clone())),
            _ => None,
        })
        .await;
    assert_eq!(paired.0.as_str(), format!("{OWN}@s.whatsapp.net"));
    assert!(paired.1.is_lid());
    let connected = linked
        .until(|fact| match fact {
            Fact::Connected { jid, lid } => Some((jid.clone(), lid.clone())),
            _ => None,
        })
        .await;
    assert_eq!(connected, (Some(paired.0), Some(paired.1)));
    assert!(linked.link.is_connected() && linked.link.is_paired());
    assert!(matches!(
        linked.link.pairing_code(OWN).await,
        Err(PairingFailure::AlreadyPaired)
    ));
}

#[tokio::test]
async fn somebody_types_the_code() {
    let world = World::start().await;
    let config = LinkConfig {
        pairing: Pairing::Code { phone: OWN.into() },
        ..LinkConfig::default()
    };
    let mut linked = world.open(Arc::default(), config, Arc::default()).await;
    let emitted = |fact: &Fact| match fact {
        Fact::PairingCode { code, expires_at } => Some((code.clone(), *expires_at)),
        _ => None,
    };
    let (first, expires_at) = linked.until(emitted).await;
    assert!(expires_at > 0);
    // Another wish makes another code, and the first is void.
    let second = linked.link.pairing_code(OWN).await.unwrap();
    assert_ne!(second.as_str(), first);
    assert_eq!(linked.until(emitted).await.0, second.as_str());
    let entered = json!({ "phone": OWN, "code": second.as_str() });
    world.post("/admin/link-code", &entered).await;
    linked.until(connected).await;
    assert!(linked.link.is_connected());
}

#[tokio::test]
async fn the_phone_logs_the_device_out_while_it_is_connected() {
    let world = World::start().await;
    let mut linked = world.paired().await;
    world
        .post(&format!("/admin/accounts/{OWN}/logout"), &json!({}))
        .await;
    let out = linked
        .until(|fact| match fact {
            Fact::LoggedOut { reason, on_connect } => Some((reason.clone(), *on_connect)),
            _ => None,
        })
        .await;
    assert_eq!(out, ("logged_out".into(), false));
    assert_eq!(linked.until(ended).await, LinkEnd::LoggedOut);
    assert!(!linked.link.is_connected());
}

#[tokio::test]
async fn the_phone_logs_the_device_out_while_it_is_away() {
    let world = World::start().await;
    let linked = world.paired().await;
    linked.link.close().await;
    world
        .post(&format!("/admin/accounts/{OWN}/logout"), &json!({}))
        .await;
    let mut again = world
        .open(
            Arc::clone(&linked.backend),
            LinkConfig::default(),
            Arc::default(),
        )
        .await;
    let on_connect = again
        .until(|fact| match fact {
            Fact::LoggedOut { on_connect, .. } => Some(*on_connect),
            _ => None,
        })
        .await;
    assert!(on_connect);
    assert_eq!(again.until(ended).await, LinkEnd::LoggedOut);
}

#[tokio::test]
async fn we_part_from_the_phone() {
    let world = World::start().await;
    let mut linked = world.paired().await;
    linked.link.logout().await.unwrap();
    assert_eq!(linked.until(ended).await, LinkEnd::LoggedOut);
    world
        .eventually("/admin/accounts", |accounts| {
            let own = accounts["data"].as_array()?;
            let own = own.iter().find(|account| account["phone"] == OWN)?;
            own["companions"].as_array()?.is_empty().then_some(())
        })
        .await;
}

#[tokio::test]
async fn the_same_device_somewhere_else_takes_our_place() {
    let world = World::start().await;
    let mut first = world.paired().await;
    let mut second = world
        .open(
            Arc::clone(&first.backend),
            LinkConfig::default(),
            Arc::default(),
        )
        .await;
    second.until(connected).await;
    first
        .until(|fact| matches!(fact, Fact::Replaced).then_some(()))
        .await;
    assert_eq!(first.until(ended).await, LinkEnd::Replaced);
    assert!(second.link.is_connected());
}
