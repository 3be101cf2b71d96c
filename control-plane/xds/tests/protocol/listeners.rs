//! Listeners that go: whoever refuses what comes instead keeps what it has.
//!
//! An Envoy takes a response of listeners piece by piece: it removes what is named as removed, or is left out of the state
//! of the world, before it looks at what is new, and says afterwards that it has refused a part.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use ferromesh_xds::stream::{Limits, Protocol, Response};
use prost::Message as _;

use crate::client::*;

const BOTH: [Protocol; 2] = [Protocol::StateOfTheWorld, Protocol::Delta];

/// What the client subscribes to by name.
const NAMES: &[(&str, &[&str])] = &[(ROUTE, &["r-old", "r-new"]), (EXTENSION, &["x-old", "x-new"])];

fn names_of(type_url: &str) -> &'static [&'static str] {
    NAMES
        .iter()
        .find(|(t, _)| *t == type_url)
        .map_or(&[], |(_, names)| names)
}

/// A listener of the name `l-{name}`, with a cluster, a route table and a filter configuration of its own.
fn set<'a>(names: &'a [[String; 4]], listener: &'a str) -> Vec<(&'static str, &'a str, &'a str)> {
    let types = [CLUSTER, LISTENER, ROUTE, EXTENSION];
    let of_one = |names: &'a [String; 4]| types.into_iter().zip(names).map(|(t, n)| (t, n.as_str()));
    let content = |type_url| if type_url == LISTENER { listener } else { "1" };
    names.iter().flat_map(of_one).map(|(t, n)| (t, n, content(t))).collect()
}

fn named(name: &str) -> [String; 4] {
    ["c", "l", "r", "x"].map(|kind| format!("{kind}-{name}"))
}

fn of(name: &str, listener: &str) -> std::sync::Arc<ferromesh_xds::Snapshot> {
    snapshot(&set(&[named(name)], listener))
}

/// Asks for everything.
fn ask(client: &mut Client) {
    for type_url in [CLUSTER, LISTENER, ROUTE, EXTENSION] {
        match client.stream.protocol() {
            Protocol::Delta => client.subscribe(type_url, names_of(type_url), &[]),
            Protocol::StateOfTheWorld => client.ask(type_url, names_of(type_url)),
        }
    }
}

fn take(client: &mut Client, response: &Response) {
    match client.stream.protocol() {
        Protocol::Delta => client.take(response),
        Protocol::StateOfTheWorld => client.ack(response, names_of(&response.type_url)),
    }
}

fn refuse(client: &mut Client, response: &Response) {
    let answer = match client.stream.protocol() {
        Protocol::Delta => client.refuse(response),
        Protocol::StateOfTheWorld => client.nack(response, "", names_of(&response.type_url)),
    };
    assert!(answer.rejection.is_some());
}

/// Takes everything that comes; one line for each response.
fn settle(client: &mut Client) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(response) = client.next() {
        let gone = response.removed.iter().flatten().map(|name| format!("-{name}"));
        let names: Vec<String> = names(&response).into_iter().map(str::to_owned).chain(gone).collect();
        let kind = response.type_url.rsplit('.').next().unwrap();
        seen.push(format!("{kind} {}", names.join(",")));
        take(client, &response);
    }
    seen
}

/// A client that holds all of `old`.
fn connected(protocol: Protocol) -> Client {
    let mut client = Client::new(protocol, at_once()).on(&of("old", "1"));
    ask(&mut client);
    settle(&mut client);
    client
}

/// The response of listeners after the clusters were taken.
fn listeners(client: &mut Client) -> Response {
    let clusters = client.next().unwrap();
    assert_eq!(&*clusters.type_url, CLUSTER);
    take(client, &clusters);
    let listeners = client.next().unwrap();
    assert_eq!(&*listeners.type_url, LISTENER);
    listeners
}

#[test]
fn a_listener_goes_when_the_one_that_comes_and_its_routes_are_there() {
    for protocol in BOTH {
        let mut client = connected(protocol);
        client.publish(&of("new", "1"));
        let seen = settle(&mut client);
        let expected: &[&str] = match protocol {
            Protocol::Delta => &[
                "Cluster c-new",
                "Listener l-new",
                "RouteConfiguration r-new",
                "TypedExtensionConfig x-new",
                "Listener -l-old",
                "RouteConfiguration -r-old",
                "TypedExtensionConfig -x-old",
                "Cluster -c-old",
            ],
            Protocol::StateOfTheWorld => &[
                "Cluster c-new,c-old",
                "Listener l-new,l-old",
                "RouteConfiguration r-new",
                "TypedExtensionConfig x-new",
                "Listener l-new",
                "Cluster c-new",
            ],
        };
        assert_eq!(seen, expected, "{protocol:?}");
    }
}

