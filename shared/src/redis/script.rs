//! Lua scripts as files, run by their hash.

use redis::aio::ConnectionLike;
use redis::{
    ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation, ServerErrorKind,
    Value,
};

use super::connection::Connection;
use super::keys::{GLOBAL, KeyFamily, PARTITION, lua_prelude};

/// A script of this crate, ready to run.
#[derive(Debug)]
pub struct LuaScript {
    script: Script,
}

impl LuaScript {
    /// A script over an organization's partition; `parts` are joined in order.
    #[must_use]
    pub fn partition(parts: &[&str]) -> Self {
        Self::over(PARTITION, parts)
    }

    /// A script over the installation's own structures.
    #[must_use]
    pub fn global(parts: &[&str]) -> Self {
        Self::over(GLOBAL, parts)
    }

    /// A script that names all its keys in `KEYS`.
    #[must_use]
    pub fn bare(source: &str) -> Self {
        Self {
            script: Script::new(source),
        }
    }

    fn over(table: &[KeyFamily], parts: &[&str]) -> Self {
        let body = parts.join("\n");
        // A script makes its functions anew in every run: only those it uses.
        let used: Vec<KeyFamily> = table
            .iter()
            .filter(|family| body.contains(&format!("K.{}(", family.name)))
            .copied()
            .collect();
        let source = format!("{}\n{body}", lua_prelude(&used));
        Self {
            script: Script::new(&source),
        }
    }

    /// Begins a call on the place whose root is `root`.
    #[must_use]
    pub fn on(&self, root: &str) -> ScriptInvocation<'_> {
        self.script.key(root)
    }

    /// The hash by which Redis knows the script.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.script.get_hash()
    }
}

/// Runs a prepared call, loading the script first where the server does not know it.
///
/// # Errors
/// Whatever Redis or the connection answers.
pub async fn run<T: FromRedisValue>(
    connection: &Connection,
    call: &ScriptInvocation<'_>,
) -> RedisResult<T> {
    call.invoke_async(&mut connection.clone()).await
}

/// As [`run`], and then waits until as many replicas as configured (`redis.wait_replicas`) have what
/// was written: for what is promised to somebody once this returns.
///
/// # Errors
/// Also when too few replicas have it in time. It was written then, and is lost only if the master
/// is: as with any other silence, whoever asked may ask again.
pub async fn run_durably<T: FromRedisValue>(
    connection: &Connection,
    call: &ScriptInvocation<'_>,
) -> RedisResult<T> {
    let replicas = connection.replicas();
    if replicas.count == 0 {
        return run(connection, call).await;
    }
    let mut connection = connection.clone();
    // One packet over one connection: WAIT is about what this connection has written.
    let mut commands = redis::pipe();
    commands
        .invoke_script(call)
        .cmd("WAIT")
        .arg(replicas.count)
        .arg(replicas.timeout_ms);
    let mut reply = connection.req_packed_commands(&commands, 0, 2).await;
    if is_unknown(&reply) {
        call.load_async(&mut connection).await?;
        reply = connection.req_packed_commands(&commands, 0, 2).await;
    }
    let mut reply = reply?.into_iter().map(Value::extract_error);
    let mut next = || reply.next().unwrap_or(Ok(Value::Nil));
    let outcome = next()?;
    let acknowledged: u32 = redis::from_redis_value(next()?)?;
    if acknowledged < replicas.count {
        let detail = format!("{acknowledged} of {}", replicas.count);
        let few = "too few replicas have the write";
        return Err(RedisError::from((ErrorKind::Io, few, detail)));
    }
    Ok(redis::from_redis_value(outcome)?)
}

/// Whether the server does not know the script.
fn is_unknown(reply: &RedisResult<Vec<Value>>) -> bool {
    let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
    match reply {
        Ok(values) => match values.first() {
            Some(Value::ServerError(error)) => RedisError::from(error.clone()).kind() == unknown,
            _ => false,
        },
        Err(error) => error.kind() == unknown,
    }
}
