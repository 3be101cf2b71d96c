//! Whatever the API takes, Envoy takes: generated meshes, with and without a flaw, go through the API's rules, and what is
//! emitted for each of their proxies is checked by the real Envoy.
//!
//! Many proxies are merged into one configuration, so that Envoy starts a few hundred times and not a few ten thousand
//! times; a merged configuration that it refuses is divided until the proxy is found, and the mesh made as small as it gets.

mod support;

use ferromesh_emit::{Messages, Modules, Options};
use ferromesh_generate::{Flaws, Handling, World};
use ferromesh_ir::{lower, Options as Lowering, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use support::{bootstrap, envoy, merged, pki, scale};

/// Meshes in one configuration.
const TOGETHER: usize = 60;
/// Most starts of Envoy that making one mesh small may cost.
const SHRINKING: u32 = 60;

/// The proxies of a mesh, each with the mesh renamed for it, since clusters are named after the mesh.
fn proxies(mesh: &Mesh) -> Vec<Proxy> {
    let nodes = mesh.virtual_nodes.keys().map(|name| (ProxyKind::VirtualNode, name));
    let gateways = mesh
        .virtual_gateways
        .keys()
        .map(|name| (ProxyKind::VirtualGateway, name));
    nodes
        .chain(gateways)
        .enumerate()
        .map(|(index, (kind, name))| {
            let proxy = lower::proxy(mesh, kind, name, &Lowering::default()).expect("it is in the mesh");
            Proxy {
                mesh: format!("{}-{index}", mesh.name),
                ..proxy
            }
        })
        .collect()
}

fn messages(proxy: &Proxy, modules: &Modules) -> Messages {
    ferromesh_emit::messages(proxy, modules, &pki::secrets(proxy), &Options::default())
}

/// What Envoy says of all proxies of these worlds together.
fn judge(worlds: &[World], modules: &Modules) -> Result<usize, String> {
    let mut all = Vec::new();
    for world in worlds {
        all.extend(
            proxies(&world.admit().mesh)
                .iter()
                .map(|proxy| messages(proxy, modules)),
        );
    }
    let count = all.len();
    let bootstraps = all.into_iter().map(bootstrap::of);
    envoy::validate(&merged::merged(bootstraps)).map(|()| count)
}

/// Everything that Envoy refuses, each with the smallest world that has it.
fn refusals(worlds: &[World], modules: &Modules, found: &mut Vec<String>) -> usize {
    match judge(worlds, modules) {
        Ok(count) => count,
        Err(said) => {
            if let [world] = worlds {
                println!("{} is refused: {said}", world.name);
                let budget = std::cell::Cell::new(SHRINKING);
                let small = world.shrunk(|world| {
                    budget.set(budget.get().saturating_sub(1));
                    budget.get() > 0 && judge(std::slice::from_ref(world), modules).is_err()
                });
                found.push(format!("{}:\n{:?}\n{said}", small.name, small.creations));
                return 0;
            }
            let (left, right) = worlds.split_at(worlds.len() / 2);
            refusals(left, modules, found) + refusals(right, modules, found)
        }
    }
}

fn accepted(flaws: Flaws, seeds: std::ops::Range<u64>, modules: &Modules) {
    let mut found = Vec::new();
    let (mut meshes, mut count) = (0, 0);
    let seeds: Vec<u64> = seeds.collect();
    for seeds in seeds.chunks(TOGETHER) {
        let worlds: Vec<World> = seeds.iter().map(|seed| World::from_seed(*seed, flaws)).collect();
        meshes += worlds.len();
        count += refusals(&worlds, modules, &mut found);
        assert!(
            found.len() < 10,
            "after {meshes} meshes, {} refused:\n{}",
            found.len(),
            found.join("\n\n")
        );
    }
    println!("{meshes} meshes, {count} proxies, {} refused", found.len());
    assert!(
        found.is_empty(),
        "of {meshes} meshes {} refused:\n{}",
        found.len(),
        found.join("\n\n")
    );
}

#[test]
fn envoy_takes_what_the_api_takes() {
    accepted(Flaws::None, 0..scale::of(120, 10_000), &Modules::default());
}

#[test]
fn envoy_takes_what_the_api_takes_with_the_filter_in_place() {
    accepted(
        Flaws::None,
        20_000..20_000 + scale::of(60, 1000),
        &support::idle_module(),
    );
}

#[test]
fn envoy_takes_what_the_api_takes_of_flawed_meshes() {
    accepted(Flaws::One, 30_000..30_000 + scale::of(120, 5000), &Modules::default());
}

#[test]
fn what_app_mesh_took_and_envoy_does_not_is_left_out_with_a_lint() {
    for flaw in ferromesh_generate::flaws().filter(|flaw| flaw.handling == Handling::LeftOut) {
        let mut tried = 0;
        for seed in 0..3000 {
            let world = World::from_seed(seed, Flaws::None);
            let Some((flawed, index)) = flaw.put_into(&world) else {
                continue;
            };
            let admitted = flawed.admit();
            if admitted.refused.iter().any(|refused| refused.index == index) {
                continue;
            }
            let ferromesh_generate::Creation::Resource { key, .. } = &flawed.creations[index] else {
                continue;
            };
            let about = format!("/{}", key.name);
            let lints: Vec<_> = proxies(&admitted.mesh)
                .into_iter()
                .flat_map(|proxy| proxy.lints)
                .collect();
            // A route that no proxy reaches is nobody's to lint.
            if !lints
                .iter()
                .any(|lint| lint.resource.ends_with(&about) && lint.message.contains("left out"))
            {
                continue;
            }
            if let Err(said) = judge(std::slice::from_ref(&flawed), &Modules::default()) {
                panic!("{}: {:?}\n{said}", flaw.name, flawed.creations[index]);
            }
            tried += 1;
            if tried == 2 {
                break;
            }
        }
        assert_eq!(tried, 2, "{:?} {}: meshes that say so", flaw.kind, flaw.name);
    }
}
