//! Where media would go.

use wacore_binary::builder::NodeBuilder;

use super::Answer;

/// How long the answer holds, in seconds.
const TTL_SECS: u32 = 3_600;

/// A host that nobody answers at: the sandbox keeps no media yet.
pub(super) fn connection() -> Answer {
    let host = NodeBuilder::new("host")
        .attr("hostname", "media.sandbox.invalid")
        .attr("type", "primary")
        .children([
            NodeBuilder::new("upload").build(),
            NodeBuilder::new("download").build(),
        ])
        .build();
    Answer::Result(vec![
        NodeBuilder::new("media_conn")
            .attr("auth", "sandbox")
            .attr("ttl", TTL_SECS)
            .attr("auth_ttl", TTL_SECS)
            .attr("max_buckets", 1)
            .children([host])
            .build(),
    ])
}
