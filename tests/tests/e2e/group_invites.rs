//! Joining groups by invite.

use anyhow::Result;
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::world::World;
use serde_json::json;

use crate::groups::{start, text};

#[tokio::test]
async fn an_invite_is_followed_in_every_form() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let sandbox = world.sandbox();
            let path = format!("/sessions/{}/groups:join", session.id);
            for (form, addressing) in [
                ("{}", "lid"),
                ("https://chat.whatsapp.com/{}", "pn"),
                ("https://chat.whatsapp.com/invite/{}?mode=ac_t", "lid"),
                ("whatsapp://chat?code={}", "lid"),
            ] {
                let group = json!({
                    "subject": "Walks", "creator": peer.phone, "addressing": addressing,
                });
                let group = sandbox.create_group(&group).await?;
                let jid = text(&group, "/jid");
                let invite = form.replace("{}", text(&group, "/invite/code"));
                let body = json!({ "invite": invite });
                let joined = api.post(&path, &body).await?.expect(200)?;
                assert_eq!(joined.json, json!({ "groupJid": jid, "status": "joined" }));
                // Again, it is the same group.
                let again = api.post(&path, &body).await?.expect(200)?;
                assert_eq!(again.text("groupJid")?, jid);
                assert_eq!(again.text("status")?, "already_member");
                let now = sandbox.group(jid).await?;
                assert_eq!(text(&now, "/members/1/phone"), session.phone);

                // What is written there reaches the others.
                let words = format!("hello by {addressing}");
                let send = SendRequest::text(jid, &words);
                let sent = api.send(&session.id, &send).await?.expect(200)?;
                let id = sent.text("waMessageId")?;
                let received = eventually("the group hears it", async || {
                    let all = sandbox.messages(&peer.phone).await?;
                    Ok(all.into_iter().find(|message| message.id == id))
                });
                let received = received.await?;
                assert_eq!(
                    (received.chat.as_str(), received.text()),
                    (jid, words.as_str())
                );
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_invite_that_leads_nowhere_is_the_callers_mistake() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let sandbox = world.sandbox();
            let path = format!("/sessions/{}/groups:join", session.id);
            let group = json!({ "subject": "Walks", "creator": peer.phone });
            let group = sandbox.create_group(&group).await?;
            let jid = text(&group, "/jid");
            let revoked = text(&group, "/invite/code");
            let expired = sandbox.change_invite(jid, "revoke").await?;
            sandbox.change_invite(jid, "expire").await?;
            for (body, reason) in [
                (json!({}), ""),
                (json!({ "invite": null }), ""),
                (json!({ "invite": 7 }), ""),
                (json!({ "invite": "" }), ""),
                (
                    json!({ "invite": "https://example.com/BxnEkf2xLeLKAwBwn5EZLK" }),
                    "",
                ),
                (
                    json!({ "invite": "BxnEkf2xLeLKAwBwn5EZLK" }),
                    "invite_unknown",
                ),
                (json!({ "invite": revoked }), "invite_gone"),
                (json!({ "invite": expired }), "invite_gone"),
            ] {
                let answer = api.post(&path, &body).await?.expect(400)?;
                assert_eq!(answer.error_code(), "validation_error", "{body}");
                assert_eq!(answer.error_fields(), ["invite"], "{body}");
                assert_eq!(answer.error_reason(), reason, "{body}");
            }
            let answer = api
                .post(&path, &json!({ "code": "x" }))
                .await?
                .expect(400)?;
            assert_eq!(answer.error_fields(), ["invite", "code"]);

            // Whom an admin removed, no invite lets in.
            let code = sandbox.change_invite(jid, "revoke").await?;
            let body = json!({ "invite": code });
            api.post(&path, &body).await?.expect(200)?;
            sandbox
                .change_members(jid, "remove", &[&session.phone])
                .await?;
            let answer = api.post(&path, &body).await?.expect(409)?;
            assert_eq!(answer.error_reason(), "not_allowed");
            assert_eq!(answer.at("error/details/waCode"), &json!(405));

            // Nobody else's session, and none at all.
            let stranger = world.create_organization("Others").await?;
            let others = api.with_key(&stranger.secret);
            others.post(&path, &body).await?.expect(404)?;
            let nowhere = "/sessions/sess_01ARZ3NDEKTSV4RRFFQ69G5FAV/groups:join";
            api.post(nowhere, &body).await?.expect(404)?;
            let reader = world.create_key(&["read"]).await?;
            let answer = api
                .with_key(&reader.secret)
                .post(&path, &body)
                .await?
                .expect(403)?;
            assert_eq!(
                answer.at("error/details/requiredCapability"),
                &json!("send")
            );
            Ok(())
        })
        .await
}

