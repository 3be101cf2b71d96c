//! Hygiene of a stream.

use std::time::Duration;

use crate::client::*;
use ferromesh_xds::stream::{Limits, Protocol, Refusal, Request, Stream};
use ferromesh_xds::NodeInfo;

fn first(node: Option<NodeInfo>, type_url: &str) -> Result<(), Refusal> {
    let now = std::time::Instant::now();
    let mut stream = Stream::new(Protocol::StateOfTheWorld, 1, Limits::default(), now);
    stream
        .on_request(Request {
            node,
            type_url: type_url.into(),
            ..Request::default()
        })
        .map(drop)
}

#[test]
fn the_first_request_must_say_who_asks_and_for_what() {
    assert_eq!(first(None, CLUSTER), Err(Refusal::MissingNode));
    assert_eq!(first(Some(node("")), CLUSTER), Err(Refusal::MissingNodeId));
    assert_eq!(first(Some(node("n")), ""), Err(Refusal::MissingTypeUrl));
    assert_eq!(first(Some(node("n")), CLUSTER), Ok(()));
}

#[test]
fn the_node_may_be_repeated_and_left_out_but_not_changed() {
    let mut client = Client::sotw().on(&snapshot(&[]));
    client.ask(CLUSTER, &[]);
    client.ask(LISTENER, &[]);
    let again = |node| Request {
        node: Some(node),
        type_url: ROUTE.into(),
        ..Request::default()
    };
    let richer = NodeInfo {
        user_agent: "envoy/1.40.0".into(),
        ..node("n")
    };
    assert!(client.request(again(richer)).is_ok());
    assert_eq!(client.stream.node(), Some(&node("n")));
    let other = NodeInfo {
        cluster: "d".into(),
        ..node("n")
    };
    for other in [node("m"), other] {
        assert!(matches!(client.request(again(other)), Err(Refusal::NodeChanged { .. })));
    }
}

#[test]
fn a_type_that_nobody_knows_waits_silently() {
    for protocol in [Protocol::StateOfTheWorld, Protocol::Delta] {
        let mut client = Client::new(protocol, at_once()).on(&snapshot(&[(CLUSTER, "a", "1")]));
        let mut ask = |type_url: &str| match protocol {
            Protocol::StateOfTheWorld => client.ask(type_url, &[]),
            Protocol::Delta => client.subscribe(type_url, &[], &[]),
        };
        ask("type.googleapis.com/some.Thing");
        ask(CLUSTER);
        let r = client.expect(CLUSTER, &["a"]);
        client.expect_silence();
        match protocol {
            Protocol::StateOfTheWorld => client.ack(&r, &[]),
            Protocol::Delta => client.take(&r),
        }
        client.publish(&snapshot(&[
            (CLUSTER, "a", "1"),
            ("type.googleapis.com/some.Thing", "t", "1"),
        ]));
        client.expect("type.googleapis.com/some.Thing", &["t"]);
    }
}

#[test]
fn before_there_is_a_snapshot_nothing_is_sent() {
    let mut client = Client::sotw();
    client.ask(CLUSTER, &[]);
    client.ask(ENDPOINT, &["a"]);
    client.expect_silence();
    client.publish(&snapshot(&[(CLUSTER, "a", "1"), (ENDPOINT, "a", "1")]));
    client.expect(CLUSTER, &["a"]);
    client.expect(ENDPOINT, &["a"]);
}

