//! Every page, looked at: wide and narrow, dark and light, full and empty, live, by keyboard alone.

use anyhow::Result;
use gateway_tests::client::{Fault, SendRequest};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

use super::{Room, queue};

/// Names that people give: long, from right to left, with signs and with what looks like code.
const LABELS: [&str; 4] = [
    "Front desk, ground floor, building 4, Karl-Marx-Allee 131, the one with the broken phone",
    "مكتب الاستقبال الرئيسي",
    "🚚 Delivery 👩‍🚀",
    "<b>bold</b> & \"quoted\"",
];

/// Sends of every kind: read, delivered, waiting, held, failed; a webhook that is down.
async fn full(world: &mut World) -> Result<(String, String)> {
    let session = world.pair_session().await?;
    let (api, sandbox) = (world.api(0), world.sandbox());
    let rename = json!({"label": LABELS[0]});
    let path = format!("/sessions/{}", session.id);
    api.call(api.request(Method::PATCH, &path).json(&rename))
        .await?
        .expect(200)?;
    let peer = world.create_peer().await?;
    for number in 0..12 {
        let text = SendRequest::text(&peer.phone, &format!("hello {number}"));
        api.send(&session.id, &text).await?.expect(200)?;
    }
    sandbox
        .fault(Fault::nack(403, 3).of(&session.phone))
        .await?;
    let mut failed = String::new();
    for _ in 0..3 {
        let refused = SendRequest::text(&peer.phone, "refused");
        let answer = api.send(&session.id, &refused).await?;
        failed = answer.text("error/details/outboxId").unwrap_or(failed);
    }
    for label in &LABELS[1..] {
        api.create_session(label, 20, 200).await?;
    }
    let waiting = world.pair_session_limited(3, 30).await?;
    let pause = format!("/sessions/{}:pause", waiting.id);
    api.post(&pause, &json!({"reason": "audit"}))
        .await?
        .expect(200)?;
    for number in 0..24 {
        queue(&api, &waiting.id, &peer.phone, &format!("later {number}")).await?;
    }
    let down = json!({"url": "http://127.0.0.1:9/hook", "events": ["*"]});
    api.post("/webhooks", &down).await?.expect(201)?;
    Ok((session.id, failed))
}

const PAGES: [(&str, &str); 9] = [
    ("overview", "/ops"),
    ("queues", "/ops/queues"),
    ("messages", "/ops/messages?status=failed"),
    ("sessions", "/ops/sessions"),
    ("workers", "/ops/workers"),
    ("webhooks", "/ops/webhooks"),
    ("organizations", "/ops/organizations"),
    ("jobs", "/ops/jobs"),
    ("audit", "/ops/audit"),
];

/// Each page full: nothing is wider than the window, axe finds nothing serious, the console is quiet, and
/// nothing is asked of another host, at a desk's width and at a phone's, light and dark.
#[tokio::test]
async fn every_page_is_sound_wide_and_narrow_dark_and_light() -> Result<()> {
    World::builder()
        .workers(2)
        .run(async |world| {
            world.may_leave_sends_waiting();
            let (session, failed) = full(world).await?;
            let mut room = Room::enter(world, "admin").await?;
            let mut pages: Vec<(String, String)> = PAGES
                .iter()
                .map(|(name, path)| ((*name).to_owned(), (*path).to_owned()))
                .collect();
            pages.push(("session".into(), format!("/ops/sessions/{session}")));
            pages.push((
                "message".into(),
                format!("/ops/messages/{session}/{failed}"),
            ));
            let tenant = format!("/ops/organizations/{}", world.organization());
            pages.push(("organization".into(), tenant));
            let hooks = world.api(0).get("/webhooks").await?.expect(200)?;
            let hook = hooks.text("data/0/id")?;
            let hook = format!("/ops/webhooks/{}/{hook}", world.organization());
            pages.push(("webhook".into(), hook));
            for (look, width, dark) in [
                ("wide-light", 1_280, false),
                ("wide-dark", 1_280, true),
                ("narrow-light", 375, false),
                ("narrow-dark", 375, true),
            ] {
                room.browser.resize(width, 860).await?;
                room.browser.dark(dark).await?;
                for (name, path) in &pages {
                    room.open(path).await?;
                    room.picture(&format!("{name}-{look}")).await?;
                    room.accuse_page().await?;
                }
            }
            room.accuse()
        })
        .await
}

