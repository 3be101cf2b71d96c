//! Writers that change several resources at once, and what must be true of the store whatever became of them.

use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};

use ferromesh_integration::rig::Rig;
use serde_json::{json, Value};

/// Nodes that a writer changes together.
const NODES: usize = 5;

/// Writers of one mesh. Each numbers its change sets and knows which were acknowledged, over all rounds.
pub struct Writers {
    mesh: String,
    sent: Vec<AtomicU64>,
    acknowledged: Vec<AtomicU64>,
}

impl Writers {
    /// So many writers of a mesh, which must be there.
    pub fn new(mesh: &str, count: usize) -> Arc<Self> {
        Arc::new(Self {
            mesh: mesh.to_owned(),
            sent: (0..count).map(|_| AtomicU64::new(0)).collect(),
            acknowledged: (0..count).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// Change sets that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
            .iter()
            .map(|number| number.load(Ordering::SeqCst))
            .sum()
    }

    /// Lets every writer write to a control plane until it is stopped, or the control plane answers no more.
    pub fn start(self: &Arc<Self>, address: &str) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..self.sent.len()).map(|writer| {
            let (writers, stop, address) = (Arc::clone(self), Arc::clone(&stop), address.to_owned());
            tokio::spawn(async move { writers.write(writer, &address, &stop).await })
        });
        let tasks = tasks.collect();
        Running { stop, tasks }
    }

    async fn write(&self, writer: usize, address: &str, stop: &AtomicBool) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .expect("a client");
        let url = format!("http://{address}/v1/changes");
        while !stop.load(Ordering::SeqCst) {
            let number = self.sent[writer].fetch_add(1, Ordering::SeqCst) + 1;
            let answer = client.post(&url).json(&self.change_set(writer, number)).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => {
                    self.acknowledged[writer].store(number, Ordering::SeqCst);
                }
                Ok(answer) if answer.status().as_u16() == 503 => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(answer) => panic!("{}: {}", answer.status(), answer.text().await.unwrap_or_default()),
                // It was killed.
                Err(_) => return,
            }
        }
    }

    /// All nodes of a writer get the number, as a tag-like part of their specs.
    fn change_set(&self, writer: usize, number: u64) -> Value {
        let changes = (0..NODES).map(|node| {
            json!({
                "action": "put", "kind": "virtualNode", "mesh": self.mesh, "name": format!("w{writer}-{node}"),
                "spec": {"serviceDiscovery": {"dns": {"hostname": format!("n{number}.local")}}},
            })
        });
        json!({"changes": changes.collect::<Vec<_>>(), "proxies": "none"})
    }

    /// Looks at every writer's nodes: all of one change set, and none older than what was acknowledged.
    pub async fn check(&self, rig: &Rig, when: &str) {
        for writer in 0..self.sent.len() {
            let mut numbers = Vec::new();
            for node in 0..NODES {
                let path = format!("meshes/{}/virtualNodes/w{writer}-{node}", self.mesh);
                numbers.push(rig.get(&path).await.ok().map(|node| number(&node)));
            }
            let first = numbers[0];
            assert!(
                numbers.iter().all(|number| *number == first),
                "{when}: half a change set of writer {writer} is stored: {numbers:?}"
            );
            let (stored, acknowledged) = (first.unwrap_or(0), self.acknowledged[writer].load(Ordering::SeqCst));
            let sent = self.sent[writer].load(Ordering::SeqCst);
            assert!(
                (acknowledged..=sent).contains(&stored),
                "{when}: change set {stored} of writer {writer} is stored, {acknowledged} was acknowledged, {sent} sent"
            );
        }
    }
}

fn number(node: &Value) -> u64 {
    let hostname = node["spec"]["serviceDiscovery"]["dns"]["hostname"].as_str();
    let digits = hostname.and_then(|name| name.strip_prefix('n')?.strip_suffix(".local"));
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("a number in the spec")
}

/// Writers at work.
pub struct Running {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Running {
    /// Stops them and waits until the last answer has come.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("a writer");
        }
    }
}

/// Fills a mesh with nodes.
pub async fn fill(rig: &Rig, mesh: &str, count: usize) {
    let path = format!("meshes/{mesh}/virtualNodes");
    for node in 0..count {
        let spec = json!({"serviceDiscovery": {"dns": {"hostname": "filler.local"}}});
        let body = json!({"virtualNodeName": format!("filler-{node}"), "spec": spec});
        rig.put(&path, &body).await.expect("a node");
    }
}
