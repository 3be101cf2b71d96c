//! A client that uses the API all the time: it describes, lists and updates, one call after the other.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use ferromesh_integration::{rig::Rig, scale::is_full};
use ferromesh_xds_load::mesh::Mesh;
use serde_json::{json, Value};

use super::bed::percentile;

/// What a call may take, for 99 of 100, in runs of full size; elsewhere it is printed.
const LIMIT_MILLIS: f64 = 1000.0;
const PAUSE: Duration = Duration::from_millis(10);

/// A client at work.
pub struct ApiLoad {
    is_over: Arc<AtomicBool>,
    calls: tokio::task::JoinHandle<Vec<f64>>,
}

impl ApiLoad {
    /// Starts it. What it updates is a node that no proxy has anything to do with.
    pub fn start(rig: &Rig) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let base = format!("http://{}{}", rig.address(), Mesh::path());
        let calls = tokio::spawn(async move {
            let client = reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(60))
                .build()
                .expect("a client");
            let node = |port: usize| {
                let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
                json!({"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": "spare.local"}}})
            };
            let created = json!({"virtualNodeName": "spare", "spec": node(1)});
            let put = client.put(format!("{base}/virtualNodes")).json(&created).send().await;
            // 409: it is there from another time.
            assert!([200, 409].contains(&put.expect("an answer").status().as_u16()));
            let mut millis = Vec::new();
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let request = match number % 3 {
                    0 => client.get(&base),
                    1 => client.get(format!("{base}/virtualNodes?limit=100")),
                    _ => client
                        .put(format!("{base}/virtualNodes/spare"))
                        .json(&json!({"spec": node(1 + number % 60_000)})),
                };
                let began = Instant::now();
                let answer = request.send().await.expect("an answer");
                let status = answer.status();
                let body: Value = answer.json().await.expect("json");
                millis.push(began.elapsed().as_secs_f64() * 1e3);
                assert!(status.is_success(), "call {number}: {status} {body}");
                tokio::time::sleep(PAUSE).await;
            }
            millis
        });
        Self { is_over, calls }
    }

    /// Ends it, and says what 99 of 100 calls took at most, in milliseconds.
    pub async fn end(self) -> f64 {
        self.is_over.store(true, Ordering::Relaxed);
        let mut millis = self.calls.await.expect("every call was answered");
        assert!(millis.len() >= 3, "only {} calls", millis.len());
        millis.sort_unstable_by(f64::total_cmp);
        let p99 = percentile(&millis, 0.99);
        println!("{} calls of the API, p99 {p99:.1} ms", millis.len());
        assert!(!is_full() || p99 < LIMIT_MILLIS, "the API's p99 is {p99} ms");
        p99
    }
}
