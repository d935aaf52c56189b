//! Groups: joined, looked at, made and administered over the API.

use anyhow::Result;
use gateway_tests::client::{Answer, ApiClient, eventually};
use gateway_tests::world::{PairedSession, Peer, World};
use reqwest::Method;
use serde_json::{Value, json};

/// A world with a connected session and a person.
pub(crate) async fn start(world: &mut World) -> Result<(ApiClient, PairedSession, Peer)> {
    let session = world.pair_session().await?;
    let peer = world.create_peer().await?;
    Ok((world.api(0), session, peer))
}

/// A text of a JSON value; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) async fn patch(api: &ApiClient, path: &str, body: &Value) -> Result<Answer> {
    api.call(api.request(Method::PATCH, path).json(body)).await
}

#[tokio::test]
async fn groups_and_their_members_are_listed_page_by_page() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let friend = world.create_peer().await?;
            let sandbox = world.sandbox();
            let mut jids = Vec::new();
            for (number, addressing) in [(1, "lid"), (2, "pn"), (3, "lid")] {
                let group = json!({
                    "subject": format!("Group {number}"), "description": "walks",
                    "creator": peer.phone, "members": [session.phone], "admins": [friend.phone],
                    "addressing": addressing, "locked": number == 2,
                });
                let group = sandbox.create_group(&group).await?;
                jids.push(text(&group, "/jid").to_owned());
            }
            let foreign = json!({ "subject": "Not ours", "creator": friend.phone });
            let foreign = sandbox.create_group(&foreign).await?;

            let base = format!("/sessions/{}/groups", session.id);
            let listed = api.get(&base).await?.expect(200)?;
            let found = |page: &Answer| -> Vec<String> {
                let groups = page.at("data").as_array().cloned().unwrap_or_default();
                let jids = groups
                    .iter()
                    .map(|group| text(group, "/groupJid").to_owned());
                jids.collect()
            };
            assert_eq!(found(&listed), jids);
            assert_eq!(listed.text("nextCursor")?, "");
            assert_eq!(listed.at("data/0/members"), &json!(null));
            let first = api.get(&format!("{base}?limit=2")).await?.expect(200)?;
            assert_eq!(found(&first), jids[..2]);
            let next = first.text("nextCursor")?;
            let second = api
                .get(&format!("{base}?limit=2&cursor={next}"))
                .await?
                .expect(200)?;
            assert_eq!(found(&second), jids[2..]);
            let answer = api
                .get(&format!("{base}?limit=0&cursor=x"))
                .await?
                .expect(400)?;
            assert_eq!(answer.error_fields(), ["limit", "cursor"]);

            for (jid, addressing) in [(&jids[0], "lid"), (&jids[1], "pn")] {
                let group = api.get(&format!("{base}/{jid}")).await?.expect(200)?;
                assert_eq!(group.text("groupJid")?, **jid);
                assert_eq!(group.text("description")?, "walks");
                assert_eq!(group.text("owner")?, peer.jid);
                assert_eq!(group.text("addressingMode")?, addressing);
                assert_eq!(group.at("locked"), &json!(addressing == "pn"));
                assert_eq!(group.at("announce"), &json!(false));
                assert_eq!(group.at("size"), &json!(3));
                assert!(group.at("createdAt").as_i64() > Some(1_600_000_000_000));
                let members = api
                    .get(&format!("{base}/{jid}/members"))
                    .await?
                    .expect(200)?;
                let members = members.at("data").as_array().cloned().unwrap_or_default();
                let role = |phone: &str| {
                    let jid = format!("{phone}@s.whatsapp.net");
                    let member = members.iter().find(|member| text(member, "/jid") == jid);
                    let lid = member.map(|member| text(member, "/lid").ends_with("@lid"));
                    (member.map(|member| text(member, "/role").to_owned()), lid)
                };
                assert_eq!(role(&peer.phone), (Some("owner".to_owned()), Some(true)));
                assert_eq!(role(&friend.phone), (Some("admin".to_owned()), Some(true)));
                assert_eq!(
                    role(&session.phone),
                    (Some("member".to_owned()), Some(true))
                );
            }
            let path = format!("{base}/{}/members?limit=2", jids[0]);
            let first = api.get(&path).await?.expect(200)?;
            let next = first.text("nextCursor")?;
            let second = api
                .get(&format!("{path}&cursor={next}"))
                .await?
                .expect(200)?;
            assert_eq!(second.at("data").as_array().map(Vec::len), Some(1));

            for unknown in [
                text(&foreign, "/jid"),
                "120363999@g.us",
                &peer.jid,
                "nonsense",
            ] {
                for path in [
                    format!("{base}/{unknown}"),
                    format!("{base}/{unknown}/members"),
                ] {
                    let answer = api.get(&path).await?.expect(404)?;
                    assert_eq!(answer.error_code(), "not_found");
                }
            }
            let sender = world.create_key(&["send"]).await?;
            let sender = api.with_key(&sender.secret);
            let answer = sender.get(&base).await?.expect(403)?;
            assert_eq!(
                answer.at("error/details/requiredCapability"),
                &json!("read")
            );
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_group_is_made_changed_and_left() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let friend = world.create_peer().await?;
            let sandbox = world.sandbox();
            let base = format!("/sessions/{}/groups", session.id);
            let body = json!({
                "subject": "Walks", "description": "on Sundays",
                "members": [peer.phone, "15559999999"],
            });
            let made = api.post(&base, &body).await?.expect(201)?;
            let jid = made.text("group/groupJid")?;
            assert_eq!(made.at("missing"), &json!(["15559999999@s.whatsapp.net"]));
            assert_eq!(
                made.text("group/owner")?,
                format!("{}@s.whatsapp.net", session.phone)
            );
            let there = sandbox.group(&jid).await?;
            assert_eq!(text(&there, "/description"), "on Sundays");
            let path = format!("{base}/{jid}");

            let body = json!({ "subject": "Runs", "description": "", "announce": true });
            let changed = patch(&api, &path, &body).await?.expect(200)?;
            assert_eq!(changed.text("subject")?, "Runs");
            assert_eq!(changed.at("description"), &json!(null));
            assert_eq!(changed.at("announce"), &json!(true));
            let body = json!({ "description": "now on Mondays", "announce": false });
            patch(&api, &path, &body).await?.expect(200)?;
            let there = sandbox.group(&jid).await?;
            assert_eq!(
                (text(&there, "/subject"), &there["announce"]),
                ("Runs", &json!(false))
            );
            assert_eq!(text(&there, "/description"), "now on Mondays");

            // Each of those named has an outcome, in their order.
            let members = format!("{path}/members");
            let named = json!({ "members": [peer.phone, "15559999999", friend.jid] });
            let added = api.post(&members, &named).await?.expect(200)?;
            assert_eq!(
                added.at("data"),
                &json!([
                    { "jid": peer.jid, "done": false, "reason": "already_member", "waCode": 409 },
                    {
                        "jid": "15559999999@s.whatsapp.net", "done": false,
                        "reason": "not_on_whatsapp", "waCode": 404,
                    },
                    { "jid": friend.jid, "done": true },
                ])
            );
            let one = json!({ "members": [friend.phone] });
            let role = async || -> Result<Value> {
                let group = sandbox.group(&jid).await?;
                let members = group["members"].as_array().cloned().unwrap_or_default();
                let member = members
                    .iter()
                    .find(|member| member["phone"] == friend.phone.as_str());
                Ok(member.map_or(Value::Null, |member| member["role"].clone()))
            };
            for (verb, expected) in [
                ("promote", json!("admin")),
                ("demote", json!("member")),
                ("remove", json!(null)),
            ] {
                let path = format!("{members}:{verb}");
                let answer = api.post(&path, &one).await?.expect(200)?;
                assert_eq!(answer.at("data/0/done"), &json!(true), "{verb}");
                assert_eq!(role().await?, expected, "{verb}");
            }
            let answer = api
                .post(&format!("{members}:remove"), &one)
                .await?
                .expect(200)?;
            assert_eq!(answer.text("data/0/reason")?, "not_a_member");

            // The way in, and another one.
            let invite = api.get(&format!("{path}/invite")).await?.expect(200)?;
            let code = invite.text("code")?;
            assert_eq!(
                invite.text("link")?,
                format!("https://chat.whatsapp.com/{code}")
            );
            let fresh = api.delete(&format!("{path}/invite")).await?.expect(200)?;
            assert_ne!(fresh.text("code")?, code);
            let there = sandbox.group(&jid).await?;
            assert_eq!(text(&there, "/invite/code"), fresh.text("code")?);

            // What is wrong with a body is told at once.
            let many: Vec<String> = (0..257)
                .map(|number| format!("1555200{number:04}"))
                .collect();
            for (method, path, body, fields) in [
                (
                    Method::POST,
                    base.clone(),
                    json!({ "members": "x" }),
                    vec!["subject", "members"],
                ),
                (
                    Method::POST,
                    base.clone(),
                    json!({ "subject": " ", "members": [jid, "x", peer.phone, peer.jid] }),
                    vec!["subject", "members[0]", "members[1]", "members[3]"],
                ),
                (
                    Method::PATCH,
                    path.clone(),
                    json!({ "subject": "x".repeat(101), "locked": 1, "colour": "red" }),
                    vec!["subject", "locked", "colour"],
                ),
                (Method::POST, members.clone(), json!({}), vec!["members"]),
                (
                    Method::POST,
                    members.clone(),
                    json!({ "members": [] }),
                    vec!["members"],
                ),
                (
                    Method::POST,
                    members.clone(),
                    json!({ "members": many }),
                    vec!["members"],
                ),
            ] {
                let request = api.request(method, &path).json(&body);
                let answer = api.call(request).await?.expect(400)?;
                assert_eq!(answer.error_fields(), fields, "{body}");
            }

            let leave = api.request(Method::POST, &format!("{path}:leave"));
            api.call(leave).await?.expect(204)?;
            let there = sandbox.group(&jid).await?;
            assert_eq!(there["members"].as_array().map(Vec::len), Some(1));
            api.get(&path).await?.expect(404)?;
            let again = api.request(Method::POST, &format!("{path}:leave"));
            api.call(again).await?.expect(404)?;
            let nonsense = api.request(Method::POST, &format!("{path}:dance"));
            api.call(nonsense).await?.expect(404)?;
            Ok(())
        })
        .await
}