/// A group that admins guard takes nobody in by itself.
#[tokio::test]
async fn an_admin_lets_in_who_follows_the_invite_of_a_guarded_group() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let sandbox = world.sandbox();
            let events = api.events().await?;
            let group = json!({ "subject": "Walks", "creator": peer.phone });
            let group = sandbox.create_group(&group).await?;
            let jid = text(&group, "/jid");
            let approval = json!({ "approval": true });
            sandbox.change_group(jid, &approval).await?;
            let base = format!("/sessions/{}/groups", session.id);
            let body = json!({ "invite": text(&group, "/invite/code") });
            let follow = async || api.post(&format!("{base}:join"), &body).await?.expect(200);
            let inside = async || Ok::<_, anyhow::Error>(api.get(&format!("{base}/{jid}")).await?);
            // To ask again changes nothing.
            for _ in 0..2 {
                let asked = follow().await?;
                let answer = json!({ "groupJid": jid, "status": "pending_approval" });
                assert_eq!(asked.json, answer);
            }
            assert_eq!(sandbox.group(jid).await?["asking"], json!([session.phone]));
            inside().await?.expect(404)?;
            let send = SendRequest::text(jid, "am I in?");
            let refused = api.send(&session.id, &send).await?.expect(502)?;
            assert_eq!(refused.error_code(), "send_failed");

            sandbox
                .change_members(jid, "reject", &[&session.phone])
                .await?;
            inside().await?.expect(404)?;
            assert_eq!(follow().await?.text("status")?, "pending_approval");
            sandbox
                .change_members(jid, "admit", &[&session.phone])
                .await?;
            let own = format!("{}@s.whatsapp.net", session.phone);
            events
                .wait_for("the session is in", |event| {
                    event.kind() == "group.participant"
                        && event.text("action") == "add"
                        && text(&event.0, "/payload/members/0/jid") == own
                })
                .await?;
            inside().await?.expect(200)?;
            assert_eq!(follow().await?.text("status")?, "already_member");
            let send = SendRequest::text(jid, "I am in");
            api.send(&session.id, &send).await?.expect(200)?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_full_group_takes_nobody_in() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let friend = world.create_peer().await?;
            let sandbox = world.sandbox();
            let group = json!({ "subject": "Walks", "creator": peer.phone });
            let group = sandbox.create_group(&group).await?;
            let jid = text(&group, "/jid");
            let most = |most: u32| json!({ "mostMembers": most });
            sandbox.change_group(jid, &most(1)).await?;
            let base = format!("/sessions/{}/groups", session.id);
            let body = json!({ "invite": text(&group, "/invite/code") });
            let join = format!("{base}:join");
            let refused = api.post(&join, &body).await?.expect(409)?;
            assert_eq!(refused.error_code(), "conflict");
            assert_eq!(refused.error_reason(), "group_full");
            sandbox.change_group(jid, &most(2)).await?;
            api.post(&join, &body).await?.expect(200)?;

            // Whom an admin would add does not fit in either.
            sandbox
                .change_members(jid, "promote", &[&session.phone])
                .await?;
            let members = json!({ "members": [friend.phone] });
            let path = format!("{base}/{jid}/members");
            let added = api.post(&path, &members).await?.expect(200)?;
            assert_eq!(
                added.at("data"),
                &json!([{
                    "jid": friend.jid, "done": false, "reason": "group_full", "waCode": 419,
                }])
            );
            Ok(())
        })
        .await
}
