//! The master that the Sentinels name at present, followed through failovers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisError, RedisFuture, RedisResult, ServerErrorKind, TlsMode, Value,
};

use super::connection::{RedisConfig, tcp};
use super::tls;

/// A connection to the present master that many tasks share. When it fails, or when the server says
/// that it is master no more, the Sentinels are asked anew for the next command; the command that
/// failed is not repeated.
#[derive(Clone)]
pub(super) struct SentinelConnection {
    inner: Arc<Inner>,
}

struct Inner {
    /// One asks at a time; the others wait for what it learns.
    sentinels: tokio::sync::Mutex<SentinelClient>,
    present: Mutex<Option<Present>>,
    /// How many connections were made: a number tells them apart.
    made: AtomicU64,
    limits: AsyncConnectionConfig,
    connect: Duration,
    db: i64,
}

/// The connection in use, and which one it is.
#[derive(Clone)]
struct Present {
    number: u64,
    connection: MultiplexedConnection,
}

/// The client that asks the Sentinels of `config`. The password and the database in the first
/// address are those of Redis itself.
fn sentinels(config: &RedisConfig) -> RedisResult<(SentinelClient, i64)> {
    // Sentinels have no databases, and no password where none is set for them.
    let addresses = config.urls.iter().map(|url| {
        let info = url.as_str().into_connection_info()?;
        Ok(info.addr().clone())
    });
    let addresses: Vec<ConnectionAddr> = addresses.collect::<RedisResult<_>>()?;
    let first = config.urls.first().map_or("", String::as_str);
    let settings = first.into_connection_info()?.redis_settings().clone();
    let db = settings.db();
    let master = &config.sentinel_master;
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_sentinel_tcp_settings(tcp())
        .set_client_to_redis_tcp_settings(tcp())
        .set_client_to_redis_db(db);
    if let Some(username) = settings.username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if tls::is_tls(first) {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        if let Some(certificates) = tls::certificates(config)? {
            builder = builder
                .set_client_to_sentinel_certificates(certificates.clone())
                .set_client_to_redis_certificates(certificates);
        }
    }
    Ok((builder.build()?, db))
}

/// A subscriber connection to the present master.
pub(super) async fn open_subscriber(config: &RedisConfig) -> RedisResult<PubSub> {
    let limit = Duration::from_millis(config.connect_timeout_ms);
    let (mut sentinels, _) = sentinels(config)?;
    let master = within(limit, sentinels.async_get_client()).await?;
    within(limit, master.get_async_pubsub()).await
}

async fn within<T>(limit: Duration, step: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let silent = || RedisError::from((ErrorKind::Io, "no answer in time"));
    tokio::time::timeout(limit, step)
        .await
        .map_err(|_| silent())?
}

impl SentinelConnection {
    /// A connection that is made with its first command, so a process may start before its Redis.
    pub(super) fn new(config: &RedisConfig) -> RedisResult<Self> {
        let (sentinels, db) = sentinels(config)?;
        let connect = Duration::from_millis(config.connect_timeout_ms);
        let limits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect))
            .set_response_timeout(Some(Duration::from_millis(config.response_timeout_ms)));
        Ok(Self {
            inner: Arc::new(Inner {
                sentinels: tokio::sync::Mutex::new(sentinels),
                present: Mutex::new(None),
                made: AtomicU64::new(0),
                limits,
                connect,
                db,
            }),
        })
    }

    fn place(&self) -> MutexGuard<'_, Option<Present>> {
        let place = self.inner.present.lock();
        place.unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> Option<Present> {
        self.place().clone()
    }

    async fn connection(&self) -> RedisResult<Present> {
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let mut sentinels = self.inner.sentinels.lock().await;
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let master: Client = within(self.inner.connect, sentinels.async_get_client()).await?;
        let connection = master
            .get_multiplexed_async_connection_with_config(&self.inner.limits)
            .await?;
        let present = Present {
            number: self.inner.made.fetch_add(1, Ordering::Relaxed),
            connection,
        };
        let mut place = self.place();
        *place = Some(present.clone());
        Ok(present)
    }

    /// Gives a connection up after an error that says that it, or its server, is the wrong one.
    fn judge<T>(&self, number: u64, outcome: &RedisResult<T>) {
        let Err(error) = outcome else { return };
        let wrong = error.is_io_error()
            || error.is_unrecoverable_error()
            || matches!(
                error.kind(),
                ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
            );
        if !wrong {
            return;
        }
        let mut place = self.place();
        if place
            .as_ref()
            .is_some_and(|present| present.number == number)
        {
            *place = None;
        }
    }
}

impl ConnectionLike for SentinelConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut present = self.connection().await?;
            let outcome = present.connection.req_packed_command(cmd).await;
            let outcome = outcome.and_then(Value::extract_error);
            self.judge(present.number, &outcome);
            outcome
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut present = self.connection().await?;
            let pipeline = present.connection.req_packed_commands(cmd, offset, count);
            let outcome = pipeline.await;
            self.judge(present.number, &outcome);
            for value in outcome.iter().flatten() {
                if let Value::ServerError(error) = value {
                    self.judge::<()>(present.number, &Err(error.clone().into()));
                }
            }
            outcome
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.db
    }
}
