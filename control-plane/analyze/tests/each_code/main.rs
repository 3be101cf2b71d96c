//! Each code over whole meshes: a small mesh that has it, and one alike that has not. Codes of lowering have their tests
//! beside the lowering.

mod cases;
#[path = "../meshes/mod.rs"]
mod meshes;

use std::collections::BTreeSet;

use cases::{calling, cases, retrying};
use ferromesh_analyze::{analyze, Code};
use ferromesh_ir::Options;
use meshes::{base, Patch};
use serde_json::json;

#[test]
fn each_code_is_found_where_it_is_and_not_where_it_is_not() {
    let mut told = BTreeSet::new();
    for case in cases() {
        let explained = case.code.explained();
        let code = explained.code;
        let found = |patches: &[Patch]| {
            let findings = analyze(&base(patches), &Options::default());
            let same = findings.into_iter().filter(|finding| finding.code == code);
            same.collect::<Vec<_>>()
        };
        let with = found(&case.with);
        assert!(
            with.iter().any(|finding| finding.resource == case.resource),
            "{code}: {with:#?}"
        );
        for finding in &with {
            assert_eq!(
                (finding.severity, finding.mend),
                (explained.severity, explained.mend),
                "{code}"
            );
            assert!(
                !finding.message.is_empty() && !finding.message.ends_with('.'),
                "{}",
                finding.message
            );
        }
        let without = found(&case.without);
        assert!(
            without.iter().all(|finding| finding.resource != case.resource),
            "{code}: {without:#?}"
        );
        told.insert(case.code);
    }
    let every: BTreeSet<Code> = Code::ALL.iter().copied().collect();
    assert_eq!(told, every, "a code without a case");
}

#[test]
fn the_small_mesh_itself_is_in_order() {
    assert_eq!(analyze(&base(&[]), &Options::default()), []);
}

#[test]
fn attempts_multiply_only_along_hops_that_all_retry() {
    let hops = [
        Patch::Put(
            "virtualService/front.local",
            json!({"provider": {"virtualRouter": {"virtualRouterName": "front"}}}),
        ),
        Patch::Put(
            "virtualRouter/front",
            json!({"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]}),
        ),
        Patch::Put(
            "virtualRouter/front/route/all",
            json!({"httpRoute": {
                "match": {"prefix": "/"},
                "action": {"weightedTargets": [{"virtualNode": "front", "weight": 1}]},
                "retryPolicy": {
                    "maxRetries": 4, "perRetryTimeout": {"value": 1, "unit": "s"}, "httpRetryEvents": ["gateway-error"],
                },
            }}),
        ),
        Patch::Put("virtualRouter/back/route/all", retrying(4)),
        Patch::Put("virtualNode/client", calling("client.local", "front.local")),
    ];
    let amplified = |patches: &[Patch]| {
        let findings = analyze(&base(patches), &Options::default());
        let code = Code::RetryAmplification.explained().code;
        findings.into_iter().find(|finding| finding.code == code)
    };
    assert_eq!(amplified(&hops), None, "the first hop alone retries");
    let mut every = hops.to_vec();
    every.push(Patch::PolicySpec(
        "p",
        json!({"mesh": {}}),
        json!({"retry": {"alongPath": "everyHop"}}),
    ));
    let found = amplified(&every).expect("25 attempts");
    assert_eq!(found.resource, "virtualRouter/back/route/all");
    assert!(
        found.message.contains("up to 25 times") && found.message.contains("client → front → back"),
        "{found:?}"
    );
}
