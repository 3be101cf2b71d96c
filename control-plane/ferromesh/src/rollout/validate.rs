//! Envoy's own word on a candidate, before any proxy is given it: `envoy --mode validate` under a time limit.
//!
//! A refusal is as good as a proxy's, and costs none. That Envoy does not come to an end, or cannot be run, says nothing of the
//! candidate: it goes its way, to one proxy first. See decision 0048.

mod choice;
mod program;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, OnceLock,
    },
    time::Duration,
};

use bytes::Bytes;
use ferromesh_emit::{standalone::standalone, Certificate};
use ferromesh_xds::Snapshot;
use tokio::{sync::Mutex, time::Instant};

use crate::identity::ProxyKey;
use program::Said;

/// With which Envoy candidates are validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The binary: the version that the proxies run.
    pub program: PathBuf,
    /// How long all runs for one candidate may take together.
    pub limit: Duration,
}

/// One proxy's part of a candidate.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub key: ProxyKey,
    pub candidate: Arc<Snapshot>,
    pub accepted: Option<Arc<Snapshot>>,
}

/// What Envoy makes of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It takes what was shown to it.
    Takes,
    /// It does not: the proxy, and Envoy's message.
    Refuses(String),
    /// It has not said so: why.
    Unknown(String),
}

/// Runs Envoy, one at a time for all meshes: each takes a core and 130 MB.
#[derive(Debug)]
pub(super) struct Validator {
    settings: Validation,
    turn: Mutex<()>,
    /// Takes the place of every certificate and authority, so that no private key leaves this process.
    stand_in: OnceLock<Certificate>,
    counts: [AtomicU64; 3],
}

impl Validator {
    pub fn new(settings: Validation) -> Self {
        Self {
            settings,
            turn: Mutex::default(),
            stand_in: OnceLock::new(),
            counts: Default::default(),
        }
    }

    /// Shows Envoy the candidate's configurations, one that has each of the changes.
    pub async fn judge(&self, parts: Vec<Part>) -> Judgement {
        let judgement = {
            let _turn = self.turn.lock().await;
            self.judge_now(parts).await
        };
        let place = match &judgement {
            Judgement::Takes => 0,
            Judgement::Refuses(_) => 1,
            Judgement::Unknown(_) => 2,
        };
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        judgement
    }

    /// How many candidates it was asked about, by what it said.
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let names = ["taken", "refused", "unknown"];
        std::array::from_fn(|place| (names[place], self.counts[place].load(Ordering::Relaxed)))
    }

    async fn judge_now(&self, parts: Vec<Part>) -> Judgement {
        let ends = Instant::now() + self.settings.limit;
        let chosen = tokio::task::spawn_blocking(move || choice::of(parts)).await;
        let chosen = match chosen {
            Ok(chosen) => chosen,
            Err(error) => return Judgement::Unknown(format!("choosing what to validate was interrupted: {error}")),
        };
        for part in chosen {
            match self.run(&part.candidate, ends).await {
                Said::Takes => {}
                Said::Refuses(message) => return self.refusal(&part, &message).await,
                Said::Nothing(why) => return Judgement::Unknown(format!("{}: {why}", part.key)),
            }
        }
        Judgement::Takes
    }

    /// A refusal counts where Envoy takes what the proxy has already: else it is another version than the proxy's, or misses
    /// something that is only there.
    async fn refusal(&self, part: &Part, message: &str) -> Judgement {
        if let Some(accepted) = &part.accepted {
            if let Said::Refuses(also) = self.run(accepted, Instant::now() + self.settings.limit).await {
                return Judgement::Unknown(format!(
                    "{}: Envoy refuses what the proxy has already, too: {also}",
                    part.key
                ));
            }
        }
        Judgement::Refuses(format!("{}: envoy --mode validate refuses it: {message}", part.key))
    }

    async fn run(&self, snapshot: &Arc<Snapshot>, ends: Instant) -> Said {
        let stand_in = match self.stand_in() {
            Ok(stand_in) => stand_in.clone(),
            Err(error) => return Said::Nothing(format!("a certificate to stand in cannot be made: {error}")),
        };
        let snapshot = Arc::clone(snapshot);
        let made = tokio::task::spawn_blocking(move || standalone(&encoded(&snapshot), &stand_in)).await;
        match made {
            Ok(Ok(bootstrap)) => program::run(&self.settings.program, Bytes::from(bootstrap), ends).await,
            Ok(Err(incomplete)) => Said::Refuses(incomplete.to_string()),
            Err(error) => Said::Nothing(format!("making a bootstrap was interrupted: {error}")),
        }
    }

    fn stand_in(&self) -> Result<&Certificate, rcgen::Error> {
        if let Some(known) = self.stand_in.get() {
            return Ok(known);
        }
        let made = rcgen::generate_simple_self_signed(["stand-in.invalid".to_owned()])?;
        Ok(self.stand_in.get_or_init(|| Certificate {
            chain: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }))
    }
}

/// All resources as one discovery response.
fn encoded(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    for type_url in snapshot.type_urls() {
        for resource in snapshot.resources(type_url).iter() {
            for piece in resource.as_state_of_the_world_field() {
                bytes.extend_from_slice(&piece);
            }
        }
    }
    bytes
}
