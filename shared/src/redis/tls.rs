//! TLS towards Redis: whom to trust, and how to show who one is.

use redis::{ClientTlsConfig, ErrorKind, RedisError, RedisResult, TlsCertificates};

use super::connection::RedisConfig;

/// The certificates of the configuration; `None` where it names none, so that `rediss://` trusts the public
/// authorities.
///
/// # Errors
/// When a file can not be read.
pub(super) fn certificates(config: &RedisConfig) -> RedisResult<Option<TlsCertificates>> {
    let root_cert = read("redis.tls_ca_file", &config.tls_ca_file)?;
    let client_cert = read("redis.tls_cert_file", &config.tls_cert_file)?;
    let client_key = read("redis.tls_key_file", &config.tls_key_file)?;
    let client_tls = client_cert
        .zip(client_key)
        .map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        });
    Ok(
        (root_cert.is_some() || client_tls.is_some()).then_some(TlsCertificates {
            client_tls,
            root_cert,
        }),
    )
}

fn read(setting: &'static str, path: &str) -> RedisResult<Option<Vec<u8>>> {
    if path.is_empty() {
        return Ok(None);
    }
    let unreadable = |error: std::io::Error| {
        let detail = format!("{path}: {error}");
        RedisError::from((ErrorKind::InvalidClientConfig, setting, detail))
    };
    std::fs::read(path).map(Some).map_err(unreadable)
}

/// Whether an address asks for TLS.
#[must_use]
pub fn is_tls(url: &str) -> bool {
    url.starts_with("rediss://") || url.starts_with("valkeys://")
}
