//! Example meshes of App Mesh whose nodes run as tasks: every file unchanged, every call by the `aws` CLI, each task in
//! a network namespace of its own with App Mesh's redirection, gateways without it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use ferromesh_integration::{
    client::{Answer, Client},
    rig::{eventually, example::Example, Network, Rig, Task, PATIENCE},
    upstream::{Echo, Faults},
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

#[tokio::test(flavor = "multi_thread")]
async fn howto_http_retries_answers_what_fails_up_to_ten_times_and_without_policy_nothing() {
    let Some(example) = Example::find_files("howto-http-retries") else {
        return;
    };
    const SERVICE: &str = "color.howto-http-retries.local";
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let mut blue = Task::create(&network, "blue", address(2, 2)).expect("a task");
    let mut front = Task::create(&network, "front", address(2, 3)).expect("a task");
    blue.serve_http("blue", 8080).expect("an application");

    let listener = |port| json!([{"portMapping": {"port": port, "protocol": "http"}}]);
    let node = |name: &str, task: &Task, backends: Value| {
        json!({"meshName": "m", "virtualNodeName": name, "spec": {
            "listeners": listener(8080),
            "serviceDiscovery": {"dns": {"hostname": task.address().to_string()}},
            "backends": backends,
        }})
    };
    let create = async |operation: &str, input: Value| rig.aws(operation, &input).await.expect(operation);
    create("create-mesh", json!({"meshName": "m"})).await;
    create("create-virtual-node", node("blue-node", &blue, json!([]))).await;
    let router = json!({"meshName": "m", "virtualRouterName": "color-router", "spec": {"listeners": listener(8080)}});
    create("create-virtual-router", router).await;
    file(
        &rig,
        &example,
        "create-route",
        "blue-route-no-retry.json",
        &[],
        json!({}),
    )
    .await;
    let provider = json!({"virtualRouter": {"virtualRouterName": "color-router"}});
    create(
        "create-virtual-service",
        json!({"meshName": "m", "virtualServiceName": SERVICE, "spec": {"provider": provider}}),
    )
    .await;
    let backends = json!([{"virtualService": {"virtualServiceName": SERVICE}}]);
    create("create-virtual-node", node("front-node", &front, backends)).await;
    blue.start_sidecar(&rig, "mesh/m/virtualNode/blue-node")
        .expect("a sidecar");
    front
        .start_sidecar(&rig, "mesh/m/virtualNode/front-node")
        .expect("a sidecar");

    // The virtual service's name need only resolve; the front's application dials any address.
    let anywhere = SocketAddr::from((address(2, 99), 8080));
    wait_for(&front, anywhere, SERVICE, "/").await;
    let attempts = |failures: u64| {
        blue.http("blue").forget();
        blue.http("blue").inject(Faults {
            first: failures,
            status: 500,
            ..Faults::default()
        });
        let answer = ask(&front, anywhere, SERVICE, "/").expect("an answer");
        (answer.status, blue.http("blue").counts().requests)
    };
    assert_eq!(attempts(1), (500, 1), "without a policy a 500 is passed on at once");

    file(&rig, &example, "update-route", "blue-route.json", &[], json!({})).await;
    eventually("the policy is in force", PATIENCE, async || {
        (attempts(1).0 == 200).then_some(())
    })
    .await
    .expect("one retry");
    // Together within what the retry budget lets through in its window: 30 retries for a lone client.
    for failures in [0, 1, 4, 10] {
        assert_eq!(attempts(failures), (200, failures + 1), "{failures} failures");
    }
    assert_eq!(attempts(11), (500, 11), "ten retries and no more");

    file(
        &rig,
        &example,
        "update-route",
        "blue-route-no-retry.json",
        &[],
        json!({}),
    )
    .await;
    eventually("the policy is gone", PATIENCE, async || {
        (attempts(1).0 == 500).then_some(())
    })
    .await
    .expect("no retries");
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

/// Private keys, certificates and the authority's certificate, under the names that the example's files say.
fn keys(folder: &std::path::Path, names: &[(&str, &str)]) {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let authority = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
    let write = |file: String, text: String| std::fs::write(folder.join(file), text).expect("a file");
    write("ca_cert.pem".into(), authority.pem());
    for (name, san) in names {
        let params = rcgen::CertificateParams::new([(*san).to_owned()]).expect("a name");
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        write(
            format!("{name}_cert_chain.pem"),
            format!("{}{}", certificate.pem(), authority.pem()),
        );
        write(format!("{name}_key.pem"), key.serialize_pem());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn howto_mutual_tls_file_provided_succeeds_or_fails_at_each_of_its_steps() {
    let Some(example) = Example::find("howto-mutual-tls-file-provided") else {
        return;
    };
    const DOMAIN: &str = "howto-mutual-tls.local";
    const COLOR: &str = "colorteller.howto-mutual-tls.local";
    const GATEWAY: &str = "gateway.howto-mutual-tls.local";
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let folder = rig.file("keys");
    std::fs::create_dir_all(&folder).expect("a folder");
    keys(&folder, &[("colorteller", COLOR), ("gateway", GATEWAY)]);
    let mut color = Task::create(&network, "colorteller", address(3, 2)).expect("a task");
    let mut gateway = Task::create(&network, "colorgateway", address(3, 3)).expect("a task");
    color.serve_http("color", 9080).expect("an application");
    for task in [&mut color, &mut gateway] {
        task.namespace().mount(&folder, "/keys").expect("a volume");
    }
    register(&rig, DOMAIN, &[("colorteller", &color)]).await;

    let set = async |operation: &str, name: &str, variables: &[(&str, &str)], names: Value| {
        file(&rig, &example, operation, name, variables, names).await;
    };
    let node = async |name: &str, san: &str| {
        let (operation, file) = match name {
            "colorteller-vn" => ("create-virtual-node", "colorteller-vn.json".to_owned()),
            update => ("update-virtual-node", format!("updates/{update}.json")),
        };
        let variables = [("SERVICES_DOMAIN", DOMAIN), ("GATEWAY_SAN", san)];
        let names = json!({"virtualNodeName": "colorteller-vn"});
        set(operation, &file, &variables, names).await;
    };
    let gateway_update = async |name: &str, san: &str| {
        let names = json!({"virtualGatewayName": "gateway-vgw"});
        let name = format!("updates/{name}.json");
        set("update-virtual-gateway", &name, &[("COLOR_TELLER_SAN", san)], names).await;
    };
    set("create-mesh", "mesh.json", &[], json!({})).await;
    node("colorteller-vn", GATEWAY).await;
    let names = json!({"virtualServiceName": COLOR});
    set("create-virtual-service", "colorteller-vs.json", &[], names).await;
    let names = json!({"virtualGatewayName": "gateway-vgw"});
    set("create-virtual-gateway", "gateway-vgw.json", &[], names).await;
    let names = json!({"virtualGatewayName": "gateway-vgw", "gatewayRouteName": "color"});
    let service = [("VIRTUAL_SERVICE", COLOR)];
    set("create-gateway-route", "colorteller-gwroute.json", &service, names).await;
    color
        .start_sidecar(&rig, "mesh/m/virtualNode/colorteller-vn")
        .expect("a sidecar");
    gateway
        .start_proxy(&rig, "mesh/m/virtualGateway/gateway-vgw")
        .expect("a gateway");

    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9080));
    let status = async |wanted: u16| {
        let mut last = String::new();
        let waited = eventually("the step's status", PATIENCE, async || {
            match ask(&gateway, to, "gateway", "/") {
                Ok(answer) if answer.status == wanted => return Some(()),
                Ok(answer) => last = format!("{} {:?}", answer.status, answer.body),
                Err(error) => last = error.to_string(),
            }
            None
        })
        .await;
        waited
            .with_context(|| format!("{wanted} was expected, last: {last}"))
            .expect("a status");
    };
    // What a task's counters of the node's ingress listener, or of the gateway's cluster, rise by.
    let rises = async |task: &Task, counter: &str| {
        let before = task.sum(counter).expect("a counter");
        eventually(counter, PATIENCE, async || {
            let _ = ask(&gateway, to, "gateway", "/");
            (task.sum(counter).expect("a counter") > before).then_some(())
        })
        .await
        .expect("it counts");
    };

    // 1: no TLS at all.
    status(200).await;
    assert_eq!(color.sum(r"^listener\..*15000\.ssl\.handshake$").expect("a counter"), 0);
    // 2: the node insists on TLS; the gateway has no policy, speaks it all the same and shows no certificate.
    node("colorteller-vn-strict-tls", GATEWAY).await;
    rises(&color, r"^listener\..*15000\.ssl\.handshake$").await;
    status(200).await;
    rises(&color, r"^listener\..*15000\.ssl\.no_certificate$").await;
    // 3: the gateway checks the node's certificate, and its name.
    gateway_update("gateway-vgw-client-policy", "somebody.else.local").await;
    status(503).await;
    rises(&gateway, r"^cluster\.cds_egress_.*\.ssl\.fail_verify_san$").await;
    gateway_update("gateway-vgw-client-policy", COLOR).await;
    status(200).await;
    // 4: the node asks for a certificate, and the gateway has none.
    node("colorteller-vn-strict-validation", GATEWAY).await;
    status(503).await;
    rises(&color, r"^listener\..*15000\.ssl\.fail_verify_no_cert$").await;
    // 5: the gateway has one; under another name it would not do.
    gateway_update("gateway-vgw-client-cert", COLOR).await;
    status(200).await;
    node("colorteller-vn-strict-validation", "somebody.else.local").await;
    status(503).await;
    rises(&color, r"^listener\..*15000\.ssl\.fail_verify_san$").await;
    node("colorteller-vn-strict-validation", GATEWAY).await;
    status(200).await;
}

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
