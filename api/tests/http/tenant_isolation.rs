//! The walls between organizations, around every route there is: the walk is generated from the
//! OpenAPI document that is served, so a new route is walked without a word here.

use gateway_shared::apikey::{Capabilities, Capability};
use gateway_shared::domain::{WebhookId, WorkerId};
use gateway_shared::events::Place;
use gateway_shared::webhooks::DeliveryIds;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::world::{Answer, World, answer};

/// One operation of the document.
struct Route {
    method: Method,
    /// With its parameters in braces.
    path: String,
    capabilities: Vec<String>,
    /// An example of its body.
    body: Option<Value>,
}

impl Route {
    fn has(&self, parameter: &str) -> bool {
        self.path.contains(&format!("{{{parameter}}}"))
    }

    fn is_for_operators(&self) -> bool {
        self.capabilities == ["super_admin"]
    }

    fn is_stream(&self) -> bool {
        self.path.ends_with("/events")
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// All routes that ask for a token.
async fn routes(world: &World) -> Vec<Route> {
    let document = answer(world.api(0, Method::GET, "/api/v1/openapi.json"))
        .await
        .body;
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let capabilities = operation["x-capabilities"].as_array().unwrap();
            let content = &operation["requestBody"]["content"]["application/json"];
            let examples = content["examples"].as_object();
            // Of messages the plainest: what can not be sent yet is told before anything else.
            let example = examples
                .and_then(|examples| examples.get("Text").or_else(|| examples.values().next()));
            let route = Route {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                capabilities: capabilities
                    .iter()
                    .map(|one| one.as_str().unwrap().into())
                    .collect(),
                body: example.map(|example| example["value"].clone()),
            };
            if route.capabilities.is_empty() {
                assert_eq!(
                    operation["security"],
                    serde_json::json!([]),
                    "{}",
                    route.name()
                );
            } else {
                routes.push(route);
            }
        }
    }
    assert!(routes.len() >= 20, "there are only {} routes", routes.len());
    routes
}

