//! Fifty simulated proxies with agents that report: only counters tell what was done to the one that took the poison.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use ferromesh_integration::rig::{eventually, Modules, Rig, PATIENCE};
use ferromesh_xds_load::{
    fleet::{Fleet, Order},
    proxy::{Manner, Variant},
    tally::Tally,
    way::Way,
};
use serde_json::{json, Value};
use tokio::task::JoinHandle;

use super::{assert_status_says, assert_taken_back, callers, route, staged};

const MESH: &str = "reported";
const PROXIES: usize = 50;
/// Names of clusters have the names of the nodes in them.
const POISON: &str = "_poison_";
/// Requests that each proxy answers in a second.
const RATE: u64 = 20;

/// What the poison does to who has taken it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// Every request fails.
    Errors,
    /// No request fails, and wasm VMs die of them: a filter that only informs.
    VmFailures,
    /// The main thread has acknowledged and does nothing any more.
    Silence,
}

/// Agents of all proxies, each of which looks once a second.
struct Agents {
    task: JoinHandle<()>,
    /// Rounds of reports that were all taken.
    rounds: Arc<Mutex<u64>>,
}

impl Agents {
    /// Reports arrive so much later than they were made.
    fn start(rig: &Rig, tally: &Arc<Tally>, harm: Harm, late: Duration) -> Self {
        let address = rig.address();
        let (tally, rounds) = (Arc::clone(tally), Arc::new(Mutex::new(0)));
        let arrived = Arc::clone(&rounds);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let task = tokio::spawn(async move {
            let mut looks = tokio::time::interval(Duration::from_secs(1));
            let mut counted = vec![(0u64, 0u64, 0u64); PROXIES];
            for second in 1u64.. {
                looks.tick().await;
                let seen = Instant::now();
                let struck = tally.struck_nodes();
                let mut reports = Vec::with_capacity(PROXIES);
                for (number, (requests, errors, vm_failures)) in counted.iter_mut().enumerate() {
                    let node = format!("mesh/{MESH}/virtualNode/n{number}");
                    let is_struck = struck.contains(&node);
                    *requests += RATE;
                    match harm {
                        Harm::Silence if is_struck => continue,
                        Harm::Errors if is_struck => *errors += RATE,
                        Harm::VmFailures if is_struck => *vm_failures += RATE,
                        _ => {}
                    }
                    reports.push(json!({
                        "instance": node, "requests": *requests, "errors": *errors, "vmFailures": *vm_failures,
                        "uptimeSeconds": 1000 + second, "isDraining": false,
                    }));
                }
                let (client, address, arrived) = (client.clone(), address.clone(), Arc::clone(&arrived));
                tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    for mut report in reports {
                        let node = report["instance"].as_str().unwrap_or_default();
                        let url = format!("http://{address}/v1/reports/proxy/{node}");
                        let age = u64::try_from(seen.elapsed().as_millis()).unwrap_or(u64::MAX);
                        report["ageMillis"] = json!(age);
                        let request = client.post(url).header("content-type", "application/json");
                        let answer = request.body(report.to_string()).send().await;
                        if !answer.is_ok_and(|answer| answer.status().is_success()) {
                            return;
                        }
                    }
                    *arrived.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                });
            }
        });
        Self { task, rounds }
    }

    fn rounds(&self) -> u64 {
        *self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Fifty proxies with a past, of which the first takes what is poisoned; who is then taken back, and why.
async fn poisoned(harm: Harm, late: Duration, because: &str) -> Result<Value> {
    let rig = staged(Modules::Absent, "3").await?;
    callers(&rig, MESH, PROXIES).await?;
    let order = Order {
        manner: Manner::Noting(POISON),
        ..Order::of(
            Way::plain(rig.address()),
            "mesh/reported/virtualNode/n{}",
            PROXIES,
            Variant::Delta,
        )
    };
    let fleet = Fleet::launch(&order);
    fleet.complete(PATIENCE).await?;
    let agents = Agents::start(&rig, &fleet.tally, harm, late);
    eventually("the proxies have a past", PATIENCE, async || {
        (agents.rounds() >= 2).then_some(())
    })
    .await?;
    let asked = Instant::now();
    let route = json!({"spec": route("poison")});
    rig.put(&format!("meshes/{MESH}/virtualRouter/r/routes/r"), &route)
        .await?;
    let verdict = assert_taken_back(&rig, MESH, asked, because).await?;
    assert_eq!(fleet.tally.struck_count(), 1, "one was given it");
    assert_status_says(&rig, MESH, because).await?;
    Ok(verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_fail_at_one_proxy_of_fifty_take_a_change_back() -> Result<()> {
    poisoned(
        Harm::Errors,
        Duration::ZERO,
        "requests failed at proxies that were given this",
    )
    .await?;
    Ok(())
}

/// Everything that the first proxy's agent says of the change comes when the time of observation is over.
#[tokio::test(flavor = "multi_thread")]
async fn vms_that_die_take_a_change_back_however_late_it_is_reported() -> Result<()> {
    poisoned(Harm::VmFailures, Duration::from_secs(4), "wasm VMs died").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_acknowledges_and_is_not_reported_on_any_more_takes_a_change_back() -> Result<()> {
    poisoned(
        Harm::Silence,
        Duration::ZERO,
        "was reported on, and has not been for 10 s",
    )
    .await?;
    Ok(())
}
