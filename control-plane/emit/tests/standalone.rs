//! What a control plane lets Envoy judge before a proxy is given it: everything that Envoy would refuse is found, and nothing
//! that is only at the proxy is asked for.

mod support;

use envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use envoy_types::pb::google::protobuf::Any;
use ferromesh_emit::{
    standalone::{standalone, Incomplete},
    Certificate, Module, Modules, Options, Resource, CLUSTER, EXTENSION_CONFIG, ROUTE_CONFIGURATION,
};
use prost::Message;
use support::{envoy, fixture, fixture::Case, pki};

fn resources(case: &Case, modules: &Modules) -> Vec<Resource> {
    let proxy = case.lower();
    ferromesh_emit::proxy(&proxy, modules, &pki::secrets(&proxy), &Options::default()).resources
}

fn case(wanted: &str) -> Case {
    let mut cases = fixture::cases().into_iter();
    let found = cases.find(|(name, ..)| name == wanted);
    found.expect("the case").2
}

fn encoded(resources: &[Resource]) -> Vec<u8> {
    let resources = resources.iter().map(|resource| Any {
        type_url: resource.type_url.to_owned(),
        value: resource.value.to_vec(),
    });
    DiscoveryResponse {
        resources: resources.collect(),
        ..DiscoveryResponse::default()
    }
    .encode_to_vec()
}

fn alone(resources: &[Resource]) -> Result<Vec<u8>, Incomplete> {
    let stand_in: Certificate = pki::ours().issue(&["stand-in.local"]);
    standalone(&encoded(resources), &stand_in)
}

/// What Envoy says of resources.
fn judged(resources: &[Resource]) -> Result<(), String> {
    let bytes = alone(resources).expect("everything that is named is there");
    envoy::validate(&Bootstrap::decode(bytes.as_slice()).expect("a bootstrap"))
}

/// A module whose answer to a configuration is this.
fn module(configured: i32) -> Modules {
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) i32.const 1024)
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
            (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const {configured}))"#
    );
    with(wat::parse_str(text).expect("a module"))
}

fn with(bytes: Vec<u8>) -> Modules {
    Modules {
        lean: None,
        mesh: Some(Module {
            sha256: "0".repeat(64),
            bytes: bytes.into(),
        }),
    }
}

#[test]
fn envoy_takes_every_golden_case_without_the_proxys_files_and_secrets() {
    let mut refusals = Vec::new();
    for (name, _, case) in fixture::cases() {
        if let Err(said) = judged(&resources(&case, &module(1))) {
            refusals.push(format!("{name}:\n{said}"));
        }
    }
    assert!(refusals.is_empty(), "{}", refusals.join("\n"));
}

#[test]
fn what_envoy_cannot_take_is_found_in_a_route_table() {
    let mut resources = resources(&case("gateway-canary"), &Modules::default());
    let table = resources
        .iter_mut()
        .find(|resource| resource.type_url == ROUTE_CONFIGURATION)
        .expect("a route table");
    let mut decoded = RouteConfiguration::decode(table.value.clone()).expect("a route table");
    decoded.request_headers_to_remove.push("not a\u{0}header".into());
    table.value = decoded.encode_to_vec().into();
    let said = judged(&resources).expect_err("a header that nobody can send");
    assert!(
        said.contains("request_headers_to_remove") || said.contains("RequestHeadersToRemove"),
        "{said}"
    );
}

#[test]
fn a_module_is_compiled_and_asked_whether_it_takes_its_configuration() {
    let case = case("gateway-canary");
    judged(&resources(&case, &module(1))).expect("a module that takes everything");
    let said = judged(&resources(&case, &module(0))).expect_err("a module that takes nothing");
    assert!(said.contains("Wasm"), "{said}");
    let said = judged(&resources(&case, &with(b"\0asm\x01\0\0\0no module".to_vec()))).expect_err("no module");
    assert!(said.contains("Wasm"), "{said}");
}

#[test]
fn a_filter_that_is_named_and_not_there_is_named() {
    let mut resources = resources(&case("gateway-canary"), &module(1));
    resources.retain(|resource| resource.type_url != EXTENSION_CONFIG);
    let incomplete = alone(&resources).expect_err("no filter");
    assert_eq!(
        incomplete.to_string(),
        "filter \"ferromesh.mesh\" is named, but not there"
    );
}

#[test]
fn nobody_is_asked_for_a_host_name() {
    let mut names = 0;
    for (_, _, case) in fixture::cases() {
        let resources = resources(&case, &Modules::default());
        names += hosts(&clusters_of(&resources)).filter(|host| !is_address(host)).count();
        let bytes = alone(&resources).expect("everything is there");
        let bootstrap = Bootstrap::decode(bytes.as_slice()).expect("a bootstrap");
        let clusters = bootstrap.static_resources.unwrap_or_default().clusters;
        let asked: Vec<_> = hosts(&clusters).filter(|host| !is_address(host)).collect();
        assert!(asked.is_empty(), "{asked:?}");
    }
    assert!(names > 0, "cases with host names");
}

fn clusters_of(resources: &[Resource]) -> Vec<Cluster> {
    let clusters = resources.iter().filter(|resource| resource.type_url == CLUSTER);
    clusters
        .map(|resource| Cluster::decode(resource.value.clone()).expect("a cluster"))
        .collect()
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// Where clusters lead to.
fn hosts(clusters: &[Cluster]) -> impl Iterator<Item = String> + '_ {
    let endpoints = clusters.iter().flat_map(|cluster| &cluster.load_assignment);
    let hosts = endpoints
        .flat_map(|all| &all.endpoints)
        .flat_map(|locality| &locality.lb_endpoints);
    hosts.filter_map(|host| match host.host_identifier.as_ref()? {
        HostIdentifier::Endpoint(endpoint) => match endpoint.address.as_ref()?.address.as_ref()? {
            Address::SocketAddress(socket) => Some(socket.address.clone()),
            _ => None,
        },
        HostIdentifier::EndpointName(_) => None,
    })
}

#[test]
fn no_private_key_of_a_proxy_is_in_it() {
    let mut seen = 0;
    for (_, _, case) in fixture::cases() {
        let proxy = case.lower();
        let secrets = pki::secrets(&proxy);
        let output = ferromesh_emit::proxy(&proxy, &Modules::default(), &secrets, &Options::default());
        let bytes = alone(&output.resources).expect("everything is there");
        for certificate in secrets.certificates.values() {
            seen += 1;
            let key = certificate.key.as_bytes();
            assert!(!bytes.windows(key.len()).any(|window| window == key));
        }
    }
    assert!(seen > 0, "cases with certificates");
}
