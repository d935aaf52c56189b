//! Voting in a poll.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use gateway_shared::domain::{Content, PollKey, Target};
use serde_json::json;

use super::request::Asked;
use crate::error::ApiError;
use crate::request::Problems;
use crate::state::App;

/// Most options that a vote may name; no poll has more.
const MOST: usize = 1_000;

/// `POST /sessions/{session}/messages/{mid}/vote`: the complete set of options chosen; none takes
/// the vote back.
pub(crate) async fn vote(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut asked = Asked::read(&app, request).await?;
    asked.read_sender();
    asked.fields.require(&mut asked.problems, "options");
    let listed = asked
        .fields
        .list::<String>(&mut asked.problems, "options", MOST);
    let options: Vec<String> = listed.map_or_else(Vec::new, |list| {
        list.items.into_iter().map(|(_, option)| option).collect()
    });
    let order = asked.finish("vote", &json!(options))?;
    order
        .carry_out(&app, false, |target, found, problems| {
            if found.message.kind != "poll" {
                problems.add("mid", "is no poll");
                return Ok(None);
            }
            let Some(key) = found.message.poll.clone() else {
                problems.add("mid", "is a poll without the secret that a vote needs");
                return Ok(None);
            };
            Ok(cast(target, key, options, problems).map(Into::into))
        })
        .await
}

/// The vote, if the poll allows it.
fn cast(
    target: Target,
    key: PollKey,
    options: Vec<String>,
    problems: &mut Problems,
) -> Option<Content> {
    let mut sound = true;
    let known: HashSet<&String> = key.options.iter().collect();
    let mut seen = HashSet::new();
    for (index, option) in options.iter().enumerate() {
        let field = || format!("options[{index}]");
        if !known.contains(option) {
            problems.add(field(), "is none of the poll's options");
            sound = false;
        } else if !seen.insert(option) {
            problems.add(field(), "must not repeat an earlier option");
            sound = false;
        }
    }
    let most = usize::try_from(key.selectable_count).unwrap_or(usize::MAX);
    if most > 0 && options.len() > most {
        problems.add("options", format!("must have at most {most} entries"));
        sound = false;
    }
    sound.then_some(Content::Vote {
        target,
        key,
        options,
    })
}
