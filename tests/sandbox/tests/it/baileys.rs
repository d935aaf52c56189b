//! Baileys 7 from npm, as it is published.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::client::World;

const OWN: &str = "15550000001";
const PERSON: &str = "15550000002";
/// Node needs some seconds to begin on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The statuses of Baileys: a server has it, a device has it, somebody read it.
const DELIVERED: i64 = 3;
const READ: i64 = 4;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baileys")
}

/// Gets the packages unless they are there. False when there is no Node and whoever runs the tests has
/// said that there is none.
async fn installed() -> bool {
    if Command::new("node")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        let without = std::env::var("GATEWAY_TESTS_WITHOUT").unwrap_or_default();
        assert!(
            without.split_whitespace().any(|tool| tool == "node"),
            "Node is not installed: `.ci/install nodejs npm`, or GATEWAY_TESTS_WITHOUT=node to \
             leave these tests out"
        );
        eprintln!("skipped: Node is not installed, so Baileys cannot run");
        return false;
    }
    // Every test is a process of its own, and two installations at once destroy each other.
    let lock = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("baileys.lock");
    let lock = std::fs::File::create(lock).unwrap();
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let _installing = lock.await.unwrap().unwrap();
    // npm writes this when it is done.
    if !folder().join("node_modules/.package-lock.json").exists() {
        let status = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(folder())
            .status()
            .await
            .unwrap();
        assert!(status.success(), "npm ci failed");
    }
    true
}

/// A running Baileys client.
struct Baileys {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Baileys {
    fn start(ws: &str, root_key: &str, credentials: &std::path::Path) -> Self {
        let mut child = Command::new("node")
            .arg("client.mjs")
            .args([ws, root_key])
            .arg(credentials)
            .current_dir(folder())
            // The CDN's certificate is signed by nobody.
            .env("NODE_TLS_REJECT_UNAUTHORIZED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            input,
            output,
        }
    }

    /// Waits for an event of this name that passes.
    async fn event(&mut self, name: &str, pass: impl Fn(&Value) -> bool) -> Value {
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                // Its Signal library prints to stdout as well.
                let Ok(event) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                if event["event"] == name && pass(&event) {
                    return event;
                }
                assert_ne!(event["event"], "closed", "waiting for {name}: {event}");
            }
            panic!("the client ended before {name}");
        });
        found
            .await
            .unwrap_or_else(|_| panic!("{name} did not happen"))
    }

    async fn say(&mut self, command: Value) {
        self.input
            .write_all(format!("{command}\n").as_bytes())
            .await
            .unwrap();
    }

    /// Calls a function of the socket and gives what it answers.
    async fn call(&mut self, call: Value) -> Value {
        let name = call[0].clone();
        self.say(json!({ "call": call })).await;
        let mut done = self.event("done", |event| event["name"] == name).await;
        assert!(done.get("error").is_none(), "{call}: {done}");
        done["result"].take()
    }

    async fn stop(mut self) {
        self.say(json!({ "stop": true })).await;
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .unwrap()
            .unwrap();
    }
}

/// A folder that is removed at the end.
struct Credentials(PathBuf);

