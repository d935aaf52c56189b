//! `.run/stack.json`: where other programs find the stack.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Its name in the folder of the stack.
pub(super) const NAME: &str = "stack.json";

/// What runs, and how to reach it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackFile {
    /// Address of the API.
    pub api: String,
    /// A key that may do everything in the organization.
    pub api_key: String,
    /// The operations room.
    #[serde(default)]
    pub ops: String,
    /// A key for it, which may do everything there.
    #[serde(default)]
    pub operator_key: String,
    /// Figures for Prometheus, one address a process.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// The organization.
    pub organization: String,
    /// Address of Redis.
    pub redis: String,
    /// The sandbox; `null` when the stack talks to the real WhatsApp.
    pub sandbox: Option<Sandbox>,
    /// Sessions that are paired.
    pub sessions: Vec<Session>,
    /// People of the sandbox.
    pub peers: Vec<Peer>,
    /// Process ids.
    pub pids: Pids,
}

/// Addresses of the sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sandbox {
    /// Where WhatsApp clients connect.
    pub ws: String,
    /// Its admin API.
    pub admin: String,
}

/// A session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The number of the phone it is paired with.
    pub phone: String,
    /// Its address.
    pub wa_jid: String,
}

/// A person of the sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Peer {
    /// Their number.
    pub phone: String,
    /// Their address.
    pub jid: String,
}

/// Process ids of the stack's parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pids {
    /// Redis.
    pub redis: u32,
    /// The sandbox; `null` when there is none.
    pub sandbox: Option<u32>,
    /// APIs.
    pub api: Vec<u32>,
    /// Workers.
    pub workers: Vec<u32>,
}

impl StackFile {
    /// Reads the description in `folder`, if there is one.
    ///
    /// # Errors
    /// When there is one that cannot be understood.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(NAME);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("{} is no stack description", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Writes it into `folder`, readable by its owner only: it holds an API key. A reader sees
    /// either the old one or the whole new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(NAME);
        let draft = folder.join(format!("{NAME}.new"));
        let file = std::fs::File::options()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .with_context(|| format!("write {}", draft.display()))?;
        serde_json::to_writer_pretty(file, self)?;
        std::fs::rename(&draft, &path)?;
        Ok(())
    }

    /// Removes it from `folder`, if it is there.
    pub fn remove(folder: &Path) {
        // That it was not there is as good.
        let _ = std::fs::remove_file(folder.join(NAME));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_other_programs_read() {
        let file = StackFile {
            api: "http://127.0.0.1:1".into(),
            api_key: "wa_x".into(),
            ops: "http://127.0.0.1:5/ops".into(),
            operator_key: "op_x".into(),
            metrics: vec!["http://127.0.0.1:6/metrics".into()],
            organization: "org_1".into(),
            redis: "redis://127.0.0.1:2".into(),
            sandbox: Some(Sandbox {
                ws: "ws://127.0.0.1:3".into(),
                admin: "http://127.0.0.1:4".into(),
            }),
            sessions: vec![Session {
                id: "sess_1".into(),
                phone: "15550000001".into(),
                wa_jid: "15550000001@s.whatsapp.net".into(),
            }],
            peers: vec![Peer {
                phone: "15551000001".into(),
                jid: "15551000001@s.whatsapp.net".into(),
            }],
            pids: Pids {
                redis: 1,
                sandbox: Some(2),
                api: vec![3],
                workers: vec![4, 5],
            },
        };
        let wanted = serde_json::json!({
            "api": "http://127.0.0.1:1",
            "apiKey": "wa_x",
            "ops": "http://127.0.0.1:5/ops",
            "operatorKey": "op_x",
            "metrics": ["http://127.0.0.1:6/metrics"],
            "organization": "org_1",
            "redis": "redis://127.0.0.1:2",
            "sandbox": { "ws": "ws://127.0.0.1:3", "admin": "http://127.0.0.1:4" },
            "sessions": [{
                "id": "sess_1",
                "phone": "15550000001",
                "waJid": "15550000001@s.whatsapp.net",
            }],
            "peers": [{ "phone": "15551000001", "jid": "15551000001@s.whatsapp.net" }],
            "pids": { "redis": 1, "sandbox": 2, "api": [3], "workers": [4, 5] },
        });
        assert_eq!(serde_json::to_value(&file).unwrap(), wanted);
        assert!(serde_json::from_value::<StackFile>(wanted).is_ok());
    }
}
