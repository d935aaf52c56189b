//! Configuration: a commented default that is compiled in, a file, and `GATEWAY_*` variables.
//!
//! The API and the workers read the same settings, since some must agree (`worker.liveness_ms`,
//! `redis.prefix`, the retentions). What each setting means is told in [`DEFAULT`].

mod auth;
mod media;
mod quota;
mod secrets;
mod sections;
mod validate;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Serialize};

use crate::egress::EgressConfig;
use crate::lane::Retention;
use crate::redis::RedisConfig;
use crate::webhooks::WebhookConfig;

pub use auth::{AuthConfig, ClaimNames, JwtConfig};
pub use media::{MediaConfig, S3Config};
pub use quota::QuotaConfig;
pub use secrets::{Hidden, SecretsConfig};
pub use sections::{
    ApiConfig, LogConfig, LogFormat, MetricsConfig, OpsConfig, PLATFORMS, SendConfig,
    WhatsAppConfig, WorkerConfig,
};
pub use validate::Invalid;

/// The default configuration: a TOML file with comments, complete.
pub const DEFAULT: &str = include_str!("default.toml");
/// The variable that names a configuration file.
pub const FILE_VARIABLE: &str = "GATEWAY_CONFIG";
/// What the variables that override single settings begin with.
const PREFIX: &str = "GATEWAY_";

/// All settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where Redis is.
    pub redis: RedisConfig,
    /// The keys that encrypt what Redis keeps.
    pub secrets: SecretsConfig,
    /// How long things are kept.
    pub retention: Retention,
    /// The HTTP side.
    pub api: ApiConfig,
    /// What one organization may take.
    pub quota: QuotaConfig,
    /// The operations room.
    pub ops: OpsConfig,
    /// Figures for Prometheus.
    pub metrics: MetricsConfig,
    /// Who may call, besides API keys.
    pub auth: AuthConfig,
    /// What holds for every send.
    pub send: SendConfig,
    /// Files.
    pub media: MediaConfig,
    /// The workers.
    pub worker: WorkerConfig,
    /// Requests to addresses that tenants name.
    pub egress: EgressConfig,
    /// How events are posted.
    pub webhooks: WebhookConfig,
    /// Logs.
    pub log: LogConfig,
}

/// Why there is no usable configuration. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named can not be read.
    #[error("the configuration file {} can not be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Settings are missing, unknown, or have values that are not allowed.
    #[error("the configuration is not valid:{}", listed(.0))]
    Invalid(Vec<Invalid>),
}

fn listed(problems: &[Invalid]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect()
}

impl Config {
    /// The configuration in effect: the default, then `file` (or the one that `GATEWAY_CONFIG`
    /// names), then the environment.
    ///
    /// # Errors
    /// When a file can not be read or a setting is not allowed; every such setting is named.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let named = std::env::var_os(FILE_VARIABLE).filter(|value| !value.is_empty());
        let file = file.map(Path::to_owned).or(named.map(PathBuf::from));
        let mut layers = Figment::from(Toml::string(DEFAULT));
        if let Some(path) = file {
            let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::File {
                path: path.clone(),
                source,
            })?;
            layers = layers.merge(Toml::string(&text));
        }
        // Only names with a section: Kubernetes sets GATEWAY_PORT and the like for a service
        // that happens to be called "gateway".
        let environment = Env::prefixed(PREFIX)
            .filter(|name| name.as_str().contains("__"))
            .split("__");
        Self::from_layers(&layers.merge(environment))
    }

    /// The default alone, without file and environment.
    ///
    /// # Errors
    /// Never, as this crate's tests show.
    pub fn defaults() -> Result<Self, ConfigError> {
        Self::from_layers(&Figment::from(Toml::string(DEFAULT)))
    }

    fn from_layers(layers: &Figment) -> Result<Self, ConfigError> {
        let config: Self = layers.extract().map_err(|errors| {
            ConfigError::Invalid(errors.into_iter().map(Invalid::from_figment).collect())
        })?;
        let problems = validate::problems(&config);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }

    /// The settings, with the passwords of addresses masked.
    #[must_use]
    pub fn masked(&self) -> serde_json::Value {
        let mut shown = self.clone();
        for url in &mut shown.redis.urls {
            *url = mask(url);
        }
        // Plain structs of numbers and texts always have a JSON form.
        serde_json::to_value(shown).unwrap_or_default()
    }
}

/// An address with its password replaced.
fn mask(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{place}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<Config, ConfigError> {
        let layers = Figment::from(Toml::string(DEFAULT)).merge(Toml::string(text));
        Config::from_layers(&layers)
    }

    #[test]
    fn the_default_is_valid_and_complete() {
        let config = Config::defaults().unwrap();
        assert_eq!(config.send.sync_deadline_ms, 30_000);
        assert_eq!(config.worker.liveness_ms, 3_000);
        assert_eq!(config.retention.events_ms, 7 * 24 * 3_600_000);
    }

    #[test]
    fn every_forbidden_value_is_named_with_what_is_allowed() {
        let error = with(
            "[worker]\nliveness_ms = 900\ncapacity = 0\n[api]\nlisten = \"here\"\n\
             [retention]\nidempotency_ms = 999999999999",
        )
        .unwrap_err();
        insta::assert_snapshot!(error);
    }

    #[test]
    fn login_tokens_need_an_issuer_and_an_audience() {
        let text = "[auth.jwt]\njwks_url = \"login.example\"\nrefetch_pause_ms = 1";
        insta::assert_snapshot!(with(text).unwrap_err());
        let whole = "[auth.jwt]\njwks_url = \"https://login.example/jwks\"\n\
                     issuer = \"https://login.example\"\naudience = \"gateway\"";
        assert!(with(whole).is_ok());
    }

    #[test]
    fn an_unknown_setting_and_a_wrong_type_are_named() {
        insta::assert_snapshot!(with("[api]\nlistne = 1").unwrap_err());
        insta::assert_snapshot!(with("[send]\nsync_deadline_ms = \"30s\"").unwrap_err());
    }

    #[test]
    fn passwords_are_masked() {
        let config = with("[redis]\nurls = [\"redis://me:secret@db:6379/0\"]").unwrap();
        assert_eq!(
            config.masked()["redis"]["urls"][0],
            "redis://me:***@db:6379/0"
        );
    }

    #[test]
    fn keys_are_shown_to_nobody() {
        let text = "[secrets]\nkeys = \"a:0123456789abcdef\"";
        let config = with(text).unwrap();
        assert_eq!(config.secrets.keys.reveal(), "a:0123456789abcdef");
        let shown = format!("{config:?}{}", config.masked());
        assert!(!shown.contains("0123456789abcdef"), "{shown}");
    }

    #[test]
    fn several_addresses_may_be_one_text() {
        let config = with("[redis]\nurls = \"redis://a:1, redis://b:2\"").unwrap();
        assert_eq!(config.redis.urls, ["redis://a:1", "redis://b:2"]);
    }
}
