//! The guarded HTTP client against servers on loopback addresses, of which only some are permitted.

mod receiver;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_shared::config::Config;
use gateway_shared::egress::address::Special;
use gateway_shared::egress::header::HeaderMap;
use gateway_shared::egress::{
    Egress, EgressConfig, EgressError, Found, Limits, Lookup, Method, Refusal, Request, Stage,
};
use receiver::{Answer, Receiver};

/// Stands for a public address.
const PUBLIC: &str = "127.0.0.2";
/// Stands for an address of the inside.
const INSIDE: &str = "127.0.0.1";

fn config() -> EgressConfig {
    let mut config = Config::defaults().unwrap().egress;
    config.require_https = false;
    config.allow = vec!["127.0.0.2/32".parse().unwrap()];
    config
}

/// Answers the first look-up with the first addresses, and so on; the last ones stay.
#[derive(Debug)]
struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

impl Scripted {
    fn new<const N: usize>(answers: [&[&str]; N]) -> Arc<Self> {
        let answers = answers.map(|texts| texts.iter().map(|ip| ip.parse().unwrap()).collect());
        Arc::new(Self(Mutex::new(answers.into())))
    }
}

impl Lookup for Scripted {
    fn addresses(&self, _: &str) -> Found {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        Box::pin(std::future::ready(Ok(answer.unwrap_or_default())))
    }
}

fn get(egress: &Egress, url: &str) -> Request {
    Request {
        method: Method::GET,
        target: egress.target(url).unwrap(),
        headers: HeaderMap::new(),
        body: Default::default(),
    }
}

fn limits() -> Limits {
    Limits {
        first_byte: Duration::from_secs(5),
        total: Duration::from_secs(10),
        body: 1_000,
        redirects: 0,
    }
}

#[tokio::test]
async fn a_name_that_first_leads_outside_and_then_inside_is_refused_at_connect() {
    let outside = Receiver::start(PUBLIC, |_| Answer::text("200 OK", "outside")).await;
    let inside = Receiver::start(&format!("{INSIDE}:{}", outside.port()), |_| {
        Answer::text("200 OK", "inside")
    })
    .await;
    let lookup = Scripted::new([&[PUBLIC], &[INSIDE]]);
    let egress = Egress::with_lookup(&config(), lookup).unwrap();
    let url = format!("http://rebinding.example:{}/", outside.port());
    let first = egress.send(get(&egress, &url), limits()).await.unwrap();
    assert_eq!(first.bytes().await.unwrap(), "outside");
    let second = egress.send(get(&egress, &url), limits()).await.unwrap_err();
    let EgressError::Refused(refusal) = second else {
        panic!("{second:?}");
    };
    let expected = Refusal::LeadsTo {
        host: "rebinding.example".to_owned(),
        special: Special::Loopback,
    };
    assert_eq!(refusal, expected);
    assert_eq!(inside.requests(), 0);
}

