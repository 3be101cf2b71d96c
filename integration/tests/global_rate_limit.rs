//! Limits over all proxies: a policy through the control plane's API, two stock Envoys, two instances of
//! `ferromesh rate-limit-service` and a real store.
//!
//! Each overload lasts 4 seconds; `FERROMESH_FULL=1` makes it 60.

use std::time::Duration;

use anyhow::Result;
use ferromesh_integration::{
    client::{Answer, Client},
    flood::Flood,
    full,
    rig::{
        eventually,
        limits::{LimitService, LimitStore},
        ports, wait_for_status, Modules, Proxy, PATIENCE,
    },
    two_colours::{self, TwoColours, SERVICE},
};
use reqwest::Method;
use serde_json::{json, Value};

/// Two gateways, each of which asks its own instance.
struct Bed {
    gateways: [String; 2],
    services: [LimitService; 2],
    store: LimitStore,
    _second: Proxy,
    mesh: TwoColours,
}

impl Bed {
    async fn start() -> Result<Self> {
        // Without modules: what is measured is native.
        let mesh = TwoColours::start_with(Modules::Absent, two_colours::route([1, 1])).await?;
        let port = ports::free()?;
        let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
        let gateway = json!({"virtualGatewayName": "second", "spec": {"listeners": [listener]}});
        mesh.rig.put("meshes/colours/virtualGateways", &gateway).await?;
        let all = json!({
            "gatewayRouteName": "all",
            "spec": {"httpRoute": {
                "match": {"prefix": "/"},
                "action": {"target": {"virtualService": {"virtualServiceName": SERVICE}}},
            }},
        });
        let routes = "meshes/colours/virtualGateway/second/gatewayRoutes";
        mesh.rig.put(routes, &all).await?;
        let second = mesh.rig.proxy("mesh/colours/virtualGateway/second").await?;
        wait_for_status(&format!("http://127.0.0.1:{port}/"), 200).await?;
        let store = mesh.rig.limit_store().await?;
        let services = [
            mesh.rig.limit_service(&store).await?,
            mesh.rig.limit_service(&store).await?,
        ];
        let first = mesh.url("").trim_start_matches("http://").to_owned();
        Ok(Self {
            gateways: [first, format!("127.0.0.1:{port}")],
            services,
            store,
            _second: second,
            mesh,
        })
    }

    /// Puts the same limits on both gateways and waits until both tell `policy`.
    async fn limit(&self, on_failure: &str, limits: Value, policy: &str) -> Result<()> {
        for (gateway, service) in ["gateway", "second"].iter().zip(&self.services) {
            let body = json!({
                "target": {"virtualGateway": gateway},
                "spec": {"rateLimit": {"global": {
                    "service": {"address": service.address()},
                    "domain": "colours",
                    // This machine compiles beside it.
                    "timeoutMillis": 5000,
                    "onFailure": on_failure,
                    "limits": limits,
                }}},
            });
            let path = format!("/v1/policies/colours/limits-{gateway}");
            self.mesh.rig.accepted(Method::PUT, &path, &body).await?;
        }
        for index in 0..2 {
            eventually("the limits are live", PATIENCE, async || {
                let answer = self.ask(index, &[("x-user", "waiting")]).await.ok()?;
                (answer.values("ratelimit-policy") == [policy]).then_some(())
            })
            .await?;
        }
        Ok(())
    }

    async fn ask(&self, gateway: usize, headers: &[(&str, &str)]) -> Result<Answer> {
        Client::of(&self.gateways[gateway])?.get("/", headers).await
    }
}

fn per_user(limit: Value) -> Value {
    json!([{"key": [{"header": "x-user"}], "limit": limit}])
}

