//! Pages of the directory of sessions.

use axum::http::Uri;
use gateway_shared::domain::{OrganizationId, SessionId};
use gateway_shared::lane::SessionRef;

use crate::error::ApiError;
use crate::request::{Problems, Query};
use crate::state::App;

/// What part of the directory is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) organization: Option<OrganizationId>,
    pub(super) session: Option<SessionId>,
    /// What the page before ended with; empty = the first page.
    pub(super) cursor: String,
    pub(super) limit: usize,
}

impl Asked {
    pub(super) fn read(uri: &Uri, problems: &mut Problems) -> Self {
        let query = Query::of(uri);
        Self {
            organization: query.parsed(problems, "organization"),
            session: query.parsed(problems, "session"),
            cursor: query.get("cursor").unwrap_or_default().to_owned(),
            limit: query.limit(problems),
        }
    }

    /// The sessions of the installation that are asked for, in the order of their ids.
    pub(super) async fn directory(&self, app: &App) -> Result<Vec<SessionRef>, ApiError> {
        let mut all = app.registry.directory().await?;
        all.retain(|of| {
            let organization = self.organization.as_ref();
            let session = self.session.as_ref();
            organization.is_none_or(|one| *one == of.organization)
                && session.is_none_or(|one| *one == of.session)
        });
        all.sort_unstable_by(|a, b| a.session.cmp(&b.session));
        Ok(all)
    }

    /// One page of them, and the cursor of the next.
    pub(super) async fn page(&self, app: &App) -> Result<(Vec<SessionRef>, String), ApiError> {
        if !self.cursor.is_empty() && self.cursor.parse::<SessionId>().is_err() {
            return Err(foreign_cursor());
        }
        let mut rest = self.directory(app).await?;
        rest.retain(|of| of.session.as_str() > self.cursor.as_str());
        let more = rest.len() > self.limit;
        rest.truncate(self.limit);
        let next = rest
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |of| of.session.to_string());
        Ok((rest, next))
    }
}

/// The cursor is none that was given out.
pub(super) fn foreign_cursor() -> ApiError {
    let mut problems = Problems::default();
    problems.add("cursor", "must be the nextCursor of an earlier page");
    ApiError::validation(&problems)
}
