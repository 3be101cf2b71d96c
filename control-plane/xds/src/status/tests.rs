//! What the status tells after which events.

use super::*;
use crate::node::NodeInfo;
use crate::resource::Resource;
use crate::stream::{Protocol, Rejection};
use crate::type_url::CLUSTER;
use std::sync::Arc;

struct Story {
    status: DeliveryStatus,
    start: SystemTime,
}

impl Story {
    fn new() -> Self {
        Self {
            status: DeliveryStatus::default(),
            start: UNIX_EPOCH + Duration::from_secs(1000),
        }
    }

    fn tell(&self, stream: u64, after: u64, kind: EventKind<'_>) {
        let at = self.start + Duration::from_secs(after);
        self.status.on(&Event {
            proxy: "p",
            stream,
            at,
            kind,
        });
    }

    fn connect(&self, stream: u64, after: u64) {
        let node = NodeInfo {
            id: "p".into(),
            ..NodeInfo::default()
        };
        self.tell(
            stream,
            after,
            EventKind::Connected {
                node: &node,
                protocol: Protocol::Delta,
            },
        );
    }

    fn clusters(&self, stream: u64) -> TypeDelivery {
        let streams = self.status.proxy("p");
        streams.iter().find(|s| s.stream == stream).unwrap().types[CLUSTER].clone()
    }
}

fn update<'a>(version: &'a str, resources: &'a [Arc<Resource>]) -> Update<'a> {
    Update {
        type_url: CLUSTER,
        version,
        resources,
        removed: &[],
    }
}

#[test]
fn tells_what_was_sent_taken_and_refused_and_since_when_there_is_silence() {
    let story = Story::new();
    let [a, b] = ["a", "b"].map(|n| Arc::new(Resource::encode(CLUSTER, n.into(), b"")));
    let after = Duration::from_millis(3);
    story.connect(1, 0);
    story.tell(1, 1, EventKind::Sent(update("v1", &[])));
    assert_eq!(story.clusters(1).silent_since_seconds, Some(1001.0));
    let later = story.start + Duration::from_secs(21);
    let silent = story.status.silent(Duration::from_secs(10), later);
    assert_eq!(silent, [("p".to_owned(), CLUSTER.to_owned(), Duration::from_secs(20))]);

    story.tell(
        1,
        2,
        EventKind::Acked {
            update: update("v1", &[]),
            after,
        },
    );
    assert_eq!(story.clusters(1).silent_since_seconds, None);
    assert!(story.status.silent(Duration::ZERO, later).is_empty());
    let refused = [a.clone(), b.clone()];
    let rejection = Rejection {
        code: 13,
        message: "é".repeat(4000),
    };
    story.tell(
        1,
        3,
        EventKind::Nacked {
            update: update("v2", &refused),
            after,
            rejection: &rejection,
        },
    );
    let delivery = story.clusters(1);
    assert_eq!(delivery.acked.unwrap().version, "v1");
    let nack = delivery.nacked.unwrap();
    assert_eq!(
        (nack.version.as_str(), nack.at_seconds, nack.message.len()),
        ("v2", 1003.0, 4096)
    );
    // What is still refused stays visible until the proxy takes it.
    story.tell(
        1,
        4,
        EventKind::Acked {
            update: update("v3", &[a]),
            after,
        },
    );
    assert_eq!(
        story.clusters(1).nacked.unwrap().resources,
        BTreeSet::from(["b".to_owned()])
    );
    story.tell(
        1,
        5,
        EventKind::Acked {
            update: update("v4", &[b]),
            after,
        },
    );
    assert_eq!(story.clusters(1).nacked, None);
}

#[test]
fn streams_of_proxies_with_the_same_id_are_kept_apart() {
    let story = Story::new();
    story.connect(1, 0);
    story.connect(2, 1);
    story.tell(1, 2, EventKind::Sent(update("v1", &[])));
    story.tell(2, 2, EventKind::Sent(update("v2", &[])));
    assert_eq!(story.clusters(1).sent.unwrap().version, "v1");
    assert_eq!(story.clusters(2).sent.unwrap().version, "v2");
}

#[test]
fn a_stream_that_has_ended_is_not_silent_and_is_forgotten_after_an_hour() {
    let story = Story::new();
    story.connect(1, 0);
    story.tell(1, 1, EventKind::Sent(update("v1", &[])));
    story.tell(
        1,
        2,
        EventKind::Disconnected {
            reason: Some("old enough"),
        },
    );
    assert_eq!(story.clusters(1).silent_since_seconds, None);
    story.connect(2, 3600);
    assert_eq!(story.status.streams().len(), 2);
    story.connect(3, 3603);
    let left: Vec<u64> = story.status.streams().iter().map(|s| s.stream).collect();
    assert_eq!(left, [3, 2]);
}

#[test]
fn beyond_the_most_the_streams_that_ended_first_are_forgotten_and_open_ones_never() {
    let story = Story::new();
    story.connect(1, 0);
    let last = 1 + 2 * MAX_STREAMS as u64;
    for stream in 2..=last {
        story.connect(stream, 0);
        story.tell(stream, 0, EventKind::Disconnected { reason: None });
    }
    let left: Vec<u64> = story.status.streams().iter().map(|s| s.stream).collect();
    assert_eq!(left.len(), MAX_STREAMS);
    assert_eq!((left[0], left[MAX_STREAMS - 1]), (last, 1));
    for stream in last + 1..=last + MAX_STREAMS as u64 {
        story.connect(stream, 0);
    }
    assert_eq!(story.status.streams().len(), 1 + MAX_STREAMS, "only open ones are left");
}

#[test]
fn becomes_json_with_units_in_the_names() {
    let story = Story::new();
    story.connect(1, 0);
    story.tell(1, 1, EventKind::Sent(update("v1", &[])));
    let json = serde_json::to_value(story.status.streams()).unwrap();
    let expected = serde_json::json!([{
        "proxy": "p", "cluster": "", "userAgent": "", "stream": 1, "protocol": "delta",
        "connectedAtSeconds": 1000.0,
        "types": {CLUSTER: {"sent": {"version": "v1", "atSeconds": 1001.0}, "silentSinceSeconds": 1001.0}},
    }]);
    assert_eq!(json, expected);
}

#[test]
fn each_resource_is_sent_then_acknowledged_rejected_or_silent() {
    let story = Story::new();
    story.connect(1, 0);
    let both = ["a", "b"].map(|name| Arc::new(Resource::encode(CLUSTER, name.into(), b"v")));
    let limit = Duration::from_secs(10);
    let of = |name: &str, after: u64| {
        let now = story.start + Duration::from_secs(after);
        story.clusters(1).of_resource(name, limit, now)
    };
    story.tell(1, 1, EventKind::Sent(update("1", &both)));
    assert_eq!((of("a", 2), of("b", 12)), (ResourceState::Sent, ResourceState::Silent));
    let after = Duration::ZERO;
    let acked = EventKind::Acked {
        update: update("1", &both),
        after,
    };
    story.tell(1, 2, acked);
    assert_eq!(of("a", 99), ResourceState::Acknowledged);
    story.tell(1, 3, EventKind::Sent(update("2", &both[..1])));
    let rejection = Rejection {
        code: 3,
        message: "no".into(),
    };
    let nacked = EventKind::Nacked {
        update: update("2", &both[..1]),
        after,
        rejection: &rejection,
    };
    story.tell(1, 4, nacked);
    assert_eq!(
        (of("a", 4), of("b", 4)),
        (ResourceState::Rejected, ResourceState::Acknowledged)
    );
}
