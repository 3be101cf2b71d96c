//! What happens to requests when the filter's VM is dead: never open where it protects.

mod support;

use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::FailurePolicy as Emitted;
use ferromesh_emit::{FailurePolicy, Options, Secrets};
use prost::Message;
use support::fixture;

/// The failure policies of a case's filters by name, where the operator asked for open ones.
fn emitted(case: &str) -> Vec<(String, Emitted)> {
    let cases = fixture::cases();
    let (_, _, case) = cases.iter().find(|(name, ..)| name == case).expect("the case");
    let options = Options {
        failure: FailurePolicy::Open,
    };
    let messages = ferromesh_emit::messages(&case.lower(), &support::idle_module(), &Secrets::default(), &options);
    let extensions = messages.extensions.into_iter();
    extensions
        .map(|extension| {
            let config = extension.typed_config.expect("a configuration");
            let wasm = Wasm::decode(config.value.as_slice()).expect("a wasm filter");
            let policy = wasm.config.expect("a plugin").failure_policy;
            (extension.name, Emitted::try_from(policy).expect("a failure policy"))
        })
        .collect()
}

#[test]
fn a_filter_that_only_informs_may_fail_open() {
    assert_eq!(
        emitted("gateway-canary"),
        [("ferromesh.mesh".to_owned(), Emitted::FailOpen)]
    );
}

#[test]
fn a_filter_that_protects_any_route_never_fails_open() {
    assert_eq!(
        emitted("filter-members"),
        [
            ("ferromesh.mesh".to_owned(), Emitted::FailReload),
            ("ferromesh.mesh.ingress".to_owned(), Emitted::FailOpen),
        ]
    );
    assert_eq!(
        emitted("node-guards"),
        [("ferromesh.mesh.ingress".to_owned(), Emitted::FailReload)]
    );
}

#[test]
fn a_filter_that_keeps_an_exact_budget_never_fails_open() {
    let upstream = emitted("retries").pop().expect("the filter in front of an upstream");
    assert!(upstream.0.starts_with("ferromesh.mesh.upstream#"), "{upstream:?}");
    assert_eq!(upstream.1, Emitted::FailReload);
}
