//! One filter traps once a second: what it costs the other filters, the other requests, and itself.
//!
//! 6 seconds each; `FERROMESH_FULL=1` makes it 60. One worker: everything is on the worker where the filter dies.

mod recovery;

use std::{path::Path, time::Duration};

use ferromesh_integration::{
    bed::{self, Bed, Setup},
    client::Client,
    full,
    hostile::{Http2, Request},
    load::{Outcome, Report},
    rig::{eventually, paths, PATIENCE},
    trap_door::with_trap_door,
    upstream::Upstream,
    wire,
};
use serde_json::{json, Map, Value};

/// A module of somebody else, which dies of the header `x-f` in the way that its value names: `T` traps, `M` takes
/// memory until there is none and traps, `R` calls itself until the stack is full. Other requests it lets pass.
const HOSTILE: &str = r#"
(module
  (import "env" "proxy_get_header_map_value"
    (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 256)
  (data (i32.const 16) "x-f")
  (global $free (mut i32) (i32.const 1024))
  ;; Begins anew at each request: no header of these tests is longer than a page.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get $size)))
    (local.get $at))
  (func $recurse (param $n i64) (result i64)
    (i64.add (local.get $n) (call $recurse (i64.add (local.get $n) (i64.const 1)))))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $how i32)
    (global.set $free (i32.const 1024))
    ;; Map 0 is the request's headers; an empty value is how this ABI says that the header is not there.
    (i32.const 0) (i32.const 16) (i32.const 3) (i32.const 8) (i32.const 12)
    (drop (call $get_header))
    (if (i32.eqz (i32.load (i32.const 12))) (then (return (i32.const 0))))
    (local.set $how (i32.load8_u (i32.load (i32.const 8))))
    (if (i32.eq (local.get $how) (i32.const 77)) (then
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      unreachable))
    (if (i32.eq (local.get $how) (i32.const 82)) (then (drop (call $recurse (i64.const 0)))))
    unreachable)
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32)))
"#;

/// Dies of the trap door.
const DEADLY: &str = "POST / HTTP/1.1\r\nhost: color.local\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-end: 1\r\n\r\n";

fn policy() -> Value {
    json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": ["blue", "green"],
        "canary": {"weights": [50, 50], "sticky": {"header": "x-user"}},
        "observability": {"metrics": true, "responseHeaders": true},
    })
}

fn headers() -> Value {
    json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": ["blue"],
        "headers": {"response": [{"set": {"name": "x-decided", "value": "{route}"}}]},
    })
}

async fn colours() -> [Upstream; 2] {
    [
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    ]
}

async fn start(setup: Setup, colours: &[Upstream; 2]) -> Bed {
    let [blue, green] = colours;
    let setup = setup.target(blue, 50).target(green, 50);
    let options = json!({"enable_trailers": true});
    setup
        .manager("http_protocol_options", options)
        .start()
        .await
        .expect("Envoy")
}

