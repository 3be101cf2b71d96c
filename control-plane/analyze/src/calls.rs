//! Calls that go round.

use std::collections::{BTreeMap, BTreeSet};

use ferromesh_ir::ProxyKind;

use crate::scene::Scene;
use crate::{Code, Finding};

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut calls: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for call in scene
        .calls
        .iter()
        .filter(|call| call.from.kind == ProxyKind::VirtualNode)
    {
        calls.entry(&call.from.name).or_default().insert(&call.node);
    }
    let mut found = Vec::new();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for start in calls.keys() {
        let Some(round) = shortest_round(&calls, start) else {
            continue;
        };
        // Each cycle is told once, at its first node.
        if round.iter().any(|node| told.contains(node)) {
            continue;
        }
        told.extend(&round);
        let mut way = round.clone();
        way.push(start);
        let message = format!("its calls can come back to it: {}", way.join(" → "));
        found.push(Finding::new(
            Code::CallCycle,
            format!("virtualNode/{start}"),
            "spec.backends",
            message,
        ));
    }
    found
}

/// The shortest way from a node back to it, without its end.
fn shortest_round<'s>(calls: &BTreeMap<&'s str, BTreeSet<&'s str>>, start: &'s str) -> Option<Vec<&'s str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = std::collections::VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        for next in calls.get(node).into_iter().flatten() {
            if *next == start {
                let mut way = vec![node];
                while let Some(before) = way.last().and_then(|node| came_from.get(node)) {
                    way.push(before);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, node);
                waiting.push_back(next);
            }
        }
    }
    None
}
