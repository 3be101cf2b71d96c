//! The descriptors that resources are read with are those of the crate envoy-types, and enough for everything emitted.
//!
//! `UPDATE_GOLDEN=1 cargo test -p ferromesh-emit --test readable` makes them anew.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use ferromesh_emit::{readable, Module, Modules, Options, Secrets};
use ferromesh_generate::{Flaws, World};
use ferromesh_ir::{lower, ProxyKind};
use prost_reflect::prost::Message;
use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions};

/// Files whose messages are resources, or stand in an `Any` of one; those that they import come along.
const FILES: &[&str] = &[
    "envoy/config/cluster/v3/cluster.proto",
    "envoy/config/core/v3/extension.proto",
    "envoy/config/endpoint/v3/endpoint.proto",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/route/v3/route.proto",
    "envoy/extensions/access_loggers/file/v3/file.proto",
    "envoy/extensions/common/matching/v3/extension_matcher.proto",
    "envoy/extensions/filters/common/matcher/action/v3/skip_action.proto",
    "envoy/extensions/filters/http/composite/v3/composite.proto",
    "envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto",
    "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/filters/http/jwt_authn/v3/config.proto",
    "envoy/extensions/filters/http/ratelimit/v3/rate_limit.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.proto",
    "envoy/extensions/filters/http/wasm/v3/wasm.proto",
    "envoy/extensions/filters/listener/original_dst/v3/original_dst.proto",
    "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
    "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header.proto",
    "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
    "envoy/type/matcher/v3/http_inputs.proto",
    "google/protobuf/wrappers.proto",
];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/descriptors.bin")
}

/// What JSON needs: no comments, no annotations.
fn bare(message: &mut DescriptorProto) {
    let is_map = message.options.as_ref().and_then(|options| options.map_entry);
    message.options = is_map.map(|is_map| MessageOptions {
        map_entry: Some(is_map),
        ..MessageOptions::default()
    });
    for field in &mut message.field {
        field.options = None;
    }
    for oneof in &mut message.oneof_decl {
        oneof.options = None;
    }
    for own in &mut message.enum_type {
        own.options = None;
        own.value.iter_mut().for_each(|value| value.options = None);
    }
    message.nested_type.iter_mut().for_each(bare);
}

fn pruned() -> Vec<u8> {
    let set = FileDescriptorSet::decode(support::text::descriptors().as_slice()).expect("a descriptor set");
    let files: BTreeMap<&str, &FileDescriptorProto> = set.file.iter().map(|file| (file.name(), file)).collect();
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: Vec<&str> = FILES.to_vec();
    while let Some(name) = waiting.pop() {
        let Some(file) = files.get(name) else {
            panic!("envoy-types has no {name}");
        };
        if wanted.insert(name) {
            waiting.extend(file.dependency.iter().map(String::as_str));
        }
    }
    let mut kept = FileDescriptorSet::default();
    for file in set.file.iter().filter(|file| wanted.contains(file.name())) {
        let mut file = file.clone();
        file.source_code_info = None;
        file.options = None;
        file.service.clear();
        file.extension.clear();
        file.message_type.iter_mut().for_each(bare);
        for own in &mut file.enum_type {
            own.options = None;
            own.value.iter_mut().for_each(|value| value.options = None);
        }
        kept.file.push(file);
    }
    kept.encode_to_vec()
}

#[test]
fn the_descriptors_are_those_of_the_crate() {
    let pruned = pruned();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path(), &pruned).expect("the descriptors");
    }
    let stored = std::fs::read(path()).expect("the descriptors");
    assert!(
        stored == pruned,
        "src/descriptors.bin is not what envoy-types has: UPDATE_GOLDEN=1 cargo test -p ferromesh-emit --test readable"
    );
}

#[test]
fn everything_but_secrets_can_be_read() {
    let module = Module {
        sha256: "0".repeat(64),
        bytes: Bytes::from_static(b"wasm"),
    };
    let modules = Modules {
        mesh: Some(module.clone()),
        lean: Some(module),
    };
    let mut read: BTreeSet<&str> = BTreeSet::new();
    for seed in 0..200 {
        let mesh = World::from_seed(seed, Flaws::None).admit().mesh;
        let nodes = mesh.virtual_nodes.keys().map(|name| (ProxyKind::VirtualNode, name));
        let gateways = mesh
            .virtual_gateways
            .keys()
            .map(|name| (ProxyKind::VirtualGateway, name));
        for (kind, name) in nodes.chain(gateways) {
            let proxy = lower::proxy(&mesh, kind, name, &ferromesh_ir::Options::default()).expect("a proxy");
            let output = ferromesh_emit::proxy(&proxy, &modules, &Secrets::default(), &Options::default());
            for resource in &output.resources {
                let json = readable(resource.type_url, &resource.value);
                let is_secret = resource.type_url == ferromesh_emit::SECRET;
                assert_eq!(json.is_none(), is_secret, "seed {seed}: {resource:?}");
                read.insert(resource.type_url);
            }
        }
    }
    assert_eq!(read.len(), 5, "{read:?}");
    assert_eq!(readable(ferromesh_emit::CLUSTER, b"\xff"), None);
    assert_eq!(readable("type.googleapis.com/x.Y", b""), None);
}
