//! One round: a base Envoy and a variant at the same time, on the same core, each under its own load of one rate.

use std::time::Duration;

use anyhow::Result;
use ferromesh_integration::{load::Load, rig::Envoy};

use super::Options;
use crate::cpu;

/// How often a round is tried on a machine that has other things to do.
const REPEATS: usize = 10;
/// Over which the rate is spread. A connection is due every 10 ms then, which no answer takes, so that requests are
/// sent on schedule and a slow answer delays none of those behind it.
const CONNECTIONS: usize = 16;
/// What a filter that keeps users with their target reads; the others pass it on.
const USER: (&str, &str) = ("x-user", "7c9e6679-7425-40de-944b-e07fc1f90ae7");

/// What one Envoy's requests took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Microseconds of Envoy's processor time for each request.
    pub cpu: f64,
    /// The median latency in microseconds.
    pub p50: f64,
    /// The 99th percentile of the latency in microseconds.
    pub p99: f64,
}

/// What is the same in all rounds.
pub struct Rounds<'a> {
    pub options: &'a Options,
    /// The core that both Envoys share.
    pub core: Option<usize>,
    /// The configuration of the base.
    pub native: String,
}

impl Rounds<'_> {
    /// What the base and a variant took.
    pub async fn run(&self, variant: &str) -> Result<(Taken, Taken)> {
        for _ in 0..REPEATS {
            if let (Some(base), Some(variant)) = self.pair(variant).await? {
                return Ok((base, variant));
            }
            println!("the machine was too busy to send the load: the round is repeated");
        }
        anyhow::bail!(
            "{} requests per second to each of two Envoys could not be sent: lower --rate, or run it with priority (`chrt --rr 1`)",
            self.options.rate
        )
    }

    async fn pair(&self, variant: &str) -> Result<(Option<Taken>, Option<Taken>)> {
        let base = start(&self.native, self.core).await?;
        let variant = start(variant, self.core).await?;
        // Connections, lazily made state and V8's compiler tiers settle before the clock starts.
        let warm_up = Duration::from_secs_f64(self.options.seconds.min(1.5));
        tokio::try_join!(self.load(&base, warm_up), self.load(&variant, warm_up))?;
        let length = Duration::from_secs_f64(self.options.seconds);
        tokio::try_join!(self.load(&base, length), self.load(&variant, length))
    }

    /// What requests took under load; `None` when the load could not be sent as asked for.
    async fn load(&self, envoy: &Envoy, length: Duration) -> Result<Option<Taken>> {
        let address = envoy.admin().listener("case").await?;
        let before = cpu::time(envoy.id())?;
        let load = Load::to(format!("http://{address}/"))
            .header(USER.0, USER.1)
            .connections(CONNECTIONS)
            .per_second(self.options.rate)
            .start()
            .await?;
        tokio::time::sleep(length).await;
        let report = load.stop().await;
        let spent = cpu::time(envoy.id())? - before;
        if let Some(failure) = report.failures().next() {
            anyhow::bail!(
                "{} of {} requests failed, so the figures say nothing; first: {:?}; Envoy: {}",
                report.failures().count(),
                report.len(),
                failure.outcome,
                envoy.log()
            );
        }
        let due = self.options.rate * length.as_secs_f64();
        let sent = report.len() as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        Ok((sent >= 0.9 * due).then(|| Taken {
            cpu: micros(spent) / sent,
            p50: micros(report.latency(50.0)),
            p99: micros(report.latency(99.0)),
        }))
    }
}

/// An Envoy, on one core where there are several.
pub async fn start(configuration: &str, core: Option<usize>) -> Result<Envoy> {
    match core {
        Some(core) => Envoy::start_on_core(configuration, core).await,
        None => Envoy::start(configuration).await,
    }
}
