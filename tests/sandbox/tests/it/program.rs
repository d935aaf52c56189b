//! The program: its first line, its ports, its end.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::admin::Admin;
use crate::client::PATIENCE;

#[tokio::test]
async fn it_says_where_it_is_and_ends_on_sigterm() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wa-sandbox"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(ready["ws"].as_str().unwrap().ends_with("/ws/chat"));
    let admin = Admin::new(ready["admin"].as_str().unwrap());
    assert_eq!(
        admin.get("/admin/root-key").await["rootKey"],
        ready["rootKey"]
    );

    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
    let status = tokio::time::timeout(PATIENCE, child.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success(), "{status}");
}
