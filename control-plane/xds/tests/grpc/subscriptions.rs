//! Subscriptions: cases 13 to 22, 29 and what an App Mesh agent asks for, by tonic and by gRPC's C core.

use ferromesh_xds::type_url::VIRTUAL_HOST;

use crate::place::*;
use crate::server::*;
use crate::wire::*;

#[tokio::test]
async fn wildcards_are_implied_or_named_and_end_as_each_variant_says() {
    everywhere(async |place| {
        let at = |c: &str| place.publish(&[(CLUSTER, "a", c), (CLUSTER, "b", c)]);
        at("1");
        let mut client = place.open().await;
        let all = client.get(CLUSTER, &[], &["a=1", "b=1"]).await;
        match place.variant {
            SOTW => {
                // A name ends the wildcard, and an empty list after a name is none.
                client.ack(&all, &["a"]).await;
                let one = client.expect(CLUSTER, &["a=1"]).await;
                client.ack(&one, &["*", "a"]).await;
                let both = client.expect(CLUSTER, &["a=1", "b=1"]).await;
                client.ack(&both, &[]).await;
                client.expect_silence().await;
                at("2");
                client.expect_silence().await;
            }
            DELTA => {
                client.ack(&all, &[]).await;
                // A name beside the wildcard; the star is dropped, and the name stays.
                client.change(&all, &["a"], &[]).await;
                let one = client.expect(CLUSTER, &["a=1"]).await;
                client.ack(&one, &[]).await;
                client.change(&one, &[], &["*"]).await;
                client.expect_silence().await;
                at("2");
                let one = client.expect(CLUSTER, &["a=2"]).await;
                client.ack(&one, &[]).await;
                client.change(&one, &["*"], &[]).await;
                let rest = client.expect(CLUSTER, &["b=2"]).await;
                client.ack(&rest, &[]).await;
                // The name is dropped, and the wildcard has it still: an answer is due.
                client.change(&rest, &[], &["a"]).await;
                let under_wildcard = client.expect(CLUSTER, &["a=2"]).await;
                client.ack(&under_wildcard, &[]).await;
                client.expect_silence().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn dropping_what_was_never_subscribed_to_is_ignored() {
    in_variant(DELTA, at_once(), async |place| {
        place.publish(&[(CLUSTER, "a", "1"), (ENDPOINT, "a", "1")]);
        let mut client = place.open().await;
        let response = client.get(CLUSTER, &[], &["a=1"]).await;
        client.ack(&response, &[]).await;
        client.change(&response, &[], &["a", "nobody"]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn a_name_that_was_dropped_and_is_wanted_again_is_sent_though_unchanged() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]);
        let mut client = place.open().await;
        let both = client.get(ENDPOINT, &["a", "b"], &["a=1", "b=1"]).await;
        client.ack(&both, &["a", "b"]).await;
        match place.variant {
            SOTW => client.change(&both, &["a"], &[]).await,
            DELTA => client.change(&both, &[], &["b"]).await,
        }
        client.expect_silence().await;
        match place.variant {
            SOTW => client.change(&both, &["a", "b"], &[]).await,
            DELTA => client.change(&both, &["b"], &[]).await,
        }
        let again = client.expect(ENDPOINT, &["b=1"]).await;
        client.ack(&again, &["a", "b"]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn a_missing_name_is_answered_as_each_variant_does_and_sent_when_it_comes() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1")]);
        let mut client = place.open().await;
        client.ask(ENDPOINT, &["a", "later"]).await;
        let missing = match place.variant {
            SOTW => &[][..],
            DELTA => &["later"],
        };
        let response = client.expect_change(ENDPOINT, &["a=1"], missing).await;
        client.ack(&response, &["a", "later"]).await;
        client.expect_silence().await;
        place.publish(&[(ENDPOINT, "a", "1"), (ENDPOINT, "later", "1")]);
        let response = client.expect(ENDPOINT, &["later=1"]).await;
        client.ack(&response, &["a", "later"]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_dropped_while_a_response_was_under_way_is_not_sent() {
    everywhere(async |place| {
        let at = |c: &str| place.publish(&[(ENDPOINT, "a", c), (ENDPOINT, "b", c)]);
        at("1");
        let mut client = place.open().await;
        let first = client.get(ENDPOINT, &["a", "b"], &["a=1", "b=1"]).await;
        at("2");
        match place.variant {
            SOTW => client.ack(&first, &["a"]).await,
            DELTA => {
                client.change(&first, &[], &["b"]).await;
                client.ack(&first, &[]).await;
            }
        }
        let second = client.expect(ENDPOINT, &["a=2"]).await;
        client.ack(&second, &["a"]).await;
        client.expect_silence().await;
    })
    .await;
}

#[tokio::test]
async fn clusters_and_listeners_end_as_nothing_and_only_a_difference_is_sent_where_it_may_be() {
    everywhere(async |place| {
        for type_url in [CLUSTER, LISTENER] {
            place.publish(&[(type_url, "a", "1"), (type_url, "b", "1")]);
            let mut client = place.open().await;
            client.settle(type_url, &[], &["a=1", "b=1"]).await;
            place.publish(&[(type_url, "a", "1"), (type_url, "b", "2")]);
            let changed = match place.variant {
                SOTW => &["a=1", "b=2"][..],
                DELTA => &["b=2"],
            };
            let response = client.expect(type_url, changed).await;
            client.ack(&response, &[]).await;
            client.expect_silence().await;
            place.publish(&[]);
            let gone = match place.variant {
                SOTW => &[][..],
                DELTA => &["a", "b"],
            };
            let response = client.expect_change(type_url, &[], gone).await;
            client.ack(&response, &[]).await;
            client.expect_silence().await;
        }
    })
    .await;
}

#[tokio::test]
async fn endpoints_are_sent_in_part_in_either_variant() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]);
        let mut client = place.open().await;
        client.settle(ENDPOINT, &["a", "b"], &["a=1", "b=1"]).await;
        place.publish(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "2")]);
        let response = client.expect(ENDPOINT, &["b=2"]).await;
        client.ack(&response, &["a", "b"]).await;
        client.expect_silence().await;
    })
    .await;
}

/// Globs, `xdstp` names and aliases are not offered, nor virtual hosts or clusters on demand beyond what is published:
/// names are compared byte by byte.
#[tokio::test]
async fn names_of_other_kinds_are_names_that_do_not_exist() {
    everywhere(async |place| {
        place.publish(&[(ENDPOINT, "a", "1"), (CLUSTER, "a", "1")]);
        let mut client = place.open().await;
        let glob = "xdstp://authority/envoy.config.endpoint.v3.ClusterLoadAssignment/a/*";
        for (type_url, name) in [(ENDPOINT, glob), (VIRTUAL_HOST, "routes/host"), (CLUSTER, "on-demand")] {
            client.ask(type_url, &[name]).await;
            if place.variant == DELTA {
                let response = client.expect_change(type_url, &[], &[name]).await;
                client.ack(&response, &[]).await;
            }
            client.expect_silence().await;
        }
        // A cluster that is asked for when it is needed comes when it is there.
        place.publish(&[(CLUSTER, "on-demand", "1")]);
        client.expect(CLUSTER, &["on-demand=1"]).await;
    })
    .await;
}

/// App Mesh's agent asks for the endpoints of its own cluster, which no server has.
#[tokio::test]
async fn the_agents_local_cluster_holds_up_nothing() {
    everywhere(async |place| {
        place.publish(&[(CLUSTER, "a", "1"), (ENDPOINT, "a", "1")]);
        let mut client = place.open().await;
        client.ask(ENDPOINT, &["local_cluster"]).await;
        if place.variant == DELTA {
            let response = client.expect_change(ENDPOINT, &[], &["local_cluster"]).await;
            client.ack(&response, &[]).await;
        }
        client.settle(CLUSTER, &[], &["a=1"]).await;
    })
    .await;
}
