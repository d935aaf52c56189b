//! Lua scripts as files, run by their hash.

use redis::aio::ConnectionLike;
use redis::{
    ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation, ServerErrorKind,
    Value,
};

use super::connection::Connection;
use super::failure::TOO_FEW_REPLICAS;
use super::keys::{GLOBAL, KeyFamily, PARTITION, lua_prelude};

/// A script of this crate, ready to run.
#[derive(Debug)]
pub struct LuaScript {
    script: Script,
    /// Calls name the [`guard`] of their place by themselves.
    guarded: bool,
}

/// A key that nothing ever writes, in the slot of `root`. Every script names it besides its root, and
/// so is never run on half a place: while the slot is moved to another master of a Cluster, Redis
/// sends a command of which a key is missing to the new master, and that one answers `TRYAGAIN` to a
/// command of several keys of which one is missing. Without it a script whose keys are derived from
/// its root would find whatever has arrived so far, and take the rest for absent.
#[must_use]
pub fn guard(root: &str) -> String {
    format!("{root}:~")
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

    /// A script that names all its keys in `KEYS`, and whose callers add the [`guard`] as the last
    /// one.
    #[must_use]
    pub fn bare(source: &str) -> Self {
        Self {
            script: Script::new(source),
            guarded: false,
        }
    }

    fn over(table: &[KeyFamily], parts: &[&str]) -> Self {
        // A script makes its functions anew in every run: only those it uses.
        let body = used(&parts.join("\n"));
        let used: Vec<KeyFamily> = table
            .iter()
            .filter(|family| body.contains(&format!("K.{}(", family.name)))
            .copied()
            .collect();
        let source = format!("{}\n{body}", lua_prelude(&used));
        Self {
            script: Script::new(&source),
            guarded: true,
        }
    }

    /// Begins a call on the place whose root is `root`.
    #[must_use]
    pub fn on(&self, root: &str) -> ScriptInvocation<'_> {
        let mut call = self.script.key(root);
        if self.guarded {
            call.key(guard(root));
        }
        call
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
        return Err(RedisError::from((ErrorKind::Io, TOO_FEW_REPLICAS, detail)));
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

/// A script without the functions that nothing after them names. A function is what stands between a
/// line that begins with `local function` and the next line that is `end`.
fn used(source: &str) -> String {
    let mut blocks: Vec<(Option<&str>, Vec<&str>)> = vec![(None, Vec::new())];
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("local function ") {
            blocks.push((rest.split('(').next(), Vec::new()));
        }
        if let Some((name, lines)) = blocks.last_mut() {
            lines.push(line);
            if name.is_some() && line == "end" {
                blocks.push((None, Vec::new()));
            }
        }
    }
    let mut kept: Vec<String> = Vec::new();
    for (name, lines) in blocks.into_iter().rev() {
        let is_word = |text: &str, at: usize, name: &str| {
            let part = |byte: Option<&u8>| {
                byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            };
            let bytes = text.as_bytes();
            !part(at.checked_sub(1).and_then(|before| bytes.get(before)))
                && !part(bytes.get(at + name.len()))
        };
        let named = |name: &str| {
            kept.iter().any(|text| {
                text.match_indices(name)
                    .any(|(at, _)| is_word(text, at, name))
            })
        };
        if name.is_none_or(named) {
            let code = lines.iter().filter(|line| !line.starts_with("--"));
            kept.push(code.copied().collect::<Vec<_>>().join("\n"));
        }
    }
    kept.reverse();
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_carries_only_the_functions_it_uses() {
        let source = "local A = 1\n\
            local function first(x)\n  return x\nend\n\
            local function second(x)\n  return first(x)\nend\n\
            local function third()\n  return second(A) + first_of\nend\n\
            -- third\n\
            return second(A)";
        let shaken = used(source);
        assert!(shaken.contains("local function first("));
        assert!(shaken.contains("local function second("));
        assert!(!shaken.contains("third"));
        assert!(shaken.contains("local A = 1") && shaken.ends_with("return second(A)"));
    }
}
