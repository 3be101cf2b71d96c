//! What is known of canaries goes to the control plane, and nothing depends on whether it gets there.

use std::time::Duration;

use ferromesh_guest::{Features, Status, Worker};
use ferromesh_policy::vectors::HeaderValue;
use serde_json::{json, Value};

use crate::host::FakeHost;

const PLUGIN: u32 = 1;

struct Bench {
    worker: Worker,
    host: FakeHost,
    streams: u32,
}

impl Bench {
    fn new() -> Self {
        let policy = json!({
            "labels": {"virtualService": "s", "route": "r"}, "targets": ["a", "b"],
            "canary": {
                "weights": [1, 1],
                "rollback": {"canary": "b", "baseline": "a"},
                "overall": {"key": "k-1"},
            },
        });
        Self::with(&json!({
            "mesh": "m", "node": "n", "reporter": "source", "single": true, "default": policy,
            "reports": "up/v1/reports",
        }))
    }

    fn with(plugin: &Value) -> Self {
        let mut bench = Self {
            worker: Worker::new(Features::CANARY),
            host: FakeHost {
                seed: 7,
                configuration: plugin.to_string().into_bytes(),
                ..FakeHost::default()
            },
            streams: 10,
        };
        bench.worker.on_context_create(PLUGIN, 0);
        assert!(bench.worker.on_configure(&bench.host, PLUGIN, 0));
        bench
    }

    fn send(&mut self, requests: u32) {
        for _ in 0..requests {
            self.streams += 1;
            self.worker.on_context_create(self.streams, PLUGIN);
            self.host
                .response
                .replace(vec![(":status".into(), HeaderValue(b"200".to_vec()))]);
            self.worker.on_request_headers(&self.host, self.streams);
            self.worker.on_response_headers(&self.host, self.streams);
            self.worker.on_log(&self.host, self.streams);
        }
    }

    /// A tick at this time; the reports that were sent by then.
    fn tick(&mut self, millis: u64) -> usize {
        self.host.now = Duration::from_millis(millis);
        self.worker.on_tick(&self.host, PLUGIN);
        self.host.posts.borrow().len()
    }

    fn answer(&mut self, token: usize, status: Option<u16>) {
        self.host.post_status.set(status);
        self.worker
            .on_http_call_response(&self.host, u32::try_from(token).unwrap());
    }

    fn report(&self, token: usize) -> Value {
        serde_json::from_str(&self.host.posts.borrow()[token - 1].2).unwrap()
    }
}

fn requests(report: &Value) -> u64 {
    let canary = &report["canaries"][0];
    canary["canary"]["requests"].as_u64().unwrap() + canary["baseline"]["requests"].as_u64().unwrap()
}

#[test]
fn reports_go_out_on_ticks_and_only_where_something_was_counted() {
    let mut bench = Bench::new();
    assert_eq!((bench.tick(0), bench.tick(5_000)), (0, 0), "nothing to tell");
    bench.send(40);
    assert_eq!(bench.host.posts.borrow().len(), 0, "not on the way of a request");
    assert_eq!(bench.tick(10_000), 1);
    let (cluster, path, _) = bench.host.posts.borrow()[0].clone();
    assert_eq!((cluster.as_str(), path.as_str()), ("up", "/v1/reports"));
    let report = bench.report(1);
    assert_eq!((requests(&report), &report["canaries"][0]["key"]), (40, &json!("k-1")));
    assert_eq!(report["number"], 1);
    bench.answer(1, Some(200));
    assert_eq!(bench.tick(15_000), 1, "all is told");
}

#[test]
fn a_report_is_sent_again_as_it_was_until_it_is_answered() {
    for status in [None, Some(503), Some(504)] {
        let mut bench = Bench::new();
        bench.tick(0);
        bench.send(10);
        assert_eq!(bench.tick(5_000), 1);
        bench.send(5);
        assert_eq!(bench.tick(10_000), 1, "one at a time");
        bench.answer(1, status);
        assert_eq!((bench.tick(10_001), bench.tick(10_002)), (2, 2), "once in each period");
        assert_eq!(bench.report(1), bench.report(2));
        bench.answer(1, Some(200));
        assert_eq!(bench.tick(16_000), 2, "an answer to another call is none to this");
        bench.answer(2, Some(204));
        assert_eq!(bench.tick(17_000), 3);
        let report = bench.report(3);
        assert_eq!((requests(&report), &report["number"]), (5, &json!(2)));
    }
}

#[test]
fn a_refused_report_is_not_sent_again() {
    let mut bench = Bench::new();
    bench.tick(0);
    bench.send(10);
    assert_eq!(bench.tick(5_000), 1);
    bench.answer(1, Some(403));
    assert_eq!(bench.tick(10_000), 1);
}

#[test]
fn calls_that_the_host_refuses_change_nothing() {
    let mut bench = Bench::new();
    bench.tick(0);
    bench.send(10);
    bench.host.status = Some(Status(2));
    assert_eq!((bench.tick(5_000), bench.tick(10_000)), (1, 2));
    bench.host.status = None;
    assert_eq!(bench.tick(15_000), 3);
    assert_eq!(requests(&bench.report(3)), 10);
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for() {
    let mut bench = Bench::new();
    bench.tick(0);
    bench.send(10);
    assert_eq!((bench.tick(5_000), bench.tick(15_000)), (1, 1));
    assert_eq!(bench.tick(15_001), 2);
}

#[test]
fn what_is_old_is_thrown_away() {
    let mut bench = Bench::new();
    bench.tick(0);
    bench.send(10);
    bench.host.status = Some(Status(2));
    assert_eq!(bench.tick(60_000), 1);
    bench.host.status = None;
    assert_eq!(bench.tick(65_000), 1);
    bench.send(3);
    assert_eq!(bench.tick(70_000), 2);
    assert_eq!(requests(&bench.report(2)), 3);
}

#[test]
fn without_a_place_to_report_to_nothing_is_reported() {
    let policy = json!({
        "labels": {"virtualService": "s", "route": "r"}, "targets": ["a", "b"],
        "canary": {
            "weights": [1, 1], "rollback": {"canary": "b", "baseline": "a"}, "overall": {"key": "k"},
        },
    });
    let plugin = json!({"mesh": "m", "node": "n", "reporter": "source", "single": true, "default": policy});
    let mut bench = Bench::with(&plugin);
    bench.send(10);
    assert_eq!((bench.tick(0), bench.tick(60_000)), (0, 0));
}
