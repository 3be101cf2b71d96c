//! A request's whole way: from a node or a gateway to the proxy beside the application.

mod fixture;

use std::time::Duration;

use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::simulate::{explain, Circumstances, Explanation, Outcome, Question};
use ferromesh_ir::{Options, Proxy};
use ferromesh_model::mesh::Mesh;
use ferromesh_model::Violation;
use serde_json::{json, Value};

fn mesh(egress: &str) -> Mesh {
    let listener = |port: u16, protocol: &str| json!({"portMapping": {"port": port, "protocol": protocol}});
    let dns = |name: &str| json!({"dns": {"hostname": name}});
    let backends = json!([
        {"virtualService": {"virtualServiceName": "cart.local"}},
        {"virtualService": {"virtualServiceName": "db.local"}},
    ]);
    let targets = json!([{"virtualNode": "blue", "weight": 2}, {"virtualNode": "green", "weight": 1}, {"virtualNode": "red", "weight": 0}]);
    let route = |matched: Value, targets: Value| json!({"httpRoute": {"match": matched, "action": {"weightedTargets": targets}}});
    let service = json!({"target": {"virtualService": {"virtualServiceName": "cart.local"}}});
    let mut mesh = fixture::mesh(json!([
        ["node", "front", {"backends": backends}],
        ["node", "blue", {"listeners": [listener(8080, "http")], "serviceDiscovery": dns("blue.internal")}],
        ["node", "green", {"listeners": [listener(8080, "http")], "serviceDiscovery": dns("green.internal")}],
        ["node", "red", {"listeners": [listener(8080, "http")], "serviceDiscovery": dns("red.internal")}],
        ["node", "db", {"listeners": [listener(5432, "tcp")], "serviceDiscovery": dns("db.internal")}],
        ["router", "cart", {"listeners": [listener(8080, "http")]}],
        ["route", "cart/post", route(json!({"prefix": "/", "method": "POST"}), json!([{"virtualNode": "red", "weight": 1}]))],
        ["route", "cart/all", route(json!({"prefix": "/"}), targets)],
        ["service", "cart.local", {"provider": {"virtualRouter": {"virtualRouterName": "cart"}}}],
        ["service", "db.local", {"provider": {"virtualNode": {"virtualNodeName": "db"}}}],
        ["gateway", "edge", {"listeners": [listener(9000, "http"), listener(9001, "http")]}],
        ["gatewayRoute", "edge/shop", {"httpRoute": {"match": {"prefix": "/shop", "port": 9000}, "action": service}}],
    ]));
    mesh.spec = serde_json::from_value(json!({"egressFilter": {"type": egress}})).expect("a spec");
    mesh
}

fn ask(mesh: &Mesh, from: &str, method: &str, url: &str) -> Result<Explanation, Vec<Violation>> {
    let question = Question {
        from: from.into(),
        url: url.into(),
        method: method.into(),
        headers: vec![],
        circumstances: Circumstances::default(),
    };
    let name = |proxy: &Proxy, id: &ClusterId| format!("{} {id:?}", proxy.name);
    explain(mesh, &Options::default(), &question, &name)
}

