//! Envoy itself takes what is emitted.

mod support;

use ferromesh_emit::{Messages, Modules, Options};
use support::fixture::Case;
use support::{bootstrap, envoy, fixture, pki};

fn messages(case: &Case, modules: &Modules) -> Messages {
    let proxy = case.lower();
    ferromesh_emit::messages(&proxy, modules, &pki::secrets(&proxy), &Options::default())
}

#[test]
fn envoy_takes_every_golden_case_with_and_without_the_filter() {
    let mut refusals = Vec::new();
    for (name, _, case) in fixture::cases() {
        for (kind, modules) in [("with", support::idle_module()), ("without", Modules::default())] {
            let messages = messages(&case, &modules);
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
        let messages = messages(&case, &modules);
        envoy::validate(&bootstrap::of(messages)).unwrap_or_else(|said| panic!("{name}: {said}"));
    }
}

#[test]
fn envoy_refuses_what_is_wrong() {
    let cases = fixture::cases();
    let canary = cases.iter().find(|(name, ..)| name == "gateway-canary");
    let (_, _, case) = canary.expect("the case with weighted clusters");
    let mut messages = messages(case, &Modules::default());
    messages.clusters.remove(0);
    let said = envoy::validate(&bootstrap::of(messages)).expect_err("a route without its cluster");
    assert!(said.contains("unknown weighted cluster"), "{said}");
}
