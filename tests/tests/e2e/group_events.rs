//! What happens in groups, as their members' sessions tell it.

use std::cell::Cell;

use anyhow::Result;
use gateway_tests::client::{Event, EventStream, SandboxAdmin};
use gateway_tests::world::{PairedSession, Peer, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::groups::{start, text};

/// A group of a person's that the session is an admin of.
struct Stage {
    session: PairedSession,
    peer: Peer,
    friend: Peer,
    sandbox: SandboxAdmin,
    events: EventStream,
    group: String,
    /// How much was told about the group and is asserted already.
    read: Cell<usize>,
}

impl Stage {
    async fn set(world: &mut World) -> Result<Self> {
        let (api, session, peer) = start(world).await?;
        let friend = world.create_peer().await?;
        let sandbox = world.sandbox();
        let events = api.events().await?;
        let group = json!({
            "subject": "Walks", "creator": peer.phone, "admins": [session.phone],
        });
        let group = sandbox.create_group(&group).await?;
        let stage = Self {
            session,
            peer,
            friend,
            sandbox,
            events,
            group: text(&group, "/jid").to_owned(),
            read: Cell::new(0),
        };
        // The session became an admin in a step of its own.
        let [created, promoted] = stage.told_together(["create", "promote"]).await?;
        assert_eq!(created.text("subject"), "Walks");
        assert_eq!(members(&promoted), [stage.own_jid()]);
        Ok(stage)
    }

    fn own_jid(&self) -> String {
        format!("{}@s.whatsapp.net", self.session.phone)
    }

    /// Everything told about the group so far, in its order.
    fn all(&self) -> Vec<Event> {
        let mut all = self.events.seen();
        all.retain(|event| event.text("groupJid") == self.group);
        all
    }

    /// Waits for the next things told about the group, which must be these. The library hands on
    /// what WhatsApp tells at the same time in any order.
    async fn told_together<const N: usize>(&self, names: [&str; N]) -> Result<[Event; N]> {
        let place = self.read.replace(self.read.get() + N);
        let what = format!("{names:?}");
        self.events
            .wait_for(&what, |_| self.all().len() >= place + N)
            .await?;
        let emitted = &self.all()[place..place + N];
        Ok(names.map(|name| {
            let is = |event: &&Event| [event.text("action"), event.text("change")].contains(&name);
            let found = emitted.iter().find(is);
            found
                .unwrap_or_else(|| panic!("{name} is not among {emitted:?}"))
                .clone()
        }))
    }

    /// Waits for the next thing told about the group, which must be this one.
    async fn emitted(&self, field: &str, value: &str) -> Result<Event> {
        let place = self.read.replace(self.read.get() + 1);
        let next = || self.all().get(place).map(|event| event.id().to_owned());
        let wanted = |event: &Event| next().as_deref() == Some(event.id());
        let event = self.events.wait_for(value, wanted).await?;
        assert_eq!(event.text(field), value);
        let kind = match field {
            "change" => "group.update",
            _ => "group.participant",
        };
        assert_eq!(event.kind(), kind);
        assert_eq!(event.session(), self.session.id);
        assert!(event.0["payload"]["timestamp"].as_i64() > Some(1_600_000_000_000));
        Ok(event)
    }
}

fn members(event: &Event) -> Vec<&str> {
    let members = event.0["payload"]["members"].as_array();
    let members = members.into_iter().flatten();
    members.map(|member| text(member, "/jid")).collect()
}

fn by(event: &Event) -> &str {
    text(&event.0, "/payload/by/jid")
}

#[tokio::test]
async fn who_comes_goes_and_rises_is_told() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let (sandbox, group) = (&stage.sandbox, &stage.group);
            let friend = &stage.friend;
            for action in ["add", "promote", "demote", "remove"] {
                let phones = [friend.phone.as_str()];
                sandbox.change_members(group, action, &phones).await?;
                let event = stage.emitted("action", action).await?;
                assert_eq!(members(&event), [friend.jid.as_str()], "{action}");
                assert_eq!(by(&event), stage.peer.jid, "{action}");
                let lid = text(&event.0, "/payload/members/0/lid");
                assert!(lid.ends_with("@lid"), "{action}");
                assert_eq!(event.0["payload"]["offline"], false);
            }
            // Those who come and go by themselves.
            let other = world.create_peer().await?;
            for action in ["join", "leave"] {
                let phones = [other.phone.as_str()];
                sandbox.change_members(group, action, &phones).await?;
                let event = stage.emitted("action", action).await?;
                assert_eq!(members(&event), [other.jid.as_str()], "{action}");
                assert_eq!(by(&event), other.jid, "{action}");
            }
            // The session's own doing is told like everybody's.
            let api = world.api(0);
            let path = format!("/sessions/{}/groups/{group}", stage.session.id);
            let body = json!({ "members": [other.phone] });
            api.post(&format!("{path}/members"), &body)
                .await?
                .expect(200)?;
            let event = stage.emitted("action", "add").await?;
            assert_eq!(by(&event), stage.own_jid());
            assert_eq!(members(&event), [other.jid.as_str()]);
            // And that it is not in the group any more.
            let phones = [stage.session.phone.as_str()];
            sandbox.change_members(group, "remove", &phones).await?;
            let event = stage.emitted("action", "remove").await?;
            assert_eq!(members(&event), [stage.own_jid()]);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_a_group_says_about_itself_is_told() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let changes = [
                ("subject", json!("Runs")),
                ("description", json!("on Sundays")),
                ("announce", json!(true)),
                ("announce", json!(false)),
                ("locked", json!(true)),
                ("locked", json!(false)),
            ];
            for (change, value) in &changes {
                let body = json!({ *change: value });
                stage.sandbox.change_group(&stage.group, &body).await?;
                let event = stage.emitted("change", change).await?;
                assert_eq!(event.0["payload"][change], *value);
                assert_eq!(by(&event), stage.peer.jid);
            }
            let nothing = json!({ "description": "" });
            stage.sandbox.change_group(&stage.group, &nothing).await?;
            let event = stage.emitted("change", "description").await?;
            assert_eq!(event.0["payload"]["description"], Value::Null);
            let approval = json!({ "approval": true });
            stage.sandbox.change_group(&stage.group, &approval).await?;
            let event = stage.emitted("change", "membership_approval").await?;
            assert_eq!(event.0["payload"]["membershipApproval"], true);

            // By the session itself, and the invite without its code.
            let api = world.api(0);
            let path = format!("/sessions/{}/groups/{}", stage.session.id, stage.group);
            let patch = api.request(Method::PATCH, &path);
            api.call(patch.json(&json!({ "subject": "Swims" })))
                .await?
                .expect(200)?;
            let event = stage.emitted("change", "subject").await?;
            assert_eq!(event.text("subject"), "Swims");
            assert_eq!(by(&event), stage.own_jid());
            let fresh = api.delete(&format!("{path}/invite")).await?.expect(200)?;
            let event = stage.emitted("change", "invite").await?;
            assert!(!event.0.to_string().contains(&fresh.text("code")?));
            Ok(())
        })
        .await
}

