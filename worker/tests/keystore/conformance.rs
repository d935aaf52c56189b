//! The same calls in the same order tell the same, in Redis and in memory.

use std::future::Future;
use std::pin::Pin;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wacore::store::InMemoryBackend;
use wacore::store::traits::Backend;

use crate::observe::observe;
use crate::server::{Server, session, stop_the_clock};
use crate::steps::{Step, steps};

type Call = for<'a> fn(&'a Step, &'a dyn Backend) -> Pin<Box<dyn Future<Output = String> + 'a>>;

/// Runs random sequences of the `calls` calls on both stores.
fn both_tell_the_same(calls: usize, call: Call) {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config {
        cases: 96,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&steps(calls), |steps| {
        runtime.block_on(async {
            stop_the_clock();
            let (redis, _) = server.claim(&session(), 1).await;
            let memory = InMemoryBackend::new();
            for step in &steps {
                let (expected, emitted) = (call(step, &memory).await, call(step, &redis).await);
                prop_assert_eq!(emitted, expected, "{:?}", step);
                step.pass_time();
            }
            prop_assert_eq!(observe(&redis).await, observe(&memory).await);
            // A worker that takes over sees the same.
            let (redis, _) = server.claim(redis.session(), 2).await;
            prop_assert_eq!(observe(&redis).await, observe(&memory).await);
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn signal() {
    both_tell_the_same(Step::SIGNAL, |step, on| Box::pin(step.signal(on)));
}

#[test]
fn app_sync() {
    both_tell_the_same(Step::APP_SYNC, |step, on| Box::pin(step.app_sync(on)));
}

#[test]
fn groups_contacts_and_devices() {
    both_tell_the_same(Step::PROTOCOL, |step, on| Box::pin(step.protocol(on)));
}

#[test]
fn trusted_contact_tokens() {
    both_tell_the_same(Step::TC_TOKENS, |step, on| Box::pin(step.tc_tokens(on)));
}

#[test]
fn message_secrets() {
    both_tell_the_same(Step::SECRETS, |step, on| Box::pin(step.secrets(on)));
}

#[test]
fn messages_under_way_and_base_keys() {
    both_tell_the_same(Step::TIMED, |step, on| Box::pin(step.timed(on)));
}
