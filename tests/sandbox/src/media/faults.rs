//! What is to go wrong at the CDN.

use serde::{Deserialize, Serialize};

/// Which of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Host {
    Primary,
    Fallback,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Direction {
    Upload,
    Download,
}

/// One thing that is to go wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    /// Only at this host.
    pub(crate) host: Option<Host>,
    /// Only these requests.
    pub(crate) on: Option<Direction>,
    /// Answer with this status and do nothing.
    pub(crate) status: Option<u16>,
    /// Drop the connection after so many bytes of the file. What was uploaded until then is kept.
    pub(crate) cut_after: Option<u64>,
    /// Change a byte of what is downloaded.
    #[serde(default)]
    pub(crate) damage: bool,
    /// Wait so long before anything else is done, in milliseconds.
    pub(crate) delay: Option<u64>,
    /// How many requests are struck: 1 when left out, 0 for no limit.
    #[serde(default = "once")]
    pub(crate) count: u64,
    /// How many were.
    #[serde(default, skip_deserializing)]
    pub(crate) struck: u64,
}

fn once() -> u64 {
    1
}

/// The faults in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// The first one that strikes this request.
    pub(super) fn strike(&mut self, host: Host, on: Direction) -> Option<Fault> {
        let fault = self.list.iter_mut().find(|fault| {
            fault.host.is_none_or(|only| only == host)
                && fault.on.is_none_or(|only| only == on)
                && (fault.count == 0 || fault.struck < fault.count)
        })?;
        fault.struck += 1;
        Some(fault.clone())
    }
}
