//! NACKs.

use crate::client::*;

#[test]
fn a_rejection_is_told_by_its_error_detail_and_names_what_was_refused() {
    let mut client = Client::sotw().on(&snapshot(&[(CLUSTER, "a", "1")]));
    client.ask(CLUSTER, &[]);
    let r = client.expect(CLUSTER, &["a"]);
    // The version says nothing: this one even claims the new version.
    let answer = client.nack(&r, &r.version, &[]);
    assert_eq!(answer.rejection.unwrap(), bad());
    assert_eq!((&*answer.type_url, &answer.version), (CLUSTER, &r.version));
    assert_eq!(&**answer.resources[0].name(), "a");

    // And an acknowledgement may come without any.
    let mut client = Client::sotw().on(&snapshot(&[(CLUSTER, "a", "1")]));
    client.ask(CLUSTER, &[]);
    let r = client.expect(CLUSTER, &["a"]);
    assert!(client.send(CLUSTER, "", &r.nonce, &[]).unwrap().rejection.is_none());
}

#[test]
fn a_refused_state_is_not_sent_again_and_a_different_one_is() {
    for (type_url, names) in [
        (CLUSTER, &[][..]),
        (LISTENER, &[]),
        (ENDPOINT, &["a", "b"]),
        (ROUTE, &["a", "b"]),
    ] {
        let at = |a: &str, b: &str| snapshot(&[(type_url, "a", a), (type_url, "b", b)]);
        let mut client = Client::sotw().on(&at("1", "1"));
        client.ask(type_url, names);
        let good = client.expect(type_url, &["a", "b"]);
        client.ack(&good, names);
        client.publish(&at("bad", "1"));
        let refused = client.next().unwrap();
        client.nack(&refused, &good.version, names);
        client.expect_silence();
        client.publish(&at("bad", "1"));
        client.expect_silence();
        client.publish(&at("2", "1"));
        let r = client.next().unwrap();
        assert_ne!(r.version, refused.version);
        client.ack(&r, names);
        client.expect_silence();
    }
}

#[test]
fn a_refused_state_is_offered_again_after_another_was_taken() {
    let at = |a: &str| snapshot(&[(CLUSTER, "a", a)]);
    for is_delta in [false, true] {
        let mut client = if is_delta { Client::delta() } else { Client::sotw() };
        client.publish(&at("bad"));
        if is_delta {
            client.subscribe(CLUSTER, &[], &[]);
        } else {
            client.ask(CLUSTER, &[]);
        }
        let bad = client.expect(CLUSTER, &["a"]);
        let answer = if is_delta {
            client.refuse(&bad)
        } else {
            client.nack(&bad, "", &[])
        };
        assert!(answer.rejection.is_some());
        client.publish(&at("good"));
        let good = client.expect(CLUSTER, &["a"]);
        if is_delta {
            client.take(&good);
        } else {
            client.ack(&good, &[]);
        }
        client.publish(&at("bad"));
        assert_eq!(client.expect(CLUSTER, &["a"]).version, bad.version);
    }
}

#[test]
fn after_a_refusal_the_state_before_is_sent_too() {
    let at = |a: &str| snapshot(&[(CLUSTER, "a", a)]);
    let mut sotw = Client::sotw().on(&at("1"));
    sotw.ask(CLUSTER, &[]);
    let good = sotw.expect(CLUSTER, &["a"]);
    sotw.ack(&good, &[]);
    sotw.publish(&at("bad"));
    let r = sotw.expect(CLUSTER, &["a"]);
    sotw.nack(&r, &good.version, &[]);
    sotw.publish(&at("1"));
    assert_eq!(sotw.expect(CLUSTER, &["a"]).version, good.version);

    let mut delta = Client::delta().on(&at("1"));
    delta.subscribe(CLUSTER, &[], &[]);
    let good = delta.expect(CLUSTER, &["a"]);
    delta.take(&good);
    delta.publish(&at("bad"));
    let r = delta.expect(CLUSTER, &["a"]);
    delta.refuse(&r);
    delta.publish(&at("1"));
    delta.expect(CLUSTER, &["a"]);
}

