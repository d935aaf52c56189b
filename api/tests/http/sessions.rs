//! Sessions over HTTP.

use futures_util::StreamExt;
use gateway_shared::command::{self, CommandError, CommandOutcome, CommandReply, CommandRequest};
use gateway_shared::domain::SessionStatus;
use gateway_shared::redis::Connection;
use reqwest::Method;
use serde_json::json;

use crate::owner::Owner;
use crate::world::{World, answer, now};

#[tokio::test]
async fn a_session_is_made_changed_and_deleted() {
    let world = World::start().await;
    let body = json!({"label": "Support", "start": false, "ratePerMin": 5, "autoRead": true});
    let made = answer(world.request(Method::POST, "/sessions").json(&body)).await;
    assert_eq!(made.status, 201);
    insta::assert_json_snapshot!(made.body, {
        ".id" => "sess_…", ".organizationId" => "org_…", ".createdAt" => 0, ".updatedAt" => 0,
    });
    let path = format!("/sessions/{}", made.text("id"));
    let patch = json!({"label": "Sales", "ratePerHour": 0, "presenceTyping": true});
    let changed = answer(world.request(Method::PATCH, &path).json(&patch)).await;
    assert_eq!(changed.status, 200);
    let got = answer(world.request(Method::GET, &path)).await;
    assert_eq!(got.body, changed.body);
    assert_eq!(
        (got.text("label"), &got.body["ratePerHour"]),
        ("Sales".into(), &json!(0))
    );
    assert_eq!(got.body["ratePerMin"], 5);

    let bad = json!({"label": 1, "ratePerMin": -1, "start": true});
    let refused = answer(world.request(Method::PATCH, &path).json(&bad)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.body["error"]["details"]["errors"]
            .as_array()
            .unwrap()
            .len(),
        3
    );

    let defaults = answer(world.request(Method::POST, "/sessions")).await;
    assert_eq!(
        (defaults.status.as_u16(), defaults.text("status")),
        (201, "starting".into())
    );
    assert_eq!(defaults.body["ratePerMin"], 20);
    let listed = answer(world.request(Method::GET, "/sessions")).await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(listed.body["nextCursor"], "");

    let deleted = answer(world.request(Method::DELETE, &path)).await;
    assert_eq!((deleted.status.as_u16(), deleted.body), (204, json!(null)));
    assert_eq!(answer(world.request(Method::GET, &path)).await.status, 404);
    // Whoever repeats the request, because the answer was lost, is told the same.
    let again = answer(world.request(Method::DELETE, &path)).await;
    assert_eq!(again.status, 204);
}

#[tokio::test]
async fn a_session_is_started_stopped_and_logged_out() {
    let world = World::start().await;
    let body = json!({"start": false});
    let made = answer(world.request(Method::POST, "/sessions").json(&body)).await;
    assert_eq!(made.text("status"), "stopped");
    for (verb, status) in [
        ("start", "starting"),
        ("start", "starting"),
        ("restart", "starting"),
        ("stop", "stopped"),
        ("logout", "logged_out"),
    ] {
        let path = format!("/sessions/{}:{verb}", made.text("id"));
        let got = answer(world.request(Method::POST, &path)).await;
        assert_eq!(
            (got.status.as_u16(), got.text("status")),
            (200, status.into()),
            "{verb}"
        );
        assert_eq!(got.text("id"), made.text("id"));
    }
}

#[tokio::test]
async fn the_code_to_scan_comes_as_json_and_as_a_picture() {
    let world = World::start().await;
    let session = world.session().await;
    world.unpair(&session).await;
    let path = format!("/sessions/{}/qr", session.session);
    let got = answer(world.request(Method::GET, &path)).await;
    assert_eq!((got.status.as_u16(), got.reason()), (503, "not_ready"));

    let owner = Owner::acquire(&world, &session).await;
    let expires = (now() + 20_000).to_string();
    let fields = [
        ("qr", "2@code,key,identity,secret"),
        ("qrExpiresAt", &*expires),
    ];
    owner
        .report(&world, SessionStatus::ScanQrCode, &fields)
        .await;
    let got = answer(world.request(Method::GET, &path)).await;
    assert_eq!(got.text("code"), "2@code,key,identity,secret");
    assert_eq!(got.body["expiresAt"].to_string(), expires);
    for (accept, magic) in [
        ("image/png", b"\x89PNG".as_slice()),
        ("image/svg+xml", b"<?xml".as_slice()),
    ] {
        let request = world.request(Method::GET, &path).header("accept", accept);
        let got = request.send().await.unwrap();
        assert_eq!(got.headers()["content-type"], accept);
        assert!(got.bytes().await.unwrap().starts_with(magic));
    }

    let fields = [
        ("waJid", "6281234567890@s.whatsapp.net"),
        ("waLid", "123@lid"),
    ];
    owner.report(&world, SessionStatus::Working, &fields).await;
    let got = answer(world.request(Method::GET, &path)).await;
    assert_eq!((got.status.as_u16(), got.reason()), (409, "already_paired"));
    let me = format!("/sessions/{}/me", session.session);
    let got = answer(world.request(Method::GET, &me)).await;
    let expected = json!({"waJid": "6281234567890@s.whatsapp.net", "waLid": "123@lid", "phone": "6281234567890"});
    assert_eq!(got.body, expected);

    let stopped = answer(
        world
            .request(Method::POST, "/sessions")
            .json(&json!({"start": false})),
    )
    .await;
    let path = format!("/sessions/{}/qr", stopped.text("id"));
    let got = answer(world.request(Method::GET, &path)).await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (409, "session_stopped")
    );
}

#[tokio::test]
async fn a_pairing_code_is_asked_of_the_owner() {
    let world = World::start().await;
    let session = world.session().await;
    world.unpair(&session).await;
    let path = format!("/sessions/{}/pairing-code", session.session);
    let ask = |phone: &str| {
        let request = world.request(Method::POST, &path);
        answer(request.json(&json!({"phone": phone})))
    };
    assert_eq!(ask("nobody").await.status, 400);
    let got = ask("+6281234567890").await;
    assert_eq!((got.status.as_u16(), got.reason()), (503, "not_ready"));

    let owner = Owner::acquire(&world, &session).await;
    let mut commands = Connection::open_subscriber(&world.config.redis)
        .await
        .unwrap();
    let channel = world.store.keys.command_channel(owner.worker.as_str());
    commands.subscribe(channel).await.unwrap();
    let store = world.store.clone();
    let worker = tokio::spawn(async move {
        let mut commands = commands.into_on_message();
        for outcome in [
            CommandOutcome::Ok(json!({"code": "ABCD-1234"})),
            CommandOutcome::Error(CommandError {
                wa_code: None,
                code: "session_not_connected".to_owned(),
                message: "no".to_owned(),
            }),
        ] {
            let message = commands.next().await.unwrap();
            let request: CommandRequest =
                serde_json::from_slice(message.get_payload_bytes()).unwrap();
            let token = request.token.clone();
            command::answer(&store, &request.instance, &CommandReply { token, outcome })
                .await
                .unwrap();
        }
    });
    let got = ask("+62 812-3456-7890").await;
    assert_eq!(
        (got.status.as_u16(), got.text("code")),
        (200, "ABCD-1234".into())
    );
    let got = ask("+6281234567890").await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (503, "session_not_connected")
    );
    worker.await.unwrap();
}
