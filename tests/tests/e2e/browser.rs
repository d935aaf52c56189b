//! The link page in a real browser. `PICTURES=folder` keeps pictures of what was seen.

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gateway_tests::browser::Browser;
use gateway_tests::client::ApiClient;
use gateway_tests::world::World;
use qrcode::QrCode;
use qrcode::render::svg;
use serde_json::{Value, json};

async fn link(api: &ApiClient, session: &str) -> Result<String> {
    let path = format!("/sessions/{session}:link");
    api.post(&path, &json!({})).await?.expect(201)?.text("url")
}

async fn picture(browser: &mut Browser, name: &str) -> Result<()> {
    match std::env::var_os("PICTURES") {
        Some(folder) => {
            let file = PathBuf::from(folder).join(format!("{name}.png"));
            browser.picture(&file).await
        }
        None => Ok(()),
    }
}

fn host(api: &ApiClient) -> &str {
    api.address().trim_start_matches("http://")
}

const SHOWN: &str = "document.querySelector('section.shown')?.id";

/// The picture is the present code's, and the page follows until the phone is linked. At a desk's
/// width and at a phone's, nothing has to be scrolled sideways.
#[tokio::test]
async fn a_phone_is_linked_by_the_picture_on_the_page() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let session = api.create_session("Front desk", 0, 0).await?;
            api.wait_for_qr(&session).await?;
            let mut browser = Browser::start(1_200, 900).await?;
            let url = link(&api, &session).await?;
            browser.open(&url).await?;
            browser.wait_for(&format!("{SHOWN} === 'qr'")).await?;
            browser
                .wait_for("document.getElementById('picture').naturalWidth > 0")
                .await?;
            let code = api.wait_for_qr(&session).await?;
            let drawn = QrCode::new(&code)?
                .render::<svg::Color<'_>>()
                .min_dimensions(256, 256)
                .build();
            let data = format!("data:image/svg+xml;base64,{}", STANDARD.encode(drawn));
            browser
                .wait_for(&format!(
                    "document.getElementById('picture').src === {}",
                    json!(data)
                ))
                .await?;
            browser
                .wait_for("/good for \\d+ s/.test(document.getElementById('left').textContent)")
                .await?;
            picture(&mut browser, "link-qr").await?;
            browser.resize(360, 740).await?;
            browser
                .wait_for("document.documentElement.scrollWidth <= innerWidth")
                .await?;
            picture(&mut browser, "link-qr-phone").await?;

            world.sandbox().scan_qr("15550000051", &code).await?;
            browser.wait_for(&format!("{SHOWN} === 'linked'")).await?;
            let who = browser
                .evaluate("document.getElementById('who').textContent")
                .await?;
            assert_eq!(who, "+15550000051 is linked now.");
            picture(&mut browser, "linked").await?;
            browser.open(&url).await?;
            browser.wait_for(&format!("{SHOWN} === 'gone'")).await?;
            picture(&mut browser, "link-gone").await?;
            browser.accuse(host(&api))
        })
        .await
}

/// Typed into the phone in place of being scanned.
#[tokio::test]
async fn a_phone_is_linked_by_a_code_from_the_page() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let session = api.create_session("by code", 0, 0).await?;
            api.wait_for_qr(&session).await?;
            let mut browser = Browser::start(360, 740).await?;
            browser.open(&link(&api, &session).await?).await?;
            browser.wait_for(&format!("{SHOWN} === 'qr'")).await?;
            let phone = "15550000052";
            browser
                .evaluate(
                    "document.getElementById('typed').open = true; \
                     document.getElementById('phone').value = '+1 555 000 0052'; \
                     document.querySelector('#number button').click()",
                )
                .await?;
            browser
                .wait_for("document.getElementById('code').textContent !== ''")
                .await?;
            picture(&mut browser, "link-code").await?;
            let code = browser
                .evaluate("document.getElementById('code').textContent")
                .await?;
            let code = code.as_str().context("no code")?;
            world.sandbox().link_code(phone, code).await?;
            browser.wait_for(&format!("{SHOWN} === 'linked'")).await?;
            browser.accuse(host(&api))
        })
        .await
}

/// The page helps with a passkey: what to run in the tab of WhatsApp's site, where to paste the answer,
/// which code to compare.
#[tokio::test]
async fn the_page_helps_with_a_passkey() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, sandbox) = (world.api(0), world.sandbox());
            let phone = "15550000053";
            sandbox.want_passkey(phone).await?;
            let session = api.create_session("guarded", 0, 0).await?;
            let code = api.wait_for_qr(&session).await?;
            let mut browser = Browser::start(1_200, 900).await?;
            browser.open(&link(&api, &session).await?).await?;
            let _ = sandbox.scan_qr(phone, &code).await;
            browser.wait_for(&format!("{SHOWN} === 'passkey'")).await?;
            picture(&mut browser, "link-passkey").await?;
            let path = format!("/sessions/{session}/passkey");
            let asked = api.get(&path).await?.expect(200)?;
            let challenge = asked.at("options/challenge").clone();
            let lines = browser
                .evaluate("document.getElementById('snippet').textContent")
                .await?;
            let lines = lines.as_str().unwrap_or_default();
            let wanted = challenge.as_str().context("no challenge")?;
            assert!(lines.contains(wanted) && lines.contains("navigator.credentials.get"));

            let paste = |text: &str| {
                format!(
                    "document.getElementById('answer').value = {}; \
                     document.querySelector('#assertion button').click()",
                    json!(text)
                )
            };
            browser.evaluate(&paste("nonsense")).await?;
            browser
                .wait_for("document.getElementById('note').textContent.includes('not the answer')")
                .await?;
            browser.evaluate(&paste(&assertion(&challenge))).await?;
            browser.wait_for(&format!("{SHOWN} === 'confirm'")).await?;
            picture(&mut browser, "link-compare").await?;
            let shown = browser
                .evaluate("document.getElementById('verify').textContent")
                .await?;
            let shown = shown.as_str().unwrap_or_default().replace('-', "");
            assert_eq!(shown, sandbox.passkey_code(phone).await?);
            browser
                .evaluate("document.getElementById('same').click()")
                .await?;
            browser.wait_for(&format!("{SHOWN} === 'linked'")).await?;
            browser.accuse(host(&api))
        })
        .await
}

fn assertion(challenge: &Value) -> String {
    let data = json!({
        "type": "webauthn.get", "challenge": challenge, "origin": "https://web.whatsapp.com",
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({
        "id": encode(b"credential"), "rawId": encode(b"credential"), "type": "public-key",
        "response": {
            "clientDataJSON": encode(data.to_string().as_bytes()),
            "authenticatorData": encode(b"a"), "signature": encode(b"s"), "userHandle": null,
        },
    })
    .to_string()
}