/// Load of others, noting a header, while something happens once a second.
async fn meanwhile(bed: &Bed, noting: &str, mut once_a_second: impl AsyncFnMut(u64)) -> Report {
    let load = ferromesh_integration::load::Load::to(bed.url("/")).noting(noting);
    let load = load
        .connections(8)
        .per_second(300.0)
        .header("x-user", "ada")
        .start()
        .await
        .expect("load");
    for second in 0..full(6, 60) {
        once_a_second(second).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    load.stop().await
}

/// Every request has an answer, and what a target answered has passed our filter. An answer that Envoy makes of a filter
/// that died on the way back passes no other filter.
fn assert_all_decided(report: &Report) {
    for record in &report.records {
        match record.outcome {
            Outcome::Answered(200) => assert_eq!(record.note(), Some("all"), "{record:?}"),
            Outcome::Answered(503) => {}
            _ => panic!("{record:?}"),
        }
    }
}

/// Requests that were answered as if nothing had happened, of all.
fn share_of_200(report: &Report) -> f64 {
    let served = report.statuses().get(&200).copied().unwrap_or(0);
    served as f64 / report.len() as f64
}

fn written(module: &[u8], folder: &Path, name: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, module).expect("written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_a_second_in_a_strangers_filter_leaves_ours_alone_and_98_of_100_requests() {
    let (colours, folder) = (colours().await, tempfile::tempdir().expect("a folder"));
    let file = written(
        &wat::parse_str(HOSTILE).expect("a module"),
        folder.path(),
        "hostile.wasm",
    );
    let setup = Setup::with_policy("mesh", &policy()).expect("a built module");
    let bed = start(setup.filter("hostile", &file, &json!({})), &colours).await;
    let before = bed.memory().expect("memory");
    let mut trapped = 0;
    let report = meanwhile(&bed, "x-ferromesh-route", async |second| {
        let how = ["T", "M", "R"][second as usize % 3];
        let mut client = Client::of(bed.address()).expect("a client");
        let answer = client.get("/", &[("x-f", how)]).await.expect("an answer");
        assert_eq!(answer.status, 503, "{how}");
        trapped += 1;
    })
    .await;
    assert_all_decided(&report);
    let (share, reloads) = (share_of_200(&report), bed.reloads().await.expect("statistics"));
    println!(
        "{trapped} traps, {reloads} reloads, {:.2} % of {} served",
        share * 100.0,
        report.len()
    );
    assert!(share >= 0.98, "{share}");
    assert!(reloads >= trapped, "{reloads} reloads after {trapped} traps");
    // Ours is not among those that were started anew, and decided every request, those that died after it as well: its
    // counters are whole.
    let sent = report.len() as u64 + trapped;
    eventually("every request is counted", PATIENCE, async || {
        let total = bed
            .envoy
            .admin()
            .sum(r"^wasmcustom\.ferromesh_requests_total")
            .await
            .ok()?;
        (total == sent).then_some(())
    })
    .await
    .expect("whole counters");
    let grown = bed.memory().expect("memory").saturating_sub(before);
    println!("{} KiB more memory", grown / 1024);
    assert!(grown < full(64, 128) << 20, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_a_second_in_one_of_our_filters_leaves_another_of_ours_alone_and_98_of_100_requests() {
    let (colours, folder) = (colours().await, tempfile::tempdir().expect("a folder"));
    let built = std::fs::read(paths::module("mesh").expect("a module")).expect("bytes");
    let file = written(&with_trap_door(&built).expect("a module"), folder.path(), "mesh.wasm");
    // The one that dies comes after the one that must not notice.
    let setup = Setup::with_policy("headers", &headers()).expect("a built module");
    let bed = start(setup.filter("mesh", &file, &bed::plugin(&policy())), &colours).await;
    let mut homes = Vec::new();
    let report = meanwhile(&bed, "x-decided", async |_| {
        wire::exchange(bed.address(), DEADLY.as_bytes(), "\r\n\r\n")
            .await
            .expect("an answer");
        // Recovered: our filter decides again, and a user is where they were.
        let home = eventually("the filter decides again", PATIENCE, async || {
            let mut client = Client::of(bed.address()).ok()?;
            let answer = client.get("/", &[("x-user", "ada")]).await.ok()?;
            answer.header("x-ferromesh-route")?;
            answer.header("x-colour").map(str::to_owned)
        });
        homes.push(home.await.expect("recovery"));
    })
    .await;
    homes.dedup();
    assert_eq!(homes.len(), 1, "a reload moved a user: {homes:?}");
    assert_all_decided(&report);
    let (share, reloads) = (share_of_200(&report), bed.reloads().await.expect("statistics"));
    println!("{reloads} reloads, {:.2} % of {} served", share * 100.0, report.len());
    assert!(share >= 0.98, "{share}");
    assert_eq!(reloads, full(6, 60), "one for each trap");
}

/// Series of one metric, by its stat name.
async fn series(bed: &Bed) -> (usize, usize) {
    let stats = bed
        .envoy
        .admin()
        .stats(r"^wasmcustom\.ferromesh_requests_total")
        .await
        .expect("statistics");
    let other = stats.keys().filter(|name| name.contains("=other")).count();
    (stats.len(), other)
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_clients_write_or_that_are_too_many_make_no_series() {
    let colours = colours().await;
    // 30 routes to 100 targets: 3,000 pairs, of which a VM keeps 1,000 and one more for each class.
    let targets: Vec<String> = (0..100).map(|target| format!("target-{target}")).collect();
    let (mut policies, mut routes) = (Map::new(), Vec::new());
    for route in 0..30 {
        let name = format!("route-{route}");
        policies.insert(name.clone(), json!({
            "labels": {"virtualService": "color.local", "route": &name},
            "targets": targets,
            "canary": {"weights": vec![1; 100], "override": {"header": "x-canary"}},
            "observability": {"metrics": true, "grpc": true, "traceContext": true, "responseHeaders": true, "accessLog": true},
        }));
        let clusters: Vec<Value> = (0..100).map(|_| json!({"name": "blue", "weight": 1})).collect();
        let action = json!({"weighted_clusters": {"header_name": "x-ferromesh-pick", "clusters": clusters}});
        routes.push(bed::prefix(&name, &format!("/{route}/"), &action));
    }
    let plugin = json!({
        "mesh": "bed", "node": "front", "reporter": "gateway", "flushMillis": 100, "routes": policies,
    });
    let setup = Setup::new()
        .module("mesh", &plugin)
        .expect("a built module")
        .routes(routes);
    let bed = start(setup, &colours).await;
    let send = async |from: u32, to: u32| {
        // Every value is one that nobody has sent before.
        let requests: Vec<Request> = (from..to)
            .map(|number| {
                let names = [
                    "x-canary",
                    "grpc-status",
                    "content-type",
                    "user-agent",
                    "x-request-id",
                    "x-ferromesh-target",
                    "x-ferromesh-route",
                ];
                let headers = names.map(|name| (name.to_owned(), format!("application/grpc+{number};mesh={name}")));
                Request::get(&format!("/{}/{number}", number % 30), &headers)
            })
            .collect();
        let told = Http2::exchange(bed.address(), &requests).await.expect("answers");
        assert_eq!(told.answered, u64::from(to - from), "answers");
    };
    let (warm, all) = (10_000, full(30_000, 100_000));
    for from in (0..warm).step_by(250) {
        send(from, from + 250).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (before, memory) = (series(&bed).await, bed.memory().expect("memory"));
    for from in (warm..all).step_by(250) {
        send(from, from + 250).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (after, grown) = (series(&bed).await, bed.memory().expect("memory").saturating_sub(memory));
    println!(
        "{before:?}, then {after:?} series (all, other); {} KiB more memory",
        grown / 1024
    );
    assert!(after.0 - after.1 <= 1_000, "{after:?}");
    assert!(
        (1..=24).contains(&after.1),
        "one more for each class, of gRPC and of other requests: {after:?}"
    );
    assert!(after.0 <= before.0 + 24, "series grew from {before:?} to {after:?}");
    assert!(grown < 16 << 20, "{grown} bytes");
    bed.assert_no_trap().await.expect("no trap");
}
