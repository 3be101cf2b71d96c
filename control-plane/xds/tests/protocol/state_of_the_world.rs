//! Subscriptions, state of the world.

use crate::client::*;

const TWO: &[(&str, &str, &str)] = &[(CLUSTER, "a", "1"), (CLUSTER, "b", "1")];

#[test]
fn the_first_response_has_nonce_version_and_type_and_its_acknowledgement_is_answered_by_silence() {
    let mut client = Client::sotw().on(&snapshot(TWO));
    client.ask(CLUSTER, &[]);
    let response = client.expect(CLUSTER, &["a", "b"]);
    assert!(!response.nonce.is_empty());
    assert!(!response.version.is_empty());
    assert_eq!(response.removed, None);
    client.expect_silence();
    client.ack(&response, &[]);
    client.expect_silence();
}

#[test]
fn nonces_are_kept_apart_by_type_when_changes_interleave() {
    let at = |c: u32, e: u32, r: u32| {
        let [c, e, r] = [c, e, r].map(|n| n.to_string());
        snapshot(&[(CLUSTER, "a", &c), (ENDPOINT, "a", &e), (ROUTE, "r", &r)])
    };
    let mut client = Client::sotw().on(&at(0, 0, 0));
    client.ask(CLUSTER, &[]);
    client.ask(ENDPOINT, &["a"]);
    client.ask(ROUTE, &["r"]);
    let clusters = client.expect(CLUSTER, &["a"]);
    let mut endpoints = client.expect(ENDPOINT, &["a"]);
    let mut routes = client.expect(ROUTE, &["r"]);
    client.ack(&clusters, &[]);
    for round in 1..10 {
        // Two types are under way, and are acknowledged in the other order.
        client.ack(&endpoints, &["a"]);
        client.publish(&at(0, round, 0));
        endpoints = client.expect(ENDPOINT, &["a"]);
        client.ack(&routes, &["r"]);
        client.ack(&endpoints, &["a"]);
        client.expect_silence();
        client.publish(&at(0, round, round));
        routes = client.expect(ROUTE, &["r"]);
        client.publish(&at(0, round + 1000, round));
        endpoints = client.expect(ENDPOINT, &["a"]);
        client.ack(&routes, &["r"]);
        client.expect_silence();
        client.publish(&at(0, round + 1000, 0));
        client.expect_silence();
        client.ack(&endpoints, &["a"]);
        routes = client.expect(ROUTE, &["r"]);
        client.publish(&at(0, round + 2000, 0));
        endpoints = client.expect(ENDPOINT, &["a"]);
        client.expect_silence();
    }
}

#[test]
fn a_request_with_a_stale_nonce_is_ignored() {
    let mut client = Client::sotw().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.ask(ENDPOINT, &["a"]);
    let first = client.expect(ENDPOINT, &["a"]);
    client.ack(&first, &["a"]);
    client.publish(&snapshot(&[(ENDPOINT, "a", "2"), (ENDPOINT, "b", "1")]));
    let second = client.expect(ENDPOINT, &["a"]);
    for stale in [&*first.nonce, "", "other"] {
        assert!(client.send(ENDPOINT, &first.version, stale, &["a", "b"]).is_none());
        client.expect_silence();
    }
    client.ack(&second, &["a"]);
    client.expect_silence();
}

#[test]
fn a_subscription_that_crosses_a_push_is_neither_lost_nor_answered_twice() {
    let mut client = Client::sotw().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.ask(ENDPOINT, &["a"]);
    let first = client.expect(ENDPOINT, &["a"]);
    client.ack(&first, &["a"]);
    client.publish(&snapshot(&[(ENDPOINT, "a", "2"), (ENDPOINT, "b", "1")]));
    let push = client.expect(ENDPOINT, &["a"]);
    // Sent by the client before it saw the push, and repeated in its acknowledgement.
    client.send(ENDPOINT, &first.version, &first.nonce, &["a", "b"]);
    client.expect_silence();
    client.ack(&push, &["a", "b"]);
    let second = client.expect(ENDPOINT, &["b"]);
    client.ack(&second, &["a", "b"]);
    client.expect_silence();
}

