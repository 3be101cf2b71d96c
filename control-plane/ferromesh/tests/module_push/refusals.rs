//! What is refused, and the reasons that are given.

use ferromesh_wasm_inspection::SIZE_LIMIT;

use crate::{
    program::{fine, module, text, Desk, Memory},
    registry::{free_port, Registry},
};

#[test]
fn a_push_refuses_what_envoy_should_not_get() {
    // Nothing is sent before the module is judged, so there is no registry to send it to.
    let desk = Desk::new();
    let name = format!("127.0.0.1:{}/mesh:1", free_port());
    for (bytes, reason) in [
        (b"#!/bin/sh\n".to_vec(), "it is no wasm module"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "it is a wasm component"),
        (fine()[..100].to_vec(), "it is no valid wasm module"),
        (
            module("proxy_log", Memory::Bounded, SIZE_LIMIT),
            "it has more than 8388608 bytes",
        ),
        (
            module("system", Memory::Bounded, 0),
            "import env.system is not provided by Envoy",
        ),
        (module("proxy_log", Memory::Unbounded, 0), "memory declares no maximum"),
    ] {
        let file = desk.write("bad.wasm", bytes);
        desk.module(&["push", text(&file), &name])
            .failed_with(&format!("bad.wasm: {reason}"));
    }
    let missing = desk.path("missing.wasm");
    desk.module(&["push", text(&missing), &name])
        .failed_with("No such file");
}

#[test]
fn every_rule_that_a_module_breaks_is_named() {
    let desk = Desk::new();
    let file = desk.write("bad.wasm", module("system", Memory::Unbounded, 0));
    let outcome = desk.module(&["push", text(&file), "127.0.0.1:1/mesh:1"]);
    assert_eq!(outcome.stderr.lines().count(), 2, "{outcome:?}");
    let seen = desk.module(&["inspect", text(&file), "-o", "json"]).json();
    assert_eq!(seen["violations"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_registry_out_of_reach_is_named_with_the_reason() {
    let desk = Desk::new();
    let file = desk.write("mesh.wasm", fine());
    let port = free_port();
    let name = format!("127.0.0.1:{port}/mesh:1");
    let reason = format!("the registry at http://127.0.0.1:{port} cannot be reached: Connection refused");
    desk.module(&["push", text(&file), &name]).failed_with(&reason);
    let back = desk.path("back.wasm");
    desk.module(&["pull", &name, "-o", text(&back)]).failed_with(&reason);
    assert!(!back.exists());
}

#[test]
fn only_registries_on_this_machine_are_spoken_to_without_tls_unless_it_is_asked_for() {
    let desk = Desk::new();
    let file = desk.write("mesh.wasm", fine());
    // A name that nothing resolves (RFC 6761).
    let name = "registry.invalid:5000/mesh:1";
    desk.module(&["push", text(&file), name])
        .failed_with("the registry at https://registry.invalid:5000 cannot be reached");
    let outcome = desk.module(&["push", text(&file), name, "--plain-http"]);
    outcome.failed_with("the registry at http://registry.invalid:5000 cannot be reached");
}

#[test]
fn a_pull_refuses_another_module_than_the_one_that_is_named() {
    let (desk, registry) = (Desk::new(), Registry::start());
    let file = desk.write("mesh.wasm", fine());
    desk.module(&["push", text(&file), &registry.name("mesh:1")])
        .succeeded();
    let back = desk.path("back.wasm");
    let pull = |name: &str, more: &[&str]| {
        let name = registry.name(name);
        let mut arguments = vec!["pull", &name, "-o", text(&back)];
        arguments.extend(more);
        desk.module(&arguments)
    };
    let zeros = "0".repeat(64);
    pull("mesh:1", &["--sha256", &zeros]).failed_with("the module's sha256 is ");
    pull(&format!("mesh@sha256:{zeros}"), &[]).failed_with("has no ");
    pull("mesh:2", &[]).failed_with("has no ");
    pull("other:1", &[]).failed_with("has no ");
    assert!(!back.exists(), "a file in spite of a refusal");
}

#[tokio::test]
async fn a_pull_refuses_bytes_that_were_changed_in_the_registry() {
    let (desk, registry) = (Desk::new(), Registry::start());
    let file = desk.write("mesh.wasm", fine());
    let name = registry.name("mesh:1");
    let back = desk.path("back.wasm");
    for layout in ["compat", "artifact"] {
        desk.module(&["push", text(&file), &name, "--layout", layout])
            .succeeded();
        let (_, manifest) = registry.manifest("mesh", "1").await;
        let layer = manifest["layers"].as_array().unwrap().last().unwrap().clone();
        let blob = registry.blob(layer["digest"].as_str().unwrap());
        let mut bytes = std::fs::read(&blob).expect("the blob");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&blob, bytes).expect("written");
        let outcome = desk.module(&["pull", &name, "-o", text(&back)]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("igest"), "{outcome:?}");
        assert!(!back.exists(), "{layout}: a file in spite of a refusal");
    }
}

#[test]
fn a_wrong_command_line_is_wrong_usage() {
    let desk = Desk::new();
    let file = desk.write("mesh.wasm", fine());
    let file = text(&file);
    desk.module(&["push", file]).was_misused("REFERENCE");
    desk.module(&["push", file, "ferromesh/mesh:1"])
        .was_misused("it names no registry");
    desk.module(&["push", file, "localhost:5000/UPPER:1"])
        .was_misused("host[:port]/repository:tag");
    let pinned = format!("localhost:5000/mesh@sha256:{}", "0".repeat(64));
    desk.module(&["push", file, &pinned]).was_misused("a push gives a tag");
    desk.module(&["push", file, "localhost:5000/mesh:1", "--username", "me"])
        .was_misused("--password-stdin");
    desk.module(&["push", file, "localhost:5000/mesh:1", "--layout", "zip"])
        .was_misused("compat");
    desk.module(&["pull", "localhost:5000/mesh:1"]).was_misused("--output");
    desk.module(&["pull", "localhost:5000/mesh:1", "-o", "x", "--sha256", "12"])
        .was_misused("64 hexadecimal digits");
}
