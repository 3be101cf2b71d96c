//! What happens on the streams: subscriptions, answers, ends.

use ferromesh_xds::{Applicant, DeliveryObserver, Event, EventKind, SnapshotSource, Subscription};
use serde_json::Value;
use tokio::sync::watch;
use tonic::Status;

use super::{
    engine::{is_tried, Content, Running, State},
    Rollout,
};

/// Member of `ferromesh` in a node's metadata: which run of an agent this is.
const INSTANCE: &str = "instance";

impl SnapshotSource for Rollout {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let inner = self.shared.inner.subscribe(applicant)?;
        let Some(key) = self.shared.inner.proxy(&applicant.node.id) else {
            return Ok(inner);
        };
        if applicant.stream == 0 {
            // Somebody without a stream, who answers nothing and so can prove nothing.
            return Ok(inner);
        }
        let said = said_instance(applicant);
        let instance = said.unwrap_or(&applicant.node.id).to_owned();
        let now = self.shared.now();
        let (sender, receiver) = watch::channel(None);
        let mut state = self.shared.lock();
        state.streams.insert(applicant.stream, (key.clone(), instance.clone()));
        let running = self.shared.running(&mut state, &key.mesh);
        let content = running
            .contents
            .entry(key.clone())
            .or_insert_with(|| Content::new(inner.snapshots.clone(), now));
        if content.published.has_changed().is_err() {
            // The source has forgotten the proxy, and begins anew.
            content.published = inner.snapshots.clone();
            content.is_stale = true;
        }
        self.shared.take_one(&key.mesh, running, &key, now);
        running.mesh.connect(now, applicant.stream, &key, &instance);
        if said.is_some() {
            running.mesh.expect_reports(applicant.stream);
        }
        running.senders.insert(applicant.stream, sender);
        if applicant.comes_empty {
            running.empty.insert(applicant.stream);
        }
        running.give(applicant.stream, &key);
        if running.mesh.proposal().is_some() {
            self.shared.wake.notify_one();
        }
        Ok(Subscription {
            snapshots: receiver,
            end: inner.end,
        })
    }
}

/// What tells apart the proxies of one virtual node or gateway, if an agent has said it: then it reports, too.
fn said_instance<'a>(applicant: &Applicant<'a>) -> Option<&'a str> {
    let said = applicant.node.metadata.get("ferromesh")?.get(INSTANCE)?;
    let said = Value::as_str(said);
    said.filter(|said| !said.is_empty() && said.len() <= 64)
}

impl DeliveryObserver for Rollout {
    fn on(&self, event: &Event<'_>) {
        let update = match &event.kind {
            EventKind::Connected { .. } => return,
            EventKind::Disconnected { reason } => return self.on_end(event.stream, reason.is_some()),
            EventKind::Sent(update) | EventKind::Acked { update, .. } | EventKind::Nacked { update, .. } => update,
        };
        if !is_tried(update.type_url) {
            return;
        }
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let Some((mesh, running)) = of_stream(&mut state, event.stream) else {
            return;
        };
        let effects = match &event.kind {
            EventKind::Sent(update) => {
                running.mesh.on_sent(now, event.stream, update.type_url);
                return;
            }
            EventKind::Nacked { update, rejection, .. } => {
                running
                    .mesh
                    .on_answer(now, event.stream, update.type_url, Some(&rejection.message))
            }
            _ => running.mesh.on_answer(now, event.stream, update.type_url, None),
        };
        self.shared.apply(&mesh, running, effects);
    }
}

impl Rollout {
    fn on_end(&self, stream: u64, by_us: bool) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let Some((key, instance)) = state.streams.remove(&stream) else {
            return;
        };
        let said = state.reports.last(&key, &instance);
        let is_expected = by_us || said.is_some_and(|report| report.is_draining);
        if let Some(running) = state.meshes.get_mut(&key.mesh) {
            running.senders.remove(&stream);
            running.empty.remove(&stream);
            running.mesh.disconnect(now, stream, is_expected);
        }
    }
}

fn of_stream(state: &mut State, stream: u64) -> Option<(String, &mut Running)> {
    let mesh = state.streams.get(&stream)?.0.mesh.clone();
    let running = state.meshes.get_mut(&mesh)?;
    Some((mesh, running))
}