impl Credentials {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wa-sandbox-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[tokio::test]
async fn baileys_pairs_logs_in_sends_and_receives() {
    if !installed().await {
        return;
    }
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let ws = world.sandbox.ws_url();
    let root_key = hex::encode(world.sandbox.root_key());
    let credentials = Credentials::new("baileys");

    let mut baileys = Baileys::start(&ws, &root_key, &credentials.0);
    let code = baileys.event("qr", |_| true).await["code"]
        .as_str()
        .unwrap()
        .to_owned();
    world.admin.scan(&code, OWN, false).await;
    let open = baileys.event("open", |_| true).await;
    assert_eq!(open["jid"], format!("{OWN}:1@s.whatsapp.net"));

    let to = format!("{PERSON}@s.whatsapp.net");
    baileys
        .say(json!({ "send": { "to": to, "text": "from Baileys" } }))
        .await;
    let messages = world.admin.wait_messages(PERSON, 1).await;
    assert_eq!(messages[0]["content"], "from Baileys");
    let id = messages[0]["id"].clone();
    let status = |id: Value, status: i64| {
        move |event: &Value| event["id"] == id && event["status"].as_i64() >= Some(status)
    };
    baileys.event("status", status(id.clone(), DELIVERED)).await;
    world
        .admin
        .post(&format!("/admin/peers/{PERSON}/read"), json!({ "id": id }))
        .await;
    baileys.event("status", status(id, READ)).await;

    let id = world.admin.say(PERSON, OWN, "to Baileys").await;
    let message = baileys
        .event("message", |event| event["id"] == id.as_str())
        .await;
    assert_eq!(message["text"], "to Baileys");

    // Between the two clients that nobody here wrote.
    let companion = world.linked("15550000003").await;
    let id = companion.send(OWN, "from whatsapp-rust").await;
    let message = baileys
        .event("message", |event| event["id"] == id.as_str())
        .await;
    assert_eq!(message["text"], "from whatsapp-rust");
    let to = "15550000003@s.whatsapp.net";
    baileys
        .say(json!({ "send": { "to": to, "text": "and back" } }))
        .await;
    companion.text("and back").await;

    // Away, and back with what waited.
    baileys.stop().await;
    let id = world.admin.say(PERSON, OWN, "while you were away").await;
    let mut baileys = Baileys::start(&ws, &root_key, &credentials.0);
    baileys.event("open", |_| true).await;
    baileys
        .event("message", |event| event["id"] == id.as_str())
        .await;
    baileys.stop().await;
}

/// Files of each kind, both ways: what one client makes of its protobufs and its ciphertext, another one
/// opens; albums as well.
#[tokio::test]
async fn baileys_sends_and_opens_files() {
    if !installed().await {
        return;
    }
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let ws = world.sandbox.ws_url();
    let root_key = hex::encode(world.sandbox.root_key());
    let credentials = Credentials::new("baileys-files");
    let mut baileys = Baileys::start(&ws, &root_key, &credentials.0);
    let code = baileys.event("qr", |_| true).await["code"]
        .as_str()
        .unwrap()
        .to_owned();
    world.admin.scan(&code, OWN, false).await;
    baileys.event("open", |_| true).await;

    // From a person: each kind, and two that belong to an album.
    let album = json!({ "to": OWN, "type": "album", "images": 2, "videos": 0 });
    let album = world.person_sends(PERSON, album).await;
    baileys
        .event("message", |event| event["id"] == album.as_str())
        .await;
    let kinds = [
        "image", "video", "gif", "ptv", "audio", "voice", "document", "sticker", "album", "album",
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let content = format!("file {number}, a {kind}").repeat(900).into_bytes();
        let mut body = json!({ "to": OWN, "type": kind, "data": STANDARD.encode(&content) });
        if kind == "album" {
            body["type"] = "image".into();
            body["parent"] = album.as_str().into();
        }
        let id = world.person_sends(PERSON, body).await;
        let message = baileys
            .event("message", |event| event["id"] == id.as_str())
            .await;
        if kind == "album" {
            let association = &message["message"]["messageContextInfo"]["messageAssociation"];
            assert_eq!(
                association["parentMessageKey"]["id"],
                album.as_str(),
                "{message}"
            );
        }
        baileys.say(json!({ "open": id })).await;
        let opened = baileys
            .event("opened", |event| event["id"] == id.as_str())
            .await;
        let file = opened["file"].as_str().unwrap_or_default();
        assert_eq!(
            file,
            STANDARD.encode(&content),
            "{kind}: {}",
            opened["error"]
        );
    }

    // To a person.
    let to = format!("{PERSON}@s.whatsapp.net");
    let content = b"made by Baileys ".repeat(5_000);
    let path = credentials.0.join("file.bin");
    std::fs::write(&path, &content).unwrap();
    let file = json!({ "url": path });
    let sends = [
        json!({ "to": to, "document": file, "mimetype": "text/plain", "fileName": "a.txt" }),
        json!({ "to": to, "audio": file, "mimetype": "audio/ogg; codecs=opus", "ptt": true,
            "seconds": 1 }),
        json!({ "to": to, "video": file, "caption": "a film", "jpegThumbnail": "" }),
    ];
    for (number, send) in sends.into_iter().enumerate() {
        baileys.say(json!({ "send": send })).await;
        let sent = baileys.event("sent", |_| true).await;
        let id = sent["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{send}: {sent}"));
        world.admin.wait_messages(PERSON, number + 1).await;
        let url = format!(
            "{}/admin/peers/{PERSON}/media/{id}",
            world.sandbox.admin_url()
        );
        let response = reqwest::get(url).await.unwrap().error_for_status().unwrap();
        assert!(response.bytes().await.unwrap() == content, "{send}");
    }
    baileys.stop().await;
}