/// Everything about groups is asked of WhatsApp now, so a session that is not connected can do
/// none of it. That it does not exist is told first, and what is wrong with a body too.
#[tokio::test]
async fn without_a_connection_nothing_is_done() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, paired, _) = start(world).await?;
            let stop = api.request(Method::POST, &format!("/sessions/{}:stop", paired.id));
            api.call(stop).await?.expect(200)?;
            api.wait_for_session(&paired.id, "stopped").await?;
            let unpaired = api.create_session("nobody", 0, 0).await?;
            api.wait_for_session(&unpaired, "scan_qr_code").await?;
            for session in [&paired.id, &unpaired] {
                let base = format!("/sessions/{session}/groups");
                let path = format!("{base}/120363000000000001@g.us");
                let people = json!({ "members": ["15551000001"] });
                let invite = json!({ "invite": "BxnEkf2xLeLKAwBwn5EZLK" });
                let leave = api.request(Method::POST, &format!("{path}:leave"));
                for answer in [
                    api.post(&format!("{base}:join"), &invite).await?,
                    api.get(&base).await?,
                    api.post(&base, &json!({ "subject": "x" })).await?,
                    api.get(&path).await?,
                    patch(&api, &path, &json!({ "subject": "x" })).await?,
                    api.call(leave).await?,
                    api.get(&format!("{path}/invite")).await?,
                    api.delete(&format!("{path}/invite")).await?,
                    api.get(&format!("{path}/members")).await?,
                    api.post(&format!("{path}/members"), &people).await?,
                    api.post(&format!("{path}/members:promote"), &people)
                        .await?,
                ] {
                    let answer = answer.expect(501)?;
                    assert_eq!(answer.error_code(), "not_implemented");
                    assert_eq!(answer.error_reason(), "session_not_connected");
                }
                let answer = api.post(&format!("{base}:join"), &json!({})).await?;
                assert_eq!(answer.expect(400)?.error_fields(), ["invite"]);
            }
            let nowhere = "/sessions/sess_01ARZ3NDEKTSV4RRFFQ69G5FAV/groups";
            api.get(nowhere).await?.expect(404)?;
            Ok(())
        })
        .await
}

/// A worker that hears of a command after its deadline leaves it: whoever asked was told that
/// nobody answered, and has perhaps asked again since.
#[tokio::test]
async fn a_command_that_was_given_up_is_not_done_later() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let group = json!({
                "subject": "Walks", "creator": peer.phone, "admins": [session.phone],
            });
            let group = world.sandbox().create_group(&group).await?;
            let jid = text(&group, "/jid");
            let path = format!("/sessions/{}/groups/{jid}", session.id);
            world.workers[0].program.freeze()?;
            let answer = patch(&api, &path, &json!({ "subject": "Late" }))
                .await?
                .expect(503)?;
            assert_eq!(answer.error_reason(), "no_answer");
            assert!(answer.header("retry-after").is_some());
            world.workers[0].program.thaw()?;
            let seen = eventually("the session is back", async || {
                let answer = api.get(&path).await?;
                Ok((answer.status == 200).then_some(answer))
            });
            assert_eq!(seen.await?.text("subject")?, "Walks");
            Ok(())
        })
        .await
}
