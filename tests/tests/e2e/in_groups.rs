//! Types and operations in groups, addressed by LID and by number.

use anyhow::{Context, Result};
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// Every type, quoted by its author's name in the group; reactions, votes, edits and revokes on
/// either side's messages, the admin's among them; forwarding into the group.
async fn works_in_a_group(addressing: &str) -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let sandbox = world.sandbox();
            let events = api.events().await?;
            // The session made it, so it is its admin.
            let group = json!({
                "subject": "Walks", "creator": session.phone, "members": [peer.phone],
                "addressing": addressing,
            });
            let group = sandbox.create_group(&group).await?;
            let group = group["jid"]
                .as_str()
                .context("a group has a JID")?
                .to_owned();
            let send = async |mut body: Value| -> Result<String> {
                body["to"] = json!(group);
                let answer = api.send(&session.id, &SendRequest::body(body)).await?;
                answer.expect(200)?.text("waMessageId")
            };
            let hear = async |mut body: Value| -> Result<String> {
                body["to"] = json!(group);
                let id = sandbox.send(&peer.phone, &body).await?;
                events
                    .wait_for("what the person did", |event| {
                        event.kind() != "message.status" && event.text("waMessageId") == id
                    })
                    .await?;
                Ok(id)
            };
            let ask = async |method: Method, rest: &str, body: Value| {
                let path = format!("/sessions/{}/messages/{rest}", session.id);
                let answer = api.call(api.request(method, &path).json(&body)).await?;
                answer.expect(200)
            };
            let shows = async |id: &str, what: &str, wanted: &dyn Fn(&Value) -> bool| {
                eventually(what, async || {
                    let messages = sandbox.all_messages(&peer.phone).await?;
                    let found = messages.iter().find(|message| message.id == id);
                    let found = found.map(|message| {
                        json!({
                            "reactions": message.reactions, "votes": message.votes,
                            "edited": message.edited, "revokedBy": message.revoked_by,
                        })
                    });
                    Ok(found.is_some_and(|found| wanted(&found)).then_some(()))
                })
                .await
            };

            let theirs = hear(json!({"type": "text", "text": "Shall we?"})).await?;
            let own = send(json!({"type": "text", "text": "Let us"})).await?;
            let account = api.session(&session.id).await?;
            let own_name = match addressing {
                "lid" => account["waLid"].clone(),
                _ => account["waJid"].clone(),
            };
            let peer_name = match addressing {
                "lid" => json!(peer.lid),
                _ => json!(peer.jid),
            };
            for (id, said, author) in [
                (&theirs, "Shall we?", &peer_name),
                (&own, "Let us", &own_name),
            ] {
                for mut body in [
                    json!({"type": "text", "text": "Yes"}),
                    json!({"type": "poll", "name": "When?", "options": ["now", "later"]}),
                    json!({"type": "location", "latitude": 1, "longitude": 2}),
                    json!({"type": "contact", "contact": {"name": "A", "phone": "6281234567"}}),
                ] {
                    body["replyTo"] = json!(id);
                    body["mentions"] = json!([peer.jid]);
                    let reply = send(body).await?;
                    let reply = sandbox.wait_for_message(&peer.phone, &reply).await?;
                    assert_eq!(reply.chat, group);
                    let context = reply.context.unwrap_or_default();
                    assert_eq!(context["quoted"]["content"], said, "{}", reply.kind);
                    assert_eq!(&context["quoted"]["participant"], author, "{}", reply.kind);
                    // As the group names its members, by whichever name the caller said it.
                    assert_eq!(context["mentions"], json!([peer_name]), "{}", reply.kind);
                }
                let body = json!({"chat": group, "emoji": "👍"});
                ask(Method::POST, &format!("{id}/reaction"), body).await?;
                shows(id, "the reaction", &|found| {
                    found["reactions"][0]["emoji"] == "👍"
                })
                .await?;
            }

            let poll = json!({"type": "poll", "name": "?", "options": ["a", "b"]});
            for id in [hear(poll.clone()).await?, send(poll).await?] {
                let body = json!({"chat": group, "options": ["b"]});
                ask(Method::POST, &format!("{id}/vote"), body).await?;
                shows(&id, "the vote", &|found| {
                    found["votes"][0]["options"] == json!(["b"])
                })
                .await?;
                let vote = json!({"type": "vote", "target": id, "options": ["a"]});
                let vote = hear(vote).await?;
                let emitted = events
                    .wait_for("the vote", |event| event.text("waMessageId") == vote)
                    .await?;
                assert_eq!(emitted.0["payload"]["poll_vote"]["options"], json!(["a"]));
            }

            let (user, _) = peer_name
                .as_str()
                .and_then(|name| name.split_once('@'))
                .context("a JID")?;
            let edit = json!({
                "text": format!("Let us go, @{}", peer.phone), "mentions": [peer.jid],
            });
            ask(Method::PATCH, &own, edit).await?;
            shows(&own, "the edit", &|found| {
                found["edited"]["content"] == format!("Let us go, @{user}")
                    && found["edited"]["context"]["mentions"] == json!([peer_name])
            })
            .await?;
            for id in [&own, &theirs] {
                ask(Method::DELETE, id, json!({"chat": group})).await?;
                shows(id, "the revoke", &|found| found["revokedBy"].is_string()).await?;
            }
            let direct = json!({"type": "text", "text": "by the way", "to": session.phone});
            let direct = sandbox.send(&peer.phone, &direct).await?;
            events
                .wait_for("the text", |event| event.text("waMessageId") == direct)
                .await?;
            let forwarded = ask(
                Method::POST,
                &format!("{direct}/forward"),
                json!({"to": group}),
            )
            .await?;
            let forwarded = forwarded.text("waMessageId")?;
            let message = sandbox.wait_for_message(&peer.phone, &forwarded).await?;
            assert_eq!((message.text(), &message.chat), ("by the way", &group));
            Ok(())
        })
        .await
}

#[tokio::test]
async fn types_and_operations_work_in_a_group_by_lid() -> Result<()> {
    works_in_a_group("lid").await
}

#[tokio::test]
async fn types_and_operations_work_in_a_group_by_number() -> Result<()> {
    works_in_a_group("pn").await
}