#[tokio::test]
async fn baileys_lives_in_groups() {
    if !installed().await {
        return;
    }
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let ws = world.sandbox.ws_url();
    let root_key = hex::encode(world.sandbox.root_key());
    let credentials = Credentials::new("baileys-groups");
    let mut baileys = Baileys::start(&ws, &root_key, &credentials.0);
    let code = baileys.event("qr", |_| true).await["code"]
        .as_str()
        .unwrap()
        .to_owned();
    world.admin.scan(&code, OWN, false).await;
    baileys.event("open", |_| true).await;

    // Its own group, with a person in it: both write.
    let person = format!("{PERSON}@s.whatsapp.net");
    let made = baileys
        .call(json!(["groupCreate", "Walks", [person]]))
        .await;
    let group = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made["participants"].as_array().unwrap().len(), 2);
    baileys
        .say(json!({ "send": { "to": group, "text": "hello group" } }))
        .await;
    let messages = world.admin.wait_messages(PERSON, 1).await;
    assert_eq!(messages[0]["chat"], group.as_str());
    assert_eq!(messages[0]["content"], "hello group");
    let body = json!({ "to": group, "type": "text", "text": "hello Baileys" });
    let id = world.person_sends(PERSON, body).await;
    let message = baileys
        .event("message", |event| event["id"] == id.as_str())
        .await;
    assert_eq!(
        (&message["text"], &message["chat"]),
        (&json!("hello Baileys"), &json!(group))
    );
    let poll = json!({ "name": "When?", "values": ["now", "later"], "selectableCount": 1 });
    baileys
        .say(json!({ "send": { "to": group, "poll": poll } }))
        .await;
    let messages = world.admin.wait_messages(PERSON, 2).await;
    assert_eq!(
        messages[1]["content"],
        json!({ "name": "When?", "options": ["now", "later"], "selectableCount": 1 })
    );
    let target = messages[1]["id"].clone();
    let vote = json!({ "to": group, "type": "vote", "target": target, "options": ["now"] });
    let id = world.person_sends(PERSON, vote).await;
    baileys
        .event("message", |event| event["id"] == id.as_str())
        .await;

    // Its administration.
    baileys
        .call(json!(["groupUpdateSubject", group, "Runs"]))
        .await;
    baileys
        .call(json!(["groupUpdateDescription", group, "Fast"]))
        .await;
    let emitted = baileys.call(json!(["groupMetadata", group])).await;
    assert_eq!(
        (&emitted["subject"], &emitted["desc"]),
        (&json!("Runs"), &json!("Fast"))
    );
    let change = |action: &str| json!(["groupParticipantsUpdate", group, [person], action]);
    let outcome = baileys.call(change("promote")).await;
    assert_eq!(outcome[0]["status"], "200");
    assert_eq!(
        world.admin.get(&format!("/admin/groups/{group}")).await["members"][1]["role"],
        "admin"
    );
    let code = baileys.call(json!(["groupInviteCode", group])).await;

    // Another client joins by the link, and is heard.
    let companion = world.linked("15550000003").await;
    let joined = companion
        .client
        .groups()
        .join_with_invite_code(code.as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(joined.group_jid().to_string(), group);
    baileys
        .event("members", |event| event["action"] == "add")
        .await;
    let id = companion.send(&group, "from whatsapp-rust").await;
    baileys
        .event("message", |event| event["id"] == id.as_str())
        .await;
    baileys
        .say(json!({ "send": { "to": group, "text": "welcome" } }))
        .await;
    companion.text("welcome").await;

    // A group of somebody else, in the other addressing, by its invite.
    let body = json!({ "subject": "Old", "creator": PERSON, "addressing": "pn" });
    let other = world.admin.post("/admin/groups", body).await;
    let code = other["invite"]["code"].clone();
    let joined = baileys.call(json!(["groupAcceptInvite", code])).await;
    assert_eq!(joined, other["jid"]);
    baileys
        .say(json!({ "send": { "to": joined, "text": "hello, old one" } }))
        .await;
    let messages = world.admin.wait_messages(PERSON, 5).await;
    assert_eq!(messages[4]["chat"], joined);
    baileys.call(json!(["groupLeave", joined])).await;
    let path = format!("/admin/groups/{}", joined.as_str().unwrap());
    let left = world.admin.get(&path).await;
    assert_eq!(left["members"].as_array().unwrap().len(), 1);
    baileys.stop().await;
}
