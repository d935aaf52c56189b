//! (c) Latency: a synchronous send over HTTP, through the API, Redis and a worker and back, against
//! a plain whatsapp-rust send with the server's acknowledgement, at the same sandbox. One session,
//! one connection, one send after the other, in turns.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use crate::figures::{Duel, millis, percentile};
use crate::http::Requests;
use crate::plain::TEXT;
use crate::plan::Plan;
use crate::stage::Stage;

/// Milliseconds from the request to its answer.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Sends of a round.
    pub(crate) sends: usize,
    /// The middle of each round.
    pub(crate) p50: Duel,
    /// What 99 of 100 do not exceed, of each round.
    pub(crate) p99: Duel,
}

/// Measures it.
///
/// # Errors
/// When a part does not start or a send fails.
pub(crate) async fn measure(plan: &Plan) -> Result<Measured> {
    let mut stage = Stage::start().await?;
    let peers = stage.peers(1).await?;
    stage.grow(1).await?;
    let api = stage.world.api(0);
    let body = json!({ "type": "text", "to": peers[0], "text": TEXT }).to_string();
    let path = format!("/api/v1/sessions/{}/messages", stage.sessions()[0].session);
    let requests = Requests::post(api.address(), &path, api.key(), &[body], 200)?;
    let mut connection = requests.connect().await?;

    let sends = plan.latency_sends;
    let mut measured = Measured {
        sends,
        p50: Duel::default(),
        p99: Duel::default(),
    };
    // The first round is for warming up.
    for round in 0..=plan.rounds {
        let mut gateway = Vec::with_capacity(sends);
        for _ in 0..sends {
            let begin = Instant::now();
            requests.ask(&mut connection, 0).await?;
            gateway.push(millis(begin.elapsed()));
        }
        stage.calm().await?;
        let (_, plain) = stage.plain.send(1, sends, &peers).await?;
        stage.calm().await?;
        if round > 0 {
            measured.p50.gateway.push(percentile(&gateway, 0.50));
            measured.p99.gateway.push(percentile(&gateway, 0.99));
            measured.p50.plain.push(percentile(&plain, 0.50));
            measured.p99.plain.push(percentile(&plain, 0.99));
        }
    }
    stage.end();
    Ok(measured)
}