#[test]
fn a_listener_that_nothing_comes_for_goes_at_once() {
    for protocol in BOTH {
        let mut client = Client::new(protocol, at_once()).on(&snapshot(&[(LISTENER, "a", "1"), (LISTENER, "b", "1")]));
        ask(&mut client);
        settle(&mut client);
        client.publish(&snapshot(&[(LISTENER, "a", "1")]));
        let seen = settle(&mut client);
        let expected = match protocol {
            Protocol::Delta => "Listener -b",
            Protocol::StateOfTheWorld => "Listener a",
        };
        assert_eq!(seen, [expected]);
    }
}

#[test]
fn who_refuses_a_listener_keeps_the_one_before_and_all_that_it_needs() {
    for protocol in BOTH {
        let mut client = connected(protocol);
        client.publish(&of("new", "bad"));
        let refused = listeners(&mut client);
        assert_eq!(refused.removed.iter().flatten().count(), 0);
        assert_eq!(
            names(&refused).contains(&"l-old"),
            protocol == Protocol::StateOfTheWorld
        );
        refuse(&mut client, &refused);
        // What is new comes nevertheless; nothing goes.
        assert_eq!(
            settle(&mut client),
            ["RouteConfiguration r-new", "TypedExtensionConfig x-new"]
        );
        client.pass(Duration::from_secs(3600));
        client.expect_silence();
        // Nor does it with the same again, beside something else.
        let new = [named("new")];
        let mut beside = set(&new, "bad");
        beside.push((CLUSTER, "c-more", "1"));
        client.publish(&snapshot(&beside));
        let expected = match protocol {
            Protocol::Delta => "Cluster c-more",
            Protocol::StateOfTheWorld => "Cluster c-new,c-more,c-old",
        };
        assert_eq!(settle(&mut client), [expected]);

        client.publish(&of("new", "good"));
        let seen = settle(&mut client);
        let expected: &[&str] = match protocol {
            Protocol::Delta => &[
                "Listener l-new",
                "Listener -l-old",
                "RouteConfiguration -r-old",
                "TypedExtensionConfig -x-old",
                "Cluster -c-more,-c-old",
            ],
            Protocol::StateOfTheWorld => &["Listener l-new,l-old", "Listener l-new", "Cluster c-new"],
        };
        assert_eq!(seen, expected, "{protocol:?}");
    }
}

#[test]
fn when_a_refused_listener_is_taken_back_the_one_before_was_never_away() {
    for protocol in BOTH {
        let mut client = connected(protocol);
        client.publish(&of("new", "bad"));
        let refused = listeners(&mut client);
        refuse(&mut client, &refused);
        settle(&mut client);
        client.publish(&of("old", "1"));
        let seen = settle(&mut client);
        // Of what was refused the client may have kept a part.
        let expected: &[&str] = match protocol {
            Protocol::Delta => &[
                "Listener -l-new",
                "RouteConfiguration -r-new",
                "TypedExtensionConfig -x-new",
                "Cluster -c-new",
            ],
            // Nobody can tell this client that a route table is gone, so one that comes back is sent again.
            Protocol::StateOfTheWorld => &[
                "Listener l-old",
                "RouteConfiguration r-old",
                "TypedExtensionConfig x-old",
                "Cluster c-old",
            ],
        };
        assert_eq!(seen, expected, "{protocol:?}");
    }
}

#[test]
fn one_refused_listener_among_those_that_come_keeps_all_that_go() {
    for protocol in BOTH {
        let all = |names: &[(&str, &str)]| {
            let listeners: Vec<_> = names
                .iter()
                .map(|(name, content)| (LISTENER, *name, *content))
                .collect();
            snapshot(&listeners)
        };
        let mut client = Client::new(protocol, at_once()).on(&all(&[("a", "1"), ("b", "1")]));
        ask(&mut client);
        settle(&mut client);
        client.publish(&all(&[("c", "1"), ("d", "bad")]));
        let refused = client.next().unwrap();
        refuse(&mut client, &refused);
        client.expect_silence();
        client.publish(&all(&[("c", "1"), ("d", "bad"), ("e", "1")]));
        let more = client.next().unwrap();
        let expected: &[&str] = match protocol {
            Protocol::Delta => &["e"],
            Protocol::StateOfTheWorld => &["c", "d", "e", "a", "b"],
        };
        let mut held = names(&more);
        held.sort_unstable_by_key(|name| expected.iter().position(|e| e == name));
        assert_eq!((held, more.removed.iter().flatten().count()), (expected.to_vec(), 0));
    }
}

#[test]
fn a_listener_stays_while_the_routes_of_its_successor_are_refused() {
    for protocol in BOTH {
        let mut client = connected(protocol);
        client.publish(&of("new", "1"));
        let response = listeners(&mut client);
        take(&mut client, &response);
        let routes = client.expect(ROUTE, &["r-new"]);
        refuse(&mut client, &routes);
        let filters = client.expect(EXTENSION, &["x-new"]);
        take(&mut client, &filters);
        client.expect_silence();
    }
}

