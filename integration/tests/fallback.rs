//! Without the filter, or with its VM dead, traffic still splits by the weights: Envoy's own.

use std::{path::Path, time::Duration};

use ferromesh_integration::{
    load::Load,
    rig::{Envoy, Modules},
    stats,
    tiny_module::tiny_module,
    two_colours::{self, TwoColours},
    upstream::Upstream,
};
use tempfile::TempDir;

const IMPORTS: &str = r#"(import "env" "proxy_get_header_map_value"
    (func $get_header (param i32 i32 i32 i32 i32) (result i32)))"#;
/// Traps on each request that carries `x-trap` and does nothing on others: the smallest thing that can die like a broken
/// filter.
const TRAPS: &str = r"
    ;; Map 0 is the request's headers; status 0 means found.
    (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 8) (i32.const 12)
    (call $get_header)
    (if (i32.eqz) (then
      ;; An empty value is how this ABI says that the header is not there.
      (if (i32.ne (i32.load (i32.const 12)) (i32.const 0)) (then unreachable))))
    (i32.const 0)";

/// The module, as the file `mesh.wasm` of a folder.
fn trapping_module() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let text = tiny_module(IMPORTS, r#"(data (i32.const 16) "x-trap")"#, TRAPS);
    let module = wat::parse_str(text).expect("a module");
    std::fs::write(folder.path().join("mesh.wasm"), module).expect("written");
    folder
}

/// An Envoy whose only route is split 90:10 between `blue` and `green`, with the trapping module in front.
async fn envoy_with(failure_policy: &str, modules: &Path, upstream: &Upstream) -> Envoy {
    let module = modules.join("mesh.wasm");
    let configuration = include_str!("../../envoy-configs/bench/core.yaml")
        .replace("FAIL_RELOAD", failure_policy)
        .replace("{{UPSTREAM_PORT}}", &upstream.port().to_string())
        .replace("{{MODULE}}", &module.display().to_string());
    Envoy::start(&configuration).await.expect("Envoy")
}

/// Sends `x-trap` once and returns the status it got.
async fn trap(url: &str) -> u16 {
    let load = Load::to(url).connections(1).header("x-trap", "now");
    let statuses = load.send(1).await.expect("load").statuses();
    *statuses.keys().next().expect("an answer")
}

async fn green_share(envoy: &Envoy) -> (usize, usize) {
    let count = |cluster| {
        let filter = format!("^cluster\\.{cluster}\\.upstream_rq_completed$");
        async move { envoy.admin().sum(&filter).await.expect("statistics") as usize }
    };
    (count("green").await, count("blue").await + count("green").await)
}

async fn assert_split_goes_on(envoy: &Envoy, url: &str) {
    let (green, all) = green_share(envoy).await;
    let report = Load::to(url).send(3_000).await.expect("load");
    report.assert_no_failures("after the trap");
    let (after, total) = green_share(envoy).await;
    let (hits, requests) = (after - green, total - all);
    assert_eq!(requests, 3_000);
    let off = stats::sigmas(hits, requests, 0.1);
    assert!(
        off <= 4.0,
        "{hits} of {requests} on green: {off:.1} standard deviations off 10 %"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_trap_under_failure_policy_open_the_filter_is_gone_and_the_split_stays() {
    let (modules, upstream) = (trapping_module(), Upstream::start("any").await.expect("one"));
    let envoy = envoy_with("FAIL_OPEN", modules.path(), &upstream).await;
    let url = format!("http://{}/", envoy.admin().listener("case").await.expect("a listener"));
    assert_split_goes_on(&envoy, &url).await;
    assert_eq!(trap(&url).await, 503, "the request that traps");
    assert_eq!(trap(&url).await, 200, "the same again, past a dead filter");
    assert_split_goes_on(&envoy, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_trap_under_failure_policy_reload_the_filter_is_back_and_the_split_stays() {
    let (modules, upstream) = (trapping_module(), Upstream::start("any").await.expect("one"));
    let envoy = envoy_with("FAIL_RELOAD", modules.path(), &upstream).await;
    let url = format!("http://{}/", envoy.admin().listener("case").await.expect("a listener"));
    for _ in 0..3 {
        assert_eq!(trap(&url).await, 503, "the filter is there, and traps");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_split_goes_on(&envoy, &url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_splits_by_the_weights_when_there_is_no_module() {
    let mesh = TwoColours::start_with(Modules::Absent, two_colours::route([70, 30]))
        .await
        .expect("the mesh");
    let report = mesh.load().send(3_000).await.expect("load");
    report.assert_no_failures("no module");
    report.assert_share("green", 0.3);

    // A client's own number selects nothing here either.
    let forged = mesh.load().header("x-ferromesh-pick", "85");
    let forged = forged.send(1_500).await.expect("load");
    forged.assert_no_failures("a forged pick");
    forged.assert_share("green", 0.3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_traps_loses_only_the_requests_it_traps_on_and_the_split_stays() {
    let modules = trapping_module();
    let folder = Modules::Folder(modules.path().to_owned());
    let mesh = TwoColours::start_with(folder, two_colours::route([70, 30]))
        .await
        .expect("the mesh");
    let healthy = mesh.load().send(2_000).await.expect("load");
    healthy.assert_no_failures("before the trap");
    healthy.assert_share("green", 0.3);

    for round in 1..=3 {
        let trapped = mesh.load().connections(1).header("x-trap", "now");
        let trapped = trapped.send(4).await.expect("load");
        assert!(
            trapped.failures().count() > 0,
            "round {round}: the module never trapped: {:?}",
            trapped.statuses()
        );
        // Past the back-off of the reload.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let after = mesh.load().send(2_000).await.expect("load");
        after.assert_no_failures("after the trap");
        after.assert_share("green", 0.3);
    }
    let traps = mesh.gateway.admin().sum("wasm.*(vm_failed|reload|created)").await;
    println!("wasm counters after the traps: {traps:?}");
}
