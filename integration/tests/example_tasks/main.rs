//! Example meshes of App Mesh whose nodes run as tasks: every file unchanged, every call by the `aws` CLI, each task in
//! a network namespace of its own with App Mesh's redirection, gateways without it.

mod http_retries;
mod multiple_listeners;
mod mutual_tls;
mod yelb;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use ferromesh_integration::{
    client::{Answer, Client},
    rig::{eventually, example::Example, Rig, Task, PATIENCE},
};
use serde_json::{json, Value};

/// Addresses of the tasks: one network for each test, because tests run at the same time.
const fn address(network: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, network, host)
}

/// Creates a resource from a file of an example, in the mesh `m` unless the file names one.
async fn file(rig: &Rig, example: &Example, operation: &str, name: &str, variables: &[(&str, &str)], names: Value) {
    let mut input = example.input(name, variables, names).expect("an example file");
    let members = input.as_object_mut().expect("an object");
    members.entry("meshName").or_insert(json!("m"));
    rig.aws(operation, &input).await.expect(name);
}

/// One GET of a task's own client, under a host name, to an address.
fn ask(from: &Task, to: SocketAddr, host: &str, path: &str) -> Result<Answer> {
    from.client(async || Client::of(&to.to_string())?.get(path, &[("host", host)]).await)
}

/// Waits until a path is answered with 200.
async fn wait_for(from: &Task, to: SocketAddr, host: &str, path: &str) {
    let mut last = String::new();
    let waited = eventually(path, PATIENCE, async || {
        match ask(from, to, host, path) {
            Ok(answer) if answer.status == 200 => return Some(()),
            Ok(answer) => last = format!("{} {:?}", answer.status, answer.body),
            Err(error) => last = error.to_string(),
        }
        None
    })
    .await;
    waited.with_context(|| format!("last: {last}")).expect(path);
}

fn colour(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("x-colour"))
}

/// A namespace of Cloud Map, and a service in it with one instance for each task.
async fn register(rig: &Rig, namespace: &str, services: &[(&str, &Task)]) {
    let input = json!({"Name": namespace, "Vpc": "vpc-1"});
    let call = async |operation: &str, input: Value| {
        let answer = rig.aws_cloud_map(operation, &input).await;
        answer.expect(operation)
    };
    call("create-private-dns-namespace", input).await;
    let namespaces = call("list-namespaces", json!({})).await;
    let id = &namespaces["Namespaces"][0]["Id"];
    for (service, task) in services {
        let created = call("create-service", json!({"Name": service, "NamespaceId": id})).await;
        let instance = json!({
            "ServiceId": created["Service"]["Id"],
            "InstanceId": service,
            "Attributes": {"AWS_INSTANCE_IPV4": task.address().to_string()},
        });
        call("register-instance", instance).await;
    }
}