/// What happens while the session is away waits at WhatsApp, and is told once.
#[tokio::test]
async fn what_happened_meanwhile_is_told_on_return() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let api = world.api(0);
            let stop = format!("/sessions/{}:stop", stage.session.id);
            api.call(api.request(Method::POST, &stop))
                .await?
                .expect(200)?;
            api.wait_for_session(&stage.session.id, "stopped").await?;
            let phones = [stage.friend.phone.as_str()];
            for action in ["add", "promote", "leave"] {
                let changed = stage.sandbox.change_members(&stage.group, action, &phones);
                changed.await?;
            }
            api.start_session(&stage.session.id).await?;
            for event in stage.told_together(["add", "promote", "leave"]).await? {
                assert_eq!(event.0["payload"]["offline"], true);
            }
            // The connection breaks and comes back: nothing is told again.
            stage.sandbox.disconnect(&stage.session.phone).await?;
            let change = json!({ "subject": "Runs" });
            stage.sandbox.change_group(&stage.group, &change).await?;
            stage.emitted("change", "subject").await?;
            Ok(())
        })
        .await
}

/// Admins are told who asks to be let in, and what became of it.
#[tokio::test]
async fn who_asks_to_be_let_in_is_told_to_admins() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let (sandbox, group) = (&stage.sandbox, &stage.group);
            let approval = json!({ "approval": true });
            sandbox.change_group(group, &approval).await?;
            stage.emitted("change", "membership_approval").await?;
            let phones = [stage.friend.phone.as_str()];
            for (decision, emitted) in [("reject", "request_revoked"), ("admit", "add")] {
                sandbox.change_members(group, "join", &phones).await?;
                let event = stage.emitted("action", "request").await?;
                assert_eq!(members(&event), [stage.friend.jid.as_str()]);
                assert_eq!(by(&event), stage.friend.jid);
                sandbox.change_members(group, decision, &phones).await?;
                let event = stage.emitted("action", emitted).await?;
                assert_eq!(by(&event), stage.peer.jid);
            }
            Ok(())
        })
        .await
}
