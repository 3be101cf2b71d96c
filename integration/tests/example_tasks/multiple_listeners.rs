//! `howto-multiple-listeners`: ports of the gateway, of a router and of nodes, all different.

use std::net::{Ipv4Addr, SocketAddr};

use ferromesh_integration::rig::{example::Example, Network, Rig, Task};
use serde_json::{json, Value};

use crate::{address, ask, colour, file, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn howto_multiple_listeners_leads_each_port_and_path_to_its_application() {
    let Some(example) = Example::find("howto-multiple-listeners") else {
        return;
    };
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let mut food = Task::create(&network, "food", address(1, 2)).expect("a task");
    let mut color = Task::create(&network, "color", address(1, 3)).expect("a task");
    let mut gateway = Task::create(&network, "gateway", address(1, 4)).expect("a task");
    food.serve_http("fruit", 5555).expect("an application");
    food.serve_http("vegetable", 6666).expect("an application");
    color.serve_http("color", 7777).expect("an application");

    let create = async |operation: &str, name: &str, variables: &[(&str, &str)], names: Value| {
        file(&rig, &example, operation, name, variables, names).await;
    };
    create("create-mesh", "mesh.json", &[], json!({})).await;
    for (task, node) in [(&food, "foodteller-vn"), (&color, "colorteller-vn")] {
        let host = task.address().to_string();
        let names = json!({"virtualNodeName": node});
        create(
            "create-virtual-node",
            &format!("{node}.json"),
            &[("DNS_HOSTNAME", &host)],
            names,
        )
        .await;
    }
    let router = json!({"virtualRouterName": "foodteller-vr"});
    create("create-virtual-router", "foodteller-vr.json", &[], router).await;
    for kind in ["fruit", "vegetable"] {
        let names = json!({"virtualRouterName": "foodteller-vr", "routeName": kind});
        create("create-route", &format!("{kind}-route.json"), &[], names).await;
    }
    for service in ["foodteller", "colorteller"] {
        let names = json!({"virtualServiceName": format!("{service}.local")});
        create("create-virtual-service", &format!("{service}-vs.json"), &[], names).await;
    }
    let names = json!({"virtualGatewayName": "tellergateway-vg"});
    create("create-virtual-gateway", "tellergateway-vg.json", &[], names).await;
    for (kind, service) in [
        ("fruit", "foodteller"),
        ("vegetable", "foodteller"),
        ("color", "colorteller"),
    ] {
        let names = json!({"virtualGatewayName": "tellergateway-vg", "gatewayRouteName": kind});
        let service = format!("{service}.local");
        create(
            "create-gateway-route",
            &format!("{kind}-gateway-route.json"),
            &[("VIRTUALSERVICE_NAME", &service)],
            names,
        )
        .await;
    }
    food.start_sidecar(&rig, "mesh/m/virtualNode/foodteller-vn")
        .expect("a sidecar");
    color
        .start_sidecar(&rig, "mesh/m/virtualNode/colorteller-vn")
        .expect("a sidecar");
    gateway
        .start_proxy(&rig, "mesh/m/virtualGateway/tellergateway-vg")
        .expect("a gateway");

    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let host = "tellergateway";
    for (port, path, name) in [
        (1111, "/fruit/apple", "fruit"),
        (1111, "/vegetable/leek", "vegetable"),
        (2222, "/anything", "color"),
    ] {
        wait_for(&gateway, at(port), host, path).await;
        for _ in 0..5 {
            let answer = ask(&gateway, at(port), host, path).expect("an answer");
            assert_eq!(colour(&answer), (200, Some(name)), "{port}{path}");
        }
    }
    // A path of the other listener leads nowhere, and no application hears of it.
    food.http("fruit").forget();
    let answer = ask(&gateway, at(1111), host, "/anything").expect("an answer");
    assert_eq!(colour(&answer), (404, None));
    let answer = ask(&gateway, at(2222), host, "/fruit/apple").expect("an answer");
    assert_eq!(
        colour(&answer),
        (200, Some("color")),
        "port 2222 has one route, for any path"
    );
    assert_eq!(food.http("fruit").counts().requests, 0);
}
