//! Ways in and out with real parts: the `aws` CLI takes a dump with our script, the built binary reads every format
//! and writes it again, and the server holds what the files said.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use ferromesh_integration::rig::{paths, Rig};
use serde_json::{json, Value};

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane/import/tests/files");
    folder.join(name).display().to_string()
}

/// Runs the binary against the rig's server.
async fn ferromesh(rig: &Rig, arguments: &[&str]) -> Output {
    let binary = paths::ferromesh().expect("the built binary");
    tokio::process::Command::new(binary)
        .args(arguments)
        .env("FERROMESH_SERVER", format!("http://{}", rig.address()))
        .env_remove("FERROMESH_MESH")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the binary runs")
}

async fn succeeds(rig: &Rig, arguments: &[&str]) -> String {
    let output = ferromesh(rig, arguments).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What an import prints, in the order of names, without owners; every node with the backends that the API adds.
async fn imported(rig: &Rig, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["import"], arguments].concat();
    let mut inputs: Vec<Value> = serde_json::from_str(&succeeds(rig, &arguments).await).expect("a list");
    for input in &mut inputs {
        let members = input.as_object_mut().expect("an object");
        members.remove("meshOwner");
        if let Some(tags) = members.get_mut("tags").and_then(Value::as_array_mut) {
            tags.sort_by_key(Value::to_string);
        }
        if members.get("tags") == Some(&json!([])) {
            members.remove("tags");
        }
        if members.contains_key("virtualNodeName") {
            let spec = members["spec"].as_object_mut().expect("a spec");
            spec.entry("backends").or_insert_with(|| json!([]));
        }
    }
    inputs.sort_by_key(|input| [&input["meshName"], &input["virtualNodeName"], input].map(Value::to_string));
    inputs
}

fn without_tags(mut inputs: Vec<Value>) -> Vec<Value> {
    for input in &mut inputs {
        input.as_object_mut().expect("an object").remove("tags");
    }
    inputs.sort_by_key(Value::to_string);
    inputs
}

#[tokio::test]
async fn the_dump_script_takes_a_mesh_with_the_aws_cli() {
    let rig = Rig::start().await.expect("a control plane");
    let listener = json!([{"portMapping": {"port": 80, "protocol": "http"}}]);
    let target = json!({"virtualService": {"virtualServiceName": "s/é.local"}});
    let mesh = json!([
        {"meshName": "m", "spec": {}, "tags": [{"key": "a", "value": "b"}]},
        {"meshName": "m", "virtualNodeName": "n", "spec": {"listeners": listener, "serviceDiscovery": {"dns": {"hostname": "n.local"}}}},
        {"meshName": "m", "virtualRouterName": "r", "spec": {"listeners": listener}},
        {"meshName": "m", "virtualRouterName": "r", "routeName": "t", "tags": [{"key": "k", "value": ""}], "spec": {"priority": 3,
            "httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}},
        {"meshName": "m", "virtualServiceName": "s/é.local", "tags": [{"key": "é", "value": "ü"}],
            "spec": {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}},
        {"meshName": "m", "virtualGatewayName": "g", "spec": {"listeners": listener}},
        {"meshName": "m", "virtualGatewayName": "g", "gatewayRouteName": "u",
            "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}}},
    ]);
    let input = rig.file("mesh.json");
    std::fs::write(&input, mesh.to_string()).expect("a file");
    let input = input.display().to_string();
    succeeds(&rig, &["import", &input, "--apply"]).await;

    let script = rig.file("dump.sh");
    std::fs::write(&script, succeeds(&rig, &["import", "--print-dump-script"]).await).expect("a file");
    let dump: PathBuf = rig.file("dump");
    let take = || {
        let mut command = tokio::process::Command::new("sh");
        command
            .arg(&script)
            .arg(&dump)
            .arg("m")
            .env("AWS", paths::aws().expect("the aws CLI"))
            .env("AWS_ENDPOINT_URL", format!("http://{}", rig.address()))
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_PAGER", "")
            .env("PYTHONUTF8", "1")
            .env("NO_PROXY", "127.0.0.1")
            .kill_on_drop(true)
            .output()
    };
    let taken = take().await.expect("a shell");
    let said = String::from_utf8_lossy(&taken.stderr);
    assert!(taken.status.success() && said.contains("7 resources"), "{said}");
    let dump_folder = dump.display().to_string();
    assert_eq!(imported(&rig, &[&dump_folder]).await, imported(&rig, &[&input]).await);
    succeeds(&rig, &["apply", "-f", &dump_folder]).await;
    // A second dump into the same folder would be read as one with the first.
    let again = take().await.expect("a shell");
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("not empty"));
    rig.shut_down().expect("the end");
}

#[tokio::test]
async fn every_format_goes_in_and_comes_out_as_it_was() {
    let rig = Rig::start().await.expect("a control plane");
    let expected = imported(&rig, &[&file("shop.json")]).await;
    assert_eq!(expected.len(), 10);
    let (template, account) = (file("shop-cdk.template.json"), "AWS::AccountId=123456789012");
    succeeds(&rig, &["import", &template, "--apply", "--parameter", account]).await;

    for format in ["describe", "cloudformation", "kubernetes"] {
        let folder = rig.file(format).display().to_string();
        succeeds(
            &rig,
            &["export", "--mesh", "shop", "--format", format, "--out", &folder],
        )
        .await;
        let (read, expected) = (imported(&rig, &[&folder]).await, expected.clone());
        // The custom resource definitions have no tags.
        match format {
            "kubernetes" => assert_eq!(without_tags(read), without_tags(expected)),
            _ => assert_eq!(read, expected, "{format}"),
        }
    }

    // The same mesh in the other formats is no change.
    let certificate = "aws_acm_certificate.web.arn=arn:aws:acm:eu-west-1:123456789012:certificate/3d6b2c1e";
    succeeds(&rig, &["import", &file("shop.tf"), "--apply", "--var", certificate]).await;
    succeeds(&rig, &["apply", "-f", &file("shop.k8s.yaml")]).await;
    succeeds(&rig, &["apply", "-f", &file("shop.json")]).await;
    for (path, version) in [("virtualNodes/cart", 1), ("virtualRouter/cart-router/routes/Route", 1)] {
        let found = rig.get(&format!("meshes/shop/{path}")).await.expect("the resource");
        assert_eq!(found["metadata"]["version"], version, "{path}");
    }
    rig.shut_down().expect("the end");
}

#[tokio::test]
async fn nothing_is_applied_of_what_cannot_be_carried_over_whole() {
    let rig = Rig::start().await.expect("a control plane");
    let broken = file("broken.template.yaml");
    for arguments in [vec!["import", &broken, "--apply"], vec!["apply", "-f", &broken]] {
        let output = ferromesh(&rig, &arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        for expected in [
            "broken.template.yaml:8: error: Node: Resources.Node.Properties.Spec.Listeners[0].PortMapping.Port.Ref: \
             parameter Port has no default",
            "FileAccessLog has no such member",
        ] {
            assert!(said.contains(expected), "{expected} not in {said}");
        }
    }
    let meshes = rig.get("meshes").await.expect("a list");
    assert_eq!(meshes["meshes"], json!([]));
    let output = ferromesh(&rig, &["import"]).await;
    assert_eq!(output.status.code(), Some(2));
    rig.shut_down().expect("the end");
}
