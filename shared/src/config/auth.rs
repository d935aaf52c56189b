//! `[auth]`: who may call, besides API keys.

use serde::{Deserialize, Serialize};

use super::validate::{Problems, SECOND};

/// `[auth]`: who may call, besides API keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Login tokens.
    pub jwt: JwtConfig,
}

/// `[auth.jwt]`: the login tokens of a frontend.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Where its keys are; empty = login tokens are not accepted.
    pub jwks_url: String,
    /// Whom tokens must come from.
    pub issuer: String,
    /// Whom tokens must be meant for.
    pub audience: String,
    /// By how much clocks may differ, in milliseconds.
    pub leeway_ms: u64,
    /// The shortest time between two fetches for the sake of unknown keys, in milliseconds.
    pub refetch_pause_ms: u64,
    /// How often keys are fetched anyway, in milliseconds.
    pub refresh_ms: u64,
    /// How long fetching them may take, in milliseconds.
    pub fetch_timeout_ms: u64,
    /// The role that makes an operator of the installation.
    pub operator_role: String,
    /// What the claims are called.
    pub claims: ClaimNames,
}

/// `[auth.jwt.claims]`: what the claims are called.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimNames {
    /// Who it is.
    pub subject: String,
    /// The organization it acts for at present.
    pub organization: String,
    /// Its role in that organization.
    pub organization_role: String,
    /// Its role in the installation.
    pub role: String,
}

/// What of it is not allowed.
pub(super) fn problems(auth: &AuthConfig, problems: &mut Problems) {
    let jwt = &auth.jwt;
    if !jwt.jwks_url.is_empty() {
        let host = ["https://", "http://"]
            .into_iter()
            .find_map(|scheme| jwt.jwks_url.strip_prefix(scheme));
        if host.is_none_or(str::is_empty) {
            problems.add(
                "auth.jwt.jwks_url",
                "must be an https:// or http:// address, or empty for no login tokens",
            );
        }
        for (setting, value) in [
            ("auth.jwt.issuer", &jwt.issuer),
            ("auth.jwt.audience", &jwt.audience),
        ] {
            if value.is_empty() {
                problems.add(
                    setting,
                    "is empty; must be given with auth.jwt.jwks_url, or tokens meant for others \
                     would be accepted",
                );
            }
        }
    }
    for (setting, value) in [
        ("auth.jwt.operator_role", &jwt.operator_role),
        ("auth.jwt.claims.subject", &jwt.claims.subject),
        ("auth.jwt.claims.organization", &jwt.claims.organization),
        (
            "auth.jwt.claims.organization_role",
            &jwt.claims.organization_role,
        ),
        ("auth.jwt.claims.role", &jwt.claims.role),
    ] {
        if value.is_empty() {
            problems.add(setting, "must not be empty");
        }
    }
    problems.range("auth.jwt.leeway_ms", jwt.leeway_ms, 0..=300 * SECOND);
    problems.range(
        "auth.jwt.refetch_pause_ms",
        jwt.refetch_pause_ms,
        SECOND..=3_600 * SECOND,
    );
    problems.range(
        "auth.jwt.refresh_ms",
        jwt.refresh_ms,
        SECOND..=24 * 3_600 * SECOND,
    );
    problems.range(
        "auth.jwt.fetch_timeout_ms",
        jwt.fetch_timeout_ms,
        100..=60 * SECOND,
    );
}
