//! New streams of clients that hold something already.

use std::time::Duration;

use crate::client::*;
use ferromesh_xds::stream::{Limits, Protocol};

const BASE: &[(&str, &str, &str)] = &[
    (CLUSTER, "a", "1"),
    (CLUSTER, "b", "1"),
    (ENDPOINT, "a", "1"),
    (ENDPOINT, "b", "1"),
    (ROUTE, "r", "1"),
];

fn version(type_url: &str, name: &str) -> String {
    snapshot(BASE)
        .resources(type_url)
        .get(name)
        .unwrap()
        .version()
        .to_string()
}

#[test]
fn a_nonce_from_another_stream_is_not_an_acknowledgement() {
    let mut client = Client::sotw().on(&snapshot(BASE));
    assert!(client.send(CLUSTER, "", "abc.1", &[]).is_none());
    let r = client.expect(CLUSTER, &["a", "b"]);
    assert!(client.send(ROUTE, "", &r.nonce, &["r"]).is_none());
    client.expect(ROUTE, &["r"]);

    let mut client = Client::delta().on(&snapshot(BASE));
    assert!(client.ack_and("abc.1", CLUSTER, &[], &[]).is_none());
    client.expect(CLUSTER, &["a", "b"]);
}

#[test]
fn a_client_with_the_current_version_is_sent_nothing() {
    let mut first = Client::sotw().on(&snapshot(BASE));
    first.ask(CLUSTER, &[]);
    first.ask(ENDPOINT, &["a", "b", "local_cluster"]);
    first.ask(ROUTE, &["r"]);
    let versions: Vec<String> = (0..3).map(|_| first.next().unwrap().version).collect();

    let mut again = Client::sotw();
    again.send(CLUSTER, &versions[0], "old", &[]);
    again.send(ENDPOINT, &versions[1], "old", &["a", "b", "local_cluster"]);
    again.publish(&snapshot(BASE));
    again.expect_silence();
    again.send(ROUTE, &versions[2], "old", &["r"]);
    again.expect_silence();
    // Changes come through nevertheless.
    let mut changed = BASE.to_vec();
    changed[4].2 = "2";
    again.publish(&snapshot(&changed));
    again.expect(ROUTE, &["r"]);
}

#[test]
fn versions_add_up_over_partial_responses() {
    let mut first = Client::sotw().on(&snapshot(BASE));
    first.ask(ENDPOINT, &["a"]);
    let r = first.expect(ENDPOINT, &["a"]);
    first.ack(&r, &["a", "b"]);
    let r = first.expect(ENDPOINT, &["b"]);

    let mut again = Client::sotw().on(&snapshot(BASE));
    again.send(ENDPOINT, &r.version, "", &["a", "b"]);
    again.expect_silence();
}

#[test]
fn a_client_with_the_current_version_of_fewer_names_is_sent_the_rest() {
    let mut first = Client::sotw().on(&snapshot(BASE));
    first.ask(ENDPOINT, &["a"]);
    let r = first.expect(ENDPOINT, &["a"]);

    let mut again = Client::sotw().on(&snapshot(BASE));
    again.send(ENDPOINT, &r.version, "", &["a", "b"]);
    let r = again.expect(ENDPOINT, &["a", "b"]);
    again.ack(&r, &["a", "b"]);
    again.expect_silence();
}

#[test]
fn equal_initial_versions_are_met_with_silence() {
    let mut client = Client::delta().on(&snapshot(BASE));
    client.resume(
        CLUSTER,
        &[],
        &[("a", &version(CLUSTER, "a")), ("b", &version(CLUSTER, "b"))],
    );
    client.resume(ENDPOINT, &["a"], &[("a", &version(ENDPOINT, "a"))]);
    client.resume(ROUTE, &["r"], &[("r", &version(ROUTE, "r"))]);
    client.expect_silence();
}

#[test]
fn differing_initial_versions_are_sent_and_vanished_names_removed() {
    let mut client = Client::delta().on(&snapshot(BASE));
    client.resume(LISTENER, &[], &[("gone", "0123456789abcdef")]);
    client.resume(
        ENDPOINT,
        &["a", "b", "gone"],
        &[("a", &version(ENDPOINT, "a")), ("gone", "x")],
    );
    client.resume(ROUTE, &["r"], &[("r", "v17")]);
    client.resume(
        CLUSTER,
        &[],
        &[("a", &version(CLUSTER, "b")), ("gone", "0123456789abcdef")],
    );
    let mut seen = Vec::new();
    while let Some(r) = client.next() {
        let gone: Vec<String> = r.removed.iter().flatten().map(|n| format!("-{n}")).collect();
        let kind = r.type_url.rsplit('.').next().unwrap();
        seen.push(format!(
            "{kind} {}",
            names(&r)
                .into_iter()
                .map(String::from)
                .chain(gone)
                .collect::<Vec<_>>()
                .join(",")
        ));
        client.take(&r);
    }
    assert_eq!(
        seen,
        [
            "Cluster a,b",
            "ClusterLoadAssignment a,b",
            "RouteConfiguration r",
            "Listener -gone",
            "Cluster -gone",
            "ClusterLoadAssignment -gone",
        ]
    );
}

