//! Many, slow and hostile clients.

use std::time::Duration;

use bytes::Bytes;
use ferromesh_xds::stream::Limits;
use ferromesh_xds::Config;
use http_body_util::BodyExt as _;
use tonic::Code;

use crate::server::*;

fn number(n: usize) -> Bytes {
    Bytes::from(n.to_string())
}

#[tokio::test]
async fn one_stream_too_many_is_refused_with_code_8_until_another_ends() {
    let server = Server::start(Config {
        max_streams: 2,
        ..Config::default()
    })
    .await;
    server.source.publish("n", &[]);
    let first = server.sotw("n").await;
    let _second = server.sotw("n").await;
    let refused = Sotw::open(server.channel().await, "n").await.err().unwrap();
    assert_eq!(refused.code() as i32, 8);
    drop(first);
    server.until("a free place", |s| s.service.streams() == 1).await;
    server.sotw("n").await;
}

#[tokio::test]
async fn requests_that_are_too_large_or_ask_for_too_much_end_the_stream() {
    let limits = Limits {
        max_names: 10,
        ..Limits::default()
    };
    let server = Server::start(Config {
        max_request_bytes: 10_000,
        limits,
        ..Config::default()
    })
    .await;
    server.source.publish("n", &[]);
    let mut client = server.sotw("n").await;
    client.ask(ENDPOINT, &["x".repeat(20_000).as_str()]).await;
    let status = client.end().await;
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted),
        "{status:?}"
    );

    let mut client = server.sotw("n").await;
    let names: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    client
        .ask(ENDPOINT, &names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let status = client.end().await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "the stream subscribes to 11 names, more than 10");
}

/// A POST of raw bytes to the service; gives the status that it ends with.
async fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &'static [u8]) -> tonic::Status {
    use tower::Service as _;
    let mut request = http::Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(http_body_util::Full::new(Bytes::from_static(body)))
        .unwrap();
    let response = server.service.clone().call(request).await.unwrap();
    if let Some(status) = tonic::Status::from_header_map(response.headers()) {
        return status;
    }
    let collected = tokio::time::timeout(PATIENCE, response.into_body().collect())
        .await
        .unwrap()
        .unwrap();
    tonic::Status::from_header_map(collected.trailers().unwrap()).unwrap()
}

const SOTW_PATH: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

#[tokio::test]
async fn malformed_requests_are_answered_with_a_status() {
    let server = Server::start(Config::default()).await;
    // Length 3, then bytes that are no message.
    let status = post(&server, SOTW_PATH, &[], b"\0\0\0\0\x03\xff\xff\xff").await;
    assert_eq!(status.code(), Code::InvalidArgument);
    // A name that is not UTF-8.
    let status = post(&server, SOTW_PATH, &[], b"\0\0\0\0\x03\x1a\x01\xff").await;
    assert_eq!(status.code(), Code::InvalidArgument);
    // A length beyond the limit.
    let status = post(&server, SOTW_PATH, &[], b"\0\xff\xff\xff\xffx").await;
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted),
        "{status:?}"
    );
    // Nothing at all.
    assert_eq!(post(&server, SOTW_PATH, &[], b"").await.code(), Code::Ok);
    // A message cut short.
    assert_ne!(post(&server, SOTW_PATH, &[], b"\0\0\0\0\x09ab").await.code(), Code::Ok);
    assert_eq!(
        post(&server, SOTW_PATH, &[("grpc-encoding", "gzip")], b"").await.code(),
        Code::Unimplemented
    );
    assert_eq!(post(&server, "/x/Y", &[], b"").await.code(), Code::Unimplemented);
    assert_eq!(server.service.streams(), 0);
}

#[tokio::test]
async fn a_flood_of_requests_is_slowed_down_and_not_refused() {
    let config = Config {
        request_burst: 5,
        requests_per_second: 50,
        ..Config::default()
    };
    let server = Server::start(config).await;
    server.source.publish("n", &[(CLUSTER, "a", number(1))]);
    let mut client = server.sotw("n").await;
    let start = std::time::Instant::now();
    for _ in 0..24 {
        client.ask(ENDPOINT, &["x"]).await;
    }
    client.ask(CLUSTER, &[]).await;
    client.next().await;
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(390),
        "25 requests, 5 at once and 50 a second: {took:?}"
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_the_newest_state_and_holds_up_nobody() {
    let server = Server::start(Config::default()).await;
    let big = |n: usize| Bytes::from(vec![n as u8; 1_000_000]);
    server.source.publish("n", &[(CLUSTER, "a", big(0))]);
    let mut slow = server.sotw("n").await;
    slow.ask(CLUSTER, &[]).await;
    let mut quick = server.sotw("n").await;
    quick.ask(CLUSTER, &[]).await;
    for n in 1..=20 {
        let r = quick.next().await;
        quick.ack(&r, &[]).await;
        server.source.publish("n", &[(CLUSTER, "a", big(n))]);
    }
    assert_eq!(quick.next().await.resources[0].value, big(20));
    // The slow one reads what was sent to it, and then the last state; nothing in between.
    let first = slow.next().await;
    slow.ack(&first, &[]).await;
    assert_eq!(slow.next().await.resources[0].value, big(20));
}

#[tokio::test]
async fn a_hundred_streams_and_a_hundred_changes_at_once_all_end_at_the_last_state() {
    const CLIENTS: usize = 100;
    const CHANGES: usize = 100;
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[(CLUSTER, "a", number(0))]);
    let channel = server.channel().await;
    let mut clients = tokio::task::JoinSet::new();
    for i in 0..CLIENTS {
        let channel = if i % 2 == 0 {
            channel.clone()
        } else {
            server.channel().await
        };
        clients.spawn(async move {
            let mut client = Sotw::open(channel, "n").await.unwrap();
            client.ask(CLUSTER, &[]).await;
            loop {
                let r = client.next().await;
                client.ack(&r, &[]).await;
                if r.resources[0].value == number(CHANGES) {
                    return;
                }
            }
        });
    }
    let publisher = async {
        for n in 1..=CHANGES {
            server.source.publish("n", &[(CLUSTER, "a", number(n))]);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    publisher.await;
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    server
        .until("the end of all streams", |s| s.service.streams() == 0)
        .await;
}

#[tokio::test]
async fn a_client_that_vanishes_frees_its_stream() {
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[(CLUSTER, "a", number(0))]);
    for _ in 0..20 {
        let mut client = server.sotw("n").await;
        client.ask(CLUSTER, &[]).await;
        client.next().await;
    }
    server
        .until("the end of all streams", |s| s.service.streams() == 0)
        .await;
    assert_eq!(server.status.proxy("n").len(), 20);
}