#[test]
fn a_name_dropped_and_taken_again_across_a_push_is_sent_again() {
    let at = |b: &str| snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", b)]);
    let mut client = Client::sotw().on(&at("1"));
    client.ask(ENDPOINT, &["a", "b"]);
    let first = client.expect(ENDPOINT, &["a", "b"]);
    client.ack(&first, &["a", "b"]);
    client.publish(&at("2"));
    let push = client.expect(ENDPOINT, &["b"]);
    // The client forgets "a", wants it again, and only then sees the push.
    client.send(ENDPOINT, &first.version, &first.nonce, &["b"]);
    client.send(ENDPOINT, &first.version, &first.nonce, &["a", "b"]);
    client.expect_silence();
    client.ack(&push, &["a", "b"]);
    let again = client.expect(ENDPOINT, &["a"]);
    client.ack(&again, &["a", "b"]);
    client.expect_silence();
}

#[test]
fn an_empty_first_request_asks_for_all_and_stays_so_until_a_name_is_given() {
    for type_url in [CLUSTER, LISTENER] {
        let at = |content: &str| snapshot(&[(type_url, "a", content), (type_url, "b", content)]);
        let mut client = Client::sotw().on(&at("1"));
        client.ask(type_url, &[]);
        let r = client.expect(type_url, &["a", "b"]);
        client.ack(&r, &[]);
        client.publish(&at("2"));
        let r = client.expect(type_url, &["a", "b"]);
        client.ack(&r, &["a"]);
        let r = client.expect(type_url, &["a"]);
        client.ack(&r, &["a"]);
        client.publish(&at("3"));
        let r = client.expect(type_url, &["a"]);
        // From now on an empty list is none at all.
        client.ack(&r, &[]);
        client.publish(&at("4"));
        client.expect_silence();
    }
}

#[test]
fn an_empty_request_for_a_type_that_goes_by_names_asks_for_none() {
    for type_url in [ENDPOINT, ROUTE, EXTENSION] {
        let mut client = Client::sotw().on(&snapshot(&[(type_url, "a", "1")]));
        client.ask(type_url, &[]);
        client.expect_silence();
        client.ask(type_url, &["*"]);
        client.expect(type_url, &["a"]);
    }
}

#[test]
fn the_star_asks_for_all_alone_or_beside_names_and_can_be_dropped() {
    let mut client = Client::sotw().on(&snapshot(TWO));
    client.ask(CLUSTER, &["*"]);
    let r = client.expect(CLUSTER, &["a", "b"]);
    client.ack(&r, &["*"]);
    client.send(CLUSTER, &r.version, &r.nonce, &["*", "a"]);
    client.expect_silence();
    client.publish(&snapshot(&[
        (CLUSTER, "a", "1"),
        (CLUSTER, "b", "2"),
        (CLUSTER, "c", "1"),
    ]));
    let r = client.expect(CLUSTER, &["a", "b", "c"]);
    client.ack(&r, &["a"]);
    client.expect_silence();
    client.publish(&snapshot(&[(CLUSTER, "a", "2"), (CLUSTER, "b", "3")]));
    let r = client.expect(CLUSTER, &["a"]);
    client.ack(&r, &["*"]);
    client.expect(CLUSTER, &["a", "b"]);
}

#[test]
fn a_name_that_is_subscribed_to_again_is_sent_again_though_unchanged() {
    let mut client = Client::sotw().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.ask(ENDPOINT, &["a", "b"]);
    let r = client.expect(ENDPOINT, &["a", "b"]);
    client.ack(&r, &["a", "b"]);
    client.send(ENDPOINT, &r.version, &r.nonce, &["a"]);
    client.expect_silence();
    client.send(ENDPOINT, &r.version, &r.nonce, &["a", "b"]);
    client.expect(ENDPOINT, &["b"]);
}