#[test]
fn names_and_types_are_bounded() {
    let limits = Limits {
        max_names: 3,
        max_name_bytes: 100,
        max_types: 2,
        ..Limits::default()
    };
    let new = |protocol| Client::new(protocol, limits.clone());
    let sotw = |names: &[&str]| Request {
        type_url: ROUTE.into(),
        subscribe: wants("", names),
        ..Request::default()
    };
    let long = "x".repeat(101);

    let mut client = new(Protocol::StateOfTheWorld);
    assert!(client.request(sotw(&["a", "b", "c"])).is_ok());
    assert!(client.request(sotw(&["d", "e", "f"])).is_ok());
    assert_eq!(
        client.request(sotw(&["a", "b", "c", "d"])).unwrap_err(),
        Refusal::TooManyNames { names: 4, limit: 3 }
    );
    let error = new(Protocol::StateOfTheWorld).request(sotw(&[&long])).unwrap_err();
    assert_eq!(error, Refusal::NamesTooLong { bytes: 101, limit: 100 });

    // Differences add up.
    let mut client = new(Protocol::Delta);
    let delta = |type_url: &str, name: &str| Request {
        type_url: type_url.into(),
        subscribe: differs(&[name], &[], &[]),
        ..Request::default()
    };
    for name in ["a", "b"] {
        assert!(client.request(delta(ROUTE, name)).is_ok());
    }
    assert!(client.request(delta(ENDPOINT, "a")).is_ok());
    assert!(matches!(
        client.request(delta(ENDPOINT, "b")),
        Err(Refusal::TooManyNames { .. })
    ));
    let mut client = new(Protocol::Delta);
    let versions = ["a", "b", "c", "d"].map(|n| (n, "1"));
    let resumed = Request {
        type_url: CLUSTER.into(),
        subscribe: differs(&[], &[], &versions),
        ..Request::default()
    };
    assert!(matches!(client.request(resumed), Err(Refusal::TooManyNames { .. })));

    let long = ["x".repeat(60), "y".repeat(60)];
    let claims = |type_url: &str, name: &str| Request {
        type_url: type_url.into(),
        subscribe: differs(&[], &[], &[(name, "1")]),
        ..Request::default()
    };
    let mut client = new(Protocol::Delta);
    assert!(client.request(claims(CLUSTER, &long[0])).is_ok());
    assert!(
        client.request(claims(CLUSTER, &long[1])).is_ok(),
        "only a first one is remembered"
    );
    assert_eq!(
        client.request(claims(LISTENER, &long[1])).unwrap_err(),
        Refusal::NamesTooLong { bytes: 120, limit: 100 }
    );

    let mut client = new(Protocol::StateOfTheWorld);
    let error = client.request(Request {
        type_url: "t".repeat(257),
        ..Request::default()
    });
    assert_eq!(error.unwrap_err(), Refusal::TypeUrlTooLong { bytes: 257, limit: 256 });

    let mut client = new(Protocol::StateOfTheWorld);
    client.ask(CLUSTER, &[]);
    client.ask(LISTENER, &[]);
    let third = Request {
        type_url: ROUTE.into(),
        ..Request::default()
    };
    assert_eq!(client.request(third).unwrap_err(), Refusal::TooManyTypes { limit: 2 });
}

#[test]
fn silence_after_a_response_can_be_seen() {
    let mut client = Client::sotw().on(&snapshot(&[(CLUSTER, "a", "1")]));
    client.ask(CLUSTER, &[]);
    assert_eq!(client.stream.outstanding().count(), 0);
    let r = client.expect(CLUSTER, &["a"]);
    client.pass(Duration::from_secs(7));
    let (type_url, since) = client.stream.outstanding().next().unwrap();
    assert_eq!((&**type_url, client.now - since), (CLUSTER, Duration::from_secs(7)));
    client.ack(&r, &[]);
    assert_eq!(client.stream.outstanding().count(), 0);
}

#[test]
fn two_streams_never_share_a_nonce() {
    let now = std::time::Instant::now();
    let nonce = |id| {
        let mut stream = Stream::new(Protocol::StateOfTheWorld, id, Limits::default(), now);
        stream.on_snapshot(snapshot(&[]));
        let request = Request {
            node: Some(node("n")),
            type_url: CLUSTER.into(),
            ..Request::default()
        };
        stream.on_request(request).unwrap();
        stream.next_response(now).unwrap().nonce
    };
    assert_ne!(nonce(1), nonce(2));
}

#[test]
fn routes_asked_for_after_their_listener_has_gone_hold_up_nothing() {
    for protocol in [Protocol::StateOfTheWorld, Protocol::Delta] {
        let mut client = Client::new(protocol, at_once()).on(&snapshot(&[(CLUSTER, "a", "1")]));
        let ask = |client: &mut Client, type_url: &str, names: &[&str]| match protocol {
            Protocol::Delta => client.subscribe(type_url, names, &[]),
            Protocol::StateOfTheWorld => client.ask(type_url, names),
        };
        ask(&mut client, LISTENER, &[]);
        let listeners = client.expect(LISTENER, &[]);
        // The client has not seen that yet.
        ask(&mut client, ROUTE, &["of-the-listener"]);
        match protocol {
            Protocol::Delta => {
                let r = client.expect_change(ROUTE, &[], &["of-the-listener"]);
                client.take(&r);
                client.take(&listeners);
            }
            Protocol::StateOfTheWorld => {
                client.expect_silence();
                client.ack(&listeners, &[]);
            }
        }
        ask(&mut client, CLUSTER, &[]);
        client.expect(CLUSTER, &["a"]);
    }
}
