//! Subscriptions, delta.

use crate::client::*;

const TWO: &[(&str, &str, &str)] = &[(CLUSTER, "a", "1"), (CLUSTER, "b", "1")];

#[test]
fn the_first_response_has_nonce_version_and_type_and_its_acknowledgement_is_answered_by_silence() {
    let mut client = Client::delta().on(&snapshot(TWO));
    client.subscribe(CLUSTER, &[], &[]);
    let response = client.expect(CLUSTER, &["a", "b"]);
    assert!(!response.nonce.is_empty());
    assert!(!response.version.is_empty());
    client.expect_silence();
    client.take(&response);
    client.expect_silence();
}

#[test]
fn only_what_has_changed_or_gone_is_sent() {
    let mut client = Client::delta().on(&snapshot(TWO));
    client.subscribe(CLUSTER, &[], &[]);
    let r = client.expect(CLUSTER, &["a", "b"]);
    client.take(&r);
    client.publish(&snapshot(&[
        (CLUSTER, "a", "1"),
        (CLUSTER, "b", "2"),
        (CLUSTER, "c", "1"),
    ]));
    let r = client.expect(CLUSTER, &["b", "c"]);
    client.take(&r);
    client.publish(&snapshot(&[(CLUSTER, "a", "1")]));
    let r = client.expect_change(CLUSTER, &[], &["b", "c"]);
    client.take(&r);
    client.publish(&snapshot(&[(CLUSTER, "a", "1")]));
    client.expect_silence();
}

#[test]
fn a_request_with_a_stale_nonce_still_changes_the_subscription() {
    let mut client = Client::delta().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.subscribe(ENDPOINT, &["a"], &[]);
    let first = client.expect(ENDPOINT, &["a"]);
    client.take(&first);
    client.publish(&snapshot(&[(ENDPOINT, "a", "2"), (ENDPOINT, "b", "1")]));
    let second = client.expect(ENDPOINT, &["a"]);
    assert!(client.ack_and(&first.nonce, ENDPOINT, &["b"], &[]).is_none());
    client.expect_silence();
    client.take(&second);
    client.expect(ENDPOINT, &["b"]);
}

#[test]
fn an_empty_first_request_asks_for_all_and_an_empty_later_one_changes_nothing() {
    let mut client = Client::delta().on(&snapshot(TWO));
    client.subscribe(CLUSTER, &[], &[]);
    let r = client.expect(CLUSTER, &["a", "b"]);
    client.take(&r);
    client.subscribe(CLUSTER, &[], &[]);
    client.expect_silence();
    client.publish(&snapshot(&[(CLUSTER, "a", "2"), (CLUSTER, "b", "1")]));
    let r = client.expect(CLUSTER, &["a"]);
    // A name more does not end the wildcard, and is sent though unchanged.
    client.ack_and(&r.nonce, CLUSTER, &["b"], &[]);
    let r = client.expect(CLUSTER, &["b"]);
    client.take(&r);
    client.publish(&snapshot(&[(CLUSTER, "a", "3"), (CLUSTER, "b", "1")]));
    let r = client.expect(CLUSTER, &["a"]);
    // The star ends it, though it was never named.
    client.ack_and(&r.nonce, CLUSTER, &[], &["*"]);
    client.publish(&snapshot(&[(CLUSTER, "a", "4"), (CLUSTER, "b", "2")]));
    client.expect(CLUSTER, &["b"]);
}

#[test]
fn the_star_can_be_subscribed_to_beside_names_and_dropped() {
    let mut client = Client::delta().on(&snapshot(TWO));
    client.subscribe(CLUSTER, &["a"], &[]);
    let r = client.expect(CLUSTER, &["a"]);
    client.take(&r);
    client.subscribe(CLUSTER, &["*"], &[]);
    let r = client.expect(CLUSTER, &["b"]);
    client.take(&r);
    client.subscribe(CLUSTER, &[], &["*"]);
    client.expect_silence();
    client.publish(&snapshot(&[(CLUSTER, "a", "2"), (CLUSTER, "b", "2")]));
    client.expect(CLUSTER, &["a"]);
}

#[test]
fn a_type_that_goes_by_names_has_no_implied_wildcard() {
    let mut client = Client::delta().on(&snapshot(&[(ENDPOINT, "a", "1")]));
    client.subscribe(ENDPOINT, &[], &[]);
    client.expect_silence();
    client.subscribe(ENDPOINT, &["*"], &[]);
    client.expect(ENDPOINT, &["a"]);
}

#[test]
fn a_name_dropped_under_a_wildcard_is_answered_with_what_the_wildcard_has() {
    let mut client = Client::delta().on(&snapshot(TWO));
    client.subscribe(CLUSTER, &["*", "a", "missing"], &[]);
    let r = client.expect_change(CLUSTER, &["a", "b"], &["missing"]);
    client.take(&r);
    client.subscribe(CLUSTER, &[], &["a", "missing"]);
    let r = client.expect_change(CLUSTER, &["a"], &["missing"]);
    client.take(&r);
    client.expect_silence();
}

