//! `ferromesh explain` against a running control plane.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{ferromesh, http, logged, Process};

struct Server {
    _process: Process,
    url: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut command = ferromesh(&[]);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut process = Process::start(&mut command);
        let url = process.wait_for("url", |output| logged(output, "listening", "url"));
        let server = Self { _process: process, url };
        server.fill();
        server
    }

    fn put(&self, path: &str, body: &str) {
        let (status, said) = http("PUT", &format!("{}{path}", self.url), body).unwrap();
        assert_eq!(status, 200, "{path} {body}: {said}");
    }

    /// A node `front` and a gateway `edge` in front of `cart.local`, whose routes go to `blue` and `green`.
    fn fill(&self) {
        const M: &str = "/v20190125/meshes";
        let node = |name: &str| {
            let listener = r#"{"portMapping": {"port": 8080, "protocol": "http"}}"#;
            let dns = format!(r#"{{"dns": {{"hostname": "{name}.internal"}}}}"#);
            self.put(&format!("{M}/shop/virtualNodes"), &format!(r#"{{"virtualNodeName": "{name}", "spec": {{"listeners": [{listener}], "serviceDiscovery": {dns}}}}}"#));
        };
        self.put(M, r#"{"meshName": "shop"}"#);
        node("blue");
        node("green");
        self.put(&format!("{M}/shop/virtualNodes"), r#"{"virtualNodeName": "front", "spec": {"backends": [{"virtualService": {"virtualServiceName": "cart.local"}}]}}"#);
        self.put(&format!("{M}/shop/virtualRouters"), r#"{"virtualRouterName": "cart", "spec": {"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]}}"#);
        self.put(&format!("{M}/shop/virtualRouter/cart/routes"), r#"{"routeName": "beta", "spec": {"priority": 1, "httpRoute": {"match": {"prefix": "/", "headers": [{"name": "x-beta", "match": {"exact": "yes"}}]}, "action": {"weightedTargets": [{"virtualNode": "green", "weight": 1}]}}}}"#);
        self.put(&format!("{M}/shop/virtualRouter/cart/routes"), r#"{"routeName": "all", "spec": {"priority": 2, "httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [{"virtualNode": "blue", "weight": 3}, {"virtualNode": "green", "weight": 1}]}}}}"#);
        self.put(&format!("{M}/shop/virtualServices"), r#"{"virtualServiceName": "cart.local", "spec": {"provider": {"virtualRouter": {"virtualRouterName": "cart"}}}}"#);
        self.put(&format!("{M}/shop/virtualGateways"), r#"{"virtualGatewayName": "edge", "spec": {"listeners": [{"portMapping": {"port": 9000, "protocol": "http"}}]}}"#);
        self.put(&format!("{M}/shop/virtualGateway/edge/gatewayRoutes"), r#"{"gatewayRouteName": "cart", "spec": {"httpRoute": {"match": {"prefix": "/cart"}, "action": {"target": {"virtualService": {"virtualServiceName": "cart.local"}}}}}}"#);
        self.put(
            "/v1/policies/shop/pinned",
            r#"{"target": {"virtualService": "cart.local"}, "spec": {"canary": {"override": {"header": "x-pin"}}}}"#,
        );
    }

    fn explain(&self, arguments: &[&str]) -> Output {
        let mut command = ferromesh(&[("FERROMESH_SERVER", &self.url), ("FERROMESH_MESH", "shop")]);
        command.arg("explain").args(arguments).output().unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.explain(arguments);
        let problems = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {problems}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
        serde_json::from_str(&self.text(&arguments)).unwrap()
    }
}

#[test]
fn explain_says_where_a_request_goes_and_why_the_others_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());

    let text = server.text(&["--from", "front", "--url", "http://cart.local:8080/x"]);
    for line in [
        "GET http://cart.local:8080/x   from virtualNode/front",
        "  * port 8080",
        r#"      - wants: header x-beta is "yes"; there is none"#,
        "           75 %  virtualNode/blue, http 8080  (DNS blue.internal:8080, cluster cds_egress_shop_blue_http_8080)",
        "           25 %  virtualNode/green, http 8080  (DNS green.internal:8080, cluster cds_egress_shop_green_http_8080)",
        "then, 75 % of the requests:",
        "virtualNode/blue (ingress, port 15000)",
    ] {
        assert!(text.lines().any(|found| found.trim() == line.trim()), "no line {line:?} in\n{text}");
    }
    assert!(
        text.contains(r#""override":{"header":"x-pin"}"#),
        "the policy is missing in\n{text}"
    );

    let beta = server.json(&[
        "--from",
        "virtualNode/front",
        "--url",
        "http://cart.local:8080/",
        "-H",
        "X-Beta: yes",
    ]);
    assert_eq!(
        beta["first"]["outcome"]["targets"][0]["target"],
        "virtualNode/green, http 8080"
    );
    assert_eq!(beta["arrivals"][0]["passage"]["proxy"], "virtualNode/green");

    let gateway = server.json(&["--from", "gateway", "--url", "http://shop.example/cart/items?n=1"]);
    let outcome = &gateway["first"]["outcome"];
    assert_eq!(
        (&outcome["host"], &outcome["path"]),
        (&"cart.local".into(), &"/items?n=1".into())
    );
    let yaml = server.text(&[
        "--from",
        "edge",
        "--url",
        "http://shop.example:9000/other",
        "-o",
        "yaml",
    ]);
    assert!(yaml.contains("status: 404"), "{yaml}");
}

#[test]
fn explain_says_what_is_closed_and_what_has_no_host() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let outcome = |url: &str| server.json(&["--from", "front", "--url", url])["first"]["outcome"].clone();
    assert_eq!(outcome("http://other.local:8080/")["status"], 404);
    assert_eq!(outcome("http://cart.local:9999/")["type"], "close");
    assert_eq!(
        outcome("https://s3.amazonaws.com/")["targets"][0]["cluster"],
        "cds_egress_shop_amazonaws"
    );
    assert_eq!(outcome("https://example.com/")["type"], "close");
}

#[test]
fn explain_refuses_what_it_cannot_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for (arguments, said) in [
        (
            vec!["--from", "nobody", "--url", "http://a/"],
            "from: mesh shop has no virtual node and no virtual gateway named nobody",
        ),
        (
            vec!["--from", "front", "--url", "cart.local"],
            "url: must be like http://host:port/path, is \"cart.local\"",
        ),
        (vec!["--from", "front", "--url", "tcp://db"], "url: port is missing"),
        (
            vec!["--from", "front", "--url", "http://a/", "-X", "A B"],
            "method: must be a word like GET, is \"A B\"",
        ),
        (
            vec!["--from", "front", "--url", "http://a/", "--mesh", "none"],
            "Mesh with name none is not present",
        ),
    ] {
        let output = server.explain(&arguments);
        let problems = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {problems}");
        assert!(problems.contains(said), "{arguments:?}: {problems}");
    }
    assert_eq!(
        server
            .explain(&["--from", "front", "--url", "http://a/", "-H", "nonsense"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn explain_tells_the_choice_of_a_canary_for_the_headers_the_source_and_the_time_that_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let asked = ["--from", "front", "--url", "http://cart.local:8080/x"];
    let choice = |more: &[&str]| {
        let arguments: Vec<&str> = asked.iter().chain(more).copied().collect();
        let told = server.json(&arguments)["first"]["outcome"]["choice"].clone();
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        (text("target"), text("by").unwrap(), text("because").unwrap())
    };
    let (blue, green) = (
        "virtualNode/blue, http 8080".to_owned(),
        "virtualNode/green, http 8080".to_owned(),
    );

    let pinned = server.text(&[&asked[..], &["-H", "X-Pin: green"]].concat());
    let line = "    goes to virtualNode/green, http 8080, by override: header x-pin names it, as testers may";
    assert!(pinned.lines().any(|found| found == line), "{pinned}");
    assert!(!pinned.contains("virtualNode/blue (ingress"), "{pinned}");

    let steps = r#"[{"afterSeconds": 0, "weights": [1, 1]}, {"afterSeconds": 60, "weights": [0, 1]}]"#;
    let ramp = format!(r#"{{"startUnixMillis": 1000000, "steps": {steps}}}"#);
    let canary = format!(r#"{{"sticky": {{"sourceAddress": {{}}}}, "ramp": {ramp}}}"#);
    let target = r#"{"route": {"router": "cart", "name": "all"}}"#;
    server.put(
        "/v1/policies/shop/sourced",
        &format!(r#"{{"target": {target}, "spec": {{"canary": {canary}}}}}"#),
    );
    let said =
        |because: &str| format!("whoever has the same source address goes there; the ramp is at step {because} of 2");
    let at_first = ["--at-unix-millis", "1000001"];
    let mut met = std::collections::BTreeSet::new();
    for last in 1..20 {
        let source = format!("10.0.0.{last}");
        let (target, by, because) = choice(&[&at_first[..], &["--source", &source]].concat());
        assert_eq!((by.as_str(), because), ("sticky", said("1")));
        met.insert(target.unwrap());
    }
    assert_eq!(met, [blue, green.clone()].into());
    let unknown = "it depends on the source address, which is not given; the ramp is at step 1 of 2";
    assert_eq!(choice(&at_first), (None, "sticky".to_owned(), unknown.to_owned()));
    // Now: long after the last step.
    assert_eq!(
        choice(&["--source", "::1"]),
        (Some(green), "sticky".to_owned(), said("2"))
    );

    for wrong in [["--source", "front"], ["--at-unix-millis", "now"]] {
        let output = server.explain(&[&asked[..], &wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
