//! Injected faults in stock Envoy: whom they concern, how long at least, and what they leave behind.

use std::time::{Duration, Instant};

use bytes::Bytes;
use ferromesh_integration::{
    bed::{Bed, Setup},
    client::Client,
    full,
    load::Outcome,
    rig::{eventually, PATIENCE},
    stats,
    upstream::Upstream,
};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{json, Value};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

async fn bed(upstream: &Upstream, fault: Value) -> Bed {
    let policy = json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": ["blue"],
        "fault": fault,
    });
    let setup = Setup::with_policy("fault", &policy).expect("a built module");
    setup.target(upstream, 1).start().await.expect("Envoy")
}

async fn blue() -> Upstream {
    Upstream::start("blue").await.expect("blue")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stated_share_is_aborted_and_never_reaches_the_target() {
    let (upstream, requests) = (blue().await, full(10_000, 100_000));
    for (percent, share) in [(30.0, 0.3), (0.5, 0.005)] {
        let bed = bed(&upstream, json!({"abort": {"status": 418, "percent": percent}})).await;
        let mut off = f64::INFINITY;
        for _ in 0..2 {
            upstream.forget();
            let report = bed.load().send(requests).await.expect("load");
            let aborted = report.statuses().get(&418).copied().unwrap_or(0);
            assert_eq!(
                report.statuses().get(&200),
                Some(&(requests - aborted)),
                "{:?}",
                report.statuses()
            );
            assert_eq!(upstream.counts().requests, (requests - aborted) as u64);
            off = stats::sigmas(aborted, requests, share);
            println!("{aborted} of {requests} aborted, {off:.2} deviations off {percent} %");
            if off <= 3.0 {
                break;
            }
        }
        assert!(off <= 3.0, "{off:.2} deviations off, twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_request_waits_at_least_as_long_as_stated_and_others_do_not_wait_for_it() {
    let upstream = blue().await;
    let bed = bed(
        &upstream,
        json!({"delay": {"millis": 300}, "when": {"header": "x-slow", "value": "yes"}}),
    )
    .await;
    let slow = bed
        .load()
        .connections(50)
        .header("x-slow", "yes")
        .send(200)
        .await
        .expect("load");
    slow.assert_no_failures("delayed requests");
    for record in &slow.records {
        assert!(record.latency >= Duration::from_millis(300), "{record:?}");
    }
    for load in [bed.load(), bed.load().header("x-slow", "no")] {
        let report = load.send(300).await.expect("load");
        report.assert_no_failures("requests without the mark");
        let late = report
            .records
            .iter()
            .filter(|record| record.latency >= Duration::from_millis(300));
        assert_eq!(late.count(), 0, "requests without the mark waited");
    }
    assert_eq!(upstream.counts().requests, 800);
    bed.assert_no_trap().await.expect("no trap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_may_be_followed_by_an_abort() {
    let upstream = blue().await;
    let bed = bed(
        &upstream,
        json!({"delay": {"millis": 100}, "abort": {"status": 503, "grpcStatus": 14}}),
    )
    .await;
    let report = bed.load().connections(20).send(100).await.expect("load");
    for record in &report.records {
        assert_eq!(record.outcome, Outcome::Answered(503));
        assert!(record.latency >= Duration::from_millis(100), "{record:?}");
    }
    let mut client = Client::of(bed.address()).expect("a client");
    let answer = client
        .get("/", &[("content-type", "application/grpc")])
        .await
        .expect("an answer");
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("14")));
    assert_eq!(upstream.counts().requests, 0, "an aborted request went on");
    bed.assert_no_trap().await.expect("no trap");
}

/// One HTTP/2 connection with so many streams at once; the statuses, and whether each waited long enough.
async fn streams(address: String, count: usize, least: Duration) -> (usize, usize) {
    let stream = TcpStream::connect(&address).await.expect("a connection");
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    let mut requests = JoinSet::new();
    for _ in 0..count {
        let mut sender = sender.clone();
        requests.spawn(async move {
            sender.ready().await.expect("a stream");
            let request = http::Request::get("http://color.local/")
                .header("x-slow", "1")
                .body(Empty::<Bytes>::new());
            let sent = Instant::now();
            let answer = sender
                .send_request(request.expect("a request"))
                .await
                .expect("an answer");
            let status = answer.status();
            answer.into_body().collect().await.expect("a body");
            (status.as_u16() == 200, sent.elapsed() >= least)
        });
    }
    let done = requests.join_all().await;
    (
        done.iter().filter(|(is_ok, _)| *is_ok).count(),
        done.iter().filter(|(_, has_waited)| *has_waited).count(),
    )
}

/// Streams that one VM holds at the same time; those beyond it go on at once.
const HELD: usize = 4_096;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_streams_wait_at_the_same_time_and_all_are_answered() {
    let (upstream, least) = (blue().await, Duration::from_millis(6_000));
    let bed = bed(
        &upstream,
        json!({"delay": {"millis": 6_000}, "when": {"header": "x-slow"}}),
    )
    .await;
    // Envoy takes 1,024 streams on each connection; the client holds the others back.
    let mut connections = JoinSet::new();
    for _ in 0..6 {
        connections.spawn(streams(bed.address().to_owned(), 800, least));
    }
    let done = connections.join_all().await;
    let (answered, waited) = done.iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    println!("{answered} answered, {waited} of them waited");
    assert_eq!(answered, 4_800);
    assert_eq!(upstream.counts().requests, 4_800);
    assert!(waited >= HELD, "only {waited} of 4800 waited");
    bed.assert_no_trap().await.expect("no trap");
    let report = bed.load().send(1).await.expect("load");
    assert_eq!(report.statuses().get(&200), Some(&1), "Envoy is well afterwards");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_while_it_is_delayed_leaves_nothing_behind() {
    let upstream = blue().await;
    let bed = bed(
        &upstream,
        json!({"delay": {"millis": 1_500}, "when": {"header": "x-slow"}}),
    )
    .await;
    let mut gone = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(bed.address()).await.expect("a connection");
        let request = b"GET / HTTP/1.1\r\nhost: color.local\r\nx-slow: 1\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        gone.push(stream);
    }
    let active = async || bed.envoy.admin().sum(r"http\.front\.downstream_rq_active").await.ok();
    eventually("all of them wait", PATIENCE, async || {
        (active().await? == 300).then_some(())
    })
    .await
    .expect("requests");
    drop(gone);
    eventually("all of them are gone", PATIENCE, async || {
        (active().await? == 0).then_some(())
    })
    .await
    .expect("no requests");
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!(upstream.counts().requests, 0, "a request whose client had gone went on");
    // Others are delayed as before, and answered.
    let report = bed
        .load()
        .connections(20)
        .header("x-slow", "1")
        .send(20)
        .await
        .expect("load");
    report.assert_no_failures("delayed after the others had gone");
    assert!(report
        .records
        .iter()
        .all(|record| record.latency >= Duration::from_millis(1_500)));
    bed.assert_no_trap().await.expect("no trap");
}
