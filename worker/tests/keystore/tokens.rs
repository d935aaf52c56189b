//! Tokens of people follow them from their numbers to their LIDs.

use wacore::store::traits::{LidPnMappingEntry, ProtocolStore, TcTokenEntry};

use crate::server::{Server, session};

const PHONE: &str = "15550000002";
const LID: &str = "100000000000002";

fn token(byte: u8, at: i64, sent: Option<i64>) -> TcTokenEntry {
    TcTokenEntry {
        token: vec![byte; 16],
        token_timestamp: at,
        sender_timestamp: sent,
    }
}

fn is_the_same() -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: LID.into(),
        phone_number: PHONE.into(),
        created_at: 1,
        updated_at: 1,
        learning_source: "other".into(),
    }
}

/// As the library does with a history: tokens by number first, then whose LIDs these are.
#[tokio::test]
async fn a_token_follows_its_person_to_the_lid() {
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let given = token(7, 100, Some(90));
    on.put_tc_token(PHONE, &given).await.expect("written");
    on.put_lid_mappings(&[is_the_same()])
        .await
        .expect("written");
    let moved = on.get_tc_token(LID).await.expect("read").expect("there");
    assert_eq!(moved.token, given.token);
    assert_eq!(moved.token_timestamp, 100);
    assert_eq!(moved.sender_timestamp, Some(90));
    assert!(on.get_tc_token(PHONE).await.expect("read").is_none());
}

#[tokio::test]
async fn an_older_token_replaces_none_on_its_way() {
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let newer = token(9, 200, None);
    on.put_tc_token(LID, &newer).await.expect("written");
    let older = token(7, 100, None);
    on.put_tc_token(PHONE, &older).await.expect("written");
    on.put_lid_mapping(&is_the_same()).await.expect("written");
    let kept = on.get_tc_token(LID).await.expect("read").expect("there");
    assert_eq!(kept.token, newer.token);
    assert!(on.get_tc_token(PHONE).await.expect("read").is_none());
}
