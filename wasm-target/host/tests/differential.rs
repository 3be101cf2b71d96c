//! Random configurations and requests, natively, in wasmtime and in Node: three builds of one policy must show the
//! same. What differs is printed with its seed, made small, in the form of a vector.
//!
//! `FERROMESH_DIFFERENTIAL` is the number of configurations (200), `FERROMESH_DIFFERENTIAL_STREAMS` that of streams
//! for each (20), `FERROMESH_DIFFERENTIAL_SEED` the first seed (1): a failure is repeated with its seed and 1.

#[path = "vectors/executor.rs"]
mod executor;
mod load;

use std::io::Write;

use executor::Wasm;
use ferromesh_policy::mesh::Features;
use ferromesh_policy::vectors::generate::{self, Place};
use ferromesh_policy::vectors::{difference, minimise, record, written, Native, Observation, Scope, Vector, MODULES};
use ferromesh_policy::Draws;
use ferromesh_policy_browser::node::Node;
use ferromesh_wasm_host::Engine;

/// How often a failing case is tried to be made smaller.
const TRIES: usize = 2_000;
#[test]
fn random_streams_are_decided_alike_natively_in_wasmtime_and_in_node() {
    let engine = Engine::new().unwrap();
    // In turn; the fused one, which has everything, as often as all others together.
    let turns = MODULES.iter().flat_map(|module| [*module, ("mesh", Features::MESH)]);
    let modules: Vec<_> = turns
        .map(|(name, features)| (name, features, load::module(&engine, name)))
        .collect();
    let mut node = Node::start().unwrap();
    let first = setting("FERROMESH_DIFFERENTIAL_SEED", 1);
    let configurations = setting("FERROMESH_DIFFERENTIAL", 200);
    let streams = usize::try_from(setting("FERROMESH_DIFFERENTIAL_STREAMS", 20)).unwrap();
    let mut observations = 0;
    for seed in first..first + configurations {
        let vector = generate::vector(&mut Draws::from_seed(seed), streams, Place::Virtual);
        let (name, features, module) = &modules[usize::try_from(seed).unwrap() % modules.len()];
        let native = |vector: &Vector| record(vector, &mut Native::new(*features, vector.seed).at_unix(vector.unix_ms));
        let expected = native(&vector);
        observations += expected.len();
        agree(seed, name, "wasmtime", &vector, &expected, &native, |vector| {
            record(vector, &mut Wasm::new(module, vector))
        });
        agree(seed, name, "Node", &vector, &expected, &native, |vector| {
            record(vector, &mut node.session(name, vector).unwrap())
        });
    }
    // Not by a macro: these are captured, and the numbers shall be seen.
    let _ = writeln!(
        std::io::stderr(),
        "{configurations} configurations, {streams} streams each, {observations} observations: alike"
    );
}

fn agree(
    seed: u64,
    module: &str,
    place: &str,
    vector: &Vector,
    expected: &[Observation],
    native: &impl Fn(&Vector) -> Vec<Observation>,
    mut other: impl FnMut(&Vector) -> Vec<Observation>,
) {
    if difference(expected, &other(vector), Scope::Everything).is_none() {
        return;
    }
    let mut differs = |vector: &Vector| difference(&native(vector), &other(vector), Scope::Everything);
    let small = minimise(vector, TRIES, |vector| differs(vector).is_some());
    let how = differs(&small).unwrap_or_else(|| "not every time".to_owned());
    panic!("seed {seed}, {module} in {place}: {how}\nvector: {}", written(&small));
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")),
        Err(_) => default,
    }
}
