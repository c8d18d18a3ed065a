//! The whole link, outbox and approvals included, against an agent, over a network, with a clock and by a user that all come from one number.
//!
//! `CALLBOX_SEEDS=N` runs so many seeds, `CALLBOX_SEED=S` runs one and tells what happened.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stderr, reason = "these are tests")]

mod chance;
mod diary;
mod disk;
mod network;
mod tokens;
mod user;
mod weather;

use std::{env, panic, thread};

use user::World;

const CONVERSATION: &str = "c1";

/// How many seeds the ordinary run tries.
const SEEDS: u64 = 300;

/// Lives one seed from beginning to end; what happened comes back.
fn live(seed: u64, loud: bool) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async move { World::new(seed, loud).live().await })
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn nothing_is_lost_and_nothing_is_there_twice_whatever_happens() {
    if let Some(seed) = number("CALLBOX_SEED") {
        live(seed, true);
        return;
    }
    let seeds = number("CALLBOX_SEEDS").unwrap_or(SEEDS);
    let threads = u64::try_from(thread::available_parallelism().map_or(1, usize::from)).unwrap();
    let failed: Vec<u64> = thread::scope(|scope| {
        let run = |first: u64| {
            move || {
                (first..seeds).step_by(usize::try_from(threads).unwrap()).find(|seed| panic::catch_unwind(|| live(*seed, false)).is_err())
            }
        };
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(run(first))).collect();
        workers.into_iter().filter_map(|worker| worker.join().unwrap()).collect()
    });
    if let Some(seed) = failed.iter().min() {
        panic!(
            "seed {seed} went wrong; to see it: CALLBOX_SEED={seed} cargo test -p callbox-link --test sim nothing_is_lost -- --nocapture"
        );
    }
}

#[test]
fn the_same_seed_is_the_same_life() {
    for seed in 0..20 {
        let (one, other) = (live(seed, false), live(seed, false));
        let differs = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at));
        assert_eq!(differs.map(|at| (one.get(at), other.get(at))), None, "seed {seed}");
    }
}
