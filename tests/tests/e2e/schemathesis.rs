//! The OpenAPI document, tried by a program that knows nothing but the document.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use gateway_tests::client::SendRequest;
use gateway_tests::login::LoginFrontend;
use gateway_tests::world::World;
use serde_json::{Value, json};
use tokio::process::Command;

/// The variable that says where schemathesis is; `make` sets it.
const PROGRAM: &str = "SCHEMATHESIS";
/// More arguments for it.
const ARGUMENTS: &str = "SCHEMATHESIS_ARGS";
/// The least number of requests that it must have made.
const AT_LEAST: &str = "SCHEMATHESIS_AT_LEAST";

/// No server error, no answer that the document does not have, nothing accepted that it forbids.
#[tokio::test]
async fn schemathesis_finds_nothing() -> Result<()> {
    let Some(program) = env::var_os(PROGRAM).filter(|program| !program.is_empty()) else {
        // Nothing is skipped that nobody asked to skip.
        let without = env::var("GATEWAY_TESTS_WITHOUT").unwrap_or_default();
        ensure!(
            without.split_whitespace().any(|tool| tool == "python"),
            "{PROGRAM} is not set: `make test` and `make schemathesis` set it; \
             GATEWAY_TESTS_WITHOUT=python leaves this test out"
        );
        eprintln!("skipped: the API is not tried by its document without Python");
        return Ok(());
    };
    let frontend = LoginFrontend::start().await?;
    let mut builder = World::builder()
        // It makes sessions by the hundred; a few are enough to run.
        .worker_env("GATEWAY_WORKER__CAPACITY", "20")
        .api_env("GATEWAY_SEND__SYNC_DEADLINE_MS", "3000");
    for (name, value) in frontend.api_env() {
        builder = builder.api_env(name, value);
    }
    builder
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let send = SendRequest::text(&peer.phone, "hello");
            let sent = api.send(&session.id, &send).await?.expect(200)?;
            let doomed_message = api.send(&session.id, &send).await?.expect(200)?;
            let poll = json!({
                "type": "poll", "to": peer.phone, "name": "Lunch?", "options": ["Noodles", "Rice"],
            });
            let poll = SendRequest::body(poll);
            let poll = api.send(&session.id, &poll).await?.expect(200)?;
            let spare = api.create_session("spare", 0, 0).await?;
            let doomed = api.create_session("doomed", 0, 0).await?;
            let group = json!({"subject": "Walks", "members": [peer.phone]});
            let path = format!("/sessions/{}/groups", session.id);
            let made = api.post(&path, &group).await?.expect(201)?;
            let doomed_group = api.post(&path, &group).await?.expect(201)?;
            let report = world.folder().join("schemathesis.json");
            let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
            let mut command = Command::new(program);
            command
                .arg("--config-file")
                .arg(repository.join("schemathesis.toml"))
                .arg("run")
                .arg(format!("{}/api/v1/openapi.json", api.address()))
                .arg("--report-json-path")
                .arg(&report)
                .env("TOKEN", frontend.operator(world.organization()))
                .env("SESSION", &session.id)
                .env("SPARE_SESSION", spare)
                .env("DOOMED_SESSION", doomed)
                .env("GROUP", made.text("group/groupJid")?)
                .env("DOOMED_GROUP", doomed_group.text("group/groupJid")?)
                .env("OUTBOX_ID", sent.text("outboxId")?)
                .env("MESSAGE_ID", sent.text("waMessageId")?)
                .env("DOOMED_MESSAGE", doomed_message.text("waMessageId")?)
                .env("POLL", poll.text("waMessageId")?)
                .kill_on_drop(true);
            let arguments = env::var(ARGUMENTS).unwrap_or_default();
            command.args(arguments.split_whitespace());
            let ended = command
                .status()
                .await
                .context("schemathesis does not start")?;
            ensure!(ended.success(), "schemathesis found something: {ended}");
            let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
            let operations = &report["operations"];
            assert_eq!(operations["tested"], operations["total"], "{report:#}");
            let made = report["test_cases"]["generated"].as_u64().unwrap_or(0);
            let least = env::var(AT_LEAST).ok().and_then(|text| text.parse().ok());
            ensure!(made >= least.unwrap_or(100), "it made only {made} requests");
            world.may_leave_sends_waiting();
            Ok(())
        })
        .await
}
