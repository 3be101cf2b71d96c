//! AWS's own clients, unmodified, on Cloud Map's API.

use anyhow::{ensure, Result};
use ferromesh_integration::rig::{aws, paths, Rig};
use serde_json::Value;

use crate::registered;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_finds_every_operation_of_cloud_map() {
    let rig = Rig::start().await.expect("a control plane");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloud_map/walk.py");
    let python = paths::python().expect("python with boto3");
    let said = run(&rig, tokio::process::Command::new(python).arg(script).arg(url(&rig))).await;
    assert_eq!(said.expect("the walk").trim(), "30 operations");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_line_registers_and_discovers() {
    let rig = Rig::start().await.expect("a control plane");
    registered(&rig).await.expect("a service");
    let aws = async |arguments: &[&str]| -> Result<Value> {
        let mut command = tokio::process::Command::new(paths::aws()?);
        command
            .args(["servicediscovery", "--output", "json", "--endpoint-url", &url(&rig)])
            .args(arguments)
            .env("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
            .env("AWS_PAGER", "");
        Ok(serde_json::from_str(&run(&rig, &mut command).await?)?)
    };
    let services = aws(&["list-services"]).await.expect("services");
    let id = services["Services"][0]["Id"].as_str().expect("an id");
    aws(&[
        "register-instance",
        "--service-id",
        id,
        "--instance-id",
        "one",
        "--attributes",
        "AWS_INSTANCE_IPV4=10.0.0.1",
    ])
    .await
    .expect("registered");
    let found = aws(&[
        "discover-instances",
        "--namespace-name",
        "apps",
        "--service-name",
        "colour",
    ])
    .await
    .expect("discovered");
    assert_eq!(found["Instances"][0]["Attributes"]["AWS_INSTANCE_IPV4"], "10.0.0.1");
}

fn url(rig: &Rig) -> String {
    format!("http://{}", rig.address())
}

/// What an AWS client prints, if it ends well.
async fn run(rig: &Rig, command: &mut tokio::process::Command) -> Result<String> {
    let output = aws::with_dummy_credentials(command)
        .env("TMPDIR", rig.file(""))
        .output()
        .await?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{error}");
    Ok(String::from_utf8(output.stdout)?)
}
