//! Random configurations as JSON. Most are valid; a few have a mistake at some place.

use serde_json::{json, Map, Value};

use super::spoil::spoil;
use super::{feature, Place};
use crate::vectors::{Chance, Payload};

const NAMES: [&str; 6] = ["blue", "green", "color.local", "r-1", "other", "unknown"];
const ODD_NAMES: [&str; 7] = [
    "",
    "gr\u{fc}n",
    "a b",
    "a.b;c=d",
    "\"q\\\"",
    "line\nbreak",
    "reporter.source.x",
];

/// A plugin configuration, and whether one of its policies may retry.
pub fn plugin_configuration(chance: &mut impl Chance, place: Place) -> (Payload, bool) {
    let mut retries = false;
    let mut plugin = Map::new();
    plugin.insert("mesh".to_owned(), json!(name(chance, place)));
    plugin.insert("node".to_owned(), json!(name(chance, place)));
    plugin.insert(
        "reporter".to_owned(),
        json!(chance.of(&["gateway", "source", "destination"])),
    );
    match place {
        Place::StockEnvoy => {
            plugin.insert("flushMillis".to_owned(), json!(100));
        }
        Place::Virtual if chance.once_in(4) => {
            plugin.insert("flushMillis".to_owned(), json!(chance.of(&[10_u64, 1_000, 600_000, 9])));
        }
        Place::Virtual => {}
    }
    if chance.once_in(2) {
        let (policy, policy_retries) = policy(chance, place);
        retries |= policy_retries;
        plugin.insert("default".to_owned(), policy);
    }
    if chance.once_in(3) {
        let mut routes = Map::new();
        for name in ["split", "plain"] {
            let (policy, policy_retries) = policy(chance, place);
            retries |= policy_retries;
            routes.insert(name.to_owned(), policy);
        }
        plugin.insert("routes".to_owned(), Value::Object(routes));
    }
    (payload(chance, Value::Object(plugin), place, 12), retries)
}

/// A route's policy, and whether it may retry.
pub fn route_policy(chance: &mut impl Chance, place: Place) -> (Payload, bool) {
    let (policy, retries) = policy(chance, place);
    (payload(chance, policy, place, 8), retries)
}

fn policy(chance: &mut impl Chance, place: Place) -> (Value, bool) {
    let count = match (place, chance.below(40)) {
        (Place::Virtual, 0) => 100,
        (Place::Virtual, 1) => 101,
        (_, few) => 1 + few % 4,
    };
    let targets: Vec<String> = (0..count)
        .map(|index| match place {
            Place::Virtual if chance.once_in(12) => name(chance, place),
            _ => NAMES
                .get(usize::try_from(index).unwrap_or(0))
                .map_or_else(|| format!("t{index}"), |name| (*name).to_owned()),
        })
        .collect();
    let mut policy = Map::new();
    let labels = json!({"virtualService": name(chance, place), "route": name(chance, place)});
    policy.insert("labels".to_owned(), labels);
    if chance.once_in(3) {
        let clusters: Vec<String> = targets.iter().map(|name| format!("cds_{name}")).collect();
        policy.insert("clusters".to_owned(), json!(clusters));
    }
    for (name, member) in feature::members(chance, &targets, place) {
        policy.insert(name.to_owned(), member);
    }
    policy.insert("targets".to_owned(), json!(targets));
    let retries = policy.contains_key("retry");
    (Value::Object(policy), retries)
}

/// A name for labels and targets.
fn name(chance: &mut impl Chance, place: Place) -> String {
    match (place, chance.below(60)) {
        (Place::Virtual, 0) => "n".repeat(255),
        (Place::Virtual, 1) => "n".repeat(256),
        (Place::Virtual, odd @ 2..=8) => ODD_NAMES[usize::try_from(odd - 2).unwrap_or(0)].to_owned(),
        _ => chance.of(&NAMES).to_owned(),
    }
}

/// The bytes, once in `times` with a mistake.
fn payload(chance: &mut impl Chance, mut value: Value, place: Place, times: u64) -> Payload {
    let mut bytes = Vec::new();
    let spoilt = place == Place::Virtual && chance.once_in(times);
    if spoilt && chance.below(3) > 0 {
        spoil(chance, &mut value);
        bytes.extend(value.to_string().bytes());
    } else {
        bytes.extend(value.to_string().bytes());
        if spoilt {
            let at = chance.index(bytes.len());
            match chance.below(3) {
                0 => bytes.truncate(at),
                1 => bytes[at] = u8::try_from(chance.below(256)).unwrap_or(0),
                _ => bytes.extend(chance.bytes(32)),
            }
        }
    }
    Payload(bytes)
}
