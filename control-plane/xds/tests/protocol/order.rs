//! Order of a push, warming, removals.

use std::time::Duration;

use crate::client::*;
use ferromesh_xds::stream::{Limits, Protocol};

/// Answers everything until nothing comes any more; gives what came, one line for what came together
/// before the next answer.
fn settle(client: &mut Client, subscribed: &[(&str, &[&str])]) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let together: Vec<_> = std::iter::from_fn(|| client.next()).collect();
        if together.is_empty() {
            return seen;
        }
        let line: Vec<String> = together
            .iter()
            .map(|r| {
                let kind = r.type_url.rsplit('.').next().unwrap();
                let gone: Vec<String> = r.removed.iter().flatten().map(|n| format!("-{n}")).collect();
                format!("{kind} {}{}", names(r).join(","), gone.join(","))
            })
            .collect();
        seen.push(line.join("; "));
        for r in together {
            match client.stream.protocol() {
                Protocol::Delta => client.take(&r),
                Protocol::StateOfTheWorld => {
                    let names = subscribed.iter().find(|(t, _)| *t == &*r.type_url).unwrap().1;
                    client.ack(&r, names);
                }
            }
        }
    }
}

const SUBSCRIBED: &[(&str, &[&str])] = &[
    (CLUSTER, &[]),
    (ENDPOINT, &["a", "b"]),
    (LISTENER, &[]),
    (ROUTE, &["r"]),
    (EXTENSION, &["x"]),
];

fn connected(protocol: Protocol) -> Client {
    let mut client = Client::new(protocol, at_once()).on(&snapshot(&[
        (CLUSTER, "a", "1"),
        (ENDPOINT, "a", "1"),
        (LISTENER, "l", "1"),
        (ROUTE, "r", "1"),
        (EXTENSION, "x", "1"),
    ]));
    // Asked for in an order that has nothing to do with that of a push.
    for (type_url, names) in SUBSCRIBED.iter().rev() {
        match protocol {
            Protocol::Delta => client.subscribe(type_url, names, &[]),
            Protocol::StateOfTheWorld => client.ask(type_url, names),
        }
    }
    while let Some(r) = client.next() {
        match protocol {
            Protocol::Delta => client.take(&r),
            Protocol::StateOfTheWorld => {
                let names = SUBSCRIBED.iter().find(|(t, _)| *t == &*r.type_url).unwrap().1;
                client.ack(&r, names);
            }
        }
    }
    client
}

#[test]
fn everything_new_goes_in_the_order_of_references_each_after_the_acknowledgement_before() {
    let new = snapshot(&[
        (CLUSTER, "a", "1"),
        (CLUSTER, "b", "1"),
        (ENDPOINT, "a", "2"),
        (LISTENER, "l", "2"),
        (ROUTE, "r", "2"),
        (EXTENSION, "x", "2"),
    ]);
    for (protocol, clusters) in [
        (Protocol::StateOfTheWorld, "Cluster a,b; ClusterLoadAssignment a"),
        (Protocol::Delta, "Cluster b; ClusterLoadAssignment a"),
    ] {
        let mut client = connected(protocol);
        client.publish(&new);
        assert_eq!(
            settle(&mut client, SUBSCRIBED),
            [clusters, "Listener l", "RouteConfiguration r", "TypedExtensionConfig x"]
        );
    }
}

#[test]
fn a_cluster_is_removed_last_after_the_routes_have_been_acknowledged() {
    for protocol in [Protocol::StateOfTheWorld, Protocol::Delta] {
        let mut client = connected(protocol);
        client.publish(&snapshot(&[
            (CLUSTER, "b", "1"),
            (LISTENER, "l", "1"),
            (ROUTE, "r", "2"),
            (EXTENSION, "x", "1"),
        ]));
        let seen = settle(&mut client, SUBSCRIBED);
        let expected: &[&str] = match protocol {
            Protocol::Delta => &[
                "Cluster b",
                "RouteConfiguration r",
                "Cluster -a",
                "ClusterLoadAssignment -a",
            ],
            Protocol::StateOfTheWorld => &["Cluster b,a", "RouteConfiguration r", "Cluster b"],
        };
        assert_eq!(seen, expected, "{protocol:?}");
    }
}

#[test]
fn a_cluster_stays_while_the_routes_that_leave_it_are_refused() {
    let mut client = connected(Protocol::Delta);
    let all_but = |route: &'static str| {
        snapshot(&[
            (CLUSTER, "b", "1"),
            (LISTENER, "l", "1"),
            (ROUTE, "r", route),
            (EXTENSION, "x", "1"),
        ])
    };
    client.publish(&all_but("bad"));
    let r = client.expect(CLUSTER, &["b"]);
    client.take(&r);
    let r = client.expect(ROUTE, &["r"]);
    client.refuse(&r);
    client.expect_silence();
    client.publish(&all_but("good"));
    let r = client.expect(ROUTE, &["r"]);
    client.take(&r);
    client.expect_change(CLUSTER, &[], &["a"]);
}

