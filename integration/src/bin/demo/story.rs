//! What happens in the demo, and what must be true of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use ferromesh_integration::{
    load::{Load, Report, Running},
    stats,
    upstream::Faults,
};

use crate::{
    mesh::DemoMesh,
    summary::{Faulty, Step, Summary},
    table::{self, Row},
};

/// A split is judged over at least so many requests.
const SAMPLE: usize = 2_000;
/// How far a split may be from its weights, in standard deviations. By chance alone one measurement in 370 is
/// further off, so a measurement that is gets a second one, with fresh requests.
const DEVIATIONS: f64 = 3.0;
/// A new weight must be in effect so long after the API's commit.
const EFFECTIVE_WITHIN: Duration = Duration::from_secs(2);

/// The retry budget of a virtual service: in any 10 s, 20 % of the requests and 3 a second for each of the
/// two workers.
const BUDGET_RATIO: f64 = 0.2;
const BUDGET_WINDOW: Duration = Duration::from_secs(10);
const BUDGET_MINIMUM_PER_SECOND: f64 = 3.0 * 2.0;
/// How flaky green is, and the share of its faults that must not reach the client. Not all: Envoy's own budget
/// lets ten retries towards a cluster be under way, and an unlucky request may fail five times.
const FLAKY_PERCENT: f64 = 10.0;
const ABSORBED: f64 = 0.98;

const STEADY: [u32; 2] = [90, 10];

pub struct Story {
    // Load is dropped before the mesh it runs on.
    color: Running,
    tint: Running,
    mesh: DemoMesh,
    told: Summary,
}

impl Story {
    /// Starts the load: most of it on the canary, some on the other virtual service, which no update of the
    /// canary may disturb.
    pub async fn begin(mesh: DemoMesh, rate: f64) -> Result<Self> {
        let load = |path, rate| {
            Load::to(mesh.url(path))
                .connections(8)
                .per_second(rate)
                .noting("x-colour")
        };
        Ok(Self {
            color: load("/color", rate).start().await?,
            tint: load("/tint", rate / 5.0).start().await?,
            mesh,
            told: Summary::default(),
        })
    }

    pub async fn tell(&mut self) -> Result<Summary> {
        table::head();
        let start = self.color.now();
        let sample = self.settled("canary 90/10", STEADY, start).await;
        self.step("canary 90/10", STEADY, &sample, None);
        self.update("canary 50/50", "route-color-50-50", STEADY, [50, 50])
            .await?;
        self.update("canary 0/100", "route-color-0-100", [50, 50], [0, 100])
            .await?;
        self.judge_failures();
        self.flaky().await;
        self.outage().await;
        Ok(std::mem::take(&mut self.told))
    }

    /// Goes on with the load until Ctrl-C.
    pub async fn stay_up(&mut self) -> Result<()> {
        println!("\n  the mesh stays up: try the commands above; Ctrl-C ends everything\n");
        loop {
            let from = self.color.now();
            tokio::time::sleep(Duration::from_secs(1)).await;
            table::live("now", &self.color.since(from));
            self.color.forget_before(from);
            self.tint.forget_before(from);
        }
    }

    /// Ends everything.
    pub fn end(self) -> Result<()> {
        let Self { color, tint, mesh, .. } = self;
        drop((color, tint));
        let DemoMesh {
            gateway, colours, rig, ..
        } = mesh;
        drop((gateway, colours));
        rig.shut_down()
    }

    async fn update(&mut self, what: &str, file: &str, before: [u32; 2], after: [u32; 2]) -> Result<()> {
        let since = self.color.now();
        let committed = self.mesh.update_route(file).await?;
        let committed = self.on_the_loads_clock(committed);
        let sample = self.settled(what, after, committed + EFFECTIVE_WITHIN).await;
        // When the new weights began to hold, by maximum likelihood over every request around the update.
        let around = self.color.since(since);
        let green: Vec<bool> = around
            .records
            .iter()
            .map(|record| record.note() == Some("green"))
            .collect();
        let change = stats::change_point(&green, chance(before), chance(after));
        let effective = around
            .records
            .get(change)
            .map(|record| record.at.saturating_sub(committed));
        self.told
            .expect(effective.is_some_and(|after| after <= EFFECTIVE_WITHIN), || {
                format!("{what}: in effect {effective:?} after the commit, {EFFECTIVE_WITHIN:?} allowed")
            });
        self.step(what, after, &sample, effective);
        Ok(())
    }

    /// A sample that starts at `from`; a second one if the first is off by more than chance should be.
    async fn settled(&self, what: &str, weights: [u32; 2], from: Duration) -> Report {
        let first = self.sample(what, from).await;
        if deviations(&first, weights) <= DEVIATIONS {
            return first;
        }
        table::row(&Row {
            what,
            weights,
            report: &first,
            retries: 0,
            note: format!(
                "{:.1} standard deviations off: measured again",
                deviations(&first, weights)
            ),
        });
        self.sample(what, self.color.now()).await
    }

