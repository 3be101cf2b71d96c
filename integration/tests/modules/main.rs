//! Module sets: a mesh goes to another build and back under load, and leaves one that does harm by itself.

mod poisoned;
mod signer;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use base64::prelude::{Engine, BASE64_STANDARD};
use ferromesh_integration::{
    rig::{eventually, paths, Modules, Rig, PATIENCE},
    two_colours::{route, TwoColours},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use signer::Signer;

/// `ferromesh module …` against a rig's control plane.
pub async fn module(rig: &Rig, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(paths::ferromesh().expect("the program"));
    command
        .arg("module")
        .args(arguments)
        .env("FERROMESH_SERVER", format!("http://{}", rig.address()));
    command.output().await.expect("the program runs")
}

/// What a command that must succeed prints.
pub async fn done(rig: &Rig, arguments: &[&str]) -> Value {
    let output = module(rig, &[arguments, &["--output", "json"]].concat()).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The SHA-256 of the module that the gateway's Envoy runs, as its configuration has it; `None` while it has none.
pub async fn running(mesh: &TwoColours) -> Option<String> {
    let dump = mesh
        .gateway
        .admin()
        .get("/config_dump?resource=ecds_filters")
        .await
        .ok()?;
    let dump: Value = serde_json::from_str(&dump).ok()?;
    let configs = dump["configs"].as_array()?;
    let filter = configs.iter().find_map(|config| {
        let code = &config["ecds_filter"]["typed_config"]["config"]["vm_config"]["code"]["local"];
        code["inline_bytes"].as_str()
    });
    Some(sha256(&BASE64_STANDARD.decode(filter?).ok()?))
}

/// In hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Another build of a module: a custom section changes its hash and nothing that it does.
fn another(name: &str, folder: &Path, signer: Option<&Signer>) -> PathBuf {
    let mut bytes = fs::read(paths::module(name).expect("a module")).expect("its bytes");
    bytes.extend(*b"\0\x07\x05buildA");
    let file = folder.join(format!("{name}.wasm"));
    if let Some(signer) = signer {
        let signature = signer.sign(&bytes, &format!("{name} of the next build"));
        fs::write(folder.join(format!("{name}.wasm.minisig")), signature).expect("a signature");
    }
    fs::write(&file, bytes).expect("a module");
    file
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_goes_to_another_signed_build_and_back_under_load() {
    let (signer, stranger) = (Signer::new(1), Signer::new(2));
    let arguments = vec!["--module-key".to_owned(), signer.public()];
    let rig = Rig::start_as(Modules::Built, arguments, None)
        .await
        .expect("a control plane");
    let mut mesh = TwoColours::start_on(rig, route([50, 50])).await.expect("the mesh");
    let folder = tempfile::tempdir().expect("a folder");
    let signed = [
        another("mesh", folder.path(), Some(&signer)),
        another("mesh-lean", folder.path(), Some(&signer)),
    ];
    let add = [
        "add",
        "--version",
        "next",
        "--mesh",
        text(&signed[0]),
        "--lean",
        text(&signed[1]),
    ];

    let load = mesh.load().per_second(200).start().await.expect("load");
    let before = running(&mesh).await.expect("the filter");
    let foreign = tempfile::tempdir().expect("a folder");
    for signer in [None, Some(&stranger)] {
        let file = another("mesh", foreign.path(), signer);
        let refused = module(&mesh.rig, &["add", "--version", "evil", "--mesh", text(&file)]).await;
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && error.contains("modules.mesh.signature: is "),
            "{error}"
        );
    }
    let added = done(&mesh.rig, &add).await;
    assert_eq!(
        added["modules"]["mesh"]["signature"]["trustedComment"],
        "mesh of the next build"
    );
    assert_eq!(
        running(&mesh).await.as_ref(),
        Some(&before),
        "what is added reaches nobody"
    );

    let chosen = done(
        &mesh.rig,
        &["rollout", "--mesh", "colours", "next", "--reason", "a test"],
    )
    .await;
    assert_eq!(
        (&chosen["version"], &chosen["previous"]),
        (&"next".into(), &"built-in".into())
    );
    let next = signed.each_ref().map(|file| sha256(&fs::read(file).expect("a module")));
    eventually("Envoy runs the next build", PATIENCE, async || {
        running(&mesh).await.filter(|now| next.contains(now))
    })
    .await
    .expect("a swap");

    // It is the mesh's choice after a restart too, judged anew.
    mesh.rig.kill_control_plane();
    mesh.rig.start_control_plane().await.expect("a control plane");
    let shown = done(&mesh.rig, &["show", "--mesh", "colours"]).await;
    assert_eq!(shown["version"], "next");
    let used = module(&mesh.rig, &["delete", "next"]).await;
    let error = String::from_utf8_lossy(&used.stderr);
    assert!(
        error.contains("is used, or can be gone back to, by the meshes colours"),
        "{error}"
    );

    let back = done(&mesh.rig, &["rollback", "--mesh", "colours"]).await;
    assert_eq!(back["version"], "built-in");
    eventually("Envoy runs what it ran before", PATIENCE, async || {
        running(&mesh).await.filter(|now| *now == before)
    })
    .await
    .expect("a swap");
    let table = module(&mesh.rig, &["delete", "next"]).await;
    assert_eq!(String::from_utf8_lossy(&table.stdout), "module set next deleted\n");
    let sets = done(&mesh.rig, &["list"]).await;
    assert_eq!(sets["sets"].as_array().map(Vec::len), Some(1), "{sets}");
    let report = load.stop().await;
    report.assert_no_failures("module sets");
    assert!(report.len() > 100, "only {} requests", report.len());
}
