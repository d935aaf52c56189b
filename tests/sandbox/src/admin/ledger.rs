//! `/admin/ledger`: what the server accepted.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::body::Query;
use super::{Answer, Shared};
use crate::ledger::{Entry, Filter};

/// How many entries are listed unless more are asked for.
const DEFAULT_LIMIT: usize = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LedgerQuery {
    /// The phone number of the sender.
    #[serde(alias = "from")]
    phone: Option<String>,
    /// The phone number of the recipient.
    to: Option<String>,
    id: Option<String>,
    /// Also what the devices of an account say to each other.
    #[serde(default)]
    peer: bool,
    /// Only what came after the entry with this `seq`.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// The entries that pass the query, in order.
pub(super) async fn entries(State(world): Shared, Query(query): Query<LedgerQuery>) -> Answer {
    let entries = world.ledger.entries(&Filter {
        from: query.phone,
        to: query.to,
        id: query.id,
        peer: query.peer,
        after: query.after,
        limit: query.limit.unwrap_or(DEFAULT_LIMIT),
    });
    let entries: Vec<_> = entries.iter().map(Entry::show).collect();
    Ok(Json(
        json!({ "data": entries, "total": world.ledger.total() }),
    ))
}