#[tokio::test]
async fn an_alias_that_ends_inside_is_refused_and_of_several_addresses_only_public_ones_are_dialled()
 {
    let inside = Receiver::start(INSIDE, |_| Answer::text("200 OK", "inside")).await;
    for addresses in [
        &[INSIDE][..],
        &["10.0.0.1"],
        &["169.254.169.254", "::1"],
        &["::ffff:127.0.0.1"],
    ] {
        let egress = Egress::with_lookup(&config(), Scripted::new([addresses])).unwrap();
        let url = format!("http://alias.example:{}/", inside.port());
        let error = egress.send(get(&egress, &url), limits()).await.unwrap_err();
        assert!(matches!(error, EgressError::Refused(_)), "{error:?}");
    }
    assert_eq!(inside.requests(), 0);
    let outside = Receiver::start(&format!("{PUBLIC}:{}", inside.port()), |_| {
        Answer::text("200 OK", "outside")
    })
    .await;
    let lookup = Scripted::new([&["10.0.0.1", INSIDE, PUBLIC]]);
    let egress = Egress::with_lookup(&config(), lookup).unwrap();
    let url = format!("http://both.example:{}/", outside.port());
    let response = egress.send(get(&egress, &url), limits()).await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), "outside");
    assert_eq!(inside.requests(), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_or_its_target_is_checked() {
    let inside = Receiver::start(INSIDE, |_| Answer::text("200 OK", "inside")).await;
    let inner = format!("http://{INSIDE}:{}/", inside.port());
    let outside = Receiver::start(PUBLIC, move |request| match request.path.as_str() {
        "/in" => Answer::redirect("302 Found", &inner),
        "/next" => Answer::redirect("302 Found", "/end"),
        "/again" => Answer::redirect("308 Permanent Redirect", "/again"),
        _ => Answer::text("200 OK", "end"),
    })
    .await;
    let egress = Egress::new(&config()).unwrap();
    let url = |path: &str| format!("http://{PUBLIC}:{}{path}", outside.port());
    // As an answer.
    let response = egress.send(get(&egress, &url("/in")), limits()).await;
    assert_eq!(response.unwrap().status(), 302);
    // Followed.
    let followed = Limits {
        redirects: 2,
        ..limits()
    };
    let response = egress.send(get(&egress, &url("/next")), followed).await;
    let response = response.unwrap();
    assert_eq!(response.target().as_str(), url("/end"));
    assert_eq!(response.bytes().await.unwrap(), "end");
    // Never to the inside, and not for ever.
    let error = egress.send(get(&egress, &url("/in")), followed).await;
    assert!(matches!(error, Err(EgressError::Refused(_))));
    let error = egress.send(get(&egress, &url("/again")), followed).await;
    assert!(matches!(error, Err(EgressError::TooManyRedirects(2))));
    assert_eq!(inside.requests(), 0);
}

#[tokio::test]
async fn headers_do_not_follow_a_redirect_to_another_origin() {
    let other = Receiver::start(PUBLIC, |request| {
        Answer::text("200 OK", request.header("authorization").unwrap_or("none"))
    })
    .await;
    let there = format!("http://{PUBLIC}:{}/", other.port());
    let first = Receiver::start(PUBLIC, move |_| {
        Answer::redirect("307 Temporary Redirect", &there)
    })
    .await;
    let egress = Egress::new(&config()).unwrap();
    let mut request = get(&egress, &format!("http://{PUBLIC}:{}/", first.port()));
    let secret = "Bearer secret".parse().unwrap();
    request.headers.insert("authorization", secret);
    let followed = Limits {
        redirects: 1,
        ..limits()
    };
    let response = egress.send(request, followed).await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), "none");
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_and_no_further() {
    let receiver = Receiver::start(PUBLIC, |request| match request.path.as_str() {
        "/announced" => Answer::text("200 OK", &"x".repeat(1_001)),
        "/endless" => Answer::endless(),
        _ => Answer::text("200 OK", &"x".repeat(1_000)),
    })
    .await;
    let egress = Egress::new(&config()).unwrap();
    let url = |path: &str| format!("http://{PUBLIC}:{}{path}", receiver.port());
    let fits = egress.send(get(&egress, &url("/")), limits()).await;
    assert_eq!(fits.unwrap().bytes().await.unwrap().len(), 1_000);
    for path in ["/announced", "/endless"] {
        let response = egress.send(get(&egress, &url(path)), limits()).await;
        let error = response.unwrap().bytes().await.unwrap_err();
        assert!(matches!(error, EgressError::TooLarge { limit: 1_000 }));
    }
    let response = egress.send(get(&egress, &url("/endless")), limits()).await;
    let beginning = response.unwrap().beginning(10).await.unwrap();
    assert_eq!(beginning, "xxxxxxxxxx");
}

#[tokio::test]
async fn each_stage_has_its_deadline() {
    let receiver = Receiver::start(PUBLIC, |request| match request.path.as_str() {
        "/silent" => Answer::silence(),
        _ => Answer::head_only(),
    })
    .await;
    let egress = Egress::new(&config()).unwrap();
    let url = |path: &str| format!("http://{PUBLIC}:{}{path}", receiver.port());
    let short = Limits {
        first_byte: Duration::from_millis(100),
        total: Duration::from_millis(200),
        ..limits()
    };
    let error = egress.send(get(&egress, &url("/silent")), short).await;
    assert!(matches!(error, Err(EgressError::Timeout(Stage::FirstByte))));
    let response = egress.send(get(&egress, &url("/head")), short).await;
    let error = response.unwrap().bytes().await.unwrap_err();
    assert!(matches!(error, EgressError::Timeout(Stage::Body)));
    // An address where nobody listens: the port of a receiver that has gone.
    let gone = Receiver::start(PUBLIC, |_| Answer::silence()).await;
    let url = format!("http://{PUBLIC}:{}/", gone.port());
    drop(gone);
    let error = egress.send(get(&egress, &url), short).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect(_)), "{error:?}");
}
