//! How often one request may be tried along a path of calls, and tries that cannot take their time.

use std::collections::{BTreeMap, BTreeSet};

use ferromesh_ir::ProxyKind;

use crate::scene::{Call, Place, Scene};
use crate::{Code, Finding};

/// Attempts at the end of a path, for one request at its beginning, that are still no matter: two hops with App Mesh's
/// default policy, both of which retry, come to 9.
const MOST_ATTEMPTS: u64 = 16;
/// Hops of a path that are looked at.
const DEEPEST: usize = 16;

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = amplified(scene);
    found.extend(impatient(scene));
    found
}

/// A try that may take longer than all tries together never times out by itself.
fn impatient(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    for call in &scene.calls {
        let (Some(timeout), Some(per_try)) = (call.timeout, call.per_try) else {
            continue;
        };
        if !timeout.is_zero() && per_try > timeout {
            let message = format!(
                "one attempt may take {} ms, all attempts together {} ms: an attempt without an answer is not tried again",
                per_try.as_millis(),
                timeout.as_millis()
            );
            found.insert(Finding::new(Code::TryLongerThanRequest, &call.resource, "", message));
        }
    }
    found.into_iter().collect()
}

/// A way from where a request begins to a node.
#[derive(Clone)]
struct Path<'s> {
    attempts: u64,
    hops: Vec<&'s Call>,
}

impl<'s> Path<'s> {
    /// The way with one more hop; `None` if it has been there. A hop that tells later ones not to try again leaves those to
    /// one attempt that heed it.
    fn with(&self, call: &'s Call, is_marked: bool) -> Option<Self> {
        let known = |hop: &&Call| hop.node == call.node || hop.from.name == call.node;
        if call.from.name == call.node || self.hops.iter().any(known) {
            return None;
        }
        let attempts = if call.marks && is_marked { 1 } else { call.attempts };
        let mut hops = self.hops.clone();
        hops.push(call);
        Some(Self {
            attempts: self.attempts.saturating_mul(attempts.into()),
            hops,
        })
    }
}

/// Paths on which each hop multiplies the attempts of the hops before it. To each node only the worst way is followed, with
/// and without a hop that marks its requests: looking at every way would take for ever in a mesh where all call all.
fn amplified(scene: &Scene<'_>) -> Vec<Finding> {
    let mut by_caller: BTreeMap<&Place, Vec<&Call>> = BTreeMap::new();
    for call in scene.calls.iter().filter(|call| call.timeout.is_some()) {
        by_caller.entry(&call.from).or_default().push(call);
    }
    let called: BTreeSet<&str> = scene.calls.iter().map(|call| call.node.as_str()).collect();
    // A way that begins in the middle is a part of another one.
    let is_start = |place: &&&Place| place.kind == ProxyKind::VirtualGateway || !called.contains(place.name.as_str());
    let mut frontier: BTreeMap<(Place, bool), Path<'_>> = BTreeMap::new();
    for start in by_caller.keys().filter(is_start) {
        let path = Path {
            attempts: 1,
            hops: Vec::new(),
        };
        frontier.insert(((*start).clone(), false), path);
    }
    let mut best: BTreeMap<(Place, bool), u64> = BTreeMap::new();
    let mut worst: BTreeMap<&str, Path<'_>> = BTreeMap::new();
    for _ in 0..DEEPEST {
        let mut next: BTreeMap<(Place, bool), Path<'_>> = BTreeMap::new();
        for ((place, is_marked), path) in &frontier {
            for call in by_caller.get(place).into_iter().flatten() {
                let Some(longer) = path.with(call, *is_marked) else {
                    continue;
                };
                if worst
                    .get(call.resource.as_str())
                    .is_none_or(|known| known.attempts < longer.attempts)
                {
                    worst.insert(&call.resource, longer.clone());
                }
                let node = Place {
                    kind: ProxyKind::VirtualNode,
                    name: call.node.clone(),
                };
                let key = (node, *is_marked || call.marks);
                if best.get(&key).is_none_or(|known| *known < longer.attempts) {
                    best.insert(key.clone(), longer.attempts);
                    next.insert(key, longer);
                }
            }
        }
        frontier = next;
    }
    let amplified = worst.into_iter().filter(|(_, path)| path.attempts > MOST_ATTEMPTS);
    let finding = |(resource, path): (&str, Path<'_>)| {
        let mut way: Vec<&str> = path.hops.iter().map(|call| call.from.name.as_str()).collect();
        way.extend(path.hops.last().map(|call| call.node.as_str()));
        let message = format!(
            "one request of {} may arrive up to {} times: attempts multiply along {}",
            way.first().copied().unwrap_or_default(),
            path.attempts,
            way.join(" → ")
        );
        Finding::new(Code::RetryAmplification, resource, "", message)
    };
    amplified.map(finding).collect()
}
