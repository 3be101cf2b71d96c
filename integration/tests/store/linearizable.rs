//! Concurrent clients at two control planes over one etcd: what they see is what one register would show, also when a
//! control plane or etcd is killed meanwhile.

use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc, Mutex,
    },
    time::{Duration, Instant},
};

use ferromesh_integration::rig::{Etcd, Modules, Rig};
use serde_json::{json, Value};

use super::{
    is_full,
    register::{is_linearizable, Call, Operation, MOST},
};

const KEYS: usize = 4;
const CLIENTS: usize = 6;

/// What all clients share.
struct Run {
    began: Instant,
    histories: [Mutex<Vec<Operation>>; KEYS],
    /// Places in the histories that are taken: what happens is recorded, or it does not happen.
    places: [AtomicU64; KEYS],
    /// Values are never written twice.
    values: AtomicU64,
    stop: AtomicBool,
    created: Mutex<Vec<String>>,
}

impl Run {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// One client: reads, writes and creations at a control plane, by a sequence of its own.
    async fn client(self: Arc<Self>, number: usize, address: String) {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        let base = format!("http://{address}/v20190125/meshes/m/virtualNodes");
        let mut chance = number as u64 + 1;
        while !self.stop.load(Ordering::SeqCst) {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let key = (chance >> 40) as usize % KEYS;
            // The read at the end needs a place too.
            if self.places[key].fetch_add(1, Ordering::SeqCst) >= MOST as u64 - 1 {
                return;
            }
            let value = self.values.fetch_add(1, Ordering::SeqCst) + 1;
            let began = self.now();
            let (call, ended) = match (chance >> 50) % 5 {
                0 => {
                    let name = format!("c{number}-{value}");
                    let body = json!({"virtualNodeName": name, "spec": spec(value)});
                    let answer = http.put(&base).json(&body).send().await;
                    if answer.is_ok_and(|answer| answer.status().is_success()) {
                        self.created.lock().expect("no panic").push(name);
                    }
                    continue;
                }
                1 | 2 => {
                    let body = json!({"spec": spec(value)});
                    let answer = http.put(format!("{base}/k{key}")).json(&body).send().await;
                    let is_done = answer.is_ok_and(|answer| answer.status().is_success());
                    (Call::Write(value), is_done.then(|| self.now()))
                }
                _ => {
                    let Ok(answer) = http.get(format!("{base}/k{key}")).send().await else {
                        continue;
                    };
                    if !answer.status().is_success() {
                        continue;
                    }
                    let Ok(node) = answer.json::<Value>().await else {
                        continue;
                    };
                    (Call::Read(of(&node)), Some(self.now()))
                }
            };
            let operation = Operation { call, began, ended };
            self.histories[key].lock().expect("no panic").push(operation);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn spec(value: u64) -> Value {
    json!({"serviceDiscovery": {"dns": {"hostname": format!("v{value}.local")}}})
}

fn of(node: &Value) -> u64 {
    let hostname = node["spec"]["serviceDiscovery"]["dns"]["hostname"]
        .as_str()
        .expect("a hostname");
    let digits = hostname.trim_start_matches('v').trim_end_matches(".local");
    digits.parse().expect("a number")
}

/// What happens while clients are at work.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Nothing,
    ControlPlaneDies,
    EtcdRestarts,
}

/// Which operations must have an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    All,
    /// A control plane without etcd reads the last good state, and says so: writes alone must keep their order, which the
    /// read afterwards shows.
    Writes,
}

/// The mesh and the nodes that clients read and write.
pub async fn prepare(rigs: &[Rig; 2]) {
    rigs[0].put("meshes", &json!({"meshName": "m"})).await.expect("a mesh");
    for key in 0..KEYS {
        let body = json!({"virtualNodeName": format!("k{key}"), "spec": spec(0)});
        rigs[1].put("meshes/m/virtualNodes", &body).await.expect("a node");
    }
}

async fn one_etcd(rigs: &mut [Rig; 2], etcd: &mut Etcd, meanwhile: Meanwhile) -> usize {
    let ordered = match meanwhile {
        Meanwhile::Nothing | Meanwhile::ControlPlaneDies => Ordered::All,
        Meanwhile::EtcdRestarts => Ordered::Writes,
    };
    round(rigs, ordered, &format!("{meanwhile:?}"), async |rigs| match meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::ControlPlaneDies => {
            rigs[0].kill_control_plane();
            tokio::time::sleep(Duration::from_millis(200)).await;
            rigs[0].start_control_plane().await.expect("a restart");
        }
        Meanwhile::EtcdRestarts => {
            etcd.kill();
            etcd.resume().await.expect("a restart");
        }
    })
    .await
}

/// Lets clients work at both control planes while something happens; gives how many operations had an order.
pub async fn round(
    rigs: &mut [Rig; 2],
    ordered: Ordered,
    what: &str,
    meanwhile: impl AsyncFnOnce(&mut [Rig; 2]),
) -> usize {
    let run = Arc::new(Run {
        began: Instant::now(),
        histories: Default::default(),
        places: Default::default(),
        values: AtomicU64::new(1_000_000),
        stop: AtomicBool::new(false),
        created: Mutex::default(),
    });
    for key in 0..KEYS {
        let path = format!("meshes/m/virtualNodes/k{key}");
        rigs[0]
            .put(&path, &json!({"spec": spec(0)}))
            .await
            .expect("a first value");
    }
    let client = |number: usize| {
        let address = rigs[number % 2].address();
        tokio::spawn(Arc::clone(&run).client(number, address))
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    tokio::time::sleep(Duration::from_millis(400)).await;
    meanwhile(rigs).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    run.stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("a client");
    }
    let mut operations = 0;
    for (key, history) in run.histories.iter().enumerate() {
        let mut history = history.lock().expect("no panic").clone();
        if ordered == Ordered::Writes {
            history.retain(|operation| matches!(operation.call, Call::Write(_)));
        }
        let began = run.now();
        let node = rigs[key % 2]
            .get(&format!("meshes/m/virtualNodes/k{key}"))
            .await
            .expect("a node");
        let last = Operation {
            call: Call::Read(of(&node)),
            began,
            ended: Some(run.now()),
        };
        operations += history.len();
        history.push(last);
        assert!(is_linearizable(0, &history), "{what}, register {key}: {history:#?}");
    }
    let created = run.created.lock().expect("no panic").clone();
    for (index, name) in created.iter().enumerate() {
        let rig = &rigs[index % 2];
        rig.get(&format!("meshes/m/virtualNodes/{name}"))
            .await
            .expect("what was created is there");
        // Names come again in the next round.
        rig.delete(&format!("meshes/m/virtualNodes/{name}"))
            .await
            .expect("a deletion");
    }
    operations + created.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_two_control_planes_see_one_register_each() {
    let mut etcd = Etcd::start().await.expect("etcd");
    let arguments = etcd.arguments().expect("arguments");
    let rig = || async {
        Rig::start_as(Modules::Absent, arguments.clone(), None)
            .await
            .expect("a control plane")
    };
    let mut rigs = [rig().await, rig().await];
    prepare(&rigs).await;
    let rounds = if is_full() { 40 } else { 1 };
    let mut operations = 0;
    for _ in 0..rounds {
        for meanwhile in [Meanwhile::Nothing, Meanwhile::ControlPlaneDies, Meanwhile::EtcdRestarts] {
            operations += one_etcd(&mut rigs, &mut etcd, meanwhile).await;
        }
    }
    println!("{operations} operations, all linearizable");
    assert!(operations > 100, "{operations} operations");
}
