//! How many Envoys of one proxy may be connected.

use ferromesh_xds::NodeInfo;
use serde_json::json;

use super::*;

const GATEWAY: &str = "mesh/m/virtualGateway/g";

fn bench() -> Bench {
    let most = MostEnvoys {
        virtual_node: Some(2),
        virtual_gateway: None,
    };
    Bench::with(Requirement::Required, most, Vec::new())
}

fn node(instance: &str) -> NodeInfo {
    let metadata = json!({ "ferromesh": { "instance": instance } });
    NodeInfo {
        id: NODE.into(),
        metadata: metadata.as_object().unwrap().clone(),
        ..NodeInfo::default()
    }
}

#[test]
fn one_envoy_more_than_the_quota_is_refused_as_app_mesh_did_until_another_has_gone() {
    let bench = bench();
    let local = Some(&Peer::Local);
    let first = bench.ask_as(NODE, local).unwrap();
    let _second = bench.ask(NODE, &certificate(NODE_ID, Authority::BuiltIn)).unwrap();
    let refused = bench.ask_as(NODE, local).unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.code() as i32, 8);
    assert!(refused.message().contains("quota is 2"), "{}", refused.message());
    assert!(
        bench.ask_as("mesh/m/virtualNode/other", local).is_ok(),
        "each node has its own"
    );
    let gateways: Vec<_> = (0..5).map(|_| bench.ask_as(GATEWAY, local).unwrap()).collect();
    assert_eq!(gateways.len(), 5);
    drop(first);
    assert!(bench.ask_as(NODE, local).is_ok());
}

#[test]
fn an_envoy_that_comes_again_is_not_another_one() {
    let bench = bench();
    let ask = |instance: &str| bench.ask_with(&node(instance), Some(&Peer::Local));
    let (_a, _b) = (ask("a").unwrap(), ask("b").unwrap());
    let _again = ask("a").unwrap();
    assert!(ask("c").is_err());
    // Two streams are one Envoy between two connections; more of them are more Envoys under one name.
    assert!(ask("a").is_err());
}
