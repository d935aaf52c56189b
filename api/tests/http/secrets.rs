//! A process has the keys that its installation's secrets are sealed with, or does not run.

use std::process::Command;

use crate::world::World;

struct Start<'a> {
    world: &'a World,
}

impl Start<'_> {
    /// What a process says that is started with these keys and must not run.
    fn refused(&self, keys: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_gateway-api"))
            .arg("serve")
            .env("GATEWAY_REDIS__URLS", &self.world.config.redis.urls[0])
            .env("GATEWAY_REDIS__PREFIX", &self.world.config.redis.prefix)
            .env("GATEWAY_API__LISTEN", "127.0.0.1:0")
            .env("GATEWAY_SECRETS__KEYS", keys)
            .env("GATEWAY_LOG__FILTER", "off")
            .output()
            .unwrap();
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn generate() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gateway-api"))
        .args(["secrets", "generate", "--id", "fresh"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_process_without_the_right_key_says_so_and_stops() {
    // Its API process has left the check of its key in Redis.
    let world = World::start().await;
    let start = Start { world: &world };
    let emitted = start.refused("");
    assert!(
        emitted.contains("gateway-api secrets generate"),
        "{emitted}"
    );

    let fresh = generate();
    assert_ne!(fresh, generate());
    let emitted = start.refused(&fresh);
    let wanted = "encrypted with key tests, which this process does not have";
    assert!(emitted.contains(wanted), "{emitted}");
    assert_eq!(emitted.lines().count(), 1, "one sentence: {emitted}");

    let wrong = fresh.replace("fresh:", "tests:");
    let emitted = start.refused(&wrong);
    assert!(
        emitted.contains("key tests of [secrets] is not the one"),
        "{emitted}"
    );

    let emitted = start.refused("tests:0123");
    assert!(
        emitted.contains("secrets.keys: key 1 is not understood"),
        "{emitted}"
    );
    assert!(!emitted.contains("0123"), "{emitted}");
}
