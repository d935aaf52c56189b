//! The model check: generated sequences of everything that can happen to a lane, done to the
//! scripts and to a plain data structure. After every step both must be the same in every detail,
//! and the laws must hold. Always the same sequences; `LANE_MODEL_CASES` asks for more of them.

mod check;
mod laws;
mod state;
mod steps;

use gateway_shared::domain::Limits;
use gateway_shared::redis::LuaScript;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::world::{START, World, rng};
use check::Check;
use laws::Laws;
use state::Model;
use steps::{Step, step};

const CASES: u32 = 2_000;

#[test]
fn the_scripts_do_what_the_model_does() {
    let cases = std::env::var("LANE_MODEL_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut world = runtime.block_on(World::new());
    let audit = LuaScript::partition(&[include_str!("audit.lua")]);
    let limits = prop_oneof![Just((0, 0)), Just((3, 0)), Just((2, 5))];
    let mut runner = TestRunner::new_with_rng(config, rng());
    let world = std::cell::RefCell::new(&mut world);
    let result = runner.run(&(limits, vec(step(), 1..40)), |((minute, hour), steps)| {
        let world = &mut *world.borrow_mut();
        let limits = Limits {
            rate_per_min: minute,
            rate_per_hour: hour,
        };
        runtime.block_on(case(world, &audit, limits, steps))
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

async fn case(
    world: &mut World,
    audit: &LuaScript,
    limits: Limits,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    world.reset(limits).await;
    let mut check = Check {
        model: Model::new(START, limits),
        world,
        audit,
        laws: Laws::default(),
        keys: Default::default(),
    };
    for step in steps {
        check.take(&step).await?;
    }
    check.drain().await?;
    check.tell().await
}
