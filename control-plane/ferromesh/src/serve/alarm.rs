//! Who does not answer: an event, a line in the log and a metric for each proxy that is silent.

use std::{
    collections::BTreeSet,
    fmt::Write,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, PoisonError,
    },
    time::{Duration, SystemTime},
};

use ferromesh_api::MetricsSource;
use ferromesh_xds::DeliveryStatus;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    identity::Identity,
    rollout::{engine::SILENCE, events::Events},
};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at what was delivered. Clones share what is known.
#[derive(Clone)]
pub(super) struct Alarm {
    shared: Arc<Shared>,
}

struct Shared {
    delivery: Arc<DeliveryStatus>,
    events: Arc<Events>,
    account: String,
    /// Node ids and types that are silent now.
    silent: Mutex<BTreeSet<(String, String)>>,
    raised: AtomicU64,
}

impl Alarm {
    pub(super) fn new(delivery: Arc<DeliveryStatus>, events: Arc<Events>, account: String) -> Self {
        Self {
            shared: Arc::new(Shared {
                delivery,
                events,
                account,
                silent: Mutex::default(),
                raised: AtomicU64::new(0),
            }),
        }
    }

    /// Looks until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = look.tick() => self.shared.look(SystemTime::now()),
                () = shutdown.cancelled() => return,
            }
        }
    }
}

impl Shared {
    fn look(&self, now: SystemTime) {
        let found = self.delivery.silent(SILENCE, now);
        let now_silent: BTreeSet<(String, String)> = found
            .into_iter()
            .map(|(proxy, type_url, _)| (proxy, type_url))
            .collect();
        // A set is replaced as a whole.
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *silent, now_silent.clone());
        drop(silent);
        for (proxy, type_url) in now_silent.difference(&before) {
            self.raised.fetch_add(1, Ordering::Relaxed);
            let seconds = SILENCE.as_secs();
            tracing::warn!(
                proxy,
                type_url,
                "a proxy has not answered for {seconds} s: its main thread may be stuck"
            );
            self.tell("silent", proxy, type_url);
        }
        for (proxy, type_url) in before.difference(&now_silent) {
            tracing::info!(proxy, type_url, "a silent proxy has answered, or its stream has ended");
            self.tell("answered", proxy, type_url);
        }
    }

    fn tell(&self, kind: &'static str, proxy: &str, type_url: &str) {
        let Ok(identity) = Identity::parse(proxy) else { return };
        let key = identity.key_at(&self.account);
        let short = type_url.rsplit('.').next().unwrap_or(type_url);
        let body = json!({"proxy": key.to_string(), "type": short, "seconds": SILENCE.as_secs()});
        self.events.add(kind, &key.mesh, body);
    }
}

impl MetricsSource for Alarm {
    fn write(&self, text: &mut String) {
        let silent = self.shared.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let proxies: BTreeSet<&str> = silent.iter().map(|(proxy, _)| proxy.as_str()).collect();
        let (now, raised) = (proxies.len(), self.shared.raised.load(Ordering::Relaxed));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP ferromesh_proxies_silent Proxies that have left something unanswered for 10 s.\n\
             # TYPE ferromesh_proxies_silent gauge\nferromesh_proxies_silent {now}\n\
             # HELP ferromesh_silence_alarms_total How often a proxy fell silent, by type, since the start.\n\
             # TYPE ferromesh_silence_alarms_total counter\nferromesh_silence_alarms_total {raised}"
        );
    }
}
