//! The whole link, outbox and approvals included, against an agent, over a network, with a clock and by a user that all come from one number.
//!
//! `CALLBOX_SEEDS=N` runs so many seeds, from `CALLBOX_FIRST_SEED` on; `CALLBOX_SEED=S` runs one and tells what happened.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stderr, reason = "these are tests")]

mod chance;
mod changes;
mod diary;
mod disk;
mod judge;
mod line;
mod network;
mod tokens;
mod user;
mod weather;

use std::{
    env, panic,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use user::World;

const CONVERSATION: &str = "c1";

/// How many seeds the ordinary run tries.
const SEEDS: u64 = 2_000;

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
    let first = number("CALLBOX_FIRST_SEED").unwrap_or(0);
    let end = first + number("CALLBOX_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(first);
    let work = || {
        let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed < end);
        seeds.filter(|seed| panic::catch_unwind(|| live(*seed, false)).is_err()).collect::<Vec<u64>>()
    };
    let mut failed: Vec<u64> = thread::scope(|scope| {
        let workers: Vec<_> = (0..thread::available_parallelism().map_or(1, usize::from)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    failed.sort_unstable();
    if let Some(seed) = failed.first() {
        panic!(
            "{} of the seeds from {first} to {end} went wrong: {failed:?}; to see the first: CALLBOX_SEED={seed} cargo test -p callbox-link --test sim nothing_is_lost -- --nocapture",
            failed.len()
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