#[test]
fn a_cluster_that_never_warms_does_not_keep_a_listener() {
    for protocol in BOTH {
        let patience = Duration::from_secs(10);
        let limits = Limits {
            warming_patience: patience,
            ..at_once()
        };
        let mut client = Client::new(protocol, limits).on(&of("old", "1"));
        ask(&mut client);
        settle(&mut client);
        let news = [named("new")];
        let mut slow = set(&news, "1");
        slow.push((CLUSTER, "slow", "1"));
        slow.retain(|(_, name, _)| *name != "c-new");
        client.publish(&snapshot(&slow));
        let clusters = client.next().unwrap();
        assert!(names(&clusters).contains(&"slow"));
        let seen = settle(&mut client);
        assert!(!seen.iter().any(|line| line.starts_with("Listener")), "{seen:?}");
        client.pass(patience);
        let seen = settle(&mut client);
        let gone = match protocol {
            Protocol::Delta => "Listener -l-old",
            Protocol::StateOfTheWorld => "Listener l-new",
        };
        assert!(seen.iter().any(|line| line == gone), "{seen:?}");
        assert!(!seen.iter().any(|line| line.starts_with("Cluster")), "{seen:?}");
    }
}

/// A listener at a port. Small enough to be text.
fn at(port: u32, name: &str) -> String {
    let socket = core::SocketAddress {
        address: "0.0.0.0".into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
        ..Default::default()
    };
    let listener = Listener {
        address: Some(core::Address {
            address: Some(core::address::Address::SocketAddress(socket)),
        }),
        name: name.into(),
        ..Default::default()
    };
    String::from_utf8(listener.encode_to_vec()).unwrap()
}

#[test]
fn a_listener_goes_with_the_coming_of_another_one_at_its_address() {
    for protocol in BOTH {
        let [a, b] = [at(80, "a"), at(81, "b")];
        let mut client = Client::new(protocol, at_once()).on(&snapshot(&[(LISTENER, "a", &a), (LISTENER, "b", &b)]));
        ask(&mut client);
        settle(&mut client);
        // Two other names; one has the port of `a`.
        let [c, d] = [at(80, "c"), at(82, "d")];
        client.publish(&snapshot(&[(LISTENER, "c", &c), (LISTENER, "d", &d)]));
        let seen = settle(&mut client);
        let expected: &[&str] = match protocol {
            Protocol::Delta => &["Listener c,d,-a", "Listener -b"],
            Protocol::StateOfTheWorld => &["Listener c,d,b", "Listener c,d"],
        };
        assert_eq!(seen, expected, "{protocol:?}");
    }
}

#[test]
fn a_listener_that_was_kept_goes_when_another_one_comes_to_its_address() {
    for protocol in BOTH {
        let [a, bad, c] = [at(80, "a"), at(81, "bad"), at(80, "c")];
        let mut client = Client::new(protocol, at_once()).on(&snapshot(&[(LISTENER, "a", &a)]));
        ask(&mut client);
        settle(&mut client);
        client.publish(&snapshot(&[(LISTENER, "b", &bad)]));
        let refused = client.next().unwrap();
        refuse(&mut client, &refused);
        client.expect_silence();
        client.publish(&snapshot(&[(LISTENER, "c", &c)]));
        let seen = settle(&mut client);
        let expected: &[&str] = match protocol {
            Protocol::Delta => &["Listener c,-a", "Listener -b"],
            Protocol::StateOfTheWorld => &["Listener c"],
        };
        assert_eq!(seen, expected, "{protocol:?}");
    }
}

#[test]
fn who_comes_again_after_a_refusal_still_keeps_its_listener() {
    // Delta: the client says what it holds.
    let version = |set: &ferromesh_xds::Snapshot, name: &str| set.resources(LISTENER).get(name).unwrap().version();
    let held = version(&of("old", "1"), "l-old").to_string();
    let mut client = Client::delta().on(&of("new", "bad"));
    client.resume(LISTENER, &[], &[("l-old", &held)]);
    let refused = client.expect(LISTENER, &["l-new"]);
    client.refuse(&refused);
    client.expect_silence();
    client.publish(&of("new", "good"));
    let taken = client.expect(LISTENER, &["l-new"]);
    client.take(&taken);
    client.expect_change(LISTENER, &[], &["l-old"]);

    // State of the world: the server that it left a moment ago remembers.
    for next in ["bad", "good"] {
        let listeners = |name: &str, content: &str| snapshot(&[(LISTENER, name, content)]);
        let mut first = Client::sotw().on(&listeners("l-old", "1"));
        first.ask(LISTENER, &[]);
        let good = first.expect(LISTENER, &["l-old"]);
        first.ack(&good, &[]);
        first.publish(&listeners("l-new", "bad"));
        let refused = first.expect(LISTENER, &["l-new", "l-old"]);
        first.nack(&refused, &good.version, &[]);
        let mut again = Client::sotw().on(&listeners("l-new", next));
        again.stream.recall(first.stream.holdings());
        again.send(LISTENER, &good.version, "", &[]);
        let both = again.expect(LISTENER, &["l-new", "l-old"]);
        if next == "bad" {
            again.nack(&both, &good.version, &[]);
        } else {
            again.ack(&both, &[]);
            let rest = again.expect(LISTENER, &["l-new"]);
            again.ack(&rest, &[]);
        }
        again.expect_silence();
    }
}