fn targets(explanation: &Explanation) -> Vec<(String, f64)> {
    match &explanation.first.outcome {
        Outcome::Forward(forwarding) => {
            let shares = forwarding.targets.iter();
            shares.map(|share| (share.target.clone(), share.percent)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_goes_from_a_nodes_egress_to_the_ingress_of_each_target_with_a_share() {
    let mesh = mesh("DROP_ALL");
    let explanation = ask(&mesh, "front", "GET", "http://cart.local:8080/x").expect("an explanation");
    let expected = [
        ("virtualNode/blue, http 8080".to_owned(), 66.667),
        ("virtualNode/green, http 8080".to_owned(), 33.333),
        ("virtualNode/red, http 8080".to_owned(), 0.0),
    ];
    assert_eq!(targets(&explanation), expected);
    let arrivals: Vec<&str> = explanation
        .arrivals
        .iter()
        .map(|arrival| arrival.passage.proxy.as_str())
        .collect();
    assert_eq!(arrivals, ["virtualNode/blue", "virtualNode/green"]);
    for arrival in &explanation.arrivals {
        assert!(
            matches!(&arrival.passage.outcome, Outcome::Forward(on) if on.targets[0].target == "the application, http 8080")
        );
    }
    let lost: Vec<String> = explanation
        .first
        .routes
        .iter()
        .filter(|route| !route.chosen)
        .flat_map(|route| &route.failed)
        .map(ToString::to_string)
        .collect();
    assert_eq!(lost[0], r#"method is "POST": it is "GET""#);
}

#[test]
fn bytes_go_by_port_and_nothing_else() {
    let mesh = mesh("DROP_ALL");
    let explanation = ask(&mesh, "virtualNode/front", "GET", "tcp://anything:5432").expect("an explanation");
    assert_eq!(targets(&explanation), [("virtualNode/db, tcp 5432".to_owned(), 100.0)]);
    assert!(explanation.first.routes.is_empty());
    assert_eq!(explanation.arrivals[0].passage.proxy, "virtualNode/db");
}

#[test]
fn what_is_no_backend_is_closed_answered_or_let_out_by_the_egress_filter() {
    let (closed, open) = (mesh("DROP_ALL"), mesh("ALLOW_ALL"));
    let outcome = |mesh: &Mesh, url: &str| ask(mesh, "front", "GET", url).expect("an explanation").first.outcome;
    assert!(matches!(
        outcome(&closed, "http://x.example:1234/"),
        Outcome::Close { .. }
    ));
    assert!(matches!(
        outcome(&closed, "http://x.example:8080/"),
        Outcome::Respond { status: 404, .. }
    ));
    assert!(matches!(outcome(&closed, "https://x.example/"), Outcome::Close { .. }));
    for url in [
        "http://x.example:1234/",
        "http://x.example:8080/",
        "https://x.example/",
        "https://s3.amazonaws.com/",
    ] {
        assert!(matches!(outcome(&open, url), Outcome::Forward(_)), "{url}");
    }
    assert!(matches!(
        outcome(&closed, "https://s3.amazonaws.com/"),
        Outcome::Forward(_)
    ));
    // A client that speaks TLS to a port where HTTP is spoken.
    assert!(matches!(
        outcome(&closed, "https://cart.local:8080/"),
        Outcome::Close { .. }
    ));
}

#[test]
fn a_gateway_rewrites_before_the_services_routes_are_met() {
    let mesh = mesh("DROP_ALL");
    let explanation = ask(&mesh, "gateway", "GET", "http://shop.example:9000/shop/a?b=c").expect("an explanation");
    let Outcome::Forward(forwarding) = &explanation.first.outcome else {
        panic!("{explanation:?}");
    };
    assert_eq!(
        (forwarding.host.as_deref(), forwarding.path.as_deref()),
        (Some("cart.local"), Some("/a?b=c"))
    );
    assert_eq!(forwarding.timeout_millis, Some(15_000));
    assert!(
        forwarding
            .retries
            .as_deref()
            .is_some_and(|retries| retries.starts_with("2 on ")),
        "{forwarding:?}"
    );
    let other = ask(&mesh, "edge", "GET", "http://shop.example:9001/shop").expect("an explanation");
    assert!(matches!(other.first.outcome, Outcome::Respond { status: 404, .. }));
    let nowhere = ask(&mesh, "edge", "GET", "http://shop.example:7/").expect("an explanation");
    assert!(matches!(nowhere.first.outcome, Outcome::Close { .. }));
}

#[test]
fn says_what_is_wrong_with_the_question() {
    let mesh = mesh("DROP_ALL");
    for (from, url, said) in [
        (
            "nobody",
            "http://a/",
            "from: mesh m has no virtual node and no virtual gateway named nobody",
        ),
        (
            "virtualGateway/front",
            "http://a/",
            "from: mesh m has no virtualGateway named front",
        ),
        (
            "mesh/m",
            "http://a/",
            "from: must be virtualNode/NAME, virtualGateway/NAME or a name, is \"mesh/m\"",
        ),
        (
            "edge",
            "http://a/",
            "url: port is missing: virtual gateway edge listens on 9000, 9001",
        ),
    ] {
        let violations = ask(&mesh, from, "GET", url).expect_err(said);
        assert_eq!(violations[0].to_string(), said);
    }
}

/// A mesh whose node `front` calls `cart.local`, with a canary from blue to green.
fn releasing(canary: Value) -> Mesh {
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let node = |name: &str| json!({"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": name}}});
    // A target without a weight is left out of what the filter is told.
    let targets = json!([
        {"virtualNode": "red", "weight": 0},
        {"virtualNode": "blue", "weight": 70},
        {"virtualNode": "green", "weight": 30},
    ]);
    let router = json!({"virtualRouter": {"virtualRouterName": "cart"}});
    fixture::mesh(json!([
        ["node", "front", {"backends": [{"virtualService": {"virtualServiceName": "cart.local"}}]}],
        ["node", "red", node("red")],
        ["node", "blue", node("blue")],
        ["node", "green", node("green")],
        ["router", "cart", {"listeners": [listener]}],
        ["route", "cart/all", {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}],
        ["service", "cart.local", {"provider": router}],
        ["policy", "p", {"name": "p", "mesh": "m", "target": {"route": {"router": "cart", "name": "all"}},
            "spec": {"canary": canary}}],
    ]))
}

fn called_with(mesh: &Mesh, headers: &[(&str, &str)], unix: Duration) -> Explanation {
    let question = Question {
        from: "front".into(),
        url: "http://cart.local:8080/x".into(),
        method: "GET".into(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        circumstances: Circumstances { unix, source: None },
    };
    let name = |proxy: &Proxy, id: &ClusterId| format!("{} {id:?}", proxy.name);
    explain(mesh, &Options::default(), &question, &name).expect("an explanation")
}

fn arrivals(explanation: &Explanation) -> Vec<(&str, f64)> {
    let arrivals = explanation.arrivals.iter();
    arrivals
        .map(|arrival| (arrival.passage.proxy.as_str(), arrival.percent))
        .collect()
}

#[test]
fn a_canarys_choice_is_told_and_only_the_chosen_target_is_reached() {
    let mesh = releasing(json!({"sticky": {"header": "x-user"}, "override": {"header": "x-canary"}}));
    let tester = called_with(&mesh, &[("X-Canary", "green")], Duration::ZERO);
    let said = "to virtualNode/green, http 8080: header x-canary names it, as testers may";
    assert!(tester.verdict.ends_with(said), "{}", tester.verdict);
    assert_eq!(arrivals(&tester), [("virtualNode/green", 100.0)]);
    assert_eq!(
        targets(&tester).iter().map(|(_, share)| *share).collect::<Vec<_>>(),
        [0.0, 70.0, 30.0]
    );

    let mut met = std::collections::BTreeMap::<String, u32>::new();
    for user in 0..200 {
        let user = format!("user-{user}");
        let explanation = called_with(&mesh, &[("x-user", &user)], Duration::ZERO);
        let Outcome::Forward(forwarding) = &explanation.first.outcome else {
            panic!("{explanation:?}");
        };
        let choice = forwarding.choice.as_ref().expect("a choice");
        assert_eq!(
            (choice.by, choice.because.as_str()),
            ("sticky", "whoever has the same header x-user goes there")
        );
        let [(proxy, 100.0)] = arrivals(&explanation)[..] else {
            panic!("{explanation:?}");
        };
        assert_eq!(choice.target.as_deref(), Some(format!("{proxy}, http 8080").as_str()));
        *met.entry(proxy.to_owned()).or_default() += 1;
    }
    assert_eq!(
        met.keys().collect::<Vec<_>>(),
        ["virtualNode/blue", "virtualNode/green"]
    );
    assert!((35..=90).contains(&met["virtualNode/green"]), "{met:?}");

    let anybody = called_with(&mesh, &[], Duration::ZERO);
    assert_eq!(
        arrivals(&anybody),
        [("virtualNode/blue", 70.0), ("virtualNode/green", 30.0)]
    );
    assert!(anybody
        .verdict
        .ends_with("70 % to virtualNode/blue, http 8080 and 30 % to virtualNode/green, http 8080"));
}

#[test]
fn shares_are_those_of_the_ramp_at_the_time_that_is_asked_about() {
    let steps = json!([{"afterSeconds": 0, "weights": [0, 9, 1]}, {"afterSeconds": 60, "weights": [0, 1, 1]}, {"afterSeconds": 120, "weights": [0, 0, 1]}]);
    let mesh = releasing(json!({"ramp": {"startUnixMillis": 1_000_000, "steps": steps}}));
    let at = |seconds| called_with(&mesh, &[], Duration::from_secs(seconds));
    let shares = |explanation: &Explanation| targets(explanation).iter().map(|(_, share)| *share).collect::<Vec<_>>();
    assert_eq!(shares(&at(999)), [0.0, 70.0, 30.0]);
    assert_eq!(shares(&at(1_000)), [0.0, 90.0, 10.0]);
    assert_eq!(shares(&at(1_060)), [0.0, 50.0, 50.0]);
    let last = at(1_120);
    assert_eq!(shares(&last), [0.0, 0.0, 100.0]);
    assert_eq!(arrivals(&last), [("virtualNode/green", 100.0)]);
    assert!(
        last.verdict.ends_with("; the ramp is at step 3 of 3"),
        "{}",
        last.verdict
    );
}
