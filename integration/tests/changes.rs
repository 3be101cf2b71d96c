//! Change sets against the real program, with a real Envoy: weights of several routes change at one moment, a dry run says
//! what comes, and lints say what does not work.

use std::path::PathBuf;
use std::process::{Command, Output};

use ferromesh_integration::{
    rig::{eventually, paths, ports, Proxy, Rig, PATIENCE},
    upstream::Upstream,
};
use reqwest::Method;
use serde_json::{json, Value};

const MESH: &str = r#"
meshName: m
---
meshName: m
virtualNodeName: blue
spec:
  listeners: [{portMapping: {port: BLUE, protocol: http}}]
  serviceDiscovery: {dns: {hostname: 127.0.0.1}}
---
meshName: m
virtualNodeName: green
spec:
  listeners: [{portMapping: {port: GREEN, protocol: http}}]
  serviceDiscovery: {dns: {hostname: 127.0.0.1}}
---
meshName: m
virtualGatewayName: gate
spec: {listeners: [{portMapping: {port: GATE, protocol: http}}]}
---
name: whole
mesh: m
target: {mesh: {}}
spec: {retry: {alongPath: firstHop}}
"#;

/// A service with its router, its route and its gateway route.
const SERVICE: &str = r#"
---
meshName: m
virtualRouterName: NAME
spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}
---
meshName: m
virtualRouterName: NAME
routeName: all
spec:
  httpRoute:
    match: {prefix: /}
    action: {weightedTargets: [{virtualNode: blue, weight: WEIGHT_BLUE}, {virtualNode: green, weight: WEIGHT_GREEN}]}
---
meshName: m
virtualServiceName: NAME.local
spec: {provider: {virtualRouter: {virtualRouterName: NAME}}}
---
meshName: m
virtualGatewayName: gate
gatewayRouteName: NAME
spec:
  httpRoute:
    match: {prefix: /NAME/}
    action: {target: {virtualService: {virtualServiceName: NAME.local}}}
"#;

