//! Clients that come again: cases 25, 30, 31, 32, 34 and 41, by tonic and by gRPC's C core.

use std::collections::BTreeMap;

use ferromesh_xds::Config;

use crate::place::*;
use crate::server::*;
use crate::wire::*;

const BASE: &[(&str, &str, &str)] = &[
    (CLUSTER, "a", "1"),
    (CLUSTER, "b", "1"),
    (ENDPOINT, "a", "1"),
    (ENDPOINT, "b", "1"),
];

/// What a client of the delta variant says that it has.
fn initial(response: &Received) -> BTreeMap<String, String> {
    let items = response.resources.iter();
    items
        .map(|r| (r.name.clone().unwrap(), r.version.clone().unwrap()))
        .collect()
}

/// The first request of a type on a new stream, of a client that has taken `before`.
fn again(before: &Received, names: &[&str]) -> Ask {
    Ask {
        type_url: before.type_url.clone(),
        version: before.version.clone(),
        names: names.iter().map(|n| n.to_string()).collect(),
        initial: match before.resources.iter().all(|r| r.name.is_some()) {
            true => initial(before),
            false => BTreeMap::new(),
        },
        ..Ask::default()
    }
}

#[tokio::test]
async fn who_has_everything_is_sent_nothing_by_any_server() {
    everywhere(async |place| {
        place.publish(BASE);
        let mut client = place.open().await;
        let clusters = client.get(CLUSTER, &[], &["a=1", "b=1"]).await;
        client.ack(&clusters, &[]).await;
        let endpoints = client.settle(ENDPOINT, &["a", "b"], &["a=1", "b=1"]).await;
        drop(client);
        // The same server, and another that has never seen the client: versions say what the content is.
        let other = Server::start(at_once()).await;
        publish(&other, "n", BASE);
        for server in [&place.server, &other] {
            let mut client = place.open_at(server).await;
            client.send(again(&clusters, &[])).await;
            client.send(again(&endpoints, &["a", "b"])).await;
            client.expect_silence().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_differs_is_sent_and_what_has_gone_is_taken_away() {
    everywhere(async |place| {
        place.publish(BASE);
        let mut client = place.open().await;
        let clusters = client.settle(CLUSTER, &[], &["a=1", "b=1"]).await;
        drop(client);
        place.publish(&[(CLUSTER, "a", "2")]);
        let mut client = place.open().await;
        client.send(again(&clusters, &[])).await;
        let response = client.next().await;
        match place.variant {
            // What has gone stays until everything else is acknowledged.
            SOTW => assert_eq!(response.contents(), ["a=2", "b=1"]),
            DELTA => assert_eq!(response.contents(), ["a=2"]),
        }
        assert!(response.removed.is_empty());
        client.ack(&response, &[]).await;
        let response = client.next().await;
        match place.variant {
            SOTW => assert_eq!(response.contents(), ["a=2"]),
            DELTA => assert_eq!(response.removed, ["b"]),
        }
        client.ack(&response, &[]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn names_more_than_before_are_sent_with_the_current_version() {
    in_variant(SOTW, at_once(), async |place| {
        place.publish(BASE);
        let mut client = place.open().await;
        let one = client.settle(ENDPOINT, &["a"], &["a=1"]).await;
        let mut client = place.open().await;
        client.send(again(&one, &["a", "b"])).await;
        let both = client.expect(ENDPOINT, &["a=1", "b=1"]).await;
        client.ack(&both, &["a", "b"]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_knows_nothing_yet_says_nothing_and_takes_nothing_away() {
    everywhere(async |place| {
        let mut client = place.open().await;
        let foreign = Ask {
            type_url: CLUSTER.into(),
            version: "7".into(),
            initial: [("a".to_owned(), "7".to_owned())].into(),
            ..Ask::default()
        };
        client.send(foreign).await;
        match client.next_within(std::time::Duration::from_millis(300)).await {
            Next::Silence => {}
            other => panic!("{other:?} before there is a snapshot"),
        }
        place.publish(BASE);
        let response = client.expect(CLUSTER, &["a=1", "b=1"]).await;
        client.ack(&response, &[]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn endpoints_asked_for_before_their_changed_cluster_came_are_answered_once_more() {
    everywhere(async |place| {
        place.publish(BASE);
        let mut client = place.open().await;
        let endpoints = client.get(ENDPOINT, &["a"], &["a=1"]).await;
        let mut client = place.open().await;
        client.send(again(&endpoints, &["a"])).await;
        client.expect_silence().await;
        let older = Ask {
            type_url: CLUSTER.into(),
            version: "older".into(),
            initial: [
                ("a".to_owned(), "older".to_owned()),
                ("b".to_owned(), "older".to_owned()),
            ]
            .into(),
            ..Ask::default()
        };
        client.send(older).await;
        client.expect(CLUSTER, &["a=1", "b=1"]).await;
        if place.variant == SOTW {
            // As Envoy does for a cluster that warms; in the delta variant it waits to be told.
            client.send(again(&endpoints, &["a"])).await;
        }
        client.expect(ENDPOINT, &["a=1"]).await;
    })
    .await;
}

#[tokio::test]
async fn two_streams_of_one_node_are_both_served() {
    everywhere(async |place| {
        place.publish(&[(CLUSTER, "a", "1")]);
        let (mut one, mut two) = (place.open().await, place.open().await);
        for client in [&mut one, &mut two] {
            client.settle(CLUSTER, &[], &["a=1"]).await;
        }
        place.publish(&[(CLUSTER, "a", "2")]);
        one.expect(CLUSTER, &["a=2"]).await;
        two.expect(CLUSTER, &["a=2"]).await;
    })
    .await;
}

#[tokio::test]
async fn draining_and_age_end_a_stream_politely() {
    for variant in [SOTW, DELTA] {
        in_variant(variant, at_once(), async |place| {
            place.publish(BASE);
            let mut client = place.open().await;
            client.ask(CLUSTER, &[]).await;
            client.next().await;
            place.server.service.drain();
            assert_eq!(client.end().await.code(), tonic::Code::Ok);
        })
        .await;
        let config = Config {
            max_stream_age: Some(std::time::Duration::from_millis(500)),
            ..at_once()
        };
        in_variant(variant, config, async |place| {
            place.publish(BASE);
            let mut client = place.open().await;
            client.ask(CLUSTER, &[]).await;
            assert_eq!(client.end().await.code(), tonic::Code::Ok);
        })
        .await;
    }
}

/// Its connection is open, and nobody is there: pings tell.
#[tokio::test]
async fn a_client_that_hangs_loses_its_stream_and_frees_its_place() {
    in_variant(DELTA, at_once(), async |place| {
        place.publish(BASE);
        let mut client = place.open().await;
        client.ask(CLUSTER, &[]).await;
        client.next().await;
        if !client.signal("STOP") {
            return;
        }
        let freed = async {
            while place.server.service.streams() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let freed = tokio::time::timeout(3 * PATIENCE, freed).await;
        client.signal("CONT");
        freed.expect("the stream ends");
        assert_eq!(client.end().await.code(), tonic::Code::Unavailable);
    })
    .await;
}
