//! What WhatsApp refuses about groups, and how callers are told.

use anyhow::Result;
use gateway_tests::world::World;
use serde_json::{Value, json};

use crate::groups::{patch, start, text};

/// What only admins may, WhatsApp refuses to others: the request contradicts the state there.
#[tokio::test]
async fn a_session_that_is_no_admin_is_told_so() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let group = json!({
                "subject": "Walks", "creator": peer.phone, "members": [session.phone],
                "locked": true,
            });
            let group = world.sandbox().create_group(&group).await?;
            let path = format!("/sessions/{}/groups/{}", session.id, text(&group, "/jid"));
            let members = json!({ "members": [peer.phone] });
            let refused = [
                patch(&api, &path, &json!({ "subject": "Mine" })).await?,
                api.get(&format!("{path}/invite")).await?,
                api.delete(&format!("{path}/invite")).await?,
                api.post(&format!("{path}/members:remove"), &members)
                    .await?,
                api.post(&format!("{path}/members:demote"), &members)
                    .await?,
            ];
            for answer in refused {
                let answer = answer.expect(409)?;
                assert_eq!(answer.error_code(), "conflict");
                assert_eq!(answer.error_reason(), "not_allowed");
                assert_eq!(answer.at("error/details/waCode"), &json!(403));
            }
            Ok(())
        })
        .await
}

/// Codes that say nothing about the request are handed on, and what was done before one stands.
#[tokio::test]
async fn what_whatsapp_refuses_is_told_with_its_code() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let sandbox = world.sandbox();
            let group = json!({
                "subject": "Walks", "creator": peer.phone, "admins": [session.phone],
            });
            let group = sandbox.create_group(&group).await?;
            let jid = text(&group, "/jid");
            let base = format!("/sessions/{}/groups", session.id);
            let path = format!("{base}/{jid}");
            let refuse = async |codes: Value| {
                let codes = json!({ "refuse": codes });
                sandbox.change_group(jid, &codes).await
            };

            refuse(json!([500])).await?;
            let answer = patch(&api, &path, &json!({ "subject": "Runs" })).await?;
            let answer = answer.expect(409)?;
            assert_eq!(answer.error_reason(), "refused");
            assert_eq!(answer.at("error/details/waCode"), &json!(500));
            assert_eq!(text(&sandbox.group(jid).await?, "/subject"), "Walks");

            // Somebody else had changed the description.
            refuse(json!([409])).await?;
            let body = json!({ "description": "on Sundays" });
            let answer = patch(&api, &path, &body).await?.expect(409)?;
            assert_eq!(answer.error_reason(), "group_changed");
            patch(&api, &path, &body).await?.expect(200)?;

            // One thing after the other: those before the one that is refused stand.
            refuse(json!([0, 429])).await?;
            let body = json!({ "subject": "Swims", "announce": true, "locked": true });
            let answer = patch(&api, &path, &body).await?.expect(409)?;
            assert_eq!(answer.at("error/details/waCode"), &json!(429));
            let there = sandbox.group(jid).await?;
            assert_eq!(
                (
                    text(&there, "/subject"),
                    &there["announce"],
                    &there["locked"]
                ),
                ("Swims", &json!(false), &json!(false))
            );

            refuse(json!([500, 500])).await?;
            let answer = api.delete(&format!("{path}/invite")).await?.expect(409)?;
            assert_eq!(answer.error_reason(), "refused");
            let members = json!({ "members": [peer.phone] });
            let demote = format!("{path}/members:demote");
            let answer = api.post(&demote, &members).await?.expect(409)?;
            assert_eq!(answer.error_reason(), "refused");

            // An invite that is good, to a group that will not have it now.
            let other = json!({ "subject": "Others", "creator": peer.phone });
            let other = sandbox.create_group(&other).await?;
            let codes = json!({ "refuse": [500] });
            sandbox.change_group(text(&other, "/jid"), &codes).await?;
            let body = json!({ "invite": text(&other, "/invite/code") });
            let join = format!("{base}:join");
            let answer = api.post(&join, &body).await?.expect(409)?;
            assert_eq!(answer.error_reason(), "refused");
            assert_eq!(answer.at("error/details/waCode"), &json!(500));
            api.post(&join, &body).await?.expect(200)?;
            Ok(())
        })
        .await
}

/// Some people can not be added; each has a reason, and the others are in.
#[tokio::test]
async fn who_can_not_be_added_is_told_one_by_one() -> Result<()> {
    World::builder()
        .run(async |world| {
            let (api, session, peer) = start(world).await?;
            let sandbox = world.sandbox();
            let mut people = Vec::new();
            for (code, reason) in [
                (403, "not_allowed"),
                (408, "recently_left"),
                (499, "refused"),
            ] {
                let person = world.create_peer().await?;
                sandbox.refuse_groups(&person.phone, code).await?;
                people.push((person, code, reason));
            }
            let base = format!("/sessions/{}/groups", session.id);
            let named: Vec<&str> = people.iter().map(|(who, ..)| &*who.jid).collect();
            let body = json!({ "subject": "Walks", "members": [named[0], peer.jid] });
            let made = api.post(&base, &body).await?.expect(201)?;
            assert_eq!(made.at("missing"), &json!([named[0]]));

            let path = format!("{base}/{}/members", made.text("group/groupJid")?);
            let added = api.post(&path, &json!({ "members": named })).await?;
            let outcomes: Vec<Value> = people
                .iter()
                .map(|(who, code, reason)| {
                    json!({ "jid": who.jid, "done": false, "reason": reason, "waCode": code })
                })
                .collect();
            assert_eq!(added.expect(200)?.at("data"), &json!(outcomes));
            sandbox.refuse_groups(&people[0].0.phone, 0).await?;
            let one = json!({ "members": [named[0]] });
            let added = api.post(&path, &one).await?.expect(200)?;
            assert_eq!(added.at("data/0/done"), &json!(true));
            Ok(())
        })
        .await
}
