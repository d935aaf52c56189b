//! Asking WhatsApp Web which version of it is the newest.

use std::time::Duration;

use wacore::net::HttpRequest;
use wacore::version::parse_sw_js;

use super::ClientVersion;
use crate::link::Network;

/// Where WhatsApp Web names its newest version.
pub const SERVICE_WORKER: &str = "https://web.whatsapp.com/sw.js";

/// How long the page may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The smallest build that can be one of WhatsApp Web's since it counts in its present way. A page
/// that holds none is read as build 0 by the library.
const SMALLEST_BUILD: u32 = 1_000_000_000;

/// Why the newest version is not known.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The page did not come.
    #[error("{url} could not be read: {reason}")]
    Unreachable {
        /// The page.
        url: String,
        /// Why.
        reason: String,
    },
    /// It came and is not what it was.
    #[error("{url} names no version of WhatsApp Web")]
    Unreadable {
        /// The page.
        url: String,
    },
}

impl Network {
    /// The newest version, as the page at `url` names it.
    ///
    /// # Errors
    /// When the page does not come within ten seconds, or names no version.
    pub async fn newest_version(&self, url: &str) -> Result<ClientVersion, FetchError> {
        let unreachable = |reason: String| FetchError::Unreachable {
            url: url.to_owned(),
            reason,
        };
        // The page is a service worker's script, and without these headers it is another one.
        let request = HttpRequest::get(url)
            .with_header("sec-fetch-site", "none")
            .with_header(
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Safari/537.36",
            );
        let http = self.http();
        let answer = tokio::time::timeout(TIMEOUT, http.execute(request))
            .await
            .map_err(|_| unreachable("no answer in ten seconds".to_owned()))?
            .map_err(|error| unreachable(format!("{error:#}")))?;
        if answer.status_code != 200 {
            return Err(unreachable(format!("status {}", answer.status_code)));
        }
        let page = String::from_utf8_lossy(&answer.body);
        read(&page).ok_or_else(|| FetchError::Unreadable {
            url: url.to_owned(),
        })
    }
}

/// The version that a page names.
fn read(page: &str) -> Option<ClientVersion> {
    let (primary, secondary, build) = parse_sw_js(page)?;
    (build >= SMALLEST_BUILD).then_some(ClientVersion(primary, secondary, build))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_a_version_or_none() {
        let named = read("self.x={\"client_revision\":1045368834};");
        assert_eq!(named, Some(ClientVersion(2, 3000, 1_045_368_834)));
        for page in ["", "<html>", "assets-manifest-98765", "client_revision:7"] {
            assert_eq!(read(page), None, "{page}");
        }
    }
}