    async fn sample(&self, what: &str, from: Duration) -> Report {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let last_second = self.color.now().saturating_sub(Duration::from_secs(1));
            table::live(what, &self.color.since(last_second));
            let sample = self.color.since(from);
            if sample.len() >= SAMPLE {
                return sample;
            }
        }
    }

    fn step(&mut self, what: &str, weights: [u32; 2], sample: &Report, effective: Option<Duration>) {
        let off = deviations(sample, weights);
        table::row(&Row {
            what,
            weights,
            report: sample,
            retries: 0,
            note: effective.map_or(String::new(), |after| {
                format!("in effect after {} ms", after.as_millis())
            }),
        });
        self.told.expect(off <= DEVIATIONS, || {
            format!("{what}: the split is {off:.1} standard deviations off, twice")
        });
        let green = sample.notes().get("green").copied().unwrap_or(0);
        self.told.steps.push(Step {
            weights,
            requests: sample.len(),
            green_percent: rounded(100.0 * green as f64 / sample.len().max(1) as f64),
            deviations: rounded(off),
            effective_after_millis: effective.map(|after| after.as_millis() as u64),
            p50_millis: rounded(sample.latency(50.0).as_secs_f64() * 1e3),
            p99_millis: rounded(sample.latency(99.0).as_secs_f64() * 1e3),
        });
    }

    /// Nothing may have failed so far, on either virtual service.
    fn judge_failures(&mut self) {
        for report in [self.color.report(), self.tint.report()] {
            self.told.requests += report.len();
            self.told.failed += report.failures().count();
            let first = report.failures().next().cloned();
            if let Some(first) = first {
                self.told.miss(format!(
                    "{} of {} requests failed over the updates, first: {first:?}",
                    report.failures().count(),
                    report.len()
                ));
            }
        }
    }

    /// Green fails now and then: retries absorb it.
    async fn flaky(&mut self) {
        let faults = Faults {
            percent: FLAKY_PERCENT,
            ..Faults::default()
        };
        let what = format!("green fails {FLAKY_PERCENT} %");
        let seen = self.faulty(&what, faults, Duration::from_secs(8)).await;
        let absorbed = 1.0 - seen.failed as f64 / seen.faults.max(1) as f64;
        self.told.expect(seen.faults > 0 && absorbed >= ABSORBED, || {
            format!("only {absorbed:.3} of a flaky target's faults were absorbed: {seen:?}")
        });
        self.told.flaky = Some(seen);
    }

    /// Green fails altogether: now retries only add load, and the budget must hold them.
    async fn outage(&mut self) {
        let faults = Faults {
            percent: 100.0,
            ..Faults::default()
        };
        let seen = self.faulty("green fails 100 %", faults, BUDGET_WINDOW).await;
        self.told.expect(seen.faults > 0, || {
            format!("a target that fails altogether was not asked: {seen:?}")
        });
        self.told.outage = Some(seen);
    }

    async fn faulty(&mut self, what: &str, faults: Faults, length: Duration) -> Faulty {
        let green = &self.mesh.colours[1];
        let from = self.color.now();
        green.forget();
        green.inject(faults);
        while self.color.now() < from + length {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let last_second = self.color.now().saturating_sub(Duration::from_secs(1));
            table::live(what, &self.color.since(last_second));
        }
        let counts = green.counts();
        let report = self.color.since(from);
        green.inject(Faults::default());
        let retries = counts.requests.saturating_sub(report.len() as u64);
        // A budget over a window may spend at once what the requests of the window before have saved up.
        let before = from.saturating_sub(BUDGET_WINDOW);
        let earning = self.color.since(before).len() as f64;
        let seconds = (length + BUDGET_WINDOW).as_secs_f64();
        let allowed = (BUDGET_RATIO * earning + BUDGET_MINIMUM_PER_SECOND * seconds) as u64;
        let seen = Faulty {
            requests: report.len(),
            faults: counts.faults,
            retries,
            retries_allowed: allowed,
            failed: report.failures().count(),
        };
        table::row(&Row {
            what,
            weights: [0, 100],
            report: &report,
            retries,
            note: format!("at most {allowed} retries allowed"),
        });
        self.told.expect(retries <= allowed, || {
            format!("{what}: {retries} retries where the budget allows {allowed}")
        });
        seen
    }

    /// A moment in seconds since the epoch as a time since the load began.
    fn on_the_loads_clock(&self, epoch_seconds: f64) -> Duration {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        let ago = Duration::from_secs_f64((now - epoch_seconds).max(0.0));
        self.color.now().saturating_sub(ago)
    }
}

/// Green's chance under weights.
fn chance(weights: [u32; 2]) -> f64 {
    f64::from(weights[1]) / f64::from(weights[0] + weights[1])
}

fn deviations(report: &Report, weights: [u32; 2]) -> f64 {
    let green = report.notes().get("green").copied().unwrap_or(0);
    stats::sigmas(green, report.len(), chance(weights))
}

fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