#[test]
fn initial_versions_of_names_that_are_not_asked_for_are_ignored() {
    let mut client = Client::delta().on(&snapshot(BASE));
    client.resume(
        ENDPOINT,
        &["a"],
        &[("a", &version(ENDPOINT, "a")), ("other", "1"), ("b", "1")],
    );
    client.expect_silence();
}

#[test]
fn initial_versions_count_in_the_first_request_of_a_type_only() {
    let mut client = Client::delta().on(&snapshot(BASE));
    client.resume(ENDPOINT, &["a"], &[]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.take(&r);
    client.resume(ENDPOINT, &["b"], &[("b", &version(ENDPOINT, "b"))]);
    client.expect(ENDPOINT, &["b"]);
}

#[test]
fn endpoints_asked_for_before_a_changed_cluster_came_are_answered_when_it_has_come() {
    // Envoy resumes with current endpoints; then its cluster changes and warms.
    let mut old = BASE.to_vec();
    old[0].2 = "0";
    let mut before = Client::sotw().on(&snapshot(&old));
    before.ask(CLUSTER, &[]);
    before.ask(ENDPOINT, &["a", "b"]);
    let clusters = before.expect(CLUSTER, &["a", "b"]).version;
    let endpoints = before.expect(ENDPOINT, &["a", "b"]).version;

    for endpoints_first in [true, false] {
        let mut client = Client::sotw().on(&snapshot(BASE));
        if endpoints_first {
            client.send(ENDPOINT, &endpoints, "", &["a", "b"]);
            client.expect_silence();
            client.send(CLUSTER, &clusters, "", &[]);
            client.expect(CLUSTER, &["a", "b"]);
        } else {
            client.send(CLUSTER, &clusters, "", &[]);
            client.expect(CLUSTER, &["a", "b"]);
            client.send(ENDPOINT, &endpoints, "", &["a", "b"]);
            client.expect_silence();
        }
        client.send(ENDPOINT, &endpoints, "", &["a", "b"]);
        client.expect(ENDPOINT, &["a", "b"]);
    }

    let old_a = snapshot(&old)
        .resources(CLUSTER)
        .get("a")
        .unwrap()
        .version()
        .to_string();
    for endpoints_first in [true, false] {
        let mut client = Client::delta().on(&snapshot(BASE));
        let endpoints = |client: &mut Client| {
            client.resume(
                ENDPOINT,
                &["a", "b"],
                &[("a", &version(ENDPOINT, "a")), ("b", &version(ENDPOINT, "b"))],
            );
        };
        if endpoints_first {
            endpoints(&mut client);
            client.expect_silence();
        }
        client.resume(CLUSTER, &[], &[("a", &old_a), ("b", &version(CLUSTER, "b"))]);
        let clusters = client.expect(CLUSTER, &["a"]);
        if !endpoints_first {
            endpoints(&mut client);
        }
        client.expect(ENDPOINT, &["a"]);
        client.expect_silence();
        client.take(&clusters);
        client.expect_silence();
    }
}

#[test]
fn after_a_reconnection_clusters_go_only_when_routes_had_their_chance() {
    let limits = Limits {
        removal_grace: Duration::from_secs(1),
        ..at_once()
    };
    let mut client = Client::new(Protocol::Delta, limits).on(&snapshot(BASE));
    client.resume(
        CLUSTER,
        &[],
        &[
            ("a", &version(CLUSTER, "a")),
            ("b", &version(CLUSTER, "b")),
            ("gone", "0123456789abcdef"),
        ],
    );
    client.expect_silence();
    client.resume(ROUTE, &["r"], &[("r", "0123456789abcdef")]);
    let routes = client.expect(ROUTE, &["r"]);
    client.pass(Duration::from_secs(2));
    client.expect_silence();
    client.take(&routes);
    client.expect_change(CLUSTER, &[], &["gone"]);
}

#[test]
fn after_a_reconnection_changed_routes_wait_for_changed_clusters() {
    let mut client = Client::sotw().on(&snapshot(BASE));
    client.send(CLUSTER, "older", "", &[]);
    client.send(ROUTE, "older", "", &["r"]);
    let clusters = client.expect(CLUSTER, &["a", "b"]);
    client.expect_silence();
    client.ack(&clusters, &[]);
    client.expect(ROUTE, &["r"]);
}

/// A stream that holds clusters and routes of `before`, and the next one of the same client, on `after`.
fn comes_again(
    before: &[(&'static str, &str, &str)],
    after: &[(&'static str, &str, &str)],
) -> (Client, String, String) {
    let mut first = Client::sotw().on(&snapshot(before));
    first.ask(CLUSTER, &[]);
    let clusters = first.next().unwrap();
    first.ack(&clusters, &[]);
    first.ask(ROUTE, &["r"]);
    let routes = first.next().unwrap();
    first.ack(&routes, &["r"]);
    let mut again = Client::sotw().on(&snapshot(after));
    again.stream.recall(first.stream.holdings());
    (again, clusters.version, routes.version)
}

const OLD: &[(&str, &str, &str)] = &[(CLUSTER, "old", "1"), (ROUTE, "r", "old")];
const NEW: &[(&str, &str, &str)] = &[(CLUSTER, "new", "1"), (ROUTE, "r", "new")];

#[test]
fn a_cluster_that_went_while_the_client_was_away_stays_until_its_routes_have_changed() {
    let (mut client, clusters, routes) = comes_again(OLD, NEW);
    client.send(CLUSTER, &clusters, "", &[]);
    client.send(ROUTE, &routes, "", &["r"]);
    let both = client.expect(CLUSTER, &["new", "old"]);
    client.expect_silence();
    client.ack(&both, &[]);
    let routes = client.expect(ROUTE, &["r"]);
    client.expect_silence();
    client.ack(&routes, &["r"]);
    let rest = client.expect(CLUSTER, &["new"]);
    client.ack(&rest, &[]);
    client.expect_silence();
}

#[test]
fn what_was_recalled_counts_only_for_who_names_its_version() {
    let (mut client, _, routes) = comes_again(OLD, NEW);
    client.send(CLUSTER, "another", "", &[]);
    client.send(ROUTE, &routes, "", &["r"]);
    client.expect(CLUSTER, &["new"]);

    // And what changed back meanwhile is not sent at all.
    let (mut client, clusters, routes) = comes_again(OLD, OLD);
    client.send(CLUSTER, &clusters, "", &[]);
    client.send(ROUTE, &routes, "", &["r"]);
    client.expect_silence();
}

#[test]
fn the_state_under_way_when_the_stream_ended_is_recalled_too() {
    let mut first = Client::sotw().on(&snapshot(OLD));
    first.ask(CLUSTER, &[]);
    let r = first.expect(CLUSTER, &["old"]);
    first.ack(&r, &[]);
    first.publish(&snapshot(NEW));
    // The client takes it, and its acknowledgement is lost.
    let taken = first.expect(CLUSTER, &["new", "old"]);
    let mut again = Client::sotw().on(&snapshot(&[(CLUSTER, "third", "1")]));
    again.stream.recall(first.stream.holdings());
    again.send(CLUSTER, &taken.version, "", &[]);
    let all = again.expect(CLUSTER, &["third", "new", "old"]);
    again.ack(&all, &[]);
    again.expect(CLUSTER, &["third"]);
}

#[test]
fn after_a_rejection_what_was_in_it_is_sent_again_though_it_was_taken_before() {
    // An Envoy says that it holds the version before, and has kept what was good in the response that it refused.
    for heard in [true, false] {
        let mut first = Client::sotw().on(&snapshot(OLD));
        first.ask(CLUSTER, &[]);
        let good = first.expect(CLUSTER, &["old"]);
        first.ack(&good, &[]);
        first.publish(&snapshot(&[(CLUSTER, "old", "2"), (CLUSTER, "new", "bad")]));
        let bad = first.expect(CLUSTER, &["old", "new"]);
        if heard {
            first.nack(&bad, &good.version, &[]);
        }
        let mut again = Client::sotw().on(&snapshot(OLD));
        again.stream.recall(first.stream.holdings());
        again.send(CLUSTER, &good.version, "", &[]);
        let r = again.expect(CLUSTER, &["old"]);
        again.ack(&r, &[]);
        again.expect_silence();
    }
}

#[test]
fn nothing_is_recalled_for_the_delta_variant_whose_clients_say_what_they_hold() {
    let mut delta = Client::delta().on(&snapshot(OLD));
    delta.subscribe(CLUSTER, &[], &[]);
    let r = delta.expect(CLUSTER, &["old"]);
    delta.take(&r);
    assert!(delta.stream.holdings().is_empty());
}
