//! Hostile requests through every feature at once, in stock Envoy: nothing traps, Envoy lives, and a client that behaves
//! is served as if nobody else were there.
//!
//! 20,000 requests over HTTP/1.1 and HTTP/2; `FERROMESH_FULL=1` sends 1,000,000.

use std::sync::{
    atomic::{AtomicBool, AtomicU64, Ordering},
    Arc,
};

use ferromesh_integration::{
    bed::{self, Bed, Setup},
    client::Client,
    full,
    hostile::{self, Http2, Told, BATCH},
    upstream::Upstream,
};
use serde_json::{json, Value};
use tokio::task::JoinSet;

/// Everything that a route may have, with keys and names that clients write.
fn everything() -> Value {
    let formats = json!(["w3c", "b3", "b3multi", "xray"]);
    let set = |name: &str, value: &str| json!({"set": {"name": name, "value": value}});
    let cookie = json!({"name": "fm", "set": {"secure": false}, "signingKeys": ["AAECAwQFBgcICQoLDA0ODw=="]});
    json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": ["blue", "green"],
        "canary": {
            "weights": [50, 50],
            "sticky": {"anyOf": [{"header": "x-user"}, {"query": "user"}, {"cookie": cookie}, {"sourceAddress": {}}]},
            "override": {"header": "x-canary", "cookie": "try"},
            "ramp": {"startUnixMillis": 1_000, "shape": "linear", "steps": [{"afterSeconds": 0, "weights": [1, 1]}]},
            "rollback": {"canary": "green", "baseline": "blue", "latency": {"thresholdMillis": 10_000, "marginPerMille": 500}},
        },
        "retry": {
            "maxRetries": 2, "native": false, "retryOn": ["reset", "connect-failure", "unavailable"], "statusCodes": [503],
            "perTryTimeoutMillis": 500,
        },
        "observability": {
            "metrics": true, "traceContext": {"accept": formats, "emit": formats}, "requestId": true, "responseHeaders": true,
            "serverTiming": true, "grpc": true, "appMesh": true, "attempts": true, "accessLog": true,
        },
        "rateLimit": {"limits": [
            {"name": "tenant", "requests": 1_000_000, "windowSeconds": 1, "key": {"header": "x-tenant"}, "keys": 256},
            {"name": "user", "requests": 5, "windowSeconds": 60, "algorithm": "slidingWindow", "key": {"header": "x-v-id"},
             "missingKey": "allow", "keys": 128},
            {"name": "source", "requests": 10_000_000, "windowSeconds": 1, "key": {"sourceAddress": {}}},
        ]},
        // Applications fail on what is sent here; that they are kept away from is another test's subject.
        "circuitBreaker": {"minRequests": 1_000_000, "errorRatio": 1.0},
        "fault": {"delay": {"millis": 2, "percent": 30.0}, "abort": {"status": 418, "percent": 50.0}, "when": {"header": "x-fault"}},
        "headers": {
            "request": [
                set("x-all", "{mesh}{node}{virtualService}{route}{target}{request.id}{request.host}{request.path}"),
                set("x-more", "{request.method}{request.scheme}{source.address}{source.identity}"),
                {"add": {"name": "x-v-id", "value": "{request.id}"}},
                {"remove": "forwarded"},
            ],
            "response": [
                set("x-echo", "{request.path}|{request.id}|{request.host}|{response.status}|{response.attempts}"),
                {"add": {"name": "set-cookie", "value": "a={request.id}"}},
            ],
        },
    })
}

