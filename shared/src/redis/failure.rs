//! Why Redis did not do what was asked, in words that stay the same.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::RedisFailure;

impl RedisFailure {
    /// A stable name of the reason, for answers and for the log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        let error = &self.0;
        if let Some(reason) = error.code().and_then(of_code) {
            return reason;
        }
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => "redis_read_only",
            ErrorKind::Server(ServerErrorKind::BusyLoading) => "redis_loading",
            ErrorKind::Server(ServerErrorKind::MasterDown) => "redis_master_down",
            ErrorKind::Server(ServerErrorKind::TryAgain | ServerErrorKind::Ask) => {
                "redis_slot_moving"
            }
            ErrorKind::Server(ServerErrorKind::ClusterDown | ServerErrorKind::Moved) => {
                "redis_cluster_down"
            }
            ErrorKind::AuthenticationFailed => "redis_access_denied",
            ErrorKind::Io if is_short_of_replicas(error) => "redis_too_few_replicas",
            _ => "redis_unreachable",
        }
    }

    /// The same for people.
    #[must_use]
    pub fn explanation(&self) -> &'static str {
        match self.reason() {
            "redis_out_of_memory" => "the gateway's store is full and takes no writes",
            "redis_read_only" => "the gateway's store is a replica at present and takes no writes",
            "redis_too_few_replicas" => "too few replicas of the gateway's store have the write",
            "redis_cannot_persist" => "the gateway's store cannot write to its disk",
            "redis_loading" => "the gateway's store is reading its data after a start",
            "redis_master_down" => "the gateway's store has lost its master",
            "redis_slot_moving" => "a part of the gateway's store is being moved",
            "redis_cluster_down" => "a part of the gateway's store is down",
            "redis_access_denied" => "the gateway's store refuses this process",
            _ => "the gateway's store does not answer",
        }
    }
}

fn of_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "OOM" => "redis_out_of_memory",
        "READONLY" => "redis_read_only",
        "NOREPLICAS" => "redis_too_few_replicas",
        "MISCONF" => "redis_cannot_persist",
        "LOADING" => "redis_loading",
        "MASTERDOWN" => "redis_master_down",
        "TRYAGAIN" | "ASK" => "redis_slot_moving",
        "CLUSTERDOWN" => "redis_cluster_down",
        "NOAUTH" | "WRONGPASS" | "NOPERM" => "redis_access_denied",
        _ => return None,
    })
}

/// What [`script::run_durably`](super::script::run_durably) says when `WAIT` counted too few.
pub(super) const TOO_FEW_REPLICAS: &str = "too few replicas have the write";

fn is_short_of_replicas(error: &RedisError) -> bool {
    error.to_string().contains(TOO_FEW_REPLICAS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_redis_keep_their_reason() {
        let reason = |reply: &str| {
            let value = redis::parse_redis_value(format!("-{reply}\r\n").as_bytes()).unwrap();
            let error = value.extract_error().unwrap_err();
            RedisFailure(error).reason()
        };
        let emitted = [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "READONLY You can't write against a read only replica.",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Errors writing to the AOF file",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN Hash slot not served",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "ASK 3999 127.0.0.1:6381",
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'set' command",
        ]
        .map(reason);
        insta::assert_snapshot!(emitted.join("\n"), @r"
        redis_out_of_memory
        redis_read_only
        redis_too_few_replicas
        redis_cannot_persist
        redis_loading
        redis_master_down
        redis_cluster_down
        redis_slot_moving
        redis_slot_moving
        redis_access_denied
        redis_access_denied
        redis_access_denied
        ");
    }
}
