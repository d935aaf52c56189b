//! Where files are uploaded to and downloaded from.

use wacore_binary::builder::NodeBuilder;

use super::Answer;
use crate::world::World;

/// How long the answer holds, in seconds.
const TTL_SECS: u32 = 3_600;

/// The hosts of the CDN, primary first, and what uploads have to show.
pub(super) fn connection(world: &World) -> Answer {
    let Some([primary, fallback]) = world.cdn.hosts() else {
        return Answer::NOT_FOUND;
    };
    let host = |name: &str, kind: &'static str| {
        NodeBuilder::new("host")
            .attr("hostname", name)
            .attr("type", kind)
            .attr("fallback_hostname", fallback.as_str())
            .children([
                NodeBuilder::new("upload").build(),
                NodeBuilder::new("download").build(),
            ])
            .build()
    };
    Answer::Result(vec![
        NodeBuilder::new("media_conn")
            .attr("auth", world.cdn.auth())
            .attr("ttl", TTL_SECS)
            .attr("auth_ttl", TTL_SECS)
            .attr("max_buckets", 1)
            .children([host(&primary, "primary"), host(&fallback, "fallback")])
            .build(),
    ])
}
