//! What is pushed comes back, and lies in the registry as consumers want it.

use serde_json::Value;

use crate::{
    program::{fine, text, Desk},
    registry::Registry,
};

fn media_types(manifest: &Value) -> Vec<&str> {
    let layers = manifest["layers"].as_array().expect("layers");
    layers
        .iter()
        .map(|layer| layer["mediaType"].as_str().expect("a type"))
        .collect()
}

#[tokio::test]
async fn a_module_is_pushed_as_an_image_that_istio_and_envoy_gateway_take() {
    let (desk, registry) = (Desk::new(), Registry::start());
    let file = desk.write("mesh.wasm", fine());
    let name = registry.name("ferromesh/mesh:0.1.0");
    let pushed = desk.module(&["push", text(&file), &name, "-o", "json"]).json();
    let reference = pushed["reference"].as_str().expect("a reference").to_owned();
    let digest = reference.split_once('@').expect("a digest").1.to_owned();
    assert_eq!(pushed["tag"], name);
    assert_eq!(format!("sha256:{}", pushed["manifestSha256"].as_str().unwrap()), digest);

    for by in ["0.1.0", &digest] {
        let (media_type, manifest) = registry.manifest("ferromesh/mesh", by).await;
        assert_eq!(media_type, "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(
            manifest["config"]["mediaType"],
            "application/vnd.oci.image.config.v1+json"
        );
        assert_eq!(
            media_types(&manifest),
            ["application/vnd.oci.image.layer.v1.tar+gzip"],
            "one layer that both unpack"
        );
        assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
    }
    comes_back(&desk, &reference, pushed["moduleSha256"].as_str().unwrap());
    comes_back(&desk, &name, pushed["moduleSha256"].as_str().unwrap());
}

#[tokio::test]
async fn a_module_is_pushed_as_an_artifact_with_the_two_layers_that_both_want() {
    let (desk, registry) = (Desk::new(), Registry::start());
    let file = desk.write("mesh.wasm", fine());
    let name = registry.name("mesh:artifact");
    let pushed = desk
        .module(&["push", text(&file), &name, "--layout", "artifact", "-o", "json"])
        .json();
    let (_, manifest) = registry.manifest("mesh", "artifact").await;
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.module.wasm.config.v1+json"
    );
    assert_eq!(
        media_types(&manifest),
        [
            "application/vnd.module.wasm.config.v1+json",
            "application/vnd.module.wasm.content.layer.v1+wasm"
        ]
    );
    let sha256 = pushed["moduleSha256"].as_str().unwrap();
    assert_eq!(manifest["layers"][1]["digest"], format!("sha256:{sha256}"));
    comes_back(&desk, pushed["reference"].as_str().unwrap(), sha256);
}

fn comes_back(desk: &Desk, name: &str, sha256: &str) {
    let file = desk.path("back.wasm");
    let said = desk
        .module(&["pull", name, "-o", text(&file), "--sha256", sha256])
        .succeeded();
    assert!(said.starts_with(sha256), "{said}");
    assert_eq!(std::fs::read(&file).expect("the module"), fine(), "{name}");
    std::fs::remove_file(&file).expect("removed");
}

#[test]
fn the_same_module_has_the_same_digest_wherever_and_whenever_it_is_pushed() {
    let (desk, here, there) = (Desk::new(), Registry::start(), Registry::start());
    let file = desk.write("a.wasm", fine());
    let other_file = desk.write("b.wasm", fine());
    for layout in ["compat", "artifact"] {
        let digest = |registry: &Registry, file, tag| {
            let name = registry.name(&format!("mesh:{tag}"));
            let pushed = desk
                .module(&["push", text(file), &name, "--layout", layout, "-o", "json"])
                .json();
            pushed["manifestSha256"].as_str().expect("a digest").to_owned()
        };
        let first = digest(&here, &file, "1");
        assert_eq!(first, digest(&here, &file, "1"), "{layout}");
        assert_eq!(first, digest(&here, &other_file, "2"), "{layout}");
        assert_eq!(first, digest(&there, &file, "1"), "{layout}");
    }
}

#[test]
fn a_registry_elsewhere_is_spoken_to_over_tls_and_must_show_a_trusted_certificate() {
    let (desk, registry) = (Desk::new(), Registry::start_tls());
    let file = desk.write("mesh.wasm", fine());
    let name = registry.name("mesh:1");
    let push = ["push", text(&file), &name];
    desk.module(&push).failed_with("invalid peer certificate");
    desk.module_trusting(&registry.certificate(), &push).succeeded();
    let back = desk.path("back.wasm");
    desk.module_trusting(&registry.certificate(), &["pull", &name, "-o", text(&back)])
        .succeeded();
    assert_eq!(std::fs::read(&back).expect("the module"), fine());
}

#[test]
fn people_get_a_table_with_the_reference_to_write_down() {
    let (desk, registry) = (Desk::new(), Registry::start());
    let file = desk.write("mesh.wasm", fine());
    let name = registry.name("mesh:1");
    let said = desk
        .module(&["push", text(&file), &format!("oci://{name}")])
        .succeeded();
    let pinned = registry.name("mesh@sha256:");
    assert!(said
        .lines()
        .any(|line| line.starts_with("reference") && line.contains(&pinned)));
    assert!(said.lines().any(|line| line.starts_with("module sha256")), "{said}");
}

#[test]
fn a_module_can_be_looked_at_before_it_is_pushed() {
    let desk = Desk::new();
    let file = desk.write("mesh.wasm", fine());
    let seen = desk.module(&["inspect", text(&file), "-o", "json"]).json();
    assert_eq!(seen["size"], fine().len());
    assert_eq!(seen["memoryInitial"], 65_536);
    assert_eq!(seen["memoryMaximum"], 131_072);
    assert_eq!(seen["imports"], serde_json::json!(["env.proxy_log"]));
    assert_eq!(
        seen["exports"],
        serde_json::json!(["memory", "proxy_abi_version_0_2_1"])
    );
    assert_eq!(seen["violations"], serde_json::json!([]));
    let table = desk.module(&["inspect", text(&file)]).succeeded();
    assert!(
        table.contains(seen["sha256"].as_str().unwrap()) && table.contains("128 KiB"),
        "{table}"
    );
}
