//! Random configurations and requests in stock Envoy: what the policy decides natively, the module must decide there,
//! with V8, Envoy's own properties and headers, its retries and its statistics in between.
//!
//! Only what depends neither on chance nor on exact time is drawn. `FERROMESH_DIFFERENTIAL_ENVOY` is the number of
//! configurations (20), each an Envoy of its own, `FERROMESH_DIFFERENTIAL_STREAMS` that of streams for each (20),
//! `FERROMESH_DIFFERENTIAL_SEED` the first seed (1).

#[path = "../vectors/configuration.rs"]
mod configuration;
#[path = "../vectors/executor.rs"]
mod executor;
#[path = "../vectors/wire.rs"]
mod wire;

use executor::StockEnvoy;
use ferromesh_integration::rig::paths;
use ferromesh_policy::mesh::Features;
use ferromesh_policy::vectors::generate::{self, Place};
use ferromesh_policy::vectors::{difference, minimise, record, written, Native, Observation, Scope, Vector};
use ferromesh_policy::Draws;

/// How often a failing case is tried to be made smaller: each try starts an Envoy.
const TRIES: usize = 40;

#[test]
fn random_streams_are_decided_alike_natively_and_in_stock_envoy() {
    let module = paths::module("mesh").expect("a built module");
    let first = setting("FERROMESH_DIFFERENTIAL_SEED", 1);
    let configurations = setting("FERROMESH_DIFFERENTIAL_ENVOY", 20);
    let streams = usize::try_from(setting("FERROMESH_DIFFERENTIAL_STREAMS", 20)).expect("a number of streams");
    let in_envoy = |vector: &Vector| record(vector, &mut StockEnvoy::new(vector, &module));
    let mut observations = 0;
    for seed in first..first + configurations {
        let vector = generate::vector(&mut Draws::from_seed(seed), streams, Place::StockEnvoy);
        let expected = natively(&vector);
        observations += expected.len();
        if difference(&expected, &in_envoy(&vector), Scope::StockEnvoy).is_none() {
            continue;
        }
        let differs = |vector: &Vector| difference(&natively(vector), &in_envoy(vector), Scope::StockEnvoy);
        let small = minimise(&vector, TRIES, |vector| differs(vector).is_some());
        let how = differs(&small).unwrap_or_else(|| "not every time".to_owned());
        panic!("seed {seed}: {how}\nvector: {}", written(&small));
    }
    println!("{configurations} configurations, {streams} streams each, {observations} observations: alike");
}

fn natively(vector: &Vector) -> Vec<Observation> {
    record(
        vector,
        &mut Native::new(Features::MESH, vector.seed).at_unix(vector.unix_ms),
    )
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")),
        Err(_) => default,
    }
}