#[test]
fn a_listener_is_removed_before_its_routes_and_clusters() {
    let mut client = connected(Protocol::Delta);
    client.publish(&snapshot(&[]));
    let seen = settle(&mut client, &[]);
    assert_eq!(
        seen,
        [
            "Listener -l",
            "RouteConfiguration -r",
            "TypedExtensionConfig -x",
            "Cluster -a",
            "ClusterLoadAssignment -a"
        ]
    );
}

#[test]
fn what_a_client_asks_for_does_not_wait_for_its_turn() {
    let mut client = connected(Protocol::Delta);
    client.publish(&snapshot(&[
        (CLUSTER, "a", "2"),
        (ENDPOINT, "a", "1"),
        (LISTENER, "l", "1"),
        (ROUTE, "r", "2"),
        (ROUTE, "s", "1"),
        (EXTENSION, "x", "1"),
    ]));
    let clusters = client.expect(CLUSTER, &["a"]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.take(&r);
    client.subscribe(ROUTE, &["s"], &[]);
    let r = client.expect(ROUTE, &["s"]);
    client.take(&r);
    client.expect_silence();
    client.take(&clusters);
    client.expect(ROUTE, &["r"]);
}

#[test]
fn a_route_that_is_asked_for_waits_until_the_clusters_it_may_name_were_sent() {
    let at = |c: &str| snapshot(&[(CLUSTER, c, "1"), (ROUTE, "r", c)]);
    let mut client = Client::delta().on(&at("a"));
    client.subscribe(CLUSTER, &[], &[]);
    let first = client.expect(CLUSTER, &["a"]);
    client.publish(&at("b"));
    client.subscribe(ROUTE, &["r"], &[]);
    client.expect_silence();
    client.take(&first);
    client.expect(CLUSTER, &["b"]);
    client.expect(ROUTE, &["r"]);
}

#[test]
fn what_clusters_warm_with_does_not_wait_for_their_acknowledgement() {
    let at = |c: &str| {
        linked(
            &[
                (CLUSTER, "a", c),
                (ENDPOINT, "a", "1"),
                (SECRET, "s", "1"),
                (EXTENSION, "x", "1"),
            ],
            &[("a", SECRET, "s")],
        )
    };
    let mut client = Client::delta().on(&at("1"));
    client.subscribe(CLUSTER, &[], &[]);
    client.subscribe(ENDPOINT, &["a"], &[]);
    let clusters = client.expect(CLUSTER, &["a"]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.take(&r);
    // Not even when there are newer clusters that wait for the acknowledgement.
    client.publish(&at("2"));
    client.subscribe(SECRET, &["s"], &[]);
    let r = client.expect(SECRET, &["s"]);
    client.take(&r);
    client.subscribe(EXTENSION, &["x"], &[]);
    let r = client.expect(EXTENSION, &["x"]);
    client.take(&r);
    client.expect_silence();
    client.take(&clusters);
    client.expect(CLUSTER, &["a"]);
    client.expect(ENDPOINT, &["a"]);
    client.expect(SECRET, &["s"]);
    client.expect_silence();
}

#[test]
fn a_cluster_that_does_not_warm_holds_up_only_what_names_it() {
    let patience = Duration::from_secs(10);
    let at = |to: &str, content: &str| {
        linked(
            &[
                (CLUSTER, "a", "1"),
                (CLUSTER, to, "1"),
                (ROUTE, "r", content),
                (ROUTE, "s", content),
            ],
            &[("r", CLUSTER, to), ("s", CLUSTER, "a")],
        )
    };
    let mut client = Client::new(
        Protocol::Delta,
        Limits {
            warming_patience: patience,
            ..at_once()
        },
    );
    client.publish(&linked(
        &[(CLUSTER, "a", "1"), (ROUTE, "r", "1"), (ROUTE, "s", "1")],
        &[("r", CLUSTER, "a"), ("s", CLUSTER, "a")],
    ));
    client.subscribe(CLUSTER, &[], &[]);
    client.subscribe(ROUTE, &["r", "s"], &[]);
    for _ in 0..2 {
        let r = client.next().unwrap();
        client.take(&r);
    }
    client.publish(&at("slow", "2"));
    let slow = client.expect(CLUSTER, &["slow"]);
    client.expect_silence();
    assert_eq!(client.stream.wake_at(client.now), Some(client.now + patience));
    client.pass(patience);
    let r = client.expect(ROUTE, &["s"]);
    client.take(&r);
    client.expect_silence();
    assert_eq!(client.stream.wake_at(client.now), None);
    client.take(&slow);
    client.expect(ROUTE, &["r"]);
}

#[test]
fn endpoints_are_answered_though_unchanged_after_their_cluster_has_changed() {
    // State of the world: Envoy asks again, with the same names and the nonce that it has acknowledged.
    let at = |c: &str| {
        snapshot(&[
            (CLUSTER, "a", c),
            (CLUSTER, "b", "1"),
            (ENDPOINT, "a", "1"),
            (ENDPOINT, "b", "1"),
        ])
    };
    let mut client = Client::sotw().on(&at("1"));
    client.ask(CLUSTER, &[]);
    client.ask(ENDPOINT, &["a", "b"]);
    let clusters = client.expect(CLUSTER, &["a", "b"]);
    let endpoints = client.expect(ENDPOINT, &["a", "b"]);
    client.ack(&clusters, &[]);
    client.ack(&endpoints, &["a", "b"]);
    client.send(ENDPOINT, &endpoints.version, &endpoints.nonce, &["a", "b"]);
    client.expect_silence();
    client.publish(&at("2"));
    let clusters = client.expect(CLUSTER, &["a", "b"]);
    client.send(ENDPOINT, &endpoints.version, &endpoints.nonce, &["a", "b"]);
    let endpoints = client.expect(ENDPOINT, &["a", "b"]);
    client.ack(&clusters, &[]);
    client.ack(&endpoints, &["a", "b"]);
    // Once: the old cluster's end makes Envoy ask again, too.
    client.send(ENDPOINT, &endpoints.version, &endpoints.nonce, &["a", "b"]);
    client.expect_silence();

    // Delta: Envoy does not ask for what it is subscribed to.
    let mut client = Client::delta().on(&at("1"));
    client.subscribe(CLUSTER, &[], &[]);
    client.subscribe(ENDPOINT, &["a", "b"], &[]);
    for _ in 0..2 {
        let r = client.next().unwrap();
        client.take(&r);
    }
    client.publish(&at("2"));
    let clusters = client.expect(CLUSTER, &["a"]);
    // And acknowledges its clusters when they are warm, so these must not wait for that.
    let endpoints = client.expect(ENDPOINT, &["a"]);
    client.take(&endpoints);
    client.take(&clusters);
    client.expect_silence();
}

#[test]
fn endpoints_pushed_across_a_cluster_change_are_complete() {
    // The change of "a"'s endpoints is on its way when the warming cluster "b" asks: that request is
    // stale, so the push must have answered it.
    let at = |c: &str, e: &str| {
        snapshot(&[
            (CLUSTER, "a", "1"),
            (CLUSTER, "b", c),
            (ENDPOINT, "a", e),
            (ENDPOINT, "b", "1"),
        ])
    };
    let mut client = Client::sotw().on(&at("1", "1"));
    client.ask(CLUSTER, &[]);
    client.ask(ENDPOINT, &["a", "b"]);
    let clusters = client.expect(CLUSTER, &["a", "b"]);
    let endpoints = client.expect(ENDPOINT, &["a", "b"]);
    client.ack(&clusters, &[]);
    client.ack(&endpoints, &["a", "b"]);
    client.publish(&at("2", "2"));
    client.expect(CLUSTER, &["a", "b"]);
    let push = client.expect(ENDPOINT, &["a", "b"]);
    client.send(ENDPOINT, &endpoints.version, &endpoints.nonce, &["a", "b"]);
    client.ack(&push, &["a", "b"]);
    client.expect_silence();
    // It has: when the old cluster's end makes Envoy ask once more, there is nothing left to say.
    client.send(ENDPOINT, &push.version, &push.nonce, &["a", "b"]);
    client.expect_silence();
}

#[test]
fn a_changed_listener_makes_its_route_table_come_again() {
    let at = |l: &str| {
        linked(
            &[(LISTENER, "l", l), (ROUTE, "r", "1"), (EXTENSION, "x", "1")],
            &[("l", ROUTE, "r"), ("l", EXTENSION, "x")],
        )
    };
    let mut client = Client::delta().on(&at("1"));
    client.subscribe(LISTENER, &[], &[]);
    client.subscribe(ROUTE, &["r"], &[]);
    client.subscribe(EXTENSION, &["x"], &[]);
    for _ in 0..3 {
        let r = client.next().unwrap();
        client.take(&r);
    }
    client.publish(&at("2"));
    let r = client.expect(LISTENER, &["l"]);
    client.take(&r);
    let r = client.expect(ROUTE, &["r"]);
    client.take(&r);
    // But not the filter's configuration, which the listeners share.
    client.expect_silence();
}