async fn bed(colours: &[Upstream; 2], features: &[Value]) -> Bed {
    let [blue, green] = colours;
    let mut setup = Setup::new().workers(2).target(blue, 50).target(green, 50);
    for (index, plugin) in features.iter().enumerate() {
        setup = if index == 0 {
            setup.module("mesh", plugin).expect("a built module")
        } else {
            setup.attempt_filter("retry", plugin).expect("a built module")
        };
    }
    let tunnel = json!({
        "name": "tunnel", "match": {"connect_matcher": {}},
        "route": {"cluster": "blue", "timeout": "0.5s", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    });
    let routes = vec![tunnel, bed::prefix("all", "/", &setup.split())];
    setup
        .routes(routes)
        .host("include_request_attempt_count", json!(true))
        // An invalid message ends its stream and not all that are beside it: more of them meet the filters.
        .manager("http_protocol_options", json!({
            "enable_trailers": true, "allow_chunked_length": true, "override_stream_error_on_invalid_http_message": true,
        }))
        .manager("http2_protocol_options", json!({"override_stream_error_on_invalid_http_message": true}))
        .manager("upgrade_configs", json!([{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]))
        .start()
        .await
        .expect("Envoy")
}

/// Sends hostile requests until so many are sent.
async fn attack(address: String, first: u64, step: u64, requests: u64) -> Told {
    let mut told = Told::default();
    let mut seed = first;
    while told.sent < requests {
        let one = match seed % 20 {
            0 => hostile::tunnel(&address, seed).await,
            1..=4 => Http2::send_streams(&address, seed).await,
            5..=9 => Http2::send(&address, seed).await,
            _ => hostile::http1(&address, seed).await,
        };
        let one = one.expect("an end");
        told.sent += one.sent;
        told.answered += one.answered;
        seed += step;
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_trap_nothing_and_a_client_that_behaves_is_served_beside_them() {
    let colours = [
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    ];
    let budget = json!({"ratio": 1.0, "minPerSecond": 1_000, "windowSeconds": 10});
    let upstream = json!({
        "mesh": "bed", "node": "front", "reporter": "gateway", "upstream": {"name": "color.local", "budget": budget},
    });
    let bed = bed(&colours, &[bed::plugin(&everything()), upstream]).await;
    let (requests, attackers) = (full(20_000, 1_000_000), 16);
    // Once around, for the memory that is taken once.
    attack(bed.address().to_owned(), 0, 1, BATCH * 40).await;
    let before = bed.memory().expect("memory");

    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let well_behaved = {
        let (over, served, address) = (over.clone(), served.clone(), bed.address().to_owned());
        tokio::spawn(async move {
            let mut client = Client::of(&address).expect("a client");
            while !over.load(Ordering::Relaxed) {
                let answer = client
                    .get("/", &[("x-user", "ada"), ("x-canary", "green")])
                    .await
                    .expect("an answer");
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(answer.header("x-ferromesh-target"), Some("green"), "{answer:?}");
                assert_eq!(answer.header("x-colour"), Some("green"), "{answer:?}");
                served.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        })
    };
    let (began, mut attacks) = (std::time::Instant::now(), JoinSet::new());
    for attacker in 0..attackers {
        let address = bed.address().to_owned();
        attacks.spawn(attack(address, 1_000 + attacker, attackers, requests / attackers));
    }
    let told = attacks
        .join_all()
        .await
        .into_iter()
        .fold(Told::default(), |all, one| Told {
            sent: all.sent + one.sent,
            answered: all.answered + one.answered,
        });
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    well_behaved.await.expect("a client that is served");
    let met: u64 = bed
        .envoy
        .admin()
        .sum(r"http\.front\.downstream_rq_total")
        .await
        .expect("statistics");
    let grown = bed.memory().expect("memory").saturating_sub(before);
    println!(
        "{} sent in {took:?}, {} answered, {met} met the filters, {} well-behaved ones served beside them, {} KiB more memory",
        told.sent,
        told.answered,
        served.load(Ordering::Relaxed),
        grown / 1024
    );
    bed.assert_no_trap().await.expect("no trap");
    assert!(told.sent >= requests);
    assert!(
        met * 2 > told.sent,
        "most of them must meet the filters: {met} of {}",
        told.sent
    );
    assert!(served.load(Ordering::Relaxed) > 100, "{served:?}");
    assert!(grown < 64 << 20, "{grown} bytes");
    let log = bed.envoy.log();
    assert!(!log.contains("[critical]"), "{log}");
}
