//! A canary is rolled back by the control plane over all proxies, each of which sees too little to decide alone.

use std::time::Duration;

use ferromesh_integration::{
    client::Client,
    rig::{eventually, paths, ports, wait_for_status, Proxy},
    two_colours::{TwoColours, SERVICE},
    upstream::Faults,
};
use serde_json::{json, Value};

/// Gateways, each an Envoy with two workers.
const GATEWAYS: usize = 3;

/// Requests that each version must have had. No gateway sends so many to either.
const MIN_REQUESTS: u64 = 400;

/// Requests through each gateway: 150 for each version, more or less.
const EACH: usize = 300;

/// Workers report every five seconds, and one that was not reached is told again in the next period.
const PATIENCE: Duration = Duration::from_secs(60);

const POLICY: &str = "/v1/policies/colours/careful";

struct Mesh {
    colours: TwoColours,
    /// `host:port` of the gateways.
    addresses: Vec<String>,
    /// Of the gateways after the first, and of one that leads nowhere.
    _proxies: Vec<Proxy>,
}

impl Mesh {
    /// Blue and green at equal shares behind several gateways, with a policy that rolls green back.
    async fn start() -> Self {
        let colours = TwoColours::start([50, 50]).await.expect("a mesh");
        let mut addresses = vec![colours.url("").replace("http://", "")];
        let mut proxies = Vec::new();
        for number in 1..GATEWAYS {
            let name = format!("gateway-{number}");
            let port = gateway(&colours, &name).await;
            let route = json!({"gatewayRouteName": "all", "spec": {"httpRoute": {
                "match": {"prefix": "/"},
                "action": {"target": {"virtualService": {"virtualServiceName": SERVICE}}},
            }}});
            let path = format!("meshes/colours/virtualGateway/{name}/gatewayRoutes");
            colours.rig.put(&path, &route).await.expect("a gateway route");
            proxies.push(proxy(&colours, &name).await);
            addresses.push(format!("127.0.0.1:{port}"));
        }
        gateway(&colours, "idle").await;
        proxies.push(proxy(&colours, "idle").await);
        let policy = json!({
            "target": {"virtualService": SERVICE},
            "spec": {
                "canary": {"rollback": {"canary": "green", "baseline": "blue", "minRequests": MIN_REQUESTS}},
                "observability": {"responseHeaders": true},
            },
        });
        let mesh = Self {
            colours,
            addresses,
            _proxies: proxies,
        };
        mesh.own("PUT", POLICY, Some(&policy)).await;
        for address in &mesh.addresses {
            wait_for_status(&format!("http://{address}/"), 200)
                .await
                .expect("an answer");
            // The policy is in effect, as what else it says is.
            let mut client = Client::of(address).expect("a client");
            let waited = eventually("the policy", PATIENCE, async || {
                let answer = client.get("/", &[]).await.ok()?;
                answer
                    .headers
                    .keys()
                    .any(|name| name.as_str().starts_with("x-ferromesh-"))
                    .then_some(())
            });
            waited.await.expect("the policy is in effect");
        }
        mesh.colours.blue.forget();
        mesh.colours.green.forget();
        mesh
    }

