//! One server, one size, once through all cases.

use std::time::Duration;

use anyhow::{ensure, Result};
use ferromesh_xds::type_url::CLUSTER;

use super::figure::Taken;
use super::process::Running;
use super::{percentile, Plan, Server};
use crate::fleet::{Fleet, Order};
use crate::proxy::{Manner, Variant};
use crate::stamp::Stamp;
use crate::tally::Watch;
use crate::way::Way;
use crate::world::{Change, Size};

/// How long a fleet may take until it is complete, and a change until it has arrived everywhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// What follows a storm or a series of changes (acknowledgements, freed memory) is theirs.
const SETTLE: Duration = Duration::from_millis(700);
/// How long a proxy refuses, for the price of a refusal.
const REFUSING: Duration = Duration::from_secs(2);

const ENDPOINTS: usize = 5;
const ROUTES: usize = 100;

pub(super) struct Round<'a> {
    pub plan: &'a Plan,
    pub server: &'a Server,
    pub proxies: usize,
    pub clusters: usize,
}

/// How long a change may take until it has arrived everywhere; what has not is lost.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The kinds of changes, by the name of their case. What is removed was added before.
const KINDS: [&str; 6] = ["endpoint", "route", "ecds", "all", "cluster", "remove"];

impl Round<'_> {
    pub async fn run(&self) -> Result<Vec<Taken>> {
        let mut taken = Vec::new();
        for (variant, name) in [(Variant::Delta, "delta"), (Variant::Sotw, "sotw")] {
            let cases = KINDS.into_iter().chain(["storm", "reconnect"]);
            if cases.map(|kind| format!("{kind}-{name}")).any(|case| self.wants(&case)) {
                self.changes(variant, name, &mut taken).await?;
            }
            if self.wants(&format!("reject-{name}")) {
                self.refusals(variant, name, &mut taken).await?;
            }
        }
        Ok(taken)
    }

    fn wants(&self, case: &str) -> bool {
        self.plan.wants(case)
    }

    fn size(&self) -> Size {
        Size {
            nodes: self.proxies,
            clusters: self.clusters,
            endpoints: ENDPOINTS,
            routes: ROUTES.min(self.clusters),
        }
    }

    fn change(&self, kind: &str, number: usize) -> Change {
        match kind {
            "endpoint" => Change::Endpoint(number % self.clusters),
            "route" => Change::Route,
            "ecds" => Change::Extension,
            "all" => Change::All,
            "remove" => Change::Remove(self.clusters + number),
            // Each adds one more.
            _ => Change::Cluster(self.clusters + number),
        }
    }

    fn order(&self, server: &Running, variant: Variant) -> Order {
        Order::of(Way::plain(server.address()), "n{}", self.proxies, variant)
    }

    fn taken(&self, case: String, metric: &'static str, value: f64) -> Taken {
        Taken {
            server: self.server.name.clone(),
            proxies: self.proxies,
            clusters: self.clusters,
            case,
            metric,
            value,
        }
    }

    /// A storm of connections, changes of every kind, and the storm of those who come back.
    async fn changes(&self, variant: Variant, name: &str, taken: &mut Vec<Taken>) -> Result<()> {
        let mut server = self.server.start(&self.size()).await?;
        tokio::time::sleep(SETTLE).await;
        let (cpu, rss) = (server.cpu()?, server.rss_kb()?);
        let order = self.order(&server, variant);
        let fleet = Fleet::launch(&order);
        let storm = fleet.complete(PATIENCE).await?;
        tokio::time::sleep(SETTLE).await;
        let case = format!("storm-{name}");
        let grown = server.rss_kb()?.saturating_sub(rss) as f64;
        let spent = (server.cpu()? - cpu).as_secs_f64();
        taken.push(self.taken(case.clone(), "all_ready_s", storm.as_secs_f64()));
        taken.push(self.taken(case.clone(), "cpu_s", spent));
        taken.push(self.taken(case.clone(), "reconnects", fleet.tally.reconnect_count() as f64));
        taken.push(self.taken(case.clone(), "rss_kb_per_client", grown / self.proxies as f64));

        let mut has_added = false;
        for kind in KINDS {
            let case = format!("{kind}-{name}");
            if !self.wants(&case) {
                continue;
            }
            if kind == "remove" && !has_added {
                for number in 0..self.plan.changes {
                    self.make(&mut server, &fleet, self.change("cluster", number)).await?;
                }
            }
            has_added |= kind == "cluster";
            self.series(&mut server, &fleet, case, |number| self.change(kind, number), taken)
                .await?;
        }
        taken.push(self.taken(case, "rss_mb", server.rss_kb()? as f64 / 1024.0));
        ensure!(
            fleet.tally.failures().0 == 0,
            "proxies failed: {:?}",
            fleet.tally.failures().1
        );

        if self.wants(&format!("reconnect-{name}")) {
            let held = fleet.disconnect().await;
            tokio::time::sleep(SETTLE).await;
            let cpu = server.cpu()?;
            let fleet = Fleet::resume(&order, held);
            let storm = fleet.complete(PATIENCE).await?;
            tokio::time::sleep(SETTLE).await;
            let case = format!("reconnect-{name}");
            taken.push(self.taken(case.clone(), "all_ready_s", storm.as_secs_f64()));
            taken.push(self.taken(case.clone(), "cpu_s", (server.cpu()? - cpu).as_secs_f64()));
            taken.push(self.taken(
                case,
                "bytes_per_client",
                fleet.tally.traffic().bytes as f64 / self.proxies as f64,
            ));
        }
        Ok(())
    }

    async fn series(
        &self,
        server: &mut Running,
        fleet: &Fleet,
        case: String,
        change: impl Fn(usize) -> Change,
        taken: &mut Vec<Taken>,
    ) -> Result<()> {
        let (cpu, before) = (server.cpu()?, fleet.tally.traffic());
        let mut stamps = Vec::with_capacity(self.plan.changes);
        for number in 0..self.plan.changes {
            stamps.push(self.make(server, fleet, change(number)).await?);
            tokio::time::sleep(self.plan.pause).await;
        }
        tokio::time::sleep(SETTLE).await;
        let count = stamps.len() as f64;
        let deliveries = count * self.proxies as f64;
        let spent = (server.cpu()? - cpu).as_secs_f64();
        let latencies = fleet.tally.latencies(&stamps);
        let lost = (self.proxies * stamps.len()).saturating_sub(latencies.len());
        let after = fleet.tally.traffic();
        let bytes = (after.bytes - before.bytes) as f64 / deliveries;
        let resources = (after.resources - before.resources) as f64 / deliveries;
        for (metric, value) in [
            ("cpu_s_per_change", spent / count),
            ("cpu_us_per_delivery", spent / deliveries * 1e6),
            ("p50_ms", percentile(&latencies, 0.50)),
            ("p99_ms", percentile(&latencies, 0.99)),
            ("bytes_per_change", bytes),
            ("resources_per_change", resources),
            ("lost", lost as f64),
        ] {
            taken.push(self.taken(case.clone(), metric, value));
        }
        Ok(())
    }

    /// Makes a change, and waits until every proxy has it, or until it is clear that some will not.
    async fn make(&self, server: &mut Running, fleet: &Fleet, change: Change) -> Result<Stamp> {
        let stamp = Stamp::now();
        match change.parts(&self.size()) {
            // Nothing comes that could say when it was asked for.
            0 => fleet.tally.watch(Watch {
                type_url: CLUSTER,
                asked: stamp,
            }),
            parts => fleet.tally.expect(stamp, parts),
        }
        server.change(change, stamp).await?;
        let deadline = tokio::time::Instant::now() + ARRIVAL;
        while fleet.tally.deliveries(stamp) < self.proxies && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(stamp)
    }

    /// One proxy that refuses every change it gets: what a change costs that is never taken.
    async fn refusals(&self, variant: Variant, name: &str, taken: &mut Vec<Taken>) -> Result<()> {
        let size = Size {
            nodes: 1,
            ..self.size()
        };
        let mut server = self.server.start(&size).await?;
        let order = Order {
            count: 1,
            manner: Manner::Rejecting,
            ..self.order(&server, variant)
        };
        let fleet = Fleet::launch(&order);
        fleet.complete(PATIENCE).await?;
        tokio::time::sleep(SETTLE).await;
        let (cpu, before) = (server.cpu()?, fleet.tally.traffic());
        server.change(Change::Endpoint(0), Stamp::now()).await?;
        tokio::time::sleep(REFUSING).await;
        let case = format!("reject-{name}");
        let share = (server.cpu()? - cpu).as_secs_f64() / REFUSING.as_secs_f64();
        taken.push(self.taken(case.clone(), "core_share", share));
        let sent = fleet.tally.traffic().responses - before.responses;
        taken.push(self.taken(case, "responses", sent as f64));
        Ok(())
    }
}