#[test]
fn dropping_a_name_that_was_never_subscribed_to_is_ignored() {
    let mut client = Client::delta().on(&snapshot(TWO));
    client.subscribe(CLUSTER, &[], &[]);
    let r = client.expect(CLUSTER, &["a", "b"]);
    client.take(&r);
    client.subscribe(CLUSTER, &[], &["a", "nobody"]);
    client.expect_silence();
    client.publish(&snapshot(&[(CLUSTER, "a", "2"), (CLUSTER, "b", "1")]));
    client.expect(CLUSTER, &["a"]);
}

#[test]
fn a_name_that_is_subscribed_to_again_is_sent_again_though_unchanged() {
    let mut client = Client::delta().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.subscribe(ENDPOINT, &["a", "b"], &[]);
    let r = client.expect(ENDPOINT, &["a", "b"]);
    client.take(&r);
    client.subscribe(ENDPOINT, &["a"], &[]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.take(&r);
    client.subscribe(ENDPOINT, &["b"], &["b"]);
    client.expect(ENDPOINT, &["b"]);
}

#[test]
fn a_name_that_is_subscribed_to_again_while_it_is_on_its_way_is_sent_once_more() {
    let mut client = Client::delta().on(&snapshot(&[(ENDPOINT, "a", "1")]));
    client.subscribe(ENDPOINT, &["a"], &[]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.subscribe(ENDPOINT, &[], &["a"]);
    client.subscribe(ENDPOINT, &["a"], &[]);
    client.expect_silence();
    client.take(&r);
    let r = client.expect(ENDPOINT, &["a"]);
    client.take(&r);
    client.expect_silence();
}

#[test]
fn a_name_that_does_not_exist_is_answered_as_removed_and_sent_when_it_comes() {
    let mut client = Client::delta().on(&snapshot(&[(ENDPOINT, "a", "1")]));
    client.subscribe(ENDPOINT, &["a", "later"], &[]);
    let r = client.expect_change(ENDPOINT, &["a"], &["later"]);
    client.take(&r);
    client.expect_silence();
    client.publish(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "later", "1")]));
    let r = client.expect(ENDPOINT, &["later"]);
    client.take(&r);
    client.publish(&snapshot(&[(ENDPOINT, "a", "1")]));
    let r = client.expect_change(ENDPOINT, &[], &["later"]);
    client.take(&r);
    client.expect_silence();
}

#[test]
fn the_agents_local_cluster_is_tolerated() {
    let mut client = Client::delta().on(&snapshot(TWO));
    client.subscribe(ENDPOINT, &["local_cluster"], &[]);
    let r = client.expect_change(ENDPOINT, &[], &["local_cluster"]);
    client.take(&r);
    client.expect_silence();
}

#[test]
fn a_resource_that_was_just_dropped_is_not_sent() {
    let mut client = Client::delta().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.subscribe(ENDPOINT, &["a", "b"], &[]);
    let r = client.expect(ENDPOINT, &["a", "b"]);
    client.publish(&snapshot(&[(ENDPOINT, "a", "2"), (ENDPOINT, "b", "2")]));
    client.subscribe(ENDPOINT, &[], &["b"]);
    client.take(&r);
    client.expect(ENDPOINT, &["a"]);
}

#[test]
fn a_wildcard_is_answered_also_when_there_is_nothing() {
    let mut client = Client::delta().on(&snapshot(&[]));
    client.subscribe(CLUSTER, &[], &[]);
    let r = client.expect_change(CLUSTER, &[], &[]);
    client.take(&r);
    client.expect_silence();
}

#[test]
fn a_response_that_grows_too_large_is_cut_and_continued() {
    let big = "x".repeat(1000);
    let limits = ferromesh_xds::stream::Limits {
        max_response_bytes: 2500,
        ..at_once()
    };
    let mut client = Client::new(ferromesh_xds::stream::Protocol::Delta, limits);
    client.publish(&snapshot(&[
        (ENDPOINT, "a", &big),
        (ENDPOINT, "b", &big),
        (ENDPOINT, "c", &big),
    ]));
    client.subscribe(ENDPOINT, &["a", "b", "c"], &[]);
    let r = client.expect(ENDPOINT, &["a", "b"]);
    client.take(&r);
    let r = client.expect(ENDPOINT, &["c"]);
    client.take(&r);
    client.expect_silence();
}

#[test]
fn while_an_update_is_not_answered_newer_ones_are_merged() {
    let at = |content: &str| snapshot(&[(CLUSTER, "a", content)]);
    let mut client = Client::delta().on(&at("1"));
    client.subscribe(CLUSTER, &[], &[]);
    let first = client.expect(CLUSTER, &["a"]);
    for content in ["2", "3", "4"] {
        client.publish(&at(content));
        client.expect_silence();
    }
    client.take(&first);
    let last = client.expect(CLUSTER, &["a"]);
    assert_eq!(
        last.resources[0].version(),
        at("4").resources(CLUSTER).get("a").unwrap().version()
    );
}
