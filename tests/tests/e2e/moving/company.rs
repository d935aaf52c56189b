//! Whom a number that moves talks with: two people and a group of them.

use std::path::Path;

use anyhow::{Context, Result};
use gateway_tests::baileys::Baileys;
use gateway_tests::client::{EventStream, SandboxAdmin, SendRequest};
use gateway_tests::process::Program;
use gateway_tests::world::{Peer, World};
use serde_json::{Value, json};

/// Two people, a group, and the number that moves.
pub(crate) struct Company {
    pub(crate) own: String,
    pub(crate) people: [Peer; 2],
    pub(crate) group: String,
    pub(crate) sandbox: SandboxAdmin,
}

/// Runs a command of the worker and gives what it printed.
pub(crate) async fn worker(world: &World, arguments: &[&str]) -> Result<String> {
    let installation = world.installation();
    let launch = installation.launch("moving", "gateway-worker-sandbox")?;
    let launch = launch.envs(&installation.worker_env);
    Program::run(&launch.args(arguments.iter().copied())).await
}

/// The session that `import` says it made.
pub(crate) fn moved_session(printed: &str) -> Result<String> {
    let words = printed.split_whitespace();
    let session = words.into_iter().find(|word| word.starts_with("sess_"));
    Ok(session
        .with_context(|| format!("no session: {printed}"))?
        .to_owned())
}

impl Company {
    /// Links a Baileys client and has everybody write to everybody.
    pub(crate) async fn of_baileys(
        world: &mut World,
        own: &str,
        credentials: &Path,
    ) -> Result<(Self, Baileys)> {
        let sandbox = world.sandbox();
        let people = [world.create_peer().await?, world.create_peer().await?];
        let root_key = sandbox.root_key().await?;
        let mut baileys = Baileys::start(world.sandbox_ws(), &root_key, credentials)?;
        let code = baileys.event("qr", |_| true).await?["code"].clone();
        sandbox
            .scan_qr(own, code.as_str().context("no code")?)
            .await?;
        baileys.event("open", |_| true).await?;
        let group = json!({"subject": "Walks", "creator": people[0].phone,
            "members": [own, people[1].phone]});
        let group = sandbox.create_group(&group).await?;
        let group = group["jid"].as_str().context("no group")?.to_owned();
        let company = Self {
            own: own.to_owned(),
            people,
            group,
            sandbox,
        };
        company.talk_with_baileys(&mut baileys, "before").await?;
        Ok((company, baileys))
    }

    /// Everybody writes to everybody, and each message is read at once.
    pub(crate) async fn talk_with_baileys(&self, baileys: &mut Baileys, when: &str) -> Result<()> {
        for person in &self.people {
            let text = format!("to a person {when}");
            let id = baileys.send(&person.jid, json!({ "text": text })).await?;
            self.reads(person, &id, &text).await?;
            let id = self.says(person, &self.own, &text).await?;
            assert_eq!(baileys.message(&id).await?["text"], text);
        }
        let text = format!("to the group {when}");
        let id = baileys.send(&self.group, json!({ "text": text })).await?;
        for person in &self.people {
            self.reads(person, &id, &text).await?;
            let id = self.says(person, &self.group, &text).await?;
            assert_eq!(baileys.message(&id).await?["text"], text);
        }
        Ok(())
    }

    /// The same through the API, by a session that moved in.
    pub(crate) async fn talk_with_session(
        &self,
        world: &World,
        events: &EventStream,
        session: &str,
        when: &str,
    ) -> Result<()> {
        let api = world.api(0);
        for person in &self.people {
            let text = format!("to a person {when}");
            let send = SendRequest::text(&person.jid, &text);
            let sent = api.send(session, &send).await?.expect(200)?;
            self.reads(person, &sent.text("waMessageId")?, &text)
                .await?;
            self.told(events, person, &self.own, &text).await?;
        }
        let text = format!("to the group {when}");
        let send = SendRequest::text(&self.group, &text);
        let sent = api.send(session, &send).await?.expect(200)?;
        for person in &self.people {
            self.reads(person, &sent.text("waMessageId")?, &text)
                .await?;
            self.told(events, person, &self.group, &text).await?;
        }
        Ok(())
    }

    /// That a person reads a message at the first attempt.
    async fn reads(&self, person: &Peer, id: &str, text: &str) -> Result<()> {
        let message = self.sandbox.wait_for_message(&person.phone, id).await?;
        assert_eq!((message.text(), message.copies), (text, 1));
        Ok(())
    }

    async fn says(&self, person: &Peer, to: &str, text: &str) -> Result<String> {
        let message = json!({ "to": to, "type": "text", "text": text });
        self.sandbox.send(&person.phone, &message).await
    }

    async fn told(&self, events: &EventStream, person: &Peer, to: &str, text: &str) -> Result<()> {
        let id = self.says(person, to, text).await?;
        let event = events
            .wait_for(text, |event| event.text("waMessageId") == id)
            .await?;
        assert_eq!(event.kind(), "message");
        assert_eq!(event.text("text"), text, "{}", event.0);
        Ok(())
    }

    /// That nobody had to ask anybody again.
    pub(crate) async fn nobody_waited(&self, events: &EventStream) -> Result<()> {
        let phones = self.people.iter().map(|person| &person.phone);
        for phone in phones.chain([&self.own]) {
            assert_eq!(self.sandbox.asked_again(phone).await?, 0, "{phone}");
        }
        let seen = events.seen();
        let lost: Vec<&Value> = seen
            .iter()
            .filter(|event| event.kind().contains("undecryptable"))
            .map(|event| &event.0)
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
        Ok(())
    }
}
