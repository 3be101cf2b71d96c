//! What happens to proxies and rollouts, for people and programs to follow.
//!
//! Bounded: the last thousand are remembered for who comes again, and a reader who is further behind than that is dropped.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ferromesh_api::{Followed, Happening};
use ferromesh_xds::{DeliveryObserver, Event, EventKind};
use serde_json::{json, Value};
use tokio::sync::broadcast;

use super::{
    engine::unix,
    wave::{short, Stage},
    Verdict,
};
use crate::identity::Identity;

/// Events that are remembered, and that a reader can be behind. An event takes a few hundred bytes.
const REMEMBERED: usize = 1024;
/// Bytes of a proxy's words that an event carries; all of them are in the proxy's status.
const MAX_MESSAGE: usize = 500;

/// The events of this life of the control plane.
#[derive(Debug)]
pub struct Events {
    past: Mutex<Past>,
    /// The account whose meshes are named without one.
    account: String,
    future: broadcast::Sender<Arc<Happening>>,
}

#[derive(Debug, Default)]
struct Past {
    last: u64,
    remembered: VecDeque<Arc<Happening>>,
}

impl Events {
    /// Nothing has happened yet. `account` is the server's own.
    pub fn new(account: impl Into<String>) -> Self {
        Self {
            past: Mutex::default(),
            account: account.into(),
            future: broadcast::Sender::new(REMEMBERED),
        }
    }

    /// Whole values are pushed and popped.
    fn lock(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has happened in a mesh; `body` is an object.
    pub fn add(&self, kind: &'static str, mesh: &str, mut body: Value) {
        body["atSeconds"] = json!(unix().as_secs_f64());
        body["mesh"] = json!(mesh);
        // Under the lock, so that everybody sees them in one order.
        let mut past = self.lock();
        past.last += 1;
        let happening = Arc::new(Happening {
            id: past.last,
            kind,
            mesh: mesh.to_owned(),
            body,
        });
        past.remembered.push_back(Arc::clone(&happening));
        if past.remembered.len() > REMEMBERED {
            past.remembered.pop_front();
        }
        // Nobody listens: nobody is told.
        let _ = self.future.send(happening);
    }

    /// A stage of a rollout has begun.
    pub fn staged(&self, mesh: &str, id: &str, stage: Stage, reached: usize) {
        self.add(
            "stage",
            mesh,
            json!({"candidate": id, "stage": stage, "reached": reached}),
        );
    }

    /// A rollout has ended.
    pub fn verdict(&self, verdict: &Verdict) {
        self.add("verdict", &verdict.mesh, json!(verdict));
    }

    /// The mesh and the name of the proxy that a node id means.
    fn proxy(&self, node_id: &str) -> Option<(String, String)> {
        let key = Identity::parse(node_id).ok()?.key_at(&self.account);
        Some((key.mesh.clone(), key.to_string()))
    }
}

impl ferromesh_api::Events for Events {
    fn follow(&self, after: Option<u64>) -> Followed {
        let past = self.lock();
        let future = self.future.subscribe();
        let from = match after {
            None => u64::MAX,
            Some(after) if after > past.last => 0,
            Some(after) => after,
        };
        Followed {
            past: past
                .remembered
                .iter()
                .filter(|happening| happening.id > from)
                .cloned()
                .collect(),
            future,
        }
    }
}

impl DeliveryObserver for Events {
    fn on(&self, event: &Event<'_>) {
        let (kind, body) = match &event.kind {
            EventKind::Connected { node, protocol } => (
                "connected",
                json!({"cluster": node.cluster, "userAgent": node.user_agent, "protocol": protocol.as_str()}),
            ),
            EventKind::Disconnected { reason } => ("disconnected", json!({"reason": reason})),
            EventKind::Nacked { update, rejection, .. } => {
                let message: String = rejection.message.chars().take(MAX_MESSAGE).collect();
                let body = json!({"type": short(update.type_url), "version": update.version, "message": message});
                ("rejected", body)
            }
            EventKind::Sent(_) | EventKind::Acked { .. } => return,
        };
        if let Some((mesh, proxy)) = self.proxy(event.proxy) {
            let mut body = body;
            body["proxy"] = json!(proxy);
            body["stream"] = json!(event.stream);
            self.add(kind, &mesh, body);
        }
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_api::Events as _;

    use super::*;

    #[test]
    fn who_comes_again_gets_what_it_missed_and_then_the_rest() {
        let events = Events::new("123456789012");
        for number in 0..5 {
            events.add("stage", "m", json!({ "number": number }));
        }
        let ids = |followed: &Followed| followed.past.iter().map(|event| event.id).collect::<Vec<_>>();
        assert!(ids(&events.follow(None)).is_empty(), "only what comes");
        let mut followed = events.follow(Some(3));
        assert_eq!(ids(&followed), [4, 5]);
        assert_eq!(
            ids(&events.follow(Some(99))),
            [1, 2, 3, 4, 5],
            "a number of another life"
        );
        events.add("stage", "m", json!({}));
        assert_eq!(followed.future.try_recv().unwrap().id, 6);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let events = Events::new("123456789012");
        let mut slow = events.follow(None);
        for _ in 0..=REMEMBERED {
            events.add("stage", "m", json!({}));
        }
        assert_eq!(events.follow(Some(0)).past.len(), REMEMBERED);
        let lagged = slow.future.try_recv();
        assert!(
            matches!(lagged, Err(broadcast::error::TryRecvError::Lagged(1))),
            "{lagged:?}"
        );
    }
}