struct Bench {
    rig: Rig,
    gateway: Proxy,
    _upstreams: Vec<Upstream>,
    gate: u16,
    ports: [(&'static str, u16); 3],
}

impl Bench {
    async fn start() -> Self {
        let rig = Rig::start().await.expect("a control plane");
        let blue = Upstream::start("blue").await.expect("an upstream");
        let green = Upstream::start("green").await.expect("an upstream");
        let gate = ports::free().expect("a free port");
        let ports = [("BLUE", blue.port()), ("GREEN", green.port()), ("GATE", gate)];
        let gateway = rig.start_proxy("mesh/m/virtualGateway/gate").expect("a proxy");
        Self {
            rig,
            gateway,
            _upstreams: vec![blue, green],
            gate,
            ports,
        }
    }

    /// Writes the mesh with these services' weights.
    fn write(&self, name: &str, services: &[(&str, u32, u32)]) -> PathBuf {
        let mut text = MESH.to_owned();
        for (service, blue, green) in services {
            let service = SERVICE.replace("NAME", service);
            let service = service.replace("WEIGHT_BLUE", &blue.to_string());
            text.push_str(&service.replace("WEIGHT_GREEN", &green.to_string()));
        }
        for (word, port) in self.ports {
            text = text.replace(word, &port.to_string());
        }
        let path = self.rig.file(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Runs the program as a client.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(paths::ferromesh().expect("the program"));
        command
            .args(arguments)
            .env("FERROMESH_SERVER", format!("http://{}", self.rig.address()));
        Ran::of(command.output().expect("the program runs"))
    }

    /// Which node answers for a service; `None` if none does.
    async fn answered(&self, service: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/{service}/", self.gate);
        let answer = reqwest::get(url).await.ok()?;
        let name = answer.headers().get("x-colour")?.to_str().ok()?.to_owned();
        Some(name)
    }

    /// The store's revision.
    async fn revision(&self) -> u64 {
        let body = json!({"changes": [], "dryRun": true});
        let answer = self
            .rig
            .accepted(Method::POST, "/v1/changes", &body)
            .await
            .expect("an answer");
        answer["revision"].as_u64().expect("a revision")
    }

    /// What there is of nodes and routes. A refusal makes a revision too: that of the audit record.
    async fn described(&self) -> [Value; 2] {
        let nodes = self.rig.get("meshes/m/virtualNodes").await.expect("the nodes");
        let route = self
            .rig
            .get("meshes/m/virtualRouter/a/routes/all")
            .await
            .expect("the route");
        [nodes, route]
    }

    /// How often the gateway's Envoy has taken new routes.
    async fn route_updates(&self) -> u64 {
        let stats = self
            .gateway
            .admin()
            .stats("rds.*config_reload$")
            .await
            .expect("statistics");
        stats.values().sum()
    }
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What it printed, if it ended well.
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self.out
    }
}

fn path(file: &std::path::Path) -> &str {
    file.to_str().expect("a path of text")
}

#[tokio::test]
async fn weights_of_several_routes_change_at_one_moment() {
    let bench = Bench::start().await;
    let blue = bench.write("blue.yaml", &[("a", 1, 0), ("b", 1, 0)]);
    let before = bench.revision().await;
    let printed = bench.run(&["apply", "-f", path(&blue)]).ok();
    assert_eq!(bench.revision().await, before + 1, "one transaction");
    assert_eq!(
        printed.lines().filter(|line| line.ends_with(" created")).count(),
        13,
        "{printed}"
    );
    bench.gateway.wait_until_live().await.expect("a live Envoy");
    for service in ["a", "b"] {
        let answered = eventually("blue answers", PATIENCE, async || bench.answered(service).await).await;
        assert_eq!(answered.expect("an answer"), "blue");
    }
    let unchanged = bench.run(&["apply", "-f", path(&blue)]).ok();
    assert!(
        unchanged.lines().all(|line| line.ends_with(" unchanged")),
        "{unchanged}"
    );

    let (revision, updates) = (bench.revision().await, bench.route_updates().await);
    let green = bench.write("green.yaml", &[("a", 0, 1), ("b", 0, 1)]);
    let difference = bench.run(&["diff", "-f", path(&green)]).ok();
    for expected in [
        "~ virtualRouter/a/route/all\n    ~ /spec/httpRoute/action/weightedTargets/0/weight: 1 → 0\n",
        "~ mesh/m/virtualGateway/gate\n",
        "    ~ RouteConfiguration ",
        "0 to create, 2 to update, 0 to delete, 11 unchanged; 1 proxies change",
    ] {
        assert!(difference.contains(expected), "{expected:?} is not in {difference}");
    }
    assert!(!difference.contains('\u{1b}'), "no colours where there is no terminal");
    assert_eq!(bench.revision().await, revision, "nothing is written");

    bench.run(&["apply", "-f", path(&green)]).ok();
    for service in ["a", "b"] {
        let turned = async || bench.answered(service).await.filter(|colour| colour == "green");
        eventually("green answers", PATIENCE, turned).await.expect("green");
    }
    assert_eq!(bench.revision().await, revision + 1);
    assert_eq!(bench.route_updates().await, updates + 1, "both routes in one update");
}

#[tokio::test]
async fn a_mistake_in_one_document_leaves_everything_as_it_was() {
    let bench = Bench::start().await;
    let right = bench.write("right.yaml", &[("a", 1, 1)]);
    bench.run(&["apply", "-f", path(&right)]).ok();
    let before = bench.described().await;
    let wrong = bench.rig.file("wrong.yaml");
    let text = "meshName: m\nvirtualRouterName: a\nrouteName: all\nspec:\n  httpRoute:\n    match: {prefix: /}\n    \
                action: {weightedTargets: [{virtualNode: nowhere, weight: 1}]}\n---\nmeshName: m\nvirtualNodeName: new\n\
                spec: {listeners: [{portMapping: {port: 0, protocol: http}}]}\n";
    std::fs::write(&wrong, text).expect("a file");
    let ran = bench.run(&["apply", "-f", path(&wrong)]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(
        ran.err
            .contains("wrong.yaml, document 2: virtualNode/new refused: BadRequestException: spec.listeners[0]"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
    assert_eq!(bench.described().await, before);
}

#[tokio::test]
async fn pruning_names_what_it_would_delete_and_waits_for_a_yes() {
    let bench = Bench::start().await;
    let two = bench.write("two.yaml", &[("a", 1, 1), ("b", 1, 1)]);
    bench.run(&["apply", "-f", path(&two)]).ok();
    let revision = bench.revision().await;
    let one = bench.write("one.yaml", &[("a", 1, 1)]);
    let ran = bench.run(&["apply", "-f", path(&one), "--prune"]);
    assert_eq!(ran.code, 1);
    let expected = [
        "virtualService/b.local",
        "virtualRouter/b",
        "virtualRouter/b/route/all",
        "virtualGateway/gate/gatewayRoute/b",
    ];
    for gone in expected {
        assert!(ran.err.contains(&format!("  {gone}\n")), "{gone} is not in {}", ran.err);
    }
    assert!(ran.err.contains("--yes") && !ran.err.contains("policy/"), "{}", ran.err);
    assert_eq!(bench.revision().await, revision);
    let difference = bench
        .run(&["apply", "-f", path(&one), "--prune", "--dry-run", "--proxies", "none"])
        .ok();
    assert!(
        difference.contains("- virtualRouter/b\n") && difference.contains("4 to delete"),
        "{difference}"
    );
    let printed = bench.run(&["apply", "-f", path(&one), "--prune", "--yes"]).ok();
    assert_eq!(
        printed.lines().filter(|line| line.ends_with(" deleted")).count(),
        4,
        "{printed}"
    );
    assert_eq!(bench.revision().await, revision + 1);
    let again = bench.run(&["diff", "-f", path(&one), "--prune", "-o", "json"]).ok();
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert!(
        again["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .all(|change| change["action"] == "unchanged"),
        "{again}"
    );
    assert_eq!(again["proxies"], json!([]));
}

#[tokio::test]
async fn lints_are_told_on_apply_and_by_analyze_with_and_without_a_server() {
    let bench = Bench::start().await;
    let mesh = bench.write("mesh.yaml", &[("a", 1, 1)]);
    bench.run(&["apply", "-f", path(&mesh)]).ok();
    let findings = bench.run(&["analyze", "--mesh", "m"]).ok();
    // Its nodes are found by this machine's address.
    assert!(
        findings.ends_with("1 mesh: 0 errors, 0 warnings, 2 notes\n"),
        "{findings}"
    );

    // A second route that the first one covers.
    let text = std::fs::read_to_string(&mesh).expect("the mesh");
    let text = text.replacen(
        "spec:\n  httpRoute:\n    match: {prefix: /}",
        "spec:\n  priority: 1\n  httpRoute:\n    match: {prefix: /}",
        1,
    );
    let shadowed = "---\nmeshName: m\nvirtualRouterName: a\nrouteName: admin\nspec:\n  priority: 2\n  httpRoute:\n    \
                    match: {prefix: /admin}\n    action: {weightedTargets: [{virtualNode: blue, weight: 1}]}\n";
    std::fs::write(&mesh, text + shadowed).expect("the mesh");
    let ran = bench.run(&["apply", "-f", path(&mesh)]);
    let expected = "error: FM201 virtualRouter/a/route/admin: it is never taken: route all comes before it";
    assert!(ran.code == 0 && ran.err.contains(expected), "{}", ran.err);
    let of_server = bench.run(&["analyze"]);
    assert_eq!(of_server.code, 1, "errors make it fail");
    assert!(
        of_server.out.contains(expected) && of_server.out.contains("docs/lints/FM201.md"),
        "{}",
        of_server.out
    );
    let of_files = bench.run(&["analyze", "-f", path(&mesh), "--fail-on", "never"]).ok();
    assert_eq!(of_files, of_server.out);
}
