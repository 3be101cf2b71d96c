//! From a change through the API to the first request that a stock Envoy answers the new way.
//!
//! A route's weights go to and fro between two upstreams, by `PUT`, while one client asks the gateway again and again on one
//! connection. Two moments are measured from: when the call began, and when it was answered. A client that asks every millisecond
//! adds half of one to what it measures.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use ferromesh_integration::{
    client::Client,
    two_colours::{self, TwoColours, ROUTE},
};
use serde_json::json;

use super::figure::Taken;
use super::percentile;

/// How long a change may take. What takes longer is lost.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Between two requests of the client.
const INTERVAL: Duration = Duration::from_millis(1);
/// Between two changes.
const PAUSE: Duration = Duration::from_millis(50);
/// Changes that are made before those that count: connections open, caches fill.
const WARM_UP: usize = 5;

/// How much of it. Where the parts are is in the environment (`FERROMESH_BIN`, `FERROMESH_ENVOY`, `FERROMESH_MODULES`).
#[derive(Clone, Copy, Debug)]
pub struct Propagation {
    pub changes: usize,
}

/// What came of the changes, in milliseconds, each list sorted.
#[derive(Clone, Debug, Default)]
pub struct Propagated {
    /// From the call's beginning to its answer.
    pub call: Vec<f64>,
    /// From the call's beginning to the first answer the new way.
    pub from_call: Vec<f64>,
    /// From the call's answer to the first answer the new way; 0 where that was first.
    pub from_answer: Vec<f64>,
    /// Changes that were not seen within [`ARRIVAL`].
    pub lost: usize,
    /// Answers the old way after one the new way: none, where a client has one connection.
    pub went_back: usize,
    /// Answers that were no success.
    pub failed: usize,
}

impl Propagation {
    /// One round.
    ///
    /// # Errors
    /// A part is missing or does not come up.
    pub async fn run(&self) -> Result<Vec<Taken>> {
        let mesh = TwoColours::start([1, 0]).await?;
        self.measure(&mesh, WARM_UP).await?;
        let seen = self.measure(&mesh, self.changes).await?;
        let one = |metric, value| Taken {
            server: "ferromesh serve".to_owned(),
            proxies: 1,
            clusters: 2,
            case: "propagation".to_owned(),
            metric,
            value,
        };
        Ok(vec![
            one("p50_ms", percentile(&seen.from_answer, 0.50)),
            one("p99_ms", percentile(&seen.from_answer, 0.99)),
            one("from_call_p50_ms", percentile(&seen.from_call, 0.50)),
            one("from_call_p99_ms", percentile(&seen.from_call, 0.99)),
            one("call_p50_ms", percentile(&seen.call, 0.50)),
            one("call_p99_ms", percentile(&seen.call, 0.99)),
            one("went_back", seen.went_back as f64),
            one("failed", seen.failed as f64),
            one("lost", seen.lost as f64),
        ])
    }

    /// Makes so many changes, one after the other.
    ///
    /// # Errors
    /// The API refuses, or nobody listens at the gateway.
    pub async fn measure(&self, mesh: &TwoColours, changes: usize) -> Result<Propagated> {
        let gateway = mesh.url("");
        let mut client = Client::of(gateway.strip_prefix("http://").context("an address")?)?;
        let mut seen = Propagated::default();
        for _ in 0..changes {
            let now = colour(&mut client, &mut seen).await?;
            let (other, weights) = match now.as_str() {
                "blue" => ("green", [0, 1]),
                _ => ("blue", [1, 0]),
            };
            let body = json!({"spec": two_colours::route(weights)});
            let began = Instant::now();
            // Beside the client: the first answer may be there before the call's.
            let asking = async {
                while began.elapsed() < ARRIVAL {
                    if colour(&mut client, &mut seen).await? == other {
                        return Ok(Some(Instant::now()));
                    }
                    tokio::time::sleep(INTERVAL).await;
                }
                anyhow::Ok(None)
            };
            let calling = async {
                mesh.rig.put(ROUTE, &body).await?;
                anyhow::Ok(Instant::now())
            };
            let (first, answered) = tokio::try_join!(asking, calling)?;
            let Some(first) = first else {
                seen.lost += 1;
                continue;
            };
            seen.call.push(millis(answered - began));
            seen.from_call.push(millis(first - began));
            seen.from_answer.push(millis(first.saturating_duration_since(answered)));
            let until = Instant::now() + PAUSE;
            while Instant::now() < until {
                if colour(&mut client, &mut seen).await? != other {
                    seen.went_back += 1;
                }
                tokio::time::sleep(INTERVAL).await;
            }
        }
        ensure!(!seen.from_call.is_empty(), "no change was seen");
        for list in [&mut seen.call, &mut seen.from_call, &mut seen.from_answer] {
            list.sort_unstable_by(f64::total_cmp);
        }
        Ok(seen)
    }
}

/// Which upstream answers.
async fn colour(client: &mut Client, seen: &mut Propagated) -> Result<String> {
    let answer = client.get("/", &[]).await?;
    if answer.status != 200 {
        seen.failed += 1;
    }
    Ok(answer.header("x-colour").unwrap_or_default().to_owned())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