#[test]
fn a_name_that_does_not_exist_is_met_with_silence_and_sent_when_it_comes() {
    let mut client = Client::sotw().on(&snapshot(&[(ENDPOINT, "a", "1")]));
    client.ask(ENDPOINT, &["a", "later"]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.ack(&r, &["a", "later"]);
    client.expect_silence();
    client.publish(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "later", "1")]));
    client.expect(ENDPOINT, &["later"]);
}

#[test]
fn the_agents_local_cluster_is_tolerated() {
    let mut client = Client::sotw().on(&snapshot(TWO));
    client.ask(ENDPOINT, &["local_cluster"]);
    client.expect_silence();
    client.ask(CLUSTER, &[]);
    client.expect(CLUSTER, &["a", "b"]);
}

#[test]
fn clusters_and_listeners_are_always_the_full_state_and_end_as_an_empty_one() {
    for type_url in [CLUSTER, LISTENER] {
        let mut client = Client::sotw().on(&snapshot(&[(type_url, "a", "1"), (type_url, "b", "1")]));
        client.ask(type_url, &[]);
        let r = client.expect(type_url, &["a", "b"]);
        client.ack(&r, &[]);
        client.publish(&snapshot(&[(type_url, "a", "1"), (type_url, "b", "2")]));
        let r = client.expect(type_url, &["a", "b"]);
        client.ack(&r, &[]);
        client.publish(&snapshot(&[(type_url, "a", "1")]));
        let r = client.expect(type_url, &["a"]);
        client.ack(&r, &[]);
        client.publish(&snapshot(&[]));
        let r = client.expect(type_url, &[]);
        client.ack(&r, &[]);
        client.expect_silence();
    }
}

#[test]
fn a_wildcard_is_answered_also_when_there_is_nothing_and_names_are_not() {
    let mut client = Client::sotw().on(&snapshot(&[]));
    client.ask(LISTENER, &["l"]);
    client.expect_silence();
    client.ask(CLUSTER, &[]);
    client.expect(CLUSTER, &[]);
}

#[test]
fn endpoints_are_sent_in_part() {
    let mut client = Client::sotw().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.ask(ENDPOINT, &["a", "b"]);
    let r = client.expect(ENDPOINT, &["a", "b"]);
    client.ack(&r, &["a", "b"]);
    client.publish(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "2")]));
    let r = client.expect(ENDPOINT, &["b"]);
    client.ack(&r, &["a", "b"]);
    // Gone and back: nothing is said of the first, the second is news.
    client.publish(&snapshot(&[(ENDPOINT, "a", "1")]));
    client.expect_silence();
    client.publish(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "2")]));
    client.expect(ENDPOINT, &["b"]);
}

#[test]
fn a_name_asked_for_twice_in_one_request_comes_once() {
    let mut client = Client::sotw().on(&snapshot(&[(ENDPOINT, "a", "1")]));
    client.ask(ENDPOINT, &["a", "a", ""]);
    client.expect(ENDPOINT, &["a"]);
}

#[test]
fn while_an_update_is_not_answered_newer_ones_are_merged() {
    let at = |content: &str| snapshot(&[(CLUSTER, "a", content)]);
    let mut client = Client::sotw().on(&at("1"));
    client.ask(CLUSTER, &[]);
    let first = client.expect(CLUSTER, &["a"]);
    for content in ["2", "3", "4"] {
        client.publish(&at(content));
        client.expect_silence();
    }
    client.ack(&first, &[]);
    let last = client.expect(CLUSTER, &["a"]);
    assert_eq!(last.version, at("4").resources(CLUSTER).version().to_string());
    client.ack(&last, &[]);
    client.expect_silence();
}
