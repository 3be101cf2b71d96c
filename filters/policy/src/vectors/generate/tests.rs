//! That the generator reaches what it is for: without this, a differential test could agree on nothing at all.

use super::*;
use crate::mesh::Features;
use crate::vectors::{record, Executor, Native};
use crate::Draws;

#[test]
fn the_same_seed_gives_the_same_vector() {
    let make = || vector(&mut Draws::from_seed(7), 20, Place::Virtual);
    assert_eq!(format!("{:?}", make()), format!("{:?}", make()));
}

#[test]
fn most_configurations_are_accepted_and_some_are_refused() {
    let mut accepted = 0;
    for seed in 0..400 {
        let vector = vector(&mut Draws::from_seed(seed), 1, Place::Virtual);
        let answered = Native::new(Features::MESH, 1).configure(0, &vector.plugin.0);
        accepted += u32::from(answered == Configured::Accepted);
    }
    assert!((200..380).contains(&accepted), "{accepted} of 400 accepted");
}

#[test]
fn everything_a_filter_can_write_is_written() {
    let mut seen = String::new();
    for seed in 0..300 {
        let vector = vector(&mut Draws::from_seed(seed), 20, Place::Virtual);
        for observation in record(&vector, &mut Native::new(Features::MESH, vector.seed)) {
            seen.push_str(&observation.to_string());
        }
    }
    for part in [
        "[x-ferromesh-pick: ",
        "[x-envoy-max-retries: 0]",
        "[x-envoy-retry-on: 5xx",
        "[x-envoy-retry-grpc-on: unavailable",
        "[traceparent: 00-",
        "[x-request-id: ",
        "[x-ferromesh-route: ",
        "[x-ferromesh-target: green]",
        "[x-ferromesh-attempts: ",
        "ferromesh_retries_total",
        "ferromesh_retry_budget_exhausted_total",
        "ferromesh_request_duration_milliseconds",
    ] {
        assert!(seen.contains(part), "{part} never came");
    }
}

#[test]
fn for_stock_envoy_every_configuration_is_accepted_and_chance_changes_nothing() {
    for seed in 0..200 {
        let vector = vector(&mut Draws::from_seed(seed), 20, Place::StockEnvoy);
        let one = record(&vector, &mut Native::new(Features::MESH, 1));
        let other = record(&vector, &mut Native::new(Features::MESH, 2));
        assert!(one.len() > 40, "seed {seed}: {}", one[0]);
        assert_eq!(one, other, "seed {seed}");
    }
}
