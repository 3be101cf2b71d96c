//! What a client serves with, whatever it has told of it, and the rule that a refusal takes nothing away.
//!
//! As an Envoy does it: of every response the removals are done first, and of a refused one, what was good in it is kept. It
//! goes on to say that it holds what it held before.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ferromesh_xds::stream::Response;
use proptest::prelude::*;

use crate::view::{value, Held, Verdict};
use crate::world::{read, World};

#[derive(Debug, Default)]
pub struct Listeners {
    served: BTreeMap<String, Bytes>,
    /// Whether the server cannot know what there is: a part of a refused response, or what an earlier stream has brought.
    pub is_unknown: bool,
}

/// What a response does.
pub struct Change {
    comes: BTreeMap<String, Bytes>,
    goes: Vec<String>,
}

impl Listeners {
    pub fn serves(&self, name: &str) -> bool {
        self.served.contains_key(name)
    }

    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.served.get(name)
    }

    pub fn change(&self, response: &Response) -> Change {
        let comes: BTreeMap<String, Bytes> = response
            .resources
            .iter()
            .map(|resource| (resource.name().to_string(), value(resource)))
            .collect();
        let goes = match &response.removed {
            Some(removed) => removed.iter().map(|name| name.to_string()).collect(),
            None => self
                .served
                .keys()
                .filter(|name| !comes.contains_key(*name))
                .cloned()
                .collect(),
        };
        Change { comes, goes }
    }

    pub fn apply(&mut self, response: &Response, verdict: Verdict) {
        let Change { comes, goes } = self.change(response);
        for name in &goes {
            self.served.remove(name);
        }
        let good = match verdict {
            Verdict::Take => usize::MAX,
            Verdict::Refuse => 0,
            Verdict::RefusePart => comes.len() / 2,
        };
        self.served.extend(comes.into_iter().take(good));
        self.is_unknown |= verdict != Verdict::Take;
    }

    /// A proxy refuses a listener at the port of another one.
    pub fn check_ports(&self) -> Result<(), TestCaseError> {
        let mut ports = BTreeSet::new();
        for (name, listener) in &self.served {
            let is_free = ports.insert(read(listener).port);
            prop_assert!(is_free || self.is_unknown, "{name} has the port of another one");
        }
        Ok(())
    }
}

impl Change {
    /// A listener that the client has taken goes only when it has all that there is now, or when another one comes to its
    /// port in the same response.
    pub fn loses_nothing(&self, before: &Listeners, taken: &Held, world: &World) -> Result<(), TestCaseError> {
        for name in self.goes.iter().filter(|name| taken.contains_key(*name)) {
            let Some(lost) = before.served.get(name) else { continue };
            prop_assert!(world.listener(name).is_none(), "{name} is not gone");
            let port = read(lost).port;
            let is_replaced = |comes: &BTreeMap<String, Bytes>| comes.values().any(|comes| read(comes).port == port);
            let has_all = || {
                let mut names = world.listeners.keys().map(u8::to_string);
                names.all(|name| before.served.get(&name) == world.listener(&name).as_ref())
            };
            prop_assert!(
                is_replaced(&self.comes) || has_all(),
                "{name} goes, and what comes is not there"
            );
        }
        Ok(())
    }
}
