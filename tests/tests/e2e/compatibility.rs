//! The `curl` examples of the API that people integrate against, as written, with only host, token
//! and ids replaced.

use std::process::Stdio;

use anyhow::{Context, Result};
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use serde_json::{Value, json};
use tokio::process::Command;

/// What the examples hold in the places of ours.
const HOST: &str = "https://example.com";
const SESSION: &str = "01HZX...";
const MESSAGE: &str = "3EB0C431C26A1916E07A";
const RECIPIENT: &str = "6281234567890@s.whatsapp.net";

/// The examples. Each has what the table beside it says is required of its type: the bare one of the
/// pages leaves out the text of a text and the options of a vote, and a reader fills them in.
const SEND: &str = r#"curl -X POST "https://example.com/api/v1/sessions/01HZX.../messages" \ -H "Content-Type: application/json" \ -d '{ "to": "6281234567890@s.whatsapp.net", "type": "text", "text": "hello" }'"#;
const VOTE: &str = r#"curl -X POST "https://example.com/api/v1/sessions/01HZX.../messages/3EB0C431C26A1916E07A/vote" \ -H "Content-Type: application/json" \ -d '{ "options": ["a"] }'"#;
const UNREACT: &str = r#"curl -X DELETE "https://example.com/api/v1/sessions/01HZX.../messages/3EB0C431C26A1916E07A/reaction" \ -H "Content-Type: application/json" \ -d '{}'"#;

/// Runs an example and returns the status and the body of the answer.
async fn run(example: &str, replace: &[(&str, &str)], token: &str) -> Result<(u16, Value)> {
    let mut command = example.to_owned();
    for (theirs, ours) in replace {
        command = command.replace(theirs, ours);
    }
    // The pages show a line break after each backslash.
    let command = command.replace("\\ -", "\\\n -").replacen(
        "curl ",
        &format!("curl -sS -w '\\n%{{http_code}}' -H 'Authorization: Bearer {token}' "),
        1,
    );
    let output = Command::new("sh")
        .args(["-c", &command])
        .stdin(Stdio::null())
        .output()
        .await?;
    let text = String::from_utf8(output.stdout)?;
    let (body, status) = text
        .rsplit_once('\n')
        .with_context(|| format!("{command}: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok((status.parse()?, serde_json::from_str(body)?))
}

fn is_send_result(body: &Value) {
    let mut fields: Vec<&str> = body
        .as_object()
        .map_or_else(Vec::new, |body| body.keys().map(String::as_str).collect());
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "lid",
            "mode",
            "outboxId",
            "pn",
            "replayed",
            "status",
            "timestamp",
            "waMessageId"
        ]
    );
    assert_eq!(body["mode"], "sync");
    assert_eq!(body["status"], "sent");
    assert_eq!(body["replayed"], false);
    assert!(body["timestamp"].is_i64());
}

#[tokio::test]
async fn the_examples_of_the_pages_work_as_written() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let poll = json!({"type": "poll", "to": peer.jid, "name": "?", "options": ["a", "b"]});
            let poll = api.send(&session.id, &SendRequest::body(poll)).await?;
            let poll = poll.expect(200)?.text("waMessageId")?;
            let with = |session: &str, message: &str| {
                [
                    (HOST, api.address().to_owned()),
                    (SESSION, session.to_owned()),
                    (MESSAGE, message.to_owned()),
                    (RECIPIENT, peer.jid.clone()),
                ]
            };
            let curl = async |example: &str, session: &str, message: &str| {
                let with = with(session, message);
                let with = with
                    .each_ref()
                    .map(|(theirs, ours)| (*theirs, ours.as_str()));
                run(example, &with, api.key()).await
            };

            let (status, body) = curl(SEND, &session.id, "").await?;
            assert_eq!(status, 200, "{body}");
            is_send_result(&body);
            let sent = body["waMessageId"].as_str().unwrap_or_default();
            let message = world.sandbox().wait_for_message(&peer.phone, sent).await?;
            assert_eq!(message.text(), "hello");

            for example in [VOTE, UNREACT] {
                let (status, body) = curl(example, &session.id, &poll).await?;
                assert_eq!(status, 200, "{body}");
                is_send_result(&body);
                let unknown = "sess_01HZX000000000000000000000";
                let (status, body) = curl(example, unknown, &poll).await?;
                assert_eq!(status, 404);
                assert_eq!(body["error"]["code"], "not_found");
                assert_eq!(body["error"]["message"], "session not found");
                assert!(body["error"]["details"].is_object());
                let (status, body) = curl(example, &session.id, "3EB0NONE").await?;
                assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
            }
            Ok(())
        })
        .await
}
