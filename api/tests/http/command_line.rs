//! `gateway-api` as a program.

use std::process::{Command, Output};

use reqwest::Method;
use serde_json::Value;

use crate::world::{World, answer, eventually};

struct Program<'a> {
    world: &'a World,
}

impl Program<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gateway-api"))
            .args(arguments)
            .env("GATEWAY_REDIS__URLS", &self.world.config.redis.urls[0])
            .env("GATEWAY_REDIS__PREFIX", &self.world.config.redis.prefix)
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let world = World::start().await;
    let program = Program { world: &world };
    let made = program.json(&[
        "keys",
        "create",
        "--org",
        "Globex",
        "--capabilities",
        "send,read",
        "--name",
        "crm",
        "--expires-in",
        "30d",
    ]);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("wa_"));
    let ask = || {
        answer(
            world
                .api(0, Method::GET, "/api/v1/sessions")
                .bearer_auth(key),
        )
    };
    assert_eq!(ask().await.status, 200);

    // The same organization by its name and by its id.
    let id = made["organization"].as_str().unwrap();
    let second = program.json(&["keys", "create", "--org", id, "--capabilities", "events"]);
    assert_eq!(second["organization"], made["organization"]);
    let listed = program.json(&["keys", "list", "--org", "Globex"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert_eq!(listed["data"][0]["name"], "crm");
    assert!(!listed.to_string().contains(key), "a key is shown once");

    let key_id = made["id"].as_str().unwrap();
    assert_eq!(program.json(&["keys", "revoke", key_id])["revoked"], true);
    eventually("the key is refused", async || {
        (ask().await.status == 401).then_some(())
    })
    .await;
    assert!(
        program
            .complaint(&["keys", "revoke", key_id])
            .contains("there is no key")
    );

    let nobody = "org_00000000000000000000000000";
    let complaint =
        program.complaint(&["keys", "create", "--org", nobody, "--capabilities", "read"]);
    assert!(
        complaint.contains("there is no organization"),
        "{complaint}"
    );
    let complaint = program.complaint(&["keys", "create", "--org", "x", "--capabilities", "fly"]);
    assert!(
        complaint.contains("read, send, manage, events"),
        "{complaint}"
    );
}

#[tokio::test]
async fn a_wrong_setting_is_named_and_secrets_are_not_shown() {
    let world = World::start().await;
    let run = |name: &str, value: &str, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_gateway-api"))
            .args(arguments)
            .env(name, value)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let (fine, emitted) = run("GATEWAY_API__LISTEN", "everywhere", &["serve"]);
    assert!(!fine);
    assert!(
        emitted.contains("api.listen: is \"everywhere\""),
        "{emitted}"
    );
    assert!(emitted.contains("GATEWAY_API__LISTEN"), "{emitted}");
    let url = "redis://me:secret@db:6379,redis://other:6379";
    let (fine, emitted) = run("GATEWAY_REDIS__URLS", url, &["config"]);
    assert!(fine, "{emitted}");
    assert!(
        emitted.contains("redis://me:***@db:6379") && !emitted.contains("me:secret"),
        "{emitted}"
    );
    let (fine, emitted) = run("GATEWAY_CONFIG", "/nowhere.toml", &["config"]);
    assert!(!fine);
    assert!(emitted.contains("/nowhere.toml"), "{emitted}");
    drop(world);
}
