//! Endpoints that change under load.
//!
//! shows: virtualNode.serviceDiscovery.awsCloudMap.{namespaceName,serviceName,attributes[].key,attributes[].value}

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use ferromesh_integration::{
    load::Load,
    rig::{eventually, ports, wait_for_status, Proxy, Rig, PATIENCE},
    upstream::Upstream,
};
use reqwest::Method;
use serde_json::{json, Value};

use crate::{deregister, gateway, node, register, registered, report, COLOUR};

/// The mesh of the tests under load: live tasks of one service, at one port of several loopback addresses.
struct Mesh {
    proxy: Proxy,
    rig: Rig,
    port: u16,
    tasks: u16,
}

impl Mesh {
    async fn start(health_check: Option<Value>) -> Result<Self> {
        let rig = Rig::start().await?;
        registered(&rig).await?;
        let (port, tasks) = (ports::free()?, ports::free()?);
        let live = json!([{"key": "stage", "value": "live"}]);
        let mut spec = node(
            tasks,
            json!({"awsCloudMap": {"namespaceName": "apps", "serviceName": "colour", "attributes": live}}),
        );
        if let Some(check) = health_check {
            spec["listeners"][0]["healthCheck"] = check;
        }
        gateway(&rig, port, &[("colour", spec)]).await?;
        Ok(Self {
            proxy: rig.proxy("mesh/m/virtualGateway/g").await?,
            rig,
            port,
            tasks,
        })
    }

    /// A task on an address of its own, not yet registered.
    async fn task(&self, name: &str, last: u8) -> Result<Upstream> {
        Upstream::start_at(name, SocketAddr::from(([127, 0, 0, last], self.tasks))).await
    }

    fn load(&self) -> Load {
        let load = Load::to(format!("http://127.0.0.1:{}/colour", self.port));
        load.noting("x-colour").per_second(200)
    }

    async fn wait_until_served(&self) {
        let url = format!("http://127.0.0.1:{}/colour", self.port);
        wait_for_status(&url, 200).await.expect("a task answers");
    }
}

async fn gets_traffic(task: &Upstream) {
    task.forget();
    let what = format!("{} gets requests", task.name());
    eventually(&what, PATIENCE, async || (task.counts().requests > 5).then_some(()))
        .await
        .expect("traffic");
}

/// Half a second without a request, while there is load.
async fn gets_none(task: &Upstream) {
    let what = format!("{} gets no requests", task.name());
    eventually(&what, PATIENCE, async || {
        task.forget();
        tokio::time::sleep(Duration::from_millis(500)).await;
        (task.counts().requests == 0).then_some(())
    })
    .await
    .expect("no traffic");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_come_and_go_under_load_without_failing_a_request() {
    let mesh = Mesh::start(None).await.expect("the mesh");
    let rig = &mesh.rig;
    let one = mesh.task("one", 11).await.expect("a task");
    let two = mesh.task("two", 12).await.expect("a task");
    let three = mesh.task("three", 13).await.expect("a task");
    register(rig, "one", one.addr(), "live").await.expect("registered");
    mesh.wait_until_served().await;
    let clusters = async || {
        let sum = mesh.proxy.admin().sum("^cluster_manager\\.cds\\.update_success$").await;
        sum.expect("the counter of cluster updates")
    };
    let before = clusters().await;
    let load = mesh.load().start().await.expect("load");
    for _ in 0..3 {
        register(rig, "two", two.addr(), "live").await.expect("registered");
        gets_traffic(&two).await;

        // Whoever lacks an attribute is not meant.
        register(rig, "three", three.addr(), "idle").await.expect("registered");
        gets_none(&three).await;
        register(rig, "three", three.addr(), "live").await.expect("registered");
        gets_traffic(&three).await;

        // Whoever is reported sick is left alone until it is well.
        report(rig, "two", "UNHEALTHY").await.expect("reported");
        gets_none(&two).await;
        report(rig, "two", "HEALTHY").await.expect("reported");
        gets_traffic(&two).await;

        deregister(rig, "three").await.expect("deregistered");
        gets_none(&three).await;
        deregister(rig, "two").await.expect("deregistered");
        gets_none(&two).await;
    }
    // Who is gone from the registry may go.
    drop((two, three));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let report = load.stop().await;
    report.assert_no_failures("tasks that come and go");
    assert!(report.len() > 500, "only {} requests", report.len());
    // All that was sent were endpoints.
    assert_eq!(clusters().await, before);
    let updates = mesh
        .proxy
        .admin()
        .sum("^cluster\\.cds_egress_m_colour_http_.*\\.update_success$")
        .await;
    assert!(updates.expect("the counter of endpoint updates") >= 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deregistered_task_gets_nothing_however_healthy_it_looks() {
    let check = json!({"protocol": "http", "path": "/ping", "healthyThreshold": 2, "unhealthyThreshold": 2,
        "intervalMillis": 5000, "timeoutMillis": 2000});
    let mesh = Mesh::start(Some(check)).await.expect("the mesh");
    let one = mesh.task("one", 21).await.expect("a task");
    let two = mesh.task("two", 22).await.expect("a task");
    for task in [&one, &two] {
        register(&mesh.rig, task.name(), task.addr(), "live")
            .await
            .expect("registered");
    }
    mesh.wait_until_served().await;
    let load = mesh.load().start().await.expect("load");
    gets_traffic(&two).await;
    // It goes on answering its health checks, and is called no more.
    deregister(&mesh.rig, "two").await.expect("deregistered");
    gets_none(&two).await;
    load.stop().await.assert_no_failures("a deregistered task");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_control_planes_death_and_traffic_does_not_notice() {
    let mut mesh = Mesh::start(None).await.expect("the mesh");
    let one = mesh.task("one", 31).await.expect("a task");
    let two = mesh.task("two", 32).await.expect("a task");
    register(&mesh.rig, "one", one.addr(), "live")
        .await
        .expect("registered");
    mesh.wait_until_served().await;
    let load = mesh.load().start().await.expect("load");
    for round in 0..5 {
        // Registered, acknowledged, killed: at once.
        let id = format!("task-{round}");
        register(&mesh.rig, &id, two.addr(), "live").await.expect("registered");
        mesh.rig.kill_control_plane();
        mesh.rig.start_control_plane().await.expect("the control plane again");
        let list = mesh
            .rig
            .accepted(Method::GET, &format!("{COLOUR}/instances"), &Value::Null)
            .await
            .expect("the instances");
        let ids: Vec<&str> = list["instances"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|instance| instance["id"].as_str())
            .collect();
        assert_eq!(ids, ["one", id.as_str()]);
        // And the proxies hear of it from the new process.
        gets_traffic(&two).await;
        deregister(&mesh.rig, &id).await.expect("deregistered");
        gets_none(&two).await;
    }
    load.stop().await.assert_no_failures("the control plane's death");
}