/// What the owner has, by the names of path parameters.
struct Belongings(Vec<(&'static str, String)>);

impl Belongings {
    async fn of(world: &World) -> Self {
        let session = world.session().await;
        let sent = answer(world.send(&session, "?async=true", "private")).await;
        let (_, key) = world
            .key_for(&world.organization, Capabilities::all(), None)
            .await;
        let hook = serde_json::json!({"url": "https://example.com/hook", "events": ["*"]});
        let made = answer(world.request(Method::POST, "/webhooks").json(&hook)).await;
        let webhook: WebhookId = made.text("id").parse().unwrap();
        // Whether or not there is one of this id, nobody else may be told.
        let delivery = DeliveryIds::of(&webhook).id(Place::START);
        Self(vec![
            ("session", session.session.to_string()),
            ("webhookId", webhook.to_string()),
            ("deliveryId", delivery.to_string()),
            ("outboxId", sent.text("outboxId")),
            ("mid", sent.text("waMessageId")),
            ("keyId", key.id.to_string()),
            ("gid", "120363021234567890@g.us".to_owned()),
            ("organizationId", world.organization.to_string()),
            ("workerId", WorkerId::generate(0).to_string()),
            ("jobId", "job_01KAHX3N5RDGT0M7Y8Z9ABCDEF".to_owned()),
        ])
    }

    fn path(&self, route: &Route) -> String {
        let path = self
            .0
            .iter()
            .fold(route.path.clone(), |path, (name, value)| {
                path.replace(&format!("{{{name}}}"), value)
            });
        // A colleague who adds a kind of parameter adds what the owner has of it above.
        assert!(
            !path.contains('{'),
            "{path}: what does the owner have of this?"
        );
        path
    }

    /// The ids that nobody else may ever be told.
    fn secrets(&self, world: &World) -> Vec<String> {
        let ids = self.0.iter().filter(|(name, _)| *name != "gid");
        let mut secrets: Vec<_> = ids.map(|(_, id)| id.clone()).collect();
        secrets.push(world.organization.to_string());
        secrets
    }
}

fn request(world: &World, route: &Route, path: &str, key: &str) -> RequestBuilder {
    let request = world.api(0, route.method.clone(), path).bearer_auth(key);
    match &route.body {
        Some(body) => request.json(body),
        None => request,
    }
}

async fn ask(world: &World, route: &Route, of: &Belongings, key: &str) -> Answer {
    answer(request(world, route, &of.path(route), key)).await
}

/// What the owner sees of what it has.
async fn owners_view(world: &World, of: &Belongings) -> Vec<Value> {
    let mut seen = Vec::new();
    let session = &of.0[0].1;
    for path in [
        format!("/sessions/{session}"),
        format!("/sessions/{session}/outbox"),
    ] {
        seen.push(answer(world.request(Method::GET, &path)).await.body);
    }
    seen
}

#[tokio::test]
async fn every_route_without_a_token_is_unauthorized() {
    let world = World::start().await;
    let of = Belongings::of(&world).await;
    for route in routes(&world).await {
        let bare = world.api(0, route.method.clone(), &of.path(&route));
        let got = answer(bare).await;
        assert_eq!(got.code(), "unauthorized", "{}", route.name());
    }
}

#[tokio::test]
async fn every_route_with_an_insufficient_capability_is_forbidden() {
    let world = World::start().await;
    let of = Belongings::of(&world).await;
    let before = owners_view(&world, &of).await;
    for has in Capability::ALL {
        let only = [has].into_iter().collect();
        let (key, _) = world.key_for(&world.organization, only, None).await;
        for route in routes(&world).await {
            if route.capabilities.iter().any(|one| one == has.as_str()) {
                continue;
            }
            let got = ask(&world, &route, &of, &key).await;
            assert_eq!(
                got.code(),
                "forbidden",
                "{} with {has}: {}",
                route.name(),
                got.body
            );
            let needed = &got.body["error"]["details"]["requiredCapability"];
            assert_eq!(*needed, route.capabilities[0].as_str(), "{}", route.name());
        }
    }
    for route in routes(&world)
        .await
        .iter()
        .filter(|route| route.is_for_operators())
    {
        let got = ask(&world, route, &of, &world.key).await;
        assert_eq!(got.code(), "forbidden", "{} with everything", route.name());
    }
    assert_eq!(owners_view(&world, &of).await, before);
}

#[tokio::test]
async fn every_route_as_another_organization_finds_nothing() {
    let world = World::start().await;
    let of = Belongings::of(&world).await;
    let before = owners_view(&world, &of).await;
    let (_, stranger) = world.stranger("stranger").await;
    for route in routes(&world).await {
        let name = route.name();
        if route.is_stream() {
            // What it tells is shown by the tests of events; that it can be asked for is not.
            let path = format!("{}?session={}", route.path, of.0[0].1);
            let got = answer(request(&world, &route, &path, &stranger)).await;
            assert_eq!(got.code(), "not_found", "{name}");
            continue;
        }
        let got = ask(&world, &route, &of, &stranger).await;
        if route.is_for_operators() {
            assert_eq!(got.code(), "forbidden", "{name}");
        } else if route.path.contains('{') {
            assert_eq!(got.code(), "not_found", "{name}: {}", got.body);
        }
        let emitted = got.body.to_string();
        for secret in of.secrets(&world) {
            // What the request itself named may be repeated in a refusal; nothing else may.
            let repeated = of.path(&route).contains(&secret);
            assert!(
                repeated || !emitted.contains(&secret),
                "{name} tells {secret}: {emitted}"
            );
        }
    }
    assert_eq!(owners_view(&world, &of).await, before);
}

#[tokio::test]
async fn a_key_of_one_session_sees_only_that_session() {
    let world = World::start().await;
    let hidden = Belongings::of(&world).await;
    let before = owners_view(&world, &hidden).await;
    let scope = vec![world.session().await.session];
    let (key, _) = world
        .key_for(
            &world.organization,
            Capabilities::all(),
            Some(scope.clone()),
        )
        .await;
    for route in routes(&world).await {
        let name = route.name();
        if route.is_stream() || route.is_for_operators() {
            continue;
        }
        let got = ask(&world, &route, &hidden, &key).await;
        if route.has("session") || route.has("keyId") || route.has("webhookId") {
            assert_eq!(got.code(), "not_found", "{name}: {}", got.body);
        }
        let emitted = got.body.to_string();
        for (parameter, id) in &hidden.0 {
            if ["session", "outboxId", "mid", "keyId", "webhookId"].contains(parameter) {
                assert!(!emitted.contains(id), "{name} tells {parameter}: {emitted}");
            }
        }
    }
    assert_eq!(owners_view(&world, &hidden).await, before);
    // And that one it does see.
    let path = format!("/api/v1/sessions/{}", scope[0]);
    let got = answer(world.api(0, Method::GET, &path).bearer_auth(&key)).await;
    assert_eq!(got.body["id"], scope[0].as_str());
}