#[test]
fn a_delta_client_is_sent_what_else_changes_but_not_what_it_refused() {
    let at = |a: &str, b: &str| snapshot(&[(ENDPOINT, "a", a), (ENDPOINT, "b", b)]);
    let mut client = Client::delta().on(&at("1", "1"));
    client.subscribe(ENDPOINT, &["a", "b"], &[]);
    let r = client.expect(ENDPOINT, &["a", "b"]);
    client.take(&r);
    client.publish(&at("bad", "1"));
    let r = client.expect(ENDPOINT, &["a"]);
    let answer = client.refuse(&r);
    assert_eq!(answer.rejection.unwrap().message, "no good");
    client.expect_silence();
    client.publish(&at("bad", "2"));
    let r = client.expect(ENDPOINT, &["b"]);
    client.take(&r);
    client.expect_silence();
    // But when the client asks for it in so many words, it gets it.
    client.subscribe(ENDPOINT, &["a"], &[]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.refuse(&r);
    client.expect_silence();
}

#[test]
fn a_refused_removal_comes_again_when_something_else_was_taken() {
    let mut client = Client::delta().on(&snapshot(&[(LISTENER, "a", "1"), (LISTENER, "b", "1")]));
    client.subscribe(LISTENER, &[], &[]);
    let r = client.expect(LISTENER, &["a", "b"]);
    client.take(&r);
    client.publish(&snapshot(&[(LISTENER, "a", "1")]));
    let r = client.expect_change(LISTENER, &[], &["b"]);
    client.refuse(&r);
    client.expect_silence();
    client.publish(&snapshot(&[(LISTENER, "a", "2")]));
    let r = client.expect(LISTENER, &["a"]);
    client.take(&r);
    let r = client.expect_change(LISTENER, &[], &["b"]);
    client.refuse(&r);
    client.expect_silence();
    client.publish(&snapshot(&[(LISTENER, "a", "bad")]));
    let r = client.expect(LISTENER, &["a"]);
    client.refuse(&r);
    client.expect_silence();
}

#[test]
fn a_rejection_with_new_names_is_a_subscription_too() {
    let mut client = Client::sotw().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.ask(ENDPOINT, &["a"]);
    let r = client.expect(ENDPOINT, &["a"]);
    client.nack(&r, "", &["a", "b"]);
    let r = client.expect(ENDPOINT, &["b"]);
    client.ack(&r, &["a", "b"]);
    client.expect_silence();

    let mut client = Client::delta().on(&snapshot(&[(ENDPOINT, "a", "1"), (ENDPOINT, "b", "1")]));
    client.subscribe(ENDPOINT, &["a"], &[]);
    let r = client.expect(ENDPOINT, &["a"]);
    let request = ferromesh_xds::stream::Request {
        type_url: ENDPOINT.into(),
        nonce: r.nonce,
        rejection: Some(bad()),
        subscribe: differs(&["b"], &[], &[]),
        node: None,
    };
    assert!(client.request(request).unwrap().unwrap().rejection.is_some());
    client.expect(ENDPOINT, &["b"]);
}

#[test]
fn a_client_that_rejects_everything_costs_one_response_for_each_version() {
    for client in [Client::sotw(), Client::delta()] {
        let mut client = client;
        let mut sent = 0;
        let is_delta = client.stream.protocol() == ferromesh_xds::stream::Protocol::Delta;
        for version in 0..20 {
            client.publish(&snapshot(&[(CLUSTER, "a", &version.to_string())]));
            if version == 0 && is_delta {
                client.subscribe(CLUSTER, &[], &[]);
            } else if version == 0 {
                client.ask(CLUSTER, &[]);
            }
            for _ in 0..50 {
                while let Some(r) = client.next() {
                    sent += 1;
                    if is_delta {
                        client.refuse(&r);
                    } else {
                        client.nack(&r, "", &[]);
                    }
                }
            }
        }
        assert_eq!(sent, 20);
    }
}

#[test]
fn what_names_a_refused_cluster_is_held_back_and_the_rest_goes_on() {
    let good = linked(
        &[(CLUSTER, "old", "1"), (ROUTE, "r", "1"), (ROUTE, "s", "1")],
        &[("r", CLUSTER, "old")],
    );
    let bad = linked(
        &[
            (CLUSTER, "old", "1"),
            (CLUSTER, "new", "bad"),
            (ROUTE, "r", "2"),
            (ROUTE, "s", "2"),
        ],
        &[("r", CLUSTER, "new"), ("s", CLUSTER, "old")],
    );
    let mut client = Client::delta().on(&good);
    client.subscribe(CLUSTER, &[], &[]);
    client.subscribe(ROUTE, &["r", "s"], &[]);
    for _ in 0..2 {
        let r = client.next().unwrap();
        client.take(&r);
    }
    client.publish(&bad);
    let clusters = client.expect(CLUSTER, &["new"]);
    client.refuse(&clusters);
    let routes = client.expect(ROUTE, &["s"]);
    client.take(&routes);
    client.expect_silence();
    let mended = linked(
        &[
            (CLUSTER, "old", "1"),
            (CLUSTER, "new", "1"),
            (ROUTE, "r", "2"),
            (ROUTE, "s", "2"),
        ],
        &[("r", CLUSTER, "new"), ("s", CLUSTER, "old")],
    );
    client.publish(&mended);
    let clusters = client.expect(CLUSTER, &["new"]);
    client.take(&clusters);
    client.expect(ROUTE, &["r"]);
}
