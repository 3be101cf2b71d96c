//! What Terraform's provider does with the API, call by call, through boto3: the provider itself is on no package index.

use std::path::Path;

use ferromesh_integration::rig::{paths, Rig};
use tokio::process::Command;

use crate::client::with_environment;

#[tokio::test(flavor = "multi_thread")]
async fn a_terraform_provider_reads_back_what_it_wrote_for_every_kind() {
    let rig = Rig::start().await.expect("a control plane");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/terraform.py");
    let mut command = Command::new(paths::python().expect("python with boto3"));
    let endpoint = format!("http://{}", rig.address());
    let output = with_environment(command.arg(script), &endpoint).output().await;
    let output = output.expect("python starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "7 kinds");
}
