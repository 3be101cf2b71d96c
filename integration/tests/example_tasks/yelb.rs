//! `yelb`: a whole application, with databases over TCP and a site of the internet.

use std::net::{Ipv4Addr, SocketAddr};

use ferromesh_integration::{
    rig::{eventually, example::Example, Network, Rig, Task, PATIENCE},
    upstream::Echo,
};
use serde_json::json;

use crate::{address, ask, colour, file, register, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn yelb_serves_its_page_its_api_and_its_databases() {
    let Some(example) = Example::find_files("yelb") else {
        return;
    };
    const RECIPES: &str = "www.recipepuppy.com";
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let task = |name: &str, host: u8| Task::create(&network, name, address(4, host)).expect("a task");
    let (mut ui, mut app, mut db, mut redis) = (task("ui", 2), task("app", 3), task("db", 4), task("redis", 5));
    let (mut gateway, mut recipes) = (task("gateway", 6), task("recipes", 7));
    ui.serve_http("ui", 80).expect("an application");
    app.serve_http("app", 4567).expect("an application");
    db.serve_tcp("db", 5432).expect("an application");
    redis.serve_tcp("redis", 6379).expect("an application");
    // A site of the internet: no proxy beside it.
    let site = SocketAddr::from((recipes.address(), 80));
    recipes.serve_http_at("recipes", site).expect("a site");
    app.namespace().name_host(RECIPES, recipes.address()).expect("a name");
    register(&rig, "yelb.local", &[("yelb-ui", &ui), ("yelb-appserver", &app)]).await;

    rig.aws("create-mesh", &json!({"meshName": "yelb"}))
        .await
        .expect("a mesh");
    for name in ["db", "redis", "recipe", "app", "ui"] {
        let host = match name {
            "db" => db.address(),
            _ => redis.address(),
        };
        let host = [("DNS_HOSTNAME", host.to_string())];
        let variables = [(host[0].0, host[0].1.as_str())];
        let node = format!("yelb-{name}-vn.json");
        file(&rig, &example, "create-virtual-node", &node, &variables, json!({})).await;
        let service = format!("yelb-{name}-vs.json");
        file(&rig, &example, "create-virtual-service", &service, &[], json!({})).await;
    }
    file(&rig, &example, "create-virtual-gateway", "yelb-vg.json", &[], json!({})).await;
    for name in ["app", "ui"] {
        let route = format!("yelb-{name}-gateway-route.json");
        file(&rig, &example, "create-gateway-route", &route, &[], json!({})).await;
    }
    for (task, node) in [
        (&mut ui, "yelb-ui"),
        (&mut app, "yelb-app-server"),
        (&mut db, "yelb-db"),
        (&mut redis, "yelb-redis-server"),
    ] {
        let resource = format!("mesh/yelb/virtualNode/{node}");
        task.start_sidecar(&rig, &resource).expect("a sidecar");
    }
    gateway
        .start_proxy(&rig, "mesh/yelb/virtualGateway/yelb-gateway")
        .expect("a gateway");

    let at_gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    wait_for(&gateway, at_gateway, "yelb.example", "/").await;
    wait_for(&gateway, at_gateway, "yelb.example", "/api/getvotes").await;
    let answer = ask(&gateway, at_gateway, "yelb.example", "/index.html").expect("an answer");
    assert_eq!(colour(&answer), (200, Some("ui")));
    app.http("app").forget();
    let answer = ask(&gateway, at_gateway, "yelb.example", "/api/x").expect("an answer");
    assert_eq!(colour(&answer), (200, Some("app")), "the longest prefix wins");
    let seen = app.http("app").seen();
    assert_eq!(seen[0].path, "/x");
    assert!(seen[0].host.starts_with("yelb-appserver"), "{seen:?}");

    // Between the tasks. A virtual service's name need only resolve.
    let anywhere = |port| SocketAddr::from((address(4, 99), port));
    wait_for(&ui, anywhere(4567), "yelb-appserver:4567", "/").await;
    wait_for(&app, anywhere(80), RECIPES, "/").await;
    let answer = ask(&app, anywhere(80), RECIPES, "/").expect("an answer");
    assert_eq!(colour(&answer), (200, Some("recipes")));
    for (task, name, port) in [(&db, "db", 5432), (&redis, "redis", 6379)] {
        eventually("bytes pass", PATIENCE, async || {
            let answer = app.client(async || Echo::ask(anywhere(port), b"\x00select\xff").await);
            answer.ok().filter(|answer| !answer.is_empty())
        })
        .await
        .map(|answer| assert_eq!(answer, [name.as_bytes(), b":\x00select\xff"].concat()))
        .expect(name);
        assert!(task.tcp(name).connections() > 0);
    }
    // The page's node has no database among its backends.
    let answer = ui.client(async || Echo::ask(anywhere(5432), b"select").await);
    assert!(
        answer.is_err() || answer.as_ref().is_ok_and(Vec::is_empty),
        "{answer:?}"
    );
}
