//! What people do with the `aws` command besides calls: its forms of output, queries, pages by hand, skeletons.

use anyhow::{ensure, Context, Result};
use ferromesh_integration::rig::Rig;
use serde_json::{json, Value};

use crate::client::Client;
use crate::walk;

#[tokio::test(flavor = "multi_thread")]
async fn skeletons_filled_in_make_the_same_calls() {
    walk::walk(Client::Skeletons).await.expect("the walk");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_answers_in_every_form() {
    forms().await.expect("every form");
}

async fn forms() -> Result<()> {
    let rig = Rig::start().await?;
    rig.put("meshes", &json!({"meshName": "m"})).await?;
    for name in ["a", "b", "c"] {
        let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
        let spec = json!({"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": "app.local"}}});
        let node = json!({"virtualNodeName": name, "spec": spec});
        rig.put("meshes/m/virtualNodes", &node).await?;
    }
    let node = ["--mesh-name", "m", "--virtual-node-name", "a"];
    let port = ["--query", "virtualNode.spec.listeners[0].portMapping.port"];
    let text = ["--output", "text"];
    let printed = aws(&rig, "describe-virtual-node", &[&node[..], &port, &text].concat()).await?;
    ensure!(printed.trim() == "8080", "{printed}");
    let found = "virtualNodes[?virtualNodeName=='b'].arn";
    let printed = aws(
        &rig,
        "list-virtual-nodes",
        &[&["--mesh-name", "m", "--query", found], &text[..]].concat(),
    )
    .await?;
    ensure!(
        printed.trim() == "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualNode/b",
        "{printed}"
    );
    let printed = aws(
        &rig,
        "describe-virtual-node",
        &[&node[..], &["--output", "table"]].concat(),
    )
    .await?;
    ensure!(
        printed.contains("DescribeVirtualNode") && printed.contains("app.local"),
        "{printed}"
    );
    // Pages by hand: the command's own token goes on where the server's left off.
    let first = aws(&rig, "list-virtual-nodes", &["--mesh-name", "m", "--max-items", "2"]).await?;
    let first: Value = serde_json::from_str(&first)?;
    let token = first["NextToken"].as_str().context("a token")?;
    let rest = aws(
        &rig,
        "list-virtual-nodes",
        &["--mesh-name", "m", "--starting-token", token],
    )
    .await?;
    let rest: Value = serde_json::from_str(&rest)?;
    ensure!(names(&first) == ["a", "b"] && names(&rest) == ["c"], "{first} {rest}");
    // Shorthand, which the command reads itself.
    let listener = "portMapping={port=80,protocol=http}";
    let router = ["--mesh-name", "m", "--virtual-router-name", "r", "--spec"];
    let spec = format!("listeners=[{{{listener}}}]");
    let tags = ["--tags", "key=team,value=blue"];
    aws(
        &rig,
        "create-virtual-router",
        &[&router[..], &[spec.as_str()], &tags].concat(),
    )
    .await?;
    let found = rig.get("meshes/m/virtualRouters/r").await?;
    ensure!(
        found["spec"] == json!({"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}),
        "{found}"
    );
    Ok(())
}

async fn aws(rig: &Rig, operation: &str, arguments: &[&str]) -> Result<String> {
    let output = rig.aws_command(operation)?.args(arguments).output().await?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "aws appmesh {operation} {arguments:?}: {error}"
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn names(page: &Value) -> Vec<&str> {
    let nodes = page["virtualNodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["virtualNodeName"].as_str()).collect()
}
