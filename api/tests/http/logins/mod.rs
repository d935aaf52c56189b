//! Login tokens: what is accepted, and everything that a forger tries first.

pub(crate) mod frontend;

use gateway_shared::apikey::Capabilities;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use crate::world::{Answer, World, answer, eventually, now};
use frontend::{AUDIENCE, Frontend, ISSUER, Signer, claims, encode, unsigned, with};

async fn ask(world: &World, token: &str) -> Answer {
    let request = world.api(0, Method::GET, "/api/v1/sessions");
    answer(request.bearer_auth(token)).await
}

/// A world that trusts a frontend with one key of each kind.
async fn world() -> (World, Frontend, [Signer; 3]) {
    let signers = [Signer::ed(), Signer::ec(), Signer::rsa()];
    let keys = signers.iter().map(|one| one.jwk(one.algorithm())).collect();
    let frontend = Frontend::start(keys).await;
    let world = World::with(1, |config| frontend.trusted(config)).await;
    (world, frontend, signers)
}

#[tokio::test]
async fn a_login_acts_for_its_organization_with_its_role() {
    let (world, _frontend, signers) = world().await;
    world.session().await;
    let organization = world.organization.as_str();
    for signer in &signers {
        let token = signer.token(signer.algorithm(), &claims(organization));
        let listed = ask(&world, &token).await;
        assert_eq!(listed.status, 200, "{}", signer.algorithm());
        assert_eq!(listed.body["data"].as_array().unwrap().len(), 1);
        // As x-api-key as well: the kinds are tried in turn.
        let request = world.api(0, Method::GET, "/api/v1/sessions");
        let answered = answer(request.header("x-api-key", &token)).await;
        assert_eq!(answered.status, 200);
    }
    // A token may be meant for others as well.
    let shared = with(claims(organization), json!({"aud": ["other", AUDIENCE]}));
    assert_eq!(
        ask(&world, &signers[0].token("EdDSA", &shared))
            .await
            .status,
        200
    );
    let create = |changes: Value| {
        let token = signers[0].token("EdDSA", &with(claims(organization), changes));
        let request = world.api(0, Method::POST, "/api/v1/sessions");
        answer(request.bearer_auth(token).json(&json!({"start": false})))
    };
    assert_eq!(create(json!({"orgRole": "admin"})).await.status, 201);
    for role in ["member", "guest"] {
        let refused = create(json!({"orgRole": role})).await;
        assert_eq!(refused.code(), "forbidden");
        assert_eq!(
            refused.body["error"]["details"]["requiredCapability"],
            "manage"
        );
    }
    let nowhere = create(json!({"activeOrganizationId": null})).await;
    assert_eq!(nowhere.code(), "forbidden");
    // An organization that only the frontend knows has its own place.
    let token = signers[0].token("EdDSA", &claims("acme-of-the-frontend"));
    assert_eq!(ask(&world, &token).await.body["data"], json!([]));
    // An API key goes on working beside them.
    assert_eq!(ask(&world, &world.key).await.status, 200);
}

