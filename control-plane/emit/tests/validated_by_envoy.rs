//! Envoy itself takes what is emitted.

mod support;

use ferromesh_emit::{Modules, Options};
use support::{bootstrap, envoy, fixture};

#[test]
fn envoy_takes_every_golden_case_with_and_without_the_filter() {
    let mut refusals = Vec::new();
    for (name, _, case) in fixture::cases() {
        for (kind, modules) in [("with", support::idle_module()), ("without", Modules::default())] {
            let messages = ferromesh_emit::messages(&case.lower(), &modules, &Options::default());
            if let Err(said) = envoy::validate(&bootstrap::of(messages)) {
                refusals.push(format!("{name} {kind} the filter:\n{said}"));
            }
        }
    }
    assert!(refusals.is_empty(), "{}", refusals.join("\n"));
}

#[test]
fn the_real_filter_takes_every_golden_case() {
    let Some(modules) = support::real_module() else { return };
    for (name, _, case) in fixture::cases() {
        let messages = ferromesh_emit::messages(&case.lower(), &modules, &Options::default());
        envoy::validate(&bootstrap::of(messages)).unwrap_or_else(|said| panic!("{name}: {said}"));
    }
}

#[test]
fn envoy_refuses_what_is_wrong() {
    let (_, _, case) = fixture::cases().remove(0);
    let mut messages = ferromesh_emit::messages(&case.lower(), &Modules::default(), &Options::default());
    messages.clusters.remove(0);
    let said = envoy::validate(&bootstrap::of(messages)).expect_err("a route without its cluster");
    assert!(said.contains("unknown weighted cluster"), "{said}");
}
