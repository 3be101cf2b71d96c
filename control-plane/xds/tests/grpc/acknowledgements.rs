//! Answers to responses, and first requests: cases 1 to 12 and 40, by tonic and by gRPC's C core.

use tonic::Code;

use crate::place::*;
use crate::server::*;
use crate::wire::*;

#[tokio::test]
async fn a_first_response_is_complete_and_its_acknowledgement_is_answered_by_silence() {
    everywhere(async |place| {
        place.publish(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "1")]);
        let mut client = place.open().await;
        let response = client.get(CLUSTER, &[], &["a=1", "b=1"]).await;
        // Nobody has said that they know what a lifetime is, and none is sent in any case.
        assert!(response.resources.iter().all(|r| !r.ttl));
        client.ack(&response, &[]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn interleaved_changes_of_three_types_are_each_sent_once() {
    everywhere(async |place| {
        let publish = |n: usize, m: usize| {
            let (n, m) = (n.to_string(), m.to_string());
            place.publish(&[(CLUSTER, "a", "1"), (ENDPOINT, "a", &n), (ROUTE, "r", &m)]);
        };
        publish(0, 0);
        let mut client = place.open().await;
        let response = client.get(CLUSTER, &[], &["a=1"]).await;
        client.ack(&response, &[]).await;
        client.ask(ENDPOINT, &["a"]).await;
        client.ask(ROUTE, &["r"]).await;
        let mut endpoints = client.expect(ENDPOINT, &["a=0"]).await;
        let mut routes = client.expect(ROUTE, &["r=0"]).await;
        for n in 1..6 {
            // Both are under way, and are acknowledged in the other order.
            client.ack(&routes, &["r"]).await;
            client.ack(&endpoints, &["a"]).await;
            client.expect_silence().await;
            publish(n, n - 1);
            endpoints = client.expect(ENDPOINT, &[&format!("a={n}")]).await;
            client.ack(&endpoints, &["a"]).await;
            client.expect_silence().await;
            publish(n, n);
            routes = client.expect(ROUTE, &[&format!("r={n}")]).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stale_nonce_is_ignored_by_one_variant_and_its_subscription_is_taken_by_the_other() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]);
        let mut client = place.open().await;
        let first = client.settle(ENDPOINT, &["a"], &["a=1"]).await;
        place.publish(&[(ENDPOINT, "a", "2"), (ENDPOINT, "b", "1")]);
        let second = client.expect(ENDPOINT, &["a=2"]).await;
        let stale = Ask {
            type_url: ENDPOINT.into(),
            nonce: first.nonce.clone(),
            version: first.version.clone(),
            names: vec!["a".into(), "b".into()],
            ..Ask::default()
        };
        client.send(stale).await;
        match place.variant {
            SOTW => {
                client.ack(&second, &["a"]).await;
                client.expect_silence().await;
            }
            DELTA => {
                // What is under way is acknowledged first. "a" was asked for once more.
                client.ack(&second, &[]).await;
                client.expect(ENDPOINT, &["a=2", "b=1"]).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_rejection_is_told_by_its_error_and_shows_in_the_status_and_may_subscribe() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]);
        let mut client = place.open().await;
        let response = client.get(ENDPOINT, &["a"], &["a=1"]).await;
        // It claims the very version that it refuses, and asks for one more name.
        let refusal = Ask {
            type_url: ENDPOINT.into(),
            nonce: response.nonce.clone(),
            version: response.version.clone(),
            names: match place.variant {
                SOTW => vec!["a".into(), "b".into()],
                DELTA => vec!["b".into()],
            },
            error: Some("a: no good".into()),
            ..Ask::default()
        };
        client.send(refusal).await;
        let more = client.expect(ENDPOINT, &["b=1"]).await;
        let status = place.server.status.proxy("n");
        let nack = status[0].types[ENDPOINT]
            .nacked
            .clone()
            .expect("the rejection is known");
        assert_eq!((nack.version, nack.message.as_str()), (response.version, "a: no good"));
        client.ack(&more, &["a", "b"]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_version_is_not_sent_again_and_the_next_one_is() {
    everywhere(async |place| {
        place.publish(&[(LISTENER, "l", "1")]);
        let mut client = place.open().await;
        let good = client.settle(LISTENER, &[], &["l=1"]).await;
        place.publish(&[(LISTENER, "l", "bad")]);
        let bad = client.expect(LISTENER, &["l=bad"]).await;
        client.nack(&bad, &good.version, &[]).await;
        client.expect_silence().await;
        // Also when the same is published once more.
        place.publish(&[(LISTENER, "l", "bad")]);
        client.expect_silence().await;
        place.publish(&[(LISTENER, "l", "2")]);
        let mended = client.expect(LISTENER, &["l=2"]).await;
        client.ack(&mended, &[]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn a_nonce_of_another_stream_acknowledges_nothing() {
    everywhere(async |place| {
        place.publish(&[(CLUSTER, "a", "1")]);
        let mut client = place.open().await;
        let before = client.get(CLUSTER, &[], &["a=1"]).await;
        let mut client = place.open().await;
        let first = Ask {
            type_url: CLUSTER.into(),
            nonce: before.nonce.clone(),
            ..Ask::default()
        };
        client.send(first).await;
        let response = client.expect(CLUSTER, &["a=1"]).await;
        assert_ne!(response.nonce, before.nonce);
        let status = place.server.status.proxy("n");
        let acked = status
            .iter()
            .filter(|s| s.types.get(CLUSTER).is_some_and(|t| t.acked.is_some()));
        assert_eq!(acked.count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_crosses_a_push_loses_no_name_and_sends_nothing_twice() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]);
        let mut client = place.open().await;
        let first = client.settle(ENDPOINT, &["a"], &["a=1"]).await;
        place.publish(&[(ENDPOINT, "a", "2"), (ENDPOINT, "b", "1")]);
        let push = client.expect(ENDPOINT, &["a=2"]).await;
        // As if the client had not seen it yet.
        let wants = match place.variant {
            SOTW => &["a", "b"][..],
            DELTA => &["b"],
        };
        client.change(&first, wants, &[]).await;
        client.ack(&push, &["a", "b"]).await;
        let rest = client.expect(ENDPOINT, &["b=1"]).await;
        client.ack(&rest, &["a", "b"]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_asked_for_twice_comes_once() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1")]);
        let mut client = place.open().await;
        client.settle(ENDPOINT, &["a", "a", ""], &["a=1"]).await;
    })
    .await;
}

#[tokio::test]
async fn first_requests_without_a_type_or_a_node_are_refused_with_invalid_argument() {
    everywhere(async |place| {
        place.publish(&[]);
        let mut client = place.open().await;
        client.ask("", &[]).await;
        let status = client.end().await;
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "field `type_url` is empty")
        );
        let mut client = place.open().await;
        client.anonymous();
        client.ask(CLUSTER, &[]).await;
        let status = client.end().await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("`node`"), "{status:?}");
    })
    .await;
}

#[tokio::test]
async fn a_type_that_nobody_knows_ends_nothing_and_holds_up_nothing() {
    everywhere(async |place| {
        place.publish(&[(CLUSTER, "a", "1")]);
        let mut client = place.open().await;
        client.ask("type.googleapis.com/some.Thing", &[]).await;
        client.settle(CLUSTER, &[], &["a=1"]).await;
    })
    .await;
}