#[tokio::test]
async fn every_forgery_is_refused_alike() {
    let (world, _frontend, [ed, ec, rsa]) = world().await;
    let claims = claims(world.organization.as_str());
    let good = ec.token("ES256", &claims);
    assert_eq!(ask(&world, &good).await.status, 200);
    let mut forged: Vec<(&str, String)> = Vec::new();

    // No signature at all, and the public key as the secret of a keyed hash.
    for alg in ["none", "None", "NONE", ""] {
        let signed = unsigned(&json!({"alg": alg, "kid": "ES256"}), &claims);
        forged.push(("alg none", format!("{signed}.")));
        forged.push((
            "alg none with a signature",
            format!("{signed}.{}", tail(&good)),
        ));
    }
    for (kid, public) in [
        ("EdDSA", ed.public()),
        ("ES256", ec.public()),
        ("RS256", rsa.public()),
    ] {
        let signed = unsigned(&json!({"alg": "HS256", "kid": kid}), &claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &public);
        let tag = encode(hmac::sign(&key, signed.as_bytes()).as_ref());
        forged.push(("HS256 with a public key", format!("{signed}.{tag}")));
    }
    // Another key under a known name, and two of the frontend's keys confused.
    forged.push((
        "a key of the forger's",
        Signer::ec().token("ES256", &claims),
    ));
    forged.push(("an unknown key", Signer::ec().token("mine", &claims)));
    forged.push((
        "one key under the name of another",
        ec.token("EdDSA", &claims),
    ));
    forged.push((
        "one key under the name of another",
        ed.token("ES256", &claims),
    ));
    forged.push((
        "one key under the name of another",
        rsa.token("ES256", &claims),
    ));
    let signed = unsigned(&json!({"alg": "ES256", "kid": "RS256"}), &claims);
    let signature = encode(&rsa.sign(signed.as_bytes()));
    forged.push((
        "another algorithm than the key's",
        format!("{signed}.{signature}"),
    ));
    let signed = unsigned(&json!({"alg": "ES256"}), &claims);
    let signature = encode(&ec.sign(signed.as_bytes()));
    forged.push(("no key named, of several", format!("{signed}.{signature}")));
    // A key that the token brings along.
    let mine = Signer::ec();
    let header = json!({"alg": "ES256", "kid": "ES256", "jwk": mine.jwk("ES256"),
        "jku": "http://127.0.0.1:1/jwks"});
    let signed = unsigned(&header, &claims);
    let signature = encode(&mine.sign(signed.as_bytes()));
    forged.push(("a key in the header", format!("{signed}.{signature}")));
    let header = json!({"alg": "ES256", "kid": "ES256", "crit": ["exp"]});
    let signed = unsigned(&header, &claims);
    let signature = encode(&ec.sign(signed.as_bytes()));
    forged.push((
        "an extension to be understood",
        format!("{signed}.{signature}"),
    ));
    // Parts of two good tokens.
    let others = ec.token(
        "ES256",
        &with(claims.clone(), json!({"activeOrganizationId": "other"})),
    );
    let body = others.rsplit_once('.').unwrap().0;
    forged.push((
        "the signature of another token",
        format!("{body}.{}", tail(&good)),
    ));
    // Soundly signed, and not meant for here or now.
    for (what, changes) in [
        ("another issuer", json!({"iss": "https://evil.example"})),
        ("nearly the issuer", json!({"iss": format!("{ISSUER}/")})),
        ("other issuers", json!({"iss": ["https://evil.example"]})),
        (
            "an issuer that is no text",
            json!({"iss": {"name": ISSUER}}),
        ),
        ("no issuer", json!({"iss": null})),
        ("another audience", json!({"aud": "other"})),
        ("other audiences", json!({"aud": ["other", "gateway2"]})),
        ("an audience that is no text", json!({"aud": 7})),
        ("no audience", json!({"aud": null})),
        ("expired", json!({"exp": now() / 1_000 - 1})),
        ("without an end", json!({"exp": null})),
        ("not yet valid", json!({"nbf": now() / 1_000 + 60})),
        ("nobody's", json!({"sub": null})),
    ] {
        forged.push((what, ec.token("ES256", &with(claims.clone(), changes))));
    }
    // Twice the same field: which one counts?
    let header = encode(br#"{"alg":"ES256","kid":"ES256","alg":"none"}"#);
    let signed = format!("{header}.{}", encode(claims.to_string().as_bytes()));
    let signature = encode(&ec.sign(signed.as_bytes()));
    forged.push(("two algorithms", format!("{signed}.{signature}")));
    for alg in ["HS512", "RS512", "PS256", "es256", "ES384", "ES512"] {
        let signed = unsigned(&json!({"alg": alg, "kid": "ES256"}), &claims);
        let signature = encode(&ec.sign(signed.as_bytes()));
        forged.push((
            "an algorithm that is not accepted",
            format!("{signed}.{signature}"),
        ));
    }
    let padded = format!("{}.{}=", good.rsplit_once('.').unwrap().0, tail(&good));
    forged.push(("with padding", padded));
    forged.push(("cut off", good[..good.len() - 2].to_owned()));
    forged.push(("with more", format!("{good}.AA")));

    for (what, token) in forged {
        let refused = ask(&world, &token).await;
        assert_eq!(refused.status, 401, "{what}: {token}");
        assert_eq!(refused.code(), "unauthorized", "{what}");
        let message = &refused.body["error"]["message"];
        assert_eq!(
            message, "the token is unknown, expired or revoked",
            "{what}"
        );
    }
}

fn tail(token: &str) -> &str {
    token.rsplit_once('.').unwrap().1
}

#[tokio::test]
async fn keys_are_rotated_without_a_restart() {
    let (old, new) = (Signer::ed(), Signer::ec());
    let frontend = Frontend::start(vec![old.jwk("old")]).await;
    let world = World::with(1, |config| {
        frontend.trusted(config);
        config.auth.jwt.refetch_pause_ms = 200;
    })
    .await;
    let claims = claims(world.organization.as_str());
    let (by_old, by_new) = (old.token("old", &claims), new.token("new", &claims));
    assert_eq!(ask(&world, &by_old).await.status, 200);
    assert_eq!(ask(&world, &by_new).await.status, 401);

    frontend.publish(vec![old.jwk("old"), new.jwk("new")]);
    eventually("the new key is known", async || {
        (ask(&world, &by_new).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(ask(&world, &by_old).await.status, 200);

    // Taken out of the set, a key ends as soon as the set is fetched again.
    frontend.publish(vec![new.jwk("new")]);
    let unknown = Signer::ec().token("unknown", &claims);
    eventually("the old key has ended", async || {
        ask(&world, &unknown).await;
        (ask(&world, &by_old).await.status == 401).then_some(())
    })
    .await;
    assert_eq!(ask(&world, &by_new).await.status, 200);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_the_frontend() {
    let (world, frontend, [ed, ..]) = world().await;
    let claims = claims(world.organization.as_str());
    let good = ed.token("EdDSA", &claims);
    assert_eq!(ask(&world, &good).await.status, 200);
    let before = frontend.asked();
    let forger = Signer::ec();
    let floods = (0..20).map(async |flood| {
        for number in 0..10 {
            let token = forger.token(&format!("made-up-{flood}-{number}"), &claims);
            assert_eq!(ask(&world, &token).await.status, 401);
        }
    });
    futures_util::future::join_all(floods).await;
    assert!(
        frontend.asked() <= before + 1,
        "asked {}",
        frontend.asked() - before
    );
    assert_eq!(ask(&world, &good).await.status, 200);
}

#[tokio::test]
async fn a_frontend_that_is_down_does_not_lock_anybody_out() {
    let (world, frontend, [ed, ..]) = world().await;
    let claims = claims(world.organization.as_str());
    let good = ed.token("EdDSA", &claims);
    assert_eq!(ask(&world, &good).await.status, 200);
    frontend.set_down(true);
    let unknown = Signer::ec().token("unknown", &claims);
    assert_eq!(ask(&world, &unknown).await.status, 401);
    assert_eq!(ask(&world, &good).await.status, 200);
}

#[tokio::test]
async fn a_frontend_that_hangs_holds_up_nobody() {
    let signer = Signer::ed();
    let frontend = Frontend::start(vec![signer.jwk("known")]).await;
    let world = World::with(1, |config| {
        frontend.trusted(config);
        config.auth.jwt.refetch_pause_ms = 1_000;
        config.auth.jwt.fetch_timeout_ms = 60_000;
    })
    .await;
    let claims = claims(world.organization.as_str());
    let known = signer.token("known", &claims);
    assert_eq!(ask(&world, &known).await.status, 200);
    frontend.hang();
    let asked = frontend.asked();
    eventually("the keys are asked for again", async || {
        ask(&world, &signer.token("unknown", &claims)).await;
        (frontend.asked() > asked).then_some(())
    })
    .await;
    // Whoever forges key ids waits for the one fetch that is under way, together and for a moment.
    let began = tokio::time::Instant::now();
    let forged = (0..50).map(|index| {
        let token = signer.token(&format!("made-up-{index}"), &claims);
        let world = &world;
        async move { ask(world, &token).await }
    });
    let (told, login) = tokio::join!(futures_util::future::join_all(forged), async {
        let got = ask(&world, &known).await;
        (got, began.elapsed())
    });
    assert!(
        told.iter()
            .all(|got| got.reason() == "login_keys_unreachable"),
        "{told:?}"
    );
    assert!(
        began.elapsed().as_secs() < 5,
        "one after another: {:?}",
        began.elapsed()
    );
    assert_eq!(login.0.status, 200, "a known key needs no fetch");
    assert_eq!(frontend.asked(), asked + 1, "one fetch for all");
}

#[tokio::test]
async fn without_any_key_it_can_not_be_told_whose_a_login_is() {
    let signer = Signer::ed();
    let frontend = Frontend::start(vec![signer.jwk("one")]).await;
    frontend.set_down(true);
    let world = World::with(1, |config| frontend.trusted(config)).await;
    let token = signer.token("one", &claims(world.organization.as_str()));
    let answered = ask(&world, &token).await;
    assert_eq!(answered.status, 503);
    assert_eq!(answered.reason(), "login_keys_unreachable");
    assert_eq!(ask(&world, &world.key).await.status, 200);
    frontend.set_down(false);
    eventually("the keys are known", async || {
        (ask(&world, &token).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn claims_may_have_other_names() {
    let signer = Signer::rsa();
    let frontend = Frontend::start(vec![signer.jwk("one")]).await;
    let world = World::with(1, |config| {
        frontend.trusted(config);
        let claims = &mut config.auth.jwt.claims;
        claims.subject = "user".into();
        claims.organization = "https://login.example/org".into();
        claims.organization_role = "org_role".into();
    })
    .await;
    world.session().await;
    let organization = world.organization.as_str();
    let renamed = json!({"sub": null, "activeOrganizationId": null, "orgRole": null,
        "user": "user-1", "https://login.example/org": organization, "org_role": "member"});
    let token = signer.token("one", &with(claims("x"), renamed));
    let listed = ask(&world, &token).await;
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));
    let usual = signer.token("one", &claims(organization));
    assert_eq!(ask(&world, &usual).await.status, 401);
}

#[tokio::test]
async fn an_operator_acts_in_every_organization() {
    let (world, _frontend, [ed, ..]) = world().await;
    let (theirs, _) = world.stranger("theirs").await;
    let session = world.session().await;
    let operator = with(
        claims("x"),
        json!({"role": "super_admin", "activeOrganizationId": null}),
    );
    let operator = ed.token("EdDSA", &operator);
    let get = |path: String| {
        let request = world.api(0, Method::GET, &format!("/api/v1{path}"));
        request.bearer_auth(&operator)
    };
    // The session in the path says which organization it is about…
    let found = answer(get(format!("/sessions/{}", session.session))).await;
    assert_eq!(found.body["organizationId"], world.organization.as_str());
    let sent = world.api(
        0,
        Method::POST,
        &format!("/api/v1/sessions/{}:stop", session.session),
    );
    assert_eq!(answer(sent.bearer_auth(&operator)).await.status, 200);
    // …and otherwise the operator does.
    let nowhere = answer(get("/sessions".to_owned())).await;
    assert_eq!(
        (nowhere.code(), nowhere.reason()),
        ("forbidden", "no_active_organization")
    );
    let chosen = get("/sessions".to_owned()).header("x-organization-id", theirs.as_str());
    assert_eq!(answer(chosen).await.body["data"], json!([]));
    let wrong = get("/sessions".to_owned()).header("x-organization-id", "somewhere");
    assert_eq!(answer(wrong).await.code(), "validation_error");
    // For others the header changes nothing.
    let (key, _) = world.key_for(&theirs, Capabilities::all(), None).await;
    let request = world
        .api(0, Method::GET, "/api/v1/sessions")
        .bearer_auth(key);
    let request = request.header("x-organization-id", world.organization.as_str());
    assert_eq!(answer(request).await.body["data"], json!([]));
}
