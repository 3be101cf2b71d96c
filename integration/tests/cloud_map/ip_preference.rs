//! All forms of `ipPreference`, in both kinds of service discovery.
//!
//! shows: virtualNode.serviceDiscovery.awsCloudMap.ipPreference={IPv4_PREFERRED,IPv4_ONLY,IPv6_PREFERRED,IPv6_ONLY}

use std::net::SocketAddr;

use anyhow::{Context, Result};
use ferromesh_integration::{
    load::Load,
    rig::{envoy::Admin, eventually, ports, Process, Rig, PATIENCE},
    upstream::Upstream,
};
use serde_json::{json, Value};

use crate::{gateway, node, put, registered, COLOUR};

/// Name in the gateway's paths, value on the wire, who answers by DNS, who answers from the registry.
const FORMS: [(&str, Option<&str>, &str, &str); 5] = [
    ("unset", None, "six", "four"),
    ("v4-only", Some("IPv4_ONLY"), "four", "four"),
    ("v4-first", Some("IPv4_PREFERRED"), "four", "four"),
    ("v6-only", Some("IPv6_ONLY"), "six", "six"),
    ("v6-first", Some("IPv6_PREFERRED"), "six", "six"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_ip_preference_decides_by_dns_and_by_the_registry() {
    let (port, tasks) = (ports::free().expect("a port"), ports::free().expect("a port"));
    let four = Upstream::start_at("four", SocketAddr::from(([127, 0, 0, 1], tasks))).await;
    let four = four.expect("an upstream");
    let six = Upstream::start_at("six", SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], tasks))).await;
    // A machine without ::1 is not one to test this on; nothing passes there by itself.
    let six = six.expect("an upstream on ::1, the loopback address of IPv6");
    let rig = Rig::start().await.expect("a control plane");
    registered(&rig).await.expect("a service");
    let attributes = json!({"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_IPV6": "::1"});
    put(
        &rig,
        &format!("{COLOUR}/instances/both"),
        json!({ "attributes": attributes }),
    )
    .await
    .expect("registered");

    let mut nodes = Vec::new();
    let mut expected = Vec::new();
    for (name, form, by_dns, by_registry) in FORMS {
        let with = |mut discovery: Value| {
            if let Some(form) = form {
                discovery["ipPreference"] = json!(form);
            }
            discovery
        };
        for (kind, response_type) in [("lb", "LOADBALANCER"), ("tasks", "ENDPOINTS")] {
            let dns = with(json!({"hostname": "both.test", "responseType": response_type}));
            nodes.push((format!("{kind}-{name}"), node(tasks, json!({ "dns": dns }))));
            expected.push((format!("{kind}-{name}"), by_dns));
        }
        let map = with(json!({"namespaceName": "apps", "serviceName": "colour"}));
        nodes.push((format!("map-{name}"), node(tasks, json!({ "awsCloudMap": map }))));
        expected.push((format!("map-{name}"), by_registry));
    }
    let named: Vec<(&str, Value)> = nodes.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
    gateway(&rig, port, &named).await.expect("the mesh");
    let (_proxy, admin) = proxy_that_knows_both(&rig).expect("a proxy");
    eventually("Envoy is live", PATIENCE, async || admin.is_live().await.then_some(()))
        .await
        .expect("the gateway");

    for (name, who) in expected {
        let url = format!("http://127.0.0.1:{port}/{name}");
        let colour = eventually(&format!("an answer from {name}"), PATIENCE, async || {
            let report = Load::to(&url).connections(1).noting("x-colour").send(1).await.ok()?;
            let answered = report.records.iter().find(|record| !record.is_failure())?;
            answered.note().map(str::to_owned)
        })
        .await;
        assert_eq!(colour.expect("an answer"), who, "{name}");
    }
    assert!(four.counts().requests >= 7 && six.counts().requests >= 8);
}

/// A gateway for whom `both.test` has an address of each family: in a mount namespace of its own, with a hosts file that
/// nobody else sees.
fn proxy_that_knows_both(rig: &Rig) -> Result<(Process, Admin)> {
    let hosts = rig.file("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost\n127.0.0.1 both.test\n::1 both.test\n")?;
    let (admin, agent) = (ports::free()?, ports::free()?);
    let proxy = rig.proxy_command("mesh/m/virtualGateway/g")?;
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-ec"])
        .arg("mount --bind \"$0\" /etc/hosts; exec \"$@\"")
        .arg(&hosts)
        .arg(proxy.get_program())
        .args(proxy.get_args());
    for (name, value) in proxy.get_envs() {
        command.env(name, value.context("proxies only set variables")?);
    }
    command
        .env("ENVOY_ADMIN_ACCESS_PORT", admin.to_string())
        .env("APPNET_AGENT_HTTP_PORT", agent.to_string());
    if let Some(folder) = proxy.get_current_dir() {
        command.current_dir(folder);
    }
    let process = rig.spawn("proxy-both", command)?;
    Ok((process, Admin::at(format!("127.0.0.1:{admin}"))))
}
