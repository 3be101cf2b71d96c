//! The filter modules are swapped for other builds: the control plane comes back with them, and Envoy goes on.

use std::{fs, path::Path};

use ferromesh_integration::{
    rig::{eventually, paths, Modules, PATIENCE},
    two_colours::{route, TwoColours},
};

const EXTENSION_CONFIG: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
const MODULES: [&str; 2] = ["mesh", "mesh-lean"];

/// Adds a custom section, which changes the module's hash and nothing that it does.
fn repack(module: &Path, mark: &[u8]) {
    const NAME: &[u8] = b"build";
    let mut bytes = fs::read(module).expect("a module");
    let size = 1 + NAME.len() + mark.len();
    // One byte of LEB128 each.
    let [size, name] = [size, NAME.len()].map(|size| u8::try_from(size).ok().filter(|size| *size < 128));
    let (size, name) = (size.expect("a short section"), name.expect("a short name"));
    bytes.extend([0, size, name]);
    bytes.extend(NAME);
    bytes.extend(mark);
    fs::write(module, bytes).expect("the module is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_are_swapped_under_load_without_failing_a_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(format!("{name}.wasm"));
    for name in MODULES {
        fs::copy(paths::module(name).expect("a module"), file(name)).expect("a copy");
    }
    let modules = Modules::Folder(folder.path().to_path_buf());
    let mut mesh = TwoColours::start_with(modules, route([50, 50]))
        .await
        .expect("the mesh");
    let load = mesh.load().per_second(300).start().await.expect("load");
    let mut before = filters(&mesh).await.expect("the proxy has its filters");
    for swap in 0..3_u8 {
        for name in MODULES {
            repack(&file(name), &[b'0' + swap]);
        }
        mesh.rig.kill_control_plane();
        mesh.rig.start_control_plane().await.expect("a control plane");
        before = eventually("Envoy has taken the other modules", PATIENCE, async || {
            filters(&mesh).await.filter(|now| *now != before)
        })
        .await
        .expect("a swap");
    }
    // The last ones work: what those before them had not told yet is less than the requests of one second.
    let admin = mesh.gateway.admin();
    let counted = async || admin.sum(r"^wasmcustom\.ferromesh_requests_total").await;
    let swapped = counted().await.expect("statistics");
    eventually("the filter goes on counting", PATIENCE, async || {
        counted().await.ok().filter(|now| *now > swapped + 1_000)
    })
    .await
    .expect("counters that grow");
    let report = load.stop().await;
    report.assert_no_failures("module swaps");
    assert!(report.len() > 300, "only {} requests", report.len());
}

/// The version of the filters that the gateway's Envoy has acknowledged.
async fn filters(mesh: &TwoColours) -> Option<String> {
    let answer = mesh
        .rig
        .call(
            reqwest::Method::GET,
            "/v1/proxies/mesh/colours/virtualGateway/gateway",
            "",
        )
        .await
        .ok()?;
    let streams = answer.body["streams"].as_array()?.clone();
    let open = streams
        .iter()
        .find(|stream| stream["disconnectedAtSeconds"].is_null())?;
    let delivery = &open["types"][EXTENSION_CONFIG];
    let (sent, acked) = (&delivery["sent"]["version"], &delivery["acked"]["version"]);
    (sent == acked).then(|| acked.as_str().map(str::to_owned))?
}
