//! Names that people give to files, on their way out and in.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use reqwest::header::{CONTENT_DISPOSITION, RANGE};
use serde_json::json;

/// Names that lead elsewhere, break out of headers, or show as something else.
fn names() -> Vec<String> {
    [
        "../../etc/passwd",
        "a\"b\".pdf",
        "a\r\nSet-Cookie: x=1.pdf",
        "photo\u{202E}gpj.exe",
        "..\\..\\win.ini",
        "null\0byte.txt",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("{}.pdf", "n".repeat(9_996)), "é".repeat(250)])
    .collect()
}

fn is_safe(name: &str) -> bool {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    !name.is_empty() && !name.chars().any(bad) && !name.starts_with('.')
}

#[tokio::test]
async fn no_name_leads_anywhere() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            for name in names() {
                let media = json!({ "data": STANDARD.encode("x"), "filename": name });
                let body = json!({ "type": "document", "to": peer.jid, "media": media });
                let sent = api.send(&session.id, &SendRequest::body(body)).await?;
                if name.chars().count() > 255 {
                    assert_eq!(sent.expect(400)?.error_fields(), ["media.filename"]);
                } else {
                    let id = sent.expect(200)?.text("waMessageId")?;
                    let shown = sandbox.wait_for_message(&peer.phone, &id).await?;
                    let shown = shown.content["filename"].as_str().unwrap_or_default();
                    assert!(is_safe(shown), "{name:?} became {shown:?}");
                }

                // A stranger's name goes into no header as it is.
                let fields = json!({ "filename": name });
                let id = sandbox
                    .send_file(&peer.phone, &session.phone, "document", b"x", fields)
                    .await?;
                let path = format!("/sessions/{}/messages/{id}/media", session.id);
                let got = eventually("the message is known", async || {
                    let request = api.request(Method::GET, &path).header(RANGE, "bytes=0-0");
                    let answer = api.call(request).await?;
                    Ok((answer.status != 404).then_some(answer))
                })
                .await?
                .expect(206)?;
                let shown = got.header(CONTENT_DISPOSITION.as_str()).unwrap_or_default();
                let plain = shown
                    .strip_prefix("attachment; filename=\"")
                    .and_then(|rest| rest.split_once("\"; filename*=UTF-8''"));
                let (plain, encoded) = plain.unwrap_or_default();
                assert!(is_safe(plain) && !plain.contains('"'), "{shown}");
                assert!(
                    encoded
                        .bytes()
                        .all(|b| b.is_ascii_graphic() && b != b'"' && b != b';')
                );
                assert!(got.headers.get("set-cookie").is_none());
                assert!(shown.len() < 2_000, "{} bytes of name", shown.len());
            }
            Ok(())
        })
        .await
}
