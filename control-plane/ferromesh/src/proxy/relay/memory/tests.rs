use ferromesh_xds::type_url::{CLUSTER, LISTENER};

use super::super::wire::{Any, Resource};
use super::*;

fn memory() -> Memory {
    let owner = Owner {
        id: "node".to_owned(),
        cluster: "cluster".to_owned(),
    };
    Memory::new(owner, None)
}

fn first(id: &str, url: &str) -> Bytes {
    let node = Node {
        id: id.to_owned(),
        cluster: "cluster".to_owned(),
        ..Node::default()
    };
    let request = DeltaRequest {
        node: Some(node),
        type_url: url.to_owned(),
        ..DeltaRequest::default()
    };
    request.encode_to_vec().into()
}

fn offer(name: &str, nonce: &str) -> Bytes {
    let any = Any {
        type_url: CLUSTER.to_owned(),
        value: Bytes::from_static(b"content"),
    };
    let resource = Resource {
        version: "1".to_owned(),
        resource: Some(any),
        name: name.to_owned(),
    };
    let response = DeltaResponse {
        resources: vec![resource],
        type_url: CLUSTER.to_owned(),
        nonce: nonce.to_owned(),
        removed_resources: Vec::new(),
    };
    response.encode_to_vec().into()
}

fn answer(nonce: &str) -> Bytes {
    let request = DeltaRequest {
        type_url: CLUSTER.to_owned(),
        response_nonce: nonce.to_owned(),
        ..DeltaRequest::default()
    };
    request.encode_to_vec().into()
}

/// Offers and acknowledges a cluster on a stream.
fn take(memory: &Memory, stream: u64, name: &str) {
    memory.on_response(stream, Protocol::Delta, offer(name, name));
    memory.on_request(stream, Protocol::Delta, answer(name));
}

fn names(memory: &Memory) -> Vec<String> {
    let image = memory.image();
    let names = image.iter().flat_map(|image| image.configuration.iter());
    names.map(|(_, name, _)| name.to_string()).collect()
}

#[test]
fn only_the_newest_stream_counts() {
    let memory = memory();
    let old = memory.open();
    assert!(memory.on_request(old, Protocol::Delta, first("node", CLUSTER)));
    take(&memory, old, "a");
    let new = memory.open();
    memory.on_request(new, Protocol::Delta, first("node", CLUSTER));
    take(&memory, old, "b");
    take(&memory, new, "c");
    memory.close(old);
    take(&memory, new, "d");
    assert_eq!(names(&memory), ["a", "c", "d"]);
}

#[test]
fn another_nodes_configuration_is_not_kept() {
    let memory = memory();
    let stream = memory.open();
    assert!(!memory.on_request(stream, Protocol::Delta, first("stranger", CLUSTER)));
    take(&memory, stream, "a");
    assert!(memory.image().is_none());
    assert!(memory.sealed().is_none());
}

#[test]
fn what_cannot_be_read_leaves_what_was_good() {
    let memory = memory();
    let stream = memory.open();
    memory.on_request(stream, Protocol::Delta, first("node", CLUSTER));
    take(&memory, stream, "a");
    memory.on_response(stream, Protocol::Delta, Bytes::from_static(b"\xff\xff\xff"));
    take(&memory, stream, "b");
    assert_eq!(names(&memory), ["a"]);
}

#[test]
fn an_envoy_that_is_taken_out_of_service_takes_nothing_with_it() {
    let memory = memory();
    let stream = memory.open();
    memory.on_request(stream, Protocol::Delta, first("node", CLUSTER));
    take(&memory, stream, "a");
    memory.hold();
    take(&memory, stream, "b");
    assert_eq!(names(&memory), ["a"]);
    memory.resume();
    take(&memory, stream, "c");
    assert_eq!(names(&memory), ["a"], "something was missed on this stream");
    let next = memory.open();
    memory.on_request(next, Protocol::Delta, first("node", CLUSTER));
    take(&memory, next, "d");
    assert_eq!(names(&memory), ["a", "d"]);
}

#[test]
fn every_acknowledgement_is_something_to_write_and_to_serve_anew() {
    let memory = memory();
    let mut changes = memory.changes();
    let stream = memory.open();
    memory.on_request(stream, Protocol::Delta, first("node", CLUSTER));
    memory.on_request(stream, Protocol::Delta, first("node", LISTENER));
    assert!(!changes.has_changed().unwrap());
    take(&memory, stream, "a");
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(memory.sealed().unwrap().len(), 1);
    take(&memory, stream, "b");
    assert_eq!(memory.sealed().unwrap().len(), 2);
    assert!(changes.has_changed().unwrap());
}

#[test]
fn it_settles_when_nothing_has_passed_for_a_while() {
    let memory = memory();
    let stream = memory.open();
    memory.on_request(stream, Protocol::Delta, first("node", CLUSTER));
    assert!(memory.settle(Duration::from_secs(60)).is_err());
    assert!(memory.settle(Duration::ZERO).is_ok());
}

#[test]
fn what_envoy_holds_of_an_offer_that_nobody_heard_acknowledged_is_served_in_the_outage() {
    let memory = memory();
    let stream = memory.open();
    memory.on_request(stream, Protocol::Delta, first("node", CLUSTER));
    take(&memory, stream, "a");
    memory.on_response(stream, Protocol::Delta, offer("b", "2"));
    memory.close(stream);
    // A connection that broke before anything was said.
    let broken = memory.open();
    memory.close(broken);
    let served = memory.served();
    assert_eq!(served.borrow().as_ref().unwrap().len(), 1);
    let holding = |names: &[&str]| {
        let held = names.iter().map(|name| ((*name).to_owned(), "1".to_owned()));
        let request = DeltaRequest {
            type_url: CLUSTER.to_owned(),
            initial_resource_versions: held.collect(),
            ..DeltaRequest::default()
        };
        Bytes::from(request.encode_to_vec())
    };
    assert!(memory.on_held(holding(&["a", "b"])));
    assert_eq!(served.borrow().as_ref().unwrap().len(), 2);
    assert_eq!(names(&memory), ["a", "b"]);
    assert!(!memory.on_held(holding(&["a", "b"])), "once is enough");
}