    /// A call of our own API.
    async fn own(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let method = method.parse().expect("a method");
        let mut request = client.request(method, format!("http://{}{path}", self.colours.rig.address()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    /// Sends through every gateway; how many of them green answered, at most those of any one gateway.
    async fn send(&self, each: usize) -> (usize, usize) {
        let (mut all, mut most) = (0, 0);
        for address in &self.addresses {
            let mut client = Client::of(address).expect("a client");
            let mut green = 0;
            for _ in 0..each {
                let answer = client.get("/", &[]).await.expect("an answer");
                green += usize::from(answer.header("x-colour") == Some("green"));
            }
            all += green;
            most = most.max(green);
        }
        (all, most)
    }

    /// The verdicts that are shown with the policy.
    async fn verdicts(&self) -> Vec<Value> {
        let (_, policy) = self.own("GET", POLICY, None).await;
        policy["status"]["rollbacks"].as_array().cloned().unwrap_or_default()
    }

    async fn until_verdict(&self) -> Value {
        let waited = eventually("a verdict", PATIENCE, async || self.verdicts().await.pop());
        waited
            .await
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.colours.rig.log()))
    }

    /// Canary requests that the control plane has compared.
    async fn compared(&self) -> u64 {
        let (_, shown) = self.own("GET", &format!("{POLICY}/rollback"), None).await;
        shown["comparisons"][0]["compared"]["canary"]["requests"]
            .as_u64()
            .unwrap_or(0)
    }

    /// Waits until no gateway sends anything to green.
    async fn until_silent(&self) {
        let waited = eventually("green gets nothing", PATIENCE, async || {
            (self.send(20).await.0 == 0).then_some(())
        });
        waited.await.expect("all gateways have taken the verdict");
    }
}

async fn gateway(colours: &TwoColours, name: &str) -> u16 {
    let port = ports::free().expect("a port");
    let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
    let gateway = json!({"virtualGatewayName": name, "spec": {"listeners": [listener]}});
    let made = colours.rig.put("meshes/colours/virtualGateways", &gateway).await;
    made.expect("a gateway");
    port
}

async fn proxy(colours: &TwoColours, name: &str) -> Proxy {
    let resource = format!("mesh/colours/virtualGateway/{name}");
    colours.rig.proxy(&resource).await.expect("a proxy")
}

fn failing(percent: f64) -> Faults {
    Faults {
        percent,
        status: 500,
        ..Faults::default()
    }
}

async fn command(mesh: &Mesh, arguments: &[&str]) -> String {
    let output = tokio::process::Command::new(paths::ferromesh().expect("the program"))
        .args(arguments)
        .args(["careful", "--mesh", "colours", "--server"])
        .arg(format!("http://{}", mesh.colours.rig.address()))
        .output()
        .await
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_see_too_little_alone_roll_a_canary_back_together() {
    let mut mesh = Mesh::start().await;
    mesh.colours.green.inject(failing(20.0));
    let (green, most) = mesh.send(EACH).await;
    assert!(
        (most as u64) < MIN_REQUESTS && green as u64 >= MIN_REQUESTS,
        "{green} canary requests, {most} of one gateway: the test shows nothing"
    );
    let verdict = mesh.until_verdict().await;
    println!("verdict: {verdict}");
    assert_eq!(
        (&verdict["cause"], &verdict["canary"]),
        (&json!("errors"), &json!("green"))
    );
    let counts = &verdict["counts"]["canary"];
    let compared = counts["requests"].as_u64().expect("a number");
    assert!(
        (MIN_REQUESTS..=green as u64 + 60).contains(&compared),
        "{compared} of {green}"
    );
    assert!(counts["errors"].as_u64() > Some(compared / 10), "{counts}");
    mesh.until_silent().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let metrics = client
        .get(format!("http://{}/metrics", mesh.colours.rig.address()))
        .send()
        .await;
    let metrics = metrics.expect("metrics").text().await.expect("text");
    assert!(
        metrics.contains("ferromesh_canary_rolled_back{mesh=\"colours\",policy=\"careful\""),
        "{metrics}"
    );
    assert!(command(&mesh, &["rollback", "show"]).await.contains("rolled back"));

    // Who does not have the route is not heard, whatever it says.
    let (_, shown) = mesh.own("GET", &format!("{POLICY}/rollback"), None).await;
    let counts = json!({"requests": 1_000, "errors": 1_000, "slow": 0});
    let forged = json!({"sender": 1, "number": 1, "canaries": [
        {"key": shown["comparisons"][0]["key"], "canary": counts, "baseline": counts},
    ]});
    let report = "/v1/reports/canary/mesh/colours/virtualGateway";
    let (status, answer) = mesh.own("POST", &format!("{report}/idle"), Some(&forged)).await;
    assert_eq!(status, 403, "{answer}");
    let (status, answer) = mesh.own("POST", &format!("{report}/gateway"), Some(&forged)).await;
    assert_eq!(
        (status, answer),
        (200, json!({"counted": 1})),
        "the same of one that has it"
    );

    // A verdict outlives the control plane.
    mesh.colours.rig.kill_control_plane();
    assert_eq!(mesh.send(20).await.0, 0, "nothing changes while it is away");
    mesh.colours.rig.start_control_plane().await.expect("a control plane");
    assert_eq!(mesh.verdicts().await.len(), 1);
    assert_eq!(mesh.send(50).await.0, 0, "nor when it is back");

    // Until somebody takes it back.
    mesh.colours.green.inject(Faults::default());
    assert_eq!(command(&mesh, &["rollback", "clear"]).await, "policy/careful cleared\n");
    let waited = eventually("green gets requests again", PATIENCE, async || {
        (mesh.send(40).await.0 > 20).then_some(())
    });
    waited.await.expect("the canary has its share again");
    assert!(mesh.verdicts().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_canary_keeps_its_requests_and_an_absent_control_plane_changes_nothing() {
    let mut mesh = Mesh::start().await;
    mesh.colours.blue.inject(failing(3.0));
    mesh.colours.green.inject(Faults {
        seed: 9_999_991,
        ..failing(3.0)
    });
    // Nobody is there to report to: it is told when there is.
    mesh.colours.rig.kill_control_plane();
    let (green, _) = mesh.send(EACH).await;
    let expected = GATEWAYS * EACH / 2;
    assert!(
        green.abs_diff(expected) < expected / 4,
        "{green} of {}",
        GATEWAYS * EACH
    );
    mesh.colours.rig.start_control_plane().await.expect("a control plane");
    let mut compared = 0;
    let waited = eventually("all is told", PATIENCE, async || {
        compared = mesh.compared().await;
        // Requests of the last part of a window may be left over.
        (compared as usize * 10 >= green * 9).then_some(())
    });
    waited
        .await
        .unwrap_or_else(|error| panic!("{compared} of {green}: {error:#}"));
    assert!(
        compared as usize <= green + 60,
        "{compared} of {green}: nothing is counted twice"
    );
    assert!(mesh.verdicts().await.is_empty());
    let (green, _) = mesh.send(40).await;
    assert!(green > 20, "{green} of {}", GATEWAYS * 40);
}
