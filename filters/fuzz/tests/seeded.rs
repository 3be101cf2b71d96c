//! The fuzz targets with drawn inputs: what continuous integration runs instead of hours of libFuzzer.
//!
//! `FERROMESH_FUZZ_RUNS` is the number of inputs for each target (2000), `FERROMESH_FUZZ_SEED` the first seed (1).

use std::io::Write;
use std::time::Instant;

use ferromesh_fuzz::{run, tally::Tally, TARGETS};
use ferromesh_policy::vectors::Chance;
use ferromesh_policy::Draws;

/// Bytes of an input, at most: enough for every callback of it.
const LENGTH: u64 = 2_000;

// One test for all targets: memory is counted for one thread.
#[test]
fn every_target_holds_for_drawn_inputs() {
    let runs = setting("FERROMESH_FUZZ_RUNS", 2_000);
    let first = setting("FERROMESH_FUZZ_SEED", 1);
    for (name, target) in TARGETS {
        let (began, before) = (Instant::now(), Tally::now());
        for seed in first..first + runs {
            let input = Draws::from_seed(seed).bytes(LENGTH);
            let held = std::panic::catch_unwind(|| run(target, &input));
            assert!(held.is_ok(), "target {name} fails with the input of seed {seed}");
        }
        let per_second = runs as f64 / began.elapsed().as_secs_f64();
        let after = Tally::now();
        // What never gets past the configuration tries nothing.
        let (accepted, rejected) = (after.accepted - before.accepted, after.rejected - before.rejected);
        assert!(
            accepted > runs / 10 && rejected > runs / 10,
            "{name}: {accepted} accepted, {rejected} refused"
        );
        let requests = after.requests - before.requests;
        let is_configuration = ["plugin", "route-policy"].contains(&name);
        assert!(is_configuration || requests > runs, "{name}: {requests} requests");
        // Not by a macro: these are captured, and the numbers shall be seen.
        let _ = writeln!(std::io::stderr(), "{name}: {runs} inputs, {per_second:.0} a second, {accepted} configurations accepted, {rejected} refused, {requests} requests");
    }
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")),
        Err(_) => default,
    }
}
