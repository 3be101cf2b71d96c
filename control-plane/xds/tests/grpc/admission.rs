//! What the server lets in: new streams, large and malformed requests: cases 35, 38 and 43.

use std::time::Duration;

use bytes::Bytes;
use ferromesh_xds::stream::Limits;
use ferromesh_xds::Config;
use tonic::Code;

use crate::place::*;
use crate::server::*;
use crate::wire::*;

#[tokio::test]
async fn new_streams_are_let_in_one_after_the_other_and_the_last_are_told_to_come_again() {
    let config = Config {
        new_stream_burst: 2,
        new_streams_per_second: 10,
        admission_patience: Duration::from_millis(250),
        ..Config::default()
    };
    let server = Server::start(config).await;
    server.source.publish("n", &[(CLUSTER, "a", Bytes::from_static(b"1"))]);
    let channel = server.channel().await;
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = Sotw::open(channel.clone(), "n").await.unwrap();
        client.ask(CLUSTER, &[]).await;
        clients.push(client);
    }
    let (mut served, mut refused) = (0, 0);
    for client in &mut clients {
        match client.responses.message().await {
            Ok(Some(response)) => {
                served += 1;
                assert_eq!(response.resources.len(), 1);
            }
            Ok(None) => panic!("neither served nor refused"),
            Err(status) => {
                refused += 1;
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                assert!(status.message().starts_with("too many proxies connect at a time"));
            }
        }
    }
    // Two at once and two within the patience; a slow machine lets in more, as time goes by.
    assert!(served >= 4, "{served} served, {refused} refused");
    assert_eq!(served + refused, 30);
    // Streams that are open are served without waiting for anybody.
    let open = server.service.streams();
    drop(clients);
    server
        .until("the end of all streams", |s| s.service.streams() == 0)
        .await;
    assert!(open >= served, "{open} were open");
    // Whoever was refused comes again, and is served.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    client.next().await;
}

#[tokio::test]
async fn streams_that_wait_to_be_let_in_and_go_leave_their_place_to_others() {
    let config = Config {
        new_stream_burst: 1,
        new_streams_per_second: 1,
        admission_patience: Duration::from_secs(8),
        ..Config::default()
    };
    let server = Server::start(config).await;
    server.source.publish("n", &[(CLUSTER, "a", Bytes::from_static(b"1"))]);
    for round in 0..50 {
        let mut hasty = server.sotw("n").await;
        hasty.ask(CLUSTER, &[]).await;
        if round == 0 {
            hasty.next().await;
        }
        drop(hasty);
        server
            .until("the end of the stream", |s| s.service.streams() == 0)
            .await;
    }
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    client.next().await;
}

#[tokio::test]
async fn five_hundred_streams_on_one_connection_are_all_served() {
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[(CLUSTER, "a", Bytes::from_static(b"1"))]);
    let channel = server.channel().await;
    let mut clients = Vec::new();
    for _ in 0..500 {
        let mut client = Sotw::open(channel.clone(), "n").await.unwrap();
        client.ask(CLUSTER, &[]).await;
        clients.push(client);
    }
    for client in &mut clients {
        let response = client.next().await;
        client.ack(&response, &[]).await;
    }
    server.source.publish("n", &[(CLUSTER, "a", Bytes::from_static(b"2"))]);
    for client in &mut clients {
        assert_eq!(client.next().await.resources[0].value, b"2");
    }
}

/// gRPC's C core refuses messages over 4 MiB, and no server can tell it otherwise: what may be cut is cut.
#[tokio::test]
async fn ten_megabytes_reach_clients_that_take_four_at_a_time() {
    everywhere(async |place| {
        let big = |n: u8| Bytes::from(vec![b'0' + n; 1_000_000]);
        let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let all: Vec<(&str, &str, Bytes)> = (0..10)
            .map(|n| (ENDPOINT, names[n as usize].as_str(), big(n)))
            .collect();
        place.server.source.publish("n", &all);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut client = place.open().await;
        client.ask(ENDPOINT, &names).await;
        let mut seen = 0;
        while seen < 10 {
            let response = client.next().await;
            assert!(response.resources.iter().all(|r| r.length == 1_000_000));
            seen += response.resources.len();
            client.ack(&response, &names).await;
        }
        assert_eq!(seen, 10, "each came once");
    })
    .await;
}

#[tokio::test]
async fn what_is_malformed_or_too_large_is_refused_with_its_own_code() {
    let config = Config {
        max_request_bytes: 200_000,
        max_node_bytes: 1_000,
        limits: Limits {
            max_names: 100,
            max_name_bytes: 50_000,
            ..Limits::default()
        },
        ..at_once()
    };
    for variant in [SOTW, DELTA] {
        in_variant(variant, config.clone(), async |place| {
            place.publish(&[(CLUSTER, "a", "1")]);
            let ask = |type_url: &str, names: Vec<String>| Ask {
                type_url: type_url.into(),
                names,
                ..Ask::default()
            };
            let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
            let long: Vec<String> = (0..60).map(|n| format!("{n}{}", "x".repeat(1_000))).collect();
            let node = Ask {
                node: Some("n".repeat(2_000)),
                ..ask(CLUSTER, vec![])
            };
            for (request, code, says) in [
                (ask(ENDPOINT, many), Code::ResourceExhausted, "101 names, more than 100"),
                (ask(ENDPOINT, long), Code::ResourceExhausted, "more than 50000"),
                (
                    ask(&"t".repeat(1_000), vec![]),
                    Code::ResourceExhausted,
                    "field `type_url` has 1000 bytes, more than 256",
                ),
                (node, Code::ResourceExhausted, "field `node` has 20"),
                (ask(ENDPOINT, vec!["x".repeat(300_000)]), Code::OutOfRange, ""),
            ] {
                let mut client = place.open().await;
                client.send(request).await;
                let status = client.end().await;
                assert_eq!(status.code(), code, "{status:?}");
                assert!(status.message().contains(says), "{status:?}");
            }
            for raw in ["ffffff", "1a01ff", "12", "0a8080808080808080808001"] {
                let mut client = place.open().await;
                if !client.send_raw(raw).await {
                    continue;
                }
                let status = client.end().await;
                assert_eq!(status.code(), Code::InvalidArgument, "{raw}: {status:?}");
            }
        })
        .await;
    }
}
