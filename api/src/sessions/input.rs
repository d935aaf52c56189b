//! The bodies of session requests.

use gateway_shared::config::PLATFORMS;
use gateway_shared::domain::Limits;
use gateway_shared::proxy::{self, Proxy};
use gateway_shared::session::{NewSession, SessionPatch};

use crate::request::{Fields, Problems};

/// Characters of a label.
pub(super) const LABEL: std::ops::RangeInclusive<usize> = 0..=200;
/// Sends in a window; 0 = unlimited.
pub(super) const RATE: std::ops::RangeInclusive<i64> = 0..=1_000_000;

/// Characters of the name of a device.
pub(super) const DEVICE_NAME: std::ops::RangeInclusive<usize> = 0..=50;

/// A body, and the proxy that it names with its credentials, which are sealed before they are kept.
#[derive(Debug)]
pub(super) struct Given<T> {
    pub(super) what: T,
    /// `Some(None)`: none of its own any more.
    pub(super) proxy: Option<Option<Proxy>>,
}

fn proxy_of(fields: &mut Fields, problems: &mut Problems) -> Option<Option<Proxy>> {
    let text = fields.text_of(problems, "proxy", 0..=proxy::LONGEST)?;
    if text.is_empty() {
        return Some(None);
    }
    match Proxy::parse(&text) {
        Ok(proxy) => Some(Some(proxy)),
        Err(problem) => {
            problems.add(fields.path("proxy"), problem.to_string());
            None
        }
    }
}

fn platform_of(fields: &mut Fields, problems: &mut Problems) -> Option<String> {
    let platform = fields.text(problems, "platform")?;
    if !platform.is_empty() && !PLATFORMS.contains(&platform.as_str()) {
        let problem = format!("must be one of {}", PLATFORMS.join(", "));
        problems.add(fields.path("platform"), problem);
        return None;
    }
    Some(platform)
}

/// The fields that a session is made with and that can be changed.
fn changeable(fields: &mut Fields, problems: &mut Problems) -> SessionPatch {
    let mut rate = |name| {
        let rate = fields.integer(problems, name, RATE)?;
        u32::try_from(rate).ok()
    };
    let rate_per_min = rate("ratePerMin");
    let rate_per_hour = rate("ratePerHour");
    SessionPatch {
        label: fields.text_of(problems, "label", LABEL),
        rate_per_min,
        rate_per_hour,
        auto_read: fields.flag(problems, "autoRead"),
        auto_download: fields.flag(problems, "autoDownload"),
        presence_typing: fields.flag(problems, "presenceTyping"),
        proxy: None,
        device_name: fields.text_of(problems, "deviceName", DEVICE_NAME),
        platform: platform_of(fields, problems),
    }
}

/// The body of `POST /sessions`. A session starts at once unless it says otherwise.
pub(super) fn new_session(mut fields: Fields, problems: &mut Problems) -> Given<NewSession> {
    let proxy = proxy_of(&mut fields, problems);
    let given = changeable(&mut fields, problems);
    let start = fields.flag(problems, "start").unwrap_or(true);
    fields.finish(problems, &[], "");
    let default = Limits::default();
    let what = NewSession {
        label: given.label.unwrap_or_default(),
        start,
        limits: Limits {
            rate_per_min: given.rate_per_min.unwrap_or(default.rate_per_min),
            rate_per_hour: given.rate_per_hour.unwrap_or(default.rate_per_hour),
        },
        auto_read: given.auto_read.unwrap_or(false),
        auto_download: given.auto_download.unwrap_or(false),
        presence_typing: given.presence_typing.unwrap_or(false),
        proxy: None,
        device_name: given.device_name.unwrap_or_default(),
        platform: given.platform.unwrap_or_default(),
    };
    Given { what, proxy }
}

/// The body of `POST /sessions/{session}:pause`: why, for whoever sees it later.
pub(super) fn pause_reason(mut fields: Fields, problems: &mut Problems) -> String {
    let reason = fields.text_of(problems, "reason", LABEL);
    fields.finish(problems, &[], "");
    reason.unwrap_or_default()
}

/// The body of `PATCH /sessions/{session}`.
pub(super) fn patch(mut fields: Fields, problems: &mut Problems) -> Given<SessionPatch> {
    let proxy = proxy_of(&mut fields, problems);
    let what = changeable(&mut fields, problems);
    fields.finish(problems, &[], "");
    Given { what, proxy }
}
