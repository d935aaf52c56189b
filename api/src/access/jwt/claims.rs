//! What a verified token claims, and which caller that makes.

use gateway_shared::apikey::{Capabilities, Capability};
use gateway_shared::clock::Millis;
use gateway_shared::config::JwtConfig;
use gateway_shared::domain::OrganizationId;
use serde_json::{Map, Value};

use crate::access::Caller;

/// The caller of a token with these claims of the right issuer and for the right audience; `None`
/// where they are not good enough all the same: not valid at this moment, or nobody's.
pub(super) fn caller(
    claims: &Map<String, Value>,
    config: &JwtConfig,
    now: Millis,
) -> Option<Caller> {
    let text = |name: &str| claims.get(name)?.as_str().filter(|text| !text.is_empty());
    // One issuer, not several of which ours is one.
    if text("iss") != Some(config.issuer.as_str()) {
        return None;
    }
    let leeway = Millis::try_from(config.leeway_ms).unwrap_or(0);
    let expires_at = moment(claims.get("exp")?)?.saturating_add(leeway);
    if now >= expires_at {
        return None;
    }
    if let Some(not_before) = claims.get("nbf")
        && now.saturating_add(leeway) < moment(not_before)?
    {
        return None;
    }
    let subject = text(&config.claims.subject)?;
    let operator = text(&config.claims.role) == Some(config.operator_role.as_str());
    let organization = text(&config.claims.organization);
    let capabilities = match text(&config.claims.organization_role) {
        _ if operator => Capabilities::all(),
        // A role without an organization is a role nowhere.
        _ if organization.is_none() => Capabilities::default(),
        Some("owner" | "admin") => Capabilities::all(),
        Some("member") => [Capability::Read, Capability::Send, Capability::Events]
            .into_iter()
            .collect(),
        _ => Capabilities::default(),
    };
    Some(Caller {
        organization: organization.map_or_else(
            // Nobody else's, and empty.
            || OrganizationId::from_outside(&format!("nobody {subject}")),
            OrganizationId::from_outside,
        ),
        has_organization: organization.is_some(),
        capabilities,
        sessions: None,
        expires_at: Some(expires_at),
        operator,
        name: subject.to_owned(),
        is_key: false,
    })
}

/// A `NumericDate`: seconds, possibly with a fraction.
fn moment(claim: &Value) -> Option<Millis> {
    let seconds = claim.as_f64()?;
    // Beyond the range a cast saturates, which is as good as for ever.
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    Some((seconds * 1_000.0) as Millis)
}

#[cfg(test)]
mod tests {
    use gateway_shared::config::Config;
    use serde_json::json;

    use super::*;

    const NOW: Millis = 1_763_700_000_000;
    const ISSUER: &str = "https://login.example.com";

    fn config() -> JwtConfig {
        let mut config = Config::defaults().unwrap().auth.jwt;
        config.leeway_ms = 5_000;
        config.issuer = ISSUER.to_owned();
        config
    }

    fn with(name: &str, value: Value) -> Option<Caller> {
        let mut claims = json!({
            "iss": ISSUER, "sub": "user-1", "exp": NOW / 1_000 + 60,
            "activeOrganizationId": "acme", "orgRole": "owner",
        });
        claims[name] = value;
        caller(claims.as_object().unwrap(), &config(), NOW)
    }

    #[test]
    fn a_token_is_for_its_time_only() {
        assert!(with("nbf", json!(NOW / 1_000 - 1)).is_some());
        assert!(
            with("nbf", json!(NOW / 1_000 + 4)).is_some(),
            "within the leeway"
        );
        assert!(
            with("exp", json!(NOW as f64 / 1_000.0 - 4.5)).is_some(),
            "within the leeway"
        );
        for (name, value) in [
            ("exp", json!(NOW / 1_000 - 6)),
            ("exp", json!("never")),
            ("exp", Value::Null),
            ("nbf", json!(NOW / 1_000 + 6)),
            ("nbf", json!("now")),
            ("iss", json!([ISSUER])),
            ("iss", json!("https://other.example.com")),
            ("sub", json!("")),
            ("sub", Value::Null),
        ] {
            assert!(with(name, value.clone()).is_none(), "{name}: {value}");
        }
    }

    #[test]
    fn roles_become_capabilities() {
        let capabilities = |role: Value| with("orgRole", role).unwrap().capabilities.to_string();
        assert_eq!(capabilities(json!("owner")), "read,send,manage,events");
        assert_eq!(capabilities(json!("admin")), "read,send,manage,events");
        assert_eq!(capabilities(json!("member")), "read,send,events");
        assert_eq!(capabilities(json!("guest")), "");
        assert_eq!(capabilities(Value::Null), "");
        let nowhere = with("activeOrganizationId", Value::Null).unwrap();
        assert_eq!(nowhere.capabilities.to_string(), "");
        assert!(!nowhere.operator && !nowhere.has_organization);
        let operator = with("role", json!("super_admin")).unwrap();
        assert!(operator.operator);
        assert!(!with("role", json!("admin")).unwrap().operator);
    }

    #[test]
    fn an_organization_from_outside_is_always_the_same_one() {
        let of = |id: &str| {
            with("activeOrganizationId", json!(id))
                .unwrap()
                .organization
        };
        assert_eq!(of("acme"), of("acme"));
        assert_ne!(of("acme"), of("Acme"));
        let ours = "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
        assert_eq!(of(ours).as_str(), ours);
    }
}
