//! What operators see: all organizations, and nobody else sees it.

use gateway_shared::apikey::Capabilities;
use gateway_shared::domain::{Limits, SendFailure};
use gateway_shared::lane::{Attempt, SessionRef};
use reqwest::Method;
use serde_json::{Value, json};

use crate::logins::frontend::{Frontend, Signer, claims, with};
use crate::owner::Owner;
use crate::world::{Answer, World, answer, eventually};

/// A world, and an operator's token for it.
async fn world() -> (World, Frontend, String) {
    let signer = Signer::ed();
    let frontend = Frontend::start(vec![signer.jwk("one")]).await;
    let world = World::with(1, |config| frontend.trusted(config)).await;
    let role = json!({"role": "super_admin", "activeOrganizationId": null});
    let token = signer.token("one", &with(claims("x"), role));
    (world, frontend, token)
}

async fn get(world: &World, token: &str, path: &str) -> Answer {
    let request = world.api(0, Method::GET, &format!("/api/v1/admin{path}"));
    answer(request.bearer_auth(token)).await
}

/// All pages of a list.
async fn all(world: &World, token: &str, path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let mark = if path.contains('?') { '&' } else { '?' };
        let page = get(world, token, &format!("{path}{mark}cursor={cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        found.extend(page.body["data"].as_array().unwrap().clone());
        cursor = page.text("nextCursor");
        if cursor.is_empty() {
            return found;
        }
    }
}

#[tokio::test]
async fn sessions_leases_and_workers_of_everybody() {
    let (world, _frontend, token) = world().await;
    let (theirs, _) = world.stranger("theirs").await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(world.session().await);
        made.push(world.session_of(&theirs, Limits::default()).await);
    }
    let owner = Owner::take(&world, &made[0]).await;
    let mut ids: Vec<&str> = made.iter().map(|of| of.session.as_str()).collect();
    ids.sort_unstable();
    let listed = all(&world, &token, "/sessions?limit=2").await;
    let seen: Vec<_> = listed
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(seen, ids);
    let path = format!("/sessions?organization={theirs}");
    assert_eq!(all(&world, &token, &path).await.len(), 3);

    let leases = all(&world, &token, "/leases?limit=4").await;
    assert_eq!(leases.len(), 6);
    for lease in &leases {
        let owned = lease["session"] == made[0].session.as_str();
        assert_eq!(lease["workerRegistered"], owned, "{lease}");
        assert_eq!(lease["worker"].is_null(), !owned, "{lease}");
        assert_eq!(lease["epoch"], u8::from(owned), "{lease}");
        assert_eq!(lease["desired"], "running");
    }
    let workers = all(&world, &token, "/workers").await;
    assert_eq!(workers.len(), 1);
    assert_eq!(
        (&workers[0]["id"], &workers[0]["alive"]),
        (&json!(owner.worker), &json!(true))
    );

    for path in [
        "/sessions?organization=x",
        "/sessions?cursor=zz",
        "/dead-letters?cursor=zz",
    ] {
        assert_eq!(
            get(&world, &token, path).await.code(),
            "validation_error",
            "{path}"
        );
    }
}

#[tokio::test]
async fn queues_tell_what_waits_since_when_and_how_fast() {
    let (world, _frontend, token) = world().await;
    let limits = Limits {
        rate_per_min: 10,
        rate_per_hour: 0,
    };
    let session = world.session_of(&world.organization, limits).await;
    let owner = Owner::take(&world, &session).await;
    let path = format!("/queues?session={}", session.session);
    let gauge = async || {
        let listed = all(&world, &token, &path).await;
        assert_eq!(listed.len(), 1);
        listed[0].clone()
    };
    let empty = gauge().await;
    assert_eq!(
        (&empty["depth"], &empty["oldestAt"]),
        (&json!(0), &Value::Null)
    );
    for text in ["1", "2", "3"] {
        assert_eq!(
            answer(world.send(&session, "?async=true", text))
                .await
                .status,
            202
        );
    }
    let waiting = gauge().await;
    assert_eq!(
        (&waiting["depth"], &waiting["inFlight"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(waiting["acceptedLastMinute"], 3);
    assert!(waiting["oldestAgeMs"].is_u64(), "{waiting}");
    assert_eq!(
        (&waiting["ratePerMin"], &waiting["spentOfMinute"]),
        (&json!(10), &json!(0))
    );
    assert_eq!(
        waiting["spentOfHour"],
        Value::Null,
        "there is no such limit"
    );

    let claimed = owner.claim().await;
    assert_eq!(claimed.len(), 1, "one of a chat at a time");
    let busy = gauge().await;
    assert_eq!((&busy["depth"], &busy["inFlight"]), (&json!(2), &json!(1)));
    assert_eq!(busy["spentOfMinute"], 1);
}

#[tokio::test]
async fn dead_letters_of_everybody_page_by_page() {
    let (world, _frontend, token) = world().await;
    let (theirs, _) = world.stranger("theirs").await;
    let sessions = [
        world.session().await,
        world
            .session_of(
                &theirs,
                Limits {
                    rate_per_min: 0,
                    rate_per_hour: 0,
                },
            )
            .await,
    ];
    let mut died = Vec::new();
    for session in &sessions {
        let owner = Owner::take(&world, session).await;
        for text in ["a", "b", "c"] {
            accept(&world, session, text).await;
            let claimed = eventually("it is claimed", async || owner.claim().await.pop()).await;
            let failure = SendFailure::refused(403);
            owner.settle(&claimed.id, Attempt::Dead(failure)).await;
            died.push(claimed.id.to_string());
        }
    }
    for limit in [1, 2, 50] {
        let listed = all(&world, &token, &format!("/dead-letters?limit={limit}")).await;
        let mut seen: Vec<_> = listed
            .iter()
            .map(|one| one["outboxId"].as_str().unwrap().to_owned())
            .collect();
        seen.sort_unstable();
        let mut wanted = died.clone();
        wanted.sort_unstable();
        assert_eq!(seen, wanted, "limit {limit}");
        assert!(listed.iter().all(|one| one["error"]["waCode"] == 403));
    }
    let path = format!("/dead-letters?organization={theirs}");
    let listed = all(&world, &token, &path).await;
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .all(|one| one["organization"] == theirs.as_str())
    );
}

/// Has a text accepted, whoever's the session is.
async fn accept(world: &World, of: &SessionRef, text: &str) {
    let (key, _) = world
        .key_for(&of.organization, Capabilities::all(), None)
        .await;
    let path = format!("/api/v1/sessions/{}/messages?async=true", of.session);
    let body = json!({"type": "text", "to": "6281234567890", "text": text});
    let request = world.api(0, Method::POST, &path).bearer_auth(key);
    assert_eq!(answer(request.json(&body)).await.status, 202);
}
