//! Rate limits in stock Envoy, exact over all workers.
//!
//! Each overload lasts 2 seconds; `FERROMESH_FULL=1` makes it 60.

use std::time::Duration;

use ferromesh_integration::{
    bed::{self, Bed, Setup},
    client::Client,
    flood::Flood,
    full,
    hostile::{Http2, Request},
    rig::{eventually, paths, PATIENCE},
    tiny_module::tiny_module,
    trap_door::with_trap_door,
    upstream::Upstream,
    wire,
};
use serde_json::{json, Value};

fn policy(limits: Value) -> Value {
    json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": ["blue"],
        "rateLimit": {"limits": limits},
    })
}

/// An Envoy that answers what is admitted itself: what is measured is the limit.
async fn bed(limits: Value, workers: usize) -> Bed {
    let setup = Setup::with_policy("rate-limit", &policy(limits)).expect("a built module");
    let setup = setup.workers(workers).routes(vec![bed::answered("all", "/")]);
    setup.start().await.expect("Envoy")
}

#[tokio::test(flavor = "multi_thread")]
async fn under_overload_a_limit_admits_what_it_says_with_any_number_of_workers() {
    let time = Duration::from_secs(full(2, 60));
    for limit in [10_u32, 100, 5_000] {
        for workers in [1, 2, 4] {
            let limits = json!([{"name": "all", "requests": limit, "windowSeconds": 1}]);
            let bed = bed(limits, workers).await;
            // Half as many again as are admitted, or as much as this machine can if that is less.
            let rate = f64::from(limit) * 1.5 + 50.0;
            let flood = Flood::on(bed.address(), "/").connections(32);
            let flood = if limit < 1_000 { flood.per_second(rate) } else { flood };
            let flooded = flood.send_for(time).await.expect("answers");
            let admitted = flooded.with(200) as f64;
            // The burst and what comes in the time: at least while requests were sent, at most until the last answer.
            let due = |time: Duration| f64::from(limit) * time.as_secs_f64() + f64::from(limit);
            let (least, most) = (due(time), due(flooded.took));
            println!(
                "{limit}/s, {workers} workers: {admitted} of {} admitted in {:?}: {:.3} of {most:.0}",
                flooded.all(),
                flooded.took,
                admitted / most
            );
            assert_eq!(
                flooded.with(200) + flooded.with(429),
                flooded.all(),
                "{:?}",
                flooded.statuses
            );
            assert!(
                flooded.all() as f64 > most * 1.1,
                "no overload: this machine sent {} requests in {:?}",
                flooded.all(),
                flooded.took
            );
            // One request more or less is what the ends of the time are good for.
            assert!(admitted >= least * 0.95 - 1.0, "{admitted} of at least {least:.0}");
            assert!(admitted <= most * 1.02 + 1.0, "{admitted} of at most {most:.0}");
            bed.assert_no_trap().await.expect("no trap");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_light_load_nothing_is_denied() {
    for (limit, rate) in [(100, 80.0), (1_000, 600.0)] {
        let bed = bed(json!([{"name": "all", "requests": limit, "windowSeconds": 1}]), 2).await;
        let flood = Flood::on(bed.address(), "/").per_second(rate);
        let flooded = flood.send_for(Duration::from_secs(full(3, 60))).await.expect("answers");
        println!("{limit}/s under {rate}/s: {:?}", flooded.statuses);
        assert_eq!(flooded.with(200), flooded.all(), "{:?}", flooded.statuses);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sliding_window_never_admits_more_than_it_says_in_any_window() {
    let limits = json!([{"name": "all", "requests": 50, "windowSeconds": 1, "algorithm": "slidingWindow"}]);
    let bed = bed(limits, 2).await;
    let flood = Flood::on(bed.address(), "/").per_second(400.0);
    let flooded = flood.send_for(Duration::from_secs(full(4, 60))).await.expect("answers");
    let windows = flooded.took.as_secs_f64().ceil();
    println!("{} admitted in {:?}", flooded.with(200), flooded.took);
    assert!(flooded.with(200) as f64 <= windows * 50.0);
    assert!(flooded.with(200) as f64 >= (windows - 1.0) * 50.0 * 0.9);
}

/// The parameters of a structured field's only member.
fn parameter(field: &str, name: &str) -> u64 {
    let found = field
        .split(';')
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    found
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {field}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_tell_what_is_left_and_a_denial_tells_when_to_come_back() {
    let upstream = Upstream::start("blue").await.expect("blue");
    let limits = json!([
        {"name": "per-hour", "requests": 5, "windowSeconds": 3600, "burst": 3},
        {"name": "wide", "requests": 1000, "windowSeconds": 1},
    ]);
    let setup = Setup::with_policy("rate-limit", &policy(limits)).expect("a built module");
    let bed = setup.target(&upstream, 1).start().await.expect("Envoy");
    let mut client = Client::of(bed.address()).expect("a client");
    let told = "\"per-hour\";q=5;w=3600;ferromesh-burst=3, \"wide\";q=1000;w=1";
    for left in [2, 1, 0] {
        let answer = client.get("/", &[]).await.expect("an answer");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.values("ratelimit-policy"), [told]);
        let field = answer.header("ratelimit").expect("a field");
        assert!(field.starts_with("\"per-hour\";"), "{field}");
        assert_eq!(parameter(field, "r"), left, "{field}");
        assert_eq!(answer.header("retry-after"), None);
    }
    for _ in 0..5 {
        let answer = client.get("/", &[]).await.expect("an answer");
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_eq!(answer.values("ratelimit-policy"), [told]);
        let field = answer.header("ratelimit").expect("a field");
        assert_eq!(parameter(field, "r"), 0, "{field}");
        let wait: u64 = answer.header("retry-after").expect("a time").parse().expect("seconds");
        // 5 in an hour: one comes back within 720 seconds.
        assert!((1..=720).contains(&wait), "{wait}");
        assert_eq!(parameter(field, "t"), wait, "{field}");
    }
    assert_eq!(upstream.counts().requests, 3, "a denied request went on");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_counted_apart_by_header_and_by_source() {
    let by_header = json!([{
        "name": "user", "requests": 4, "windowSeconds": 3600, "key": {"header": "X-User"}, "missingKey": "allow",
    }]);
    let bed = bed(by_header, 2).await;
    for user in 0..50 {
        // New connections, so that both workers are asked.
        let name = format!("user-{user}");
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let mut client = Client::of(bed.address()).expect("a client");
            statuses.push(client.get("/", &[("x-user", &name)]).await.expect("an answer").status);
        }
        assert_eq!(statuses, [200, 200, 200, 200, 429, 429], "{name}");
    }
    let mut client = Client::of(bed.address()).expect("a client");
    for _ in 0..20 {
        assert_eq!(
            client.get("/", &[]).await.expect("an answer").status,
            200,
            "a request without the key"
        );
    }

    let by_source = json!([{"name": "source", "requests": 4, "windowSeconds": 3600, "key": {"sourceAddress": {}}}]);
    // Without `use_remote_address` Envoy believes a client's `x-forwarded-for`.
    let setup = Setup::with_policy("rate-limit", &policy(by_source)).expect("a built module");
    let setup = setup.workers(2).routes(vec![bed::answered("all", "/")]);
    let bed = setup
        .manager("use_remote_address", json!(true))
        .start()
        .await
        .expect("Envoy");
    for source in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
        let mut statuses = Vec::new();
        for forged in 0..6 {
            let client = Client::of(bed.address()).expect("a client").from(source);
            let forged = format!("10.0.0.{forged}");
            let answer = client
                .expect("an address")
                .get("/", &[("x-forwarded-for", &forged)])
                .await;
            statuses.push(answer.expect("an answer").status);
        }
        assert_eq!(statuses, [200, 200, 200, 200, 429, 429], "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_keys_take_no_more_memory_than_the_limit_has_room_for() {
    let limits =
        json!([{"name": "user", "requests": 5, "windowSeconds": 3600, "keys": 1024, "key": {"header": "x-user"}}]);
    let bed = bed(limits, 1).await;
    let send = async |from: u32| {
        let user = |number: u32| [("x-user".to_owned(), format!("{number}-attacker"))];
        let requests: Vec<_> = (from..from + 500)
            .map(|number| Request::get("/", &user(number)))
            .collect();
        let told = Http2::exchange(bed.address(), &requests).await.expect("answers");
        assert_eq!(told.answered, 500, "answers");
    };
    for from in (0..10_000).step_by(500) {
        send(from).await;
    }
    let before = bed.memory().expect("memory");
    for from in (10_000..full(30_000, 100_000)).step_by(500) {
        send(from).await;
    }
    let after = bed.memory().expect("memory");
    let grown = after.saturating_sub(before);
    println!("{} KiB more after that many more keys", grown / 1024);
    assert!(grown < 8 << 20, "{grown} bytes");
}

/// A request whose trailers the module with the trap door dies of.
const DEADLY: &str = "POST /deadly HTTP/1.1\r\nhost: color.local\r\ntransfer-encoding: chunked\r\n\
                      trailer: x-end\r\n\r\n1\r\na\r\n0\r\nx-end: 1\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_count_goes_on_when_the_vm_dies_and_is_started_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rate-limit.wasm");
    let built = std::fs::read(paths::module("rate-limit").expect("a module")).expect("bytes");
    std::fs::write(&file, with_trap_door(&built).expect("a module")).expect("written");
    let upstream = Upstream::start("blue").await.expect("blue");
    let key = json!({"header": "x-user"});
    let policy = policy(json!([
        {"name": "user", "requests": 60, "windowSeconds": 3600, "key": key, "missingKey": "allow"},
        {"name": "busy", "requests": 100_000, "windowSeconds": 3600, "key": {"header": "x-busy"}, "missingKey": "allow"},
    ]));
    let bed = Setup::new()
        .filter("rate-limit", &file, &bed::plugin(&policy))
        .target(&upstream, 1)
        .manager("http_protocol_options", json!({"enable_trailers": true}))
        .start()
        .await
        .expect("Envoy");
    let mut admitted = 0;
    for death in 0..=4 {
        for _ in 0..if death < 4 { 10 } else { 100 } {
            let mut client = Client::of(bed.address()).expect("a client");
            let answer = client
                .get("/", &[("x-user", "ada"), ("x-busy", "1")])
                .await
                .expect("an answer");
            admitted += u32::from(answer.status == 200);
        }
        if death == 4 {
            break;
        }
        wire::exchange(bed.address(), DEADLY.as_bytes(), "\r\n\r\n")
            .await
            .expect("an answer");
        eventually("the VM is there again", PATIENCE, async || {
            let mut client = Client::of(bed.address()).ok()?;
            let answer = client.get("/", &[]).await.ok()?;
            (answer.status == 200 && bed.reloads().await.ok()? > death).then_some(())
        })
        .await
        .expect("a reload");
    }
    println!(
        "{admitted} admitted over {} reloads",
        bed.reloads().await.expect("statistics")
    );
    assert_eq!(admitted, 60, "a reload gave a new burst, or lost requests");
}

const IMPORTS: &str = r#"
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))"#;
/// The last is the body: two statuses as letters, then what is read.
const DATA: &str = r#"
  (data (i32.const 16) "key")
  (data (i32.const 32) "onetwo")
  (data (i32.const 64) "??---")"#;
/// Writes twice with the number that may only create, and answers with both statuses and what is there then.
const CREATES_TWICE: &str = r"
    (i32.store8 (i32.const 64) (i32.add (i32.const 65)
      (call $set (i32.const 16) (i32.const 3) (i32.const 32) (i32.const 3) (i32.const -1))))
    (i32.store8 (i32.const 65) (i32.add (i32.const 65)
      (call $set (i32.const 16) (i32.const 3) (i32.const 35) (i32.const 3) (i32.const -1))))
    (drop (call $get (i32.const 16) (i32.const 3) (i32.const 0) (i32.const 4) (i32.const 8)))
    (memory.copy (i32.const 66) (i32.load (i32.const 0)) (i32.const 3))
    (drop (call $reply (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 5)
      (i32.const 0) (i32.const 0) (i32.const -1)))
    (i32.const 1)";

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_may_only_create_does_not_replace_in_stock_envoy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("creates.wasm");
    std::fs::write(
        &file,
        wat::parse_str(tiny_module(IMPORTS, DATA, CREATES_TWICE)).expect("a module"),
    )
    .expect("written");
    let setup = Setup::new().filter("creates", &file, &json!({}));
    let bed = setup
        .routes(vec![bed::answered("all", "/")])
        .start()
        .await
        .expect("Envoy");
    let mut client = Client::of(bed.address()).expect("a client");
    let body = client.get("/", &[]).await.expect("an answer").body;
    // A: 0, written. I: 8, another value is there (proxy-wasm ABI 0.2.1).
    assert_eq!(&body[..], b"AIone", "the first, and only the first, is written");
    let body = client.get("/", &[]).await.expect("an answer").body;
    assert_eq!(&body[..], b"IIone", "later requests find it");
}
