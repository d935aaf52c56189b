//! A slot of a Cluster is moved to another master while it is in use.

use gateway_shared::domain::{Limits, OrganizationId};
use gateway_shared::lane::SessionRef;
use gateway_shared::redis::{RedisConfig, Store};
use gateway_shared::session::{DesiredChange, NewSession, Sessions};
use gateway_tests::process::{Persistence, RedisGroup, RedisServer, Topology};

use crate::retention;

async fn ask(server: &RedisServer, command: &str) {
    let _: String = server.ask(command).await.unwrap();
}

#[tokio::test]
async fn while_a_slot_moves_its_scripts_run_nowhere_and_afterwards_all_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let group = RedisGroup::start(folder.path(), Topology::Cluster, Persistence::Unsynced);
    let group = group.await.unwrap();
    let config = RedisConfig::at(group.urls(), "t");
    let store = Store::open(&config).await.unwrap();
    let sessions = Sessions::new(store.clone(), &retention());
    let organization = OrganizationId::generate(1);
    let new = NewSession {
        label: "Front desk".to_owned(),
        start: true,
        limits: Limits::default(),
        auto_read: false,
        auto_download: false,
        presence_typing: false,
        proxy: None,
        device_name: String::new(),
        platform: String::new(),
    };
    let session = sessions.create(1, &organization, &new).await.unwrap();
    let of = SessionRef {
        organization: organization.clone(),
        session: session.id,
    };
    let change = async |change| sessions.desired_change(2, &of, change).await;
    assert!(change(DesiredChange::Stop).await.unwrap());

    let root = store.keys.partition(&organization);
    let from = group.master_of(&format!("{root}:sessions")).await.unwrap();
    let (from, to) = (&group.servers[from], &group.servers[(from + 1) % 3]);
    let slot: u16 = from.ask(&format!("CLUSTER KEYSLOT {root}")).await.unwrap();
    let from_id: String = from.ask("CLUSTER MYID").await.unwrap();
    let to_id: String = to.ask("CLUSTER MYID").await.unwrap();
    ask(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")).await;
    ask(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")).await;
    let keys: Vec<String> = from
        .ask(&format!("CLUSTER GETKEYSINSLOT {slot} 100"))
        .await
        .unwrap();
    assert!(keys.len() >= 3, "a record, a list and events: {keys:?}");
    for key in &keys {
        // Before each step, and so also with nothing and with nearly everything moved.
        let refused = change(DesiredChange::Start).await.unwrap_err();
        assert_eq!(refused.reason(), "redis_slot_moving", "{refused}");
        let record = sessions.record(&of).await.unwrap();
        assert_eq!(
            record.map(|record| record.session.label),
            Some(new.label.clone())
        );
        let port = to.port();
        ask(from, &format!("MIGRATE 127.0.0.1 {port} {key} 0 5000")).await;
    }
    let refused = change(DesiredChange::Start).await.unwrap_err();
    assert_eq!(refused.reason(), "redis_slot_moving", "{refused}");
    ask(to, &format!("CLUSTER SETSLOT {slot} NODE {to_id}")).await;
    ask(from, &format!("CLUSTER SETSLOT {slot} NODE {to_id}")).await;

    assert!(change(DesiredChange::Start).await.unwrap());
    let left: Vec<String> = from
        .ask(&format!("CLUSTER GETKEYSINSLOT {slot} 100"))
        .await
        .unwrap_or_default();
    assert!(left.is_empty(), "nothing was made anew behind it: {left:?}");
    let events: u64 = redis::cmd("XLEN")
        .arg(format!("{root}:ev"))
        .query_async(&mut store.connection.clone())
        .await
        .unwrap();
    assert_eq!(events, 2, "stopped, starting");
}
