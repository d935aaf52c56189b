//! Linking a phone: by a page behind a one-time address, and with a passkey.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_tests::client::{Answer, ApiClient, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// The path of a page that was just made for a session.
async fn link(api: &ApiClient, session: &str) -> Result<String> {
    let path = format!("/sessions/{session}:link");
    let made = api.post(&path, &json!({})).await?.expect(201)?;
    let url = made.text("url")?;
    let path = url.strip_prefix(api.address()).context("another host")?;
    Ok(path.to_owned())
}

async fn get(api: &ApiClient, path: &str) -> Result<Answer> {
    api.call(api.bare(Method::GET, path)).await
}

async fn post(api: &ApiClient, path: &str, body: &Value) -> Result<Answer> {
    api.call(api.bare(Method::POST, path).json(body)).await
}

/// Waits until the page's state is this, and gives it.
async fn stands(api: &ApiClient, link: &str, status: &str) -> Result<Value> {
    eventually(&format!("the page says {status}"), async || {
        let state = get(api, &format!("{link}/state")).await?.expect(200)?.json;
        Ok((state["status"] == status).then_some(state))
    })
    .await
}

/// An assertion as a browser makes it at WhatsApp's site; the sandbox checks no signature.
fn assertion(options: &Value, origin: &str) -> Value {
    let data = json!({
        "type": "webauthn.get",
        "challenge": options["challenge"],
        "origin": origin,
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({
        "id": encode(b"credential"),
        "rawId": encode(b"credential"),
        "type": "public-key",
        "response": {
            "clientDataJSON": encode(data.to_string().as_bytes()),
            "authenticatorData": encode(b"authenticator"),
            "signature": encode(b"signature"),
            "userHandle": null,
        },
    })
}

/// The page shows the code, follows, says that the phone is linked, and is over.
#[tokio::test]
async fn a_page_links_a_phone_once() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let new = json!({ "label": "Front desk", "start": false });
            let session = api.post("/sessions", &new).await?.expect(201)?.text("id")?;
            let link = link(&api, &session).await?;
            let page = get(&api, &link).await?.expect(200)?;
            let policy = page
                .header("content-security-policy")
                .context("no policy")?;
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"));

            let state = stands(&api, &link, "qr").await?;
            assert!(state["qr"].as_str().is_some_and(|svg| svg.contains("<svg")));
            assert!(state["leftMs"].as_i64().is_some_and(|left| left > 0));
            let path = format!("{link}/pairing-code");
            let wrong = post(&api, &path, &json!({ "phone": "x" })).await?;
            wrong.expect(400)?;
            let code = api.wait_for_qr(&session).await?;
            world.sandbox().scan_qr("15550000041", &code).await?;
            let state = stands(&api, &link, "linked").await?;
            assert_eq!(state["phone"], "15550000041");

            get(&api, &link).await?.expect(410)?;
            let over = get(&api, &format!("{link}/state")).await?.expect(410)?;
            assert_eq!(over.error_code(), "gone");
            let path = format!("/sessions/{session}:link");
            let again = api.post(&path, &json!({})).await?.expect(409)?;
            assert_eq!(again.error_reason(), "already_paired");
            let unknown = format!("/link/{}", "0".repeat(48));
            get(&api, &unknown).await?.expect(404)?;
            Ok(())
        })
        .await
}

/// A code to type, asked for from the page.
#[tokio::test]
async fn a_page_gives_a_code_to_type() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let session = api.create_session("by code", 0, 0).await?;
            let link = link(&api, &session).await?;
            stands(&api, &link, "qr").await?;
            let phone = "15550000042";
            let path = format!("{link}/pairing-code");
            let code = post(&api, &path, &json!({ "phone": phone })).await?;
            let code = code.expect(200)?.text("code")?;
            world.sandbox().link_code(phone, &code).await?;
            assert_eq!(stands(&api, &link, "linked").await?["phone"], phone);
            Ok(())
        })
        .await
}

/// An account that wants a passkey: the session says so, takes an assertion made for the right
/// challenge at the right place, tells the code to compare, and is linked once it was compared.
#[tokio::test]
async fn an_account_is_linked_with_its_passkey() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let phone = "15550000043";
            sandbox.want_passkey(phone).await?;
            let session = api.create_session("guarded", 0, 0).await?;
            let path = format!("/sessions/{session}/passkey");
            let none = api.get(&path).await?.expect(409)?;
            assert_eq!(none.error_reason(), "no_passkey_requested");
            let code = api.wait_for_qr(&session).await?;
            let scanned = sandbox.scan_qr(phone, &code).await.unwrap_err();
            assert!(scanned.to_string().contains("passkey_wanted"), "{scanned}");

            let told = events
                .wait_for("it is told", |event| event.kind() == "auth.passkey")
                .await?;
            let options = told.0["payload"]["options"].clone();
            assert_eq!(options["rpId"], "web.whatsapp.com");
            let shown = api.wait_for_session(&session, "passkey_required").await?;
            assert!(
                shown["lastError"]
                    .as_str()
                    .is_some_and(|e| e.contains("passkey"))
            );
            let asked = api.get(&path).await?.expect(200)?;
            assert_eq!(asked.at("options"), &options);

            let elsewhere = assertion(&options, "https://example.com");
            let mut stale = assertion(&options, "https://web.whatsapp.com");
            let other = json!({ "challenge": "b3RoZXI" });
            stale["response"]["clientDataJSON"] =
                assertion(&other, "https://web.whatsapp.com")["response"]["clientDataJSON"].clone();
            for wrong in [
                json!({}),
                json!({ "assertion": "text" }),
                json!({ "assertion": elsewhere }),
                json!({ "assertion": stale }),
            ] {
                api.post(&path, &wrong).await?.expect(400)?;
            }
            let right = json!({ "assertion": assertion(&options, "https://web.whatsapp.com") });
            api.post(&path, &right).await?.expect(202)?;
            let coded = events
                .wait_for("the code is told", |event| {
                    event.kind() == "auth.code" && event.0["payload"]["compare"] == json!(true)
                })
                .await?;
            let on_the_phone = sandbox.passkey_code(phone).await?;
            assert_eq!(coded.text("code").replace('-', ""), on_the_phone);
            api.post(&path, &json!({ "confirmed": true }))
                .await?
                .expect(202)?;
            let paired = api.wait_for_session(&session, "working").await?;
            assert_eq!(paired["waJid"], format!("{phone}@s.whatsapp.net"));
            Ok(())
        })
        .await
}