/// Empty pages say what would be here; numbers move by themselves while sends are made; a tab that is not
/// seen asks nothing, and asks at once when it is seen again.
#[tokio::test]
async fn numbers_move_in_place_and_a_hidden_tab_asks_nothing() -> Result<()> {
    World::builder()
        .run(async |world| {
            let mut room = Room::enter(world, "admin").await?;
            room.says("There are no sessions yet").await?;
            room.picture("overview-empty").await?;
            for path in ["/ops/queues", "/ops/sessions", "/ops/webhooks", "/ops/jobs"] {
                room.open(path).await?;
                room.accuse_page().await?;
            }
            room.open("/ops/jobs").await?;
            room.says("No jobs yet").await?;
            room.open("/ops").await?;
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(0), world.create_peer().await?);
            room.says("The one session is working").await?;
            for number in 0..20 {
                queue(&api, &session.id, &peer.phone, &number.to_string()).await?;
            }
            let drawn = "document.querySelectorAll('svg.chart')[0].getAttribute('aria-label')";
            room.browser
                .wait_for(&format!("{drawn}.startsWith('Accepted: 20 sends')"))
                .await?;

            // What somebody has focused stays, however often the page is brought up to date.
            let fresh = "Number(document.getElementById('content').dataset.fresh)";
            room.browser
                .evaluate("document.querySelector('main a').focus(); window.held = document.activeElement")
                .await?;
            let before = room.browser.evaluate(fresh).await?;
            room.browser
                .wait_for(&format!("{fresh} > {before} + 1"))
                .await?;
            room.browser
                .wait_for("document.activeElement === window.held && window.held.isConnected")
                .await?;

            let hide = |hidden: bool| {
                format!(
                    "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }}); \
                     document.dispatchEvent(new Event('visibilitychange'))"
                )
            };
            // Nothing is under way when it is hidden: the request before has been answered.
            let now = room.browser.evaluate(fresh).await?;
            room.browser.wait_for(&format!("{fresh} > {now}")).await?;
            room.browser.evaluate(&hide(true)).await?;
            let asked = room.browser.requests("/ops");
            // A silence is awaited by what would end it: two of its periods, timed by the page.
            room.browser
                .evaluate("new Promise((done) => setTimeout(done, 4500))")
                .await?;
            assert_eq!(room.browser.requests("/ops"), asked);
            let now = room.browser.evaluate(fresh).await?;
            room.browser.evaluate(&hide(false)).await?;
            room.browser.wait_for(&format!("{fresh} > {now}")).await?;
            room.accuse()
        })
        .await
}

/// By keyboard alone: to a page, down a list, into a session, to a message by its id, the help.
#[tokio::test]
async fn the_room_is_used_by_keyboard_alone() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(0), world.create_peer().await?);
            let sent = api
                .send(&session.id, &SendRequest::text(&peer.phone, "by key"))
                .await?
                .expect(200)?;
            let mut room = Room::enter(world, "viewer").await?;
            for key in ["g", "s"] {
                room.browser.press(key).await?;
            }
            room.browser
                .wait_for("document.querySelector('h1')?.textContent === 'Sessions' && document.readyState === 'complete'")
                .await?;
            room.browser.press("j").await?;
            room.browser
                .wait_for("document.activeElement.matches('tr[aria-selected=true] a')")
                .await?;
            room.browser.press("Enter").await?;
            room.browser
                .wait_for("location.pathname.startsWith('/ops/sessions/') && document.readyState === 'complete'")
                .await?;
            room.browser.press("?").await?;
            room.browser
                .wait_for("document.getElementById('help').open")
                .await?;
            room.picture("help").await?;
            room.browser.press("Escape").await?;
            room.browser
                .wait_for("!document.getElementById('help').open")
                .await?;
            room.browser.press("/").await?;
            room.browser
                .wait_for("document.activeElement.name === 'q'")
                .await?;
            room.browser.type_text(&sent.text("waMessageId")?).await?;
            room.browser.press("Enter").await?;
            room.says("Acknowledged by WhatsApp").await?;
            room.accuse()
        })
        .await
}