#[tokio::test(flavor = "multi_thread")]
async fn two_envoys_with_two_services_admit_together_what_the_limit_says() -> Result<()> {
    let bed = Bed::start().await?;
    let time = Duration::from_secs(full(4, 60));
    let limit = json!({"name": "all", "requests": 100, "windowSeconds": 1, "burst": 50});
    bed.limit("deny", per_user(limit), "\"all\";q=100;w=1;ferromesh-burst=50")
        .await?;
    let flood = |gateway: usize| {
        let flood = Flood::on(&bed.gateways[gateway], "/").header("x-user", "ada");
        flood.connections(8).per_second(100.0)
    };
    let (first, second) = (flood(0), flood(1));
    let (first, second) = tokio::join!(first.send_for(time), second.send_for(time));
    let (first, second) = (first?, second?);
    let took = first.took.max(second.took);
    let admitted = (first.with(200) + second.with(200)) as f64;
    let due = |time: Duration| 50.0 + 100.0 * time.as_secs_f64();
    println!(
        "{admitted} of {} admitted in {took:?}: {:.3} to {:.3} of the limit; {:?} {:?}",
        first.all() + second.all(),
        admitted / due(took),
        admitted / due(time),
        first.statuses,
        second.statuses
    );
    for flooded in [&first, &second] {
        let answered = flooded.with(200) + flooded.with(429);
        assert_eq!(answered, flooded.all(), "{:?}", flooded.statuses);
        assert!(flooded.with(200) > 0 && flooded.with(429) > 0, "{:?}", flooded.statuses);
    }
    assert!(admitted >= due(time) * 0.95, "{admitted} of at least {}", due(time));
    assert!(admitted <= due(took) * 1.02, "{admitted} of at most {}", due(took));

    // Both instances decided, and say so.
    for service in &bed.services {
        let text = service.metrics(&bed.mesh.rig).await?;
        let over = "ferromesh_ratelimit_limits_total{domain=\"colours\",limit=\"all\",result=\"over_limit\"}";
        let line = text.lines().find(|line| line.starts_with(over)).expect("a series");
        assert!(!line.ends_with(" 0"), "{line}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_tells_when_to_come_back_and_a_changed_limit_is_live_at_once() -> Result<()> {
    let mut bed = Bed::start().await?;
    let limit = json!({"name": "few", "requests": 4, "windowSeconds": 3600});
    bed.limit("deny", per_user(limit), "\"few\";q=4;w=3600").await?;
    // In turns at both gateways: one count.
    for (turn, left) in [(0, 3), (1, 2), (0, 1), (1, 0)] {
        let answer = bed.ask(turn, &[("x-user", "ada")]).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let field = answer.header("ratelimit").expect("a field");
        assert!(field.starts_with(&format!("\"few\";r={left};t=")), "{field}");
        assert_eq!(answer.header("retry-after"), None);
    }
    for gateway in [0, 1] {
        let answer = bed.ask(gateway, &[("x-user", "ada")]).await?;
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_eq!(answer.values("ratelimit-policy"), ["\"few\";q=4;w=3600"]);
        let wait: u64 = answer.header("retry-after").expect("a time").parse()?;
        // 4 in an hour: one comes back within 900 seconds.
        assert!((1..=900).contains(&wait), "{wait}");
        assert_eq!(
            answer.header("ratelimit"),
            Some(format!("\"few\";r=0;t={wait}").as_str())
        );
        assert_eq!(
            bed.ask(gateway, &[("x-user", "bob")]).await?.status,
            200,
            "counted apart"
        );
        assert_eq!(
            bed.ask(gateway, &[]).await?.status,
            200,
            "without the header nothing is counted"
        );
        // Only the route says what the limit is.
        let forged = [("x-user", "ada"), ("ferromesh.limit", "\"few\";q=1000;w=1")];
        assert_eq!(bed.ask(gateway, &forged).await?.status, 429);
    }

    // An instance that starts anew has forgotten nothing: counts are the store's.
    bed.services[0].process().terminate();
    assert!(bed.services[0]
        .process()
        .ended(PATIENCE)
        .await
        .is_some_and(|status| status.success()));
    bed.services[0] = bed.mesh.rig.limit_service(&bed.store).await?;

    // More from now on, and what was used counts on: 4 of 10.
    let limit = json!({"name": "few", "requests": 10, "windowSeconds": 3600});
    bed.limit("deny", per_user(limit), "\"few\";q=10;w=3600").await?;
    let mut statuses = Vec::new();
    for turn in 0..8 {
        statuses.push(bed.ask(turn % 2, &[("x-user", "ada")]).await?.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_requests_are_refused_or_pass_as_the_policy_says() -> Result<()> {
    let mut bed = Bed::start().await?;
    let limits = || per_user(json!({"name": "few", "requests": 1, "windowSeconds": 3600}));
    let told = "\"few\";q=1;w=3600";
    bed.limit("deny", limits(), told).await?;
    assert_eq!(bed.ask(0, &[("x-user", "ada")]).await?.status, 200);
    assert_eq!(bed.ask(1, &[("x-user", "ada")]).await?.status, 429);

    bed.store.kill();
    for service in &bed.services {
        service.until_readiness(&bed.mesh.rig, 503).await?;
    }
    for gateway in [0, 1] {
        let answer = bed.ask(gateway, &[("x-user", "bob")]).await?;
        assert_eq!(answer.status, 500, "{answer:?}");
        // Routes are routes: what has no part in the limit is not touched.
        assert_eq!(bed.ask(gateway, &[]).await?.status, 200);
    }
    let text = bed.services[0].metrics(&bed.mesh.rig).await?;
    assert!(text.contains("ferromesh_ratelimit_store_ready 0\n"), "{text}");
    assert!(!text.contains("errors_total{reason=\"store_lost\"} 0\n"), "{text}");

    bed.store.start(&bed.mesh.rig).await?;
    for service in &bed.services {
        service.until_readiness(&bed.mesh.rig, 200).await?;
    }
    // A store that kept nothing on disk has forgotten the counts.
    assert_eq!(bed.ask(0, &[("x-user", "ada")]).await?.status, 200);
    assert_eq!(bed.ask(1, &[("x-user", "ada")]).await?.status, 429);

    bed.limit("allow", limits(), told).await?;
    bed.store.kill();
    for service in &bed.services {
        service.until_readiness(&bed.mesh.rig, 503).await?;
    }
    // The mode may come a moment after the limits, which are the same: the filter is in the listener.
    for index in [0, 1] {
        eventually("requests pass", PATIENCE, async || {
            let answer = bed.ask(index, &[("x-user", "ada")]).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await?;
    }
    Ok(())
}
