//! What a client subscribes to, by the rules of either variant.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::channel::{Channel, Wildcard};
use super::entry::{Accepted, Due, Entry};
use crate::resource::Version;
use crate::type_url;

/// Bytes of a version that is kept until there is something to compare it with. Ours have 32.
const MAX_VERSION_BYTES: usize = 64;

/// The name that subscribes to everything.
const WILDCARD: &str = "*";

impl Channel {
    /// A request that was sent before the client saw the last response: its answer to that one will
    /// repeat whatever is asked here. Only that it has dropped something must be remembered, because it
    /// may want it again by then.
    pub(super) fn on_stale_request(&mut self, names: &[String]) {
        let names: HashSet<&str> = names.iter().map(String::as_str).collect();
        for (_, entry) in self
            .entries
            .iter_mut()
            .filter(|(name, e)| e.explicit && !names.contains(&***name))
        {
            entry.due = Due::Now;
        }
    }

    pub(super) fn subscribe_to(&mut self, version: String, names: Vec<String>, is_answer: bool) {
        let is_first = !self.asked_before;
        if is_first {
            // A longer one is none of ours, and may be as long as a request.
            self.claim = Some(version)
                .filter(|version| version.len() <= MAX_VERSION_BYTES)
                .or_else(|| Some("?".into()));
        }
        let was = self.wildcard;
        let names: HashSet<&str> = names.iter().map(String::as_str).collect();
        self.wildcard = if names.contains(WILDCARD) {
            Wildcard::Explicit
        } else if names.is_empty()
            && (is_first || was == Wildcard::Implied)
            && type_url::is_wildcard_by_default(&self.type_url)
        {
            Wildcard::Implied
        } else {
            Wildcard::No
        };
        let mut changed = was != self.wildcard;
        if self.wildcard != Wildcard::No && was == Wildcard::No {
            self.due = Due::Now;
        }
        let dropped: Vec<Arc<str>> = self
            .entries
            .iter()
            .filter(|(name, entry)| entry.explicit && !names.contains(&***name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in dropped {
            self.unsubscribe(&name);
            changed = true;
        }
        for name in names.into_iter().filter(|name| !name.is_empty() && *name != WILDCARD) {
            if self.entries.get(name).is_some_and(|entry| entry.explicit) {
                continue;
            }
            changed = true;
            let covered = was != Wildcard::No && self.wildcard != Wildcard::No;
            let entry = self.subscribe(name);
            if !covered {
                entry.due = Due::Now;
            }
        }
        if self.wildcard == Wildcard::No && was != Wildcard::No {
            self.entries.retain(|_, entry| entry.explicit);
        }
        if changed {
            self.settled = None;
        } else if !is_answer && self.warming {
            self.warming = false;
            self.settled = None;
            self.entries.values_mut().for_each(|entry| entry.due = Due::Now);
        }
    }

    pub(super) fn subscribe_delta(
        &mut self,
        subscribe: Vec<String>,
        unsubscribe: Vec<String>,
        initial_versions: HashMap<String, String>,
    ) {
        let is_first = !self.asked_before;
        if !subscribe.is_empty() || !unsubscribe.is_empty() {
            self.settled = None;
        }
        for name in &unsubscribe {
            if name == WILDCARD {
                self.wildcard = Wildcard::No;
                self.entries.retain(|_, entry| entry.explicit);
            } else if self.entries.get(&**name).is_some_and(|entry| entry.explicit) {
                self.unsubscribe(name);
                // The client has forgotten the name, and the wildcard still covers it.
                if let Some(entry) = self.entries.get_mut(&**name) {
                    entry.due = Due::Now;
                }
            }
        }
        if is_first && subscribe.is_empty() && type_url::is_wildcard_by_default(&self.type_url) {
            self.subscribe_to_all(Wildcard::Implied, &initial_versions);
        }
        for name in subscribe.iter().filter(|name| !name.is_empty()) {
            if name == WILDCARD {
                self.subscribe_to_all(Wildcard::Explicit, &initial_versions);
            } else {
                self.subscribe(name).due = Due::Now;
            }
        }
        if is_first {
            for (name, version) in initial_versions {
                let accepted = Version::parse(&version).map_or(Accepted::Foreign, Accepted::Version);
                if let Some(entry) = self.entries.get_mut(&*name) {
                    entry.accepted = accepted;
                    entry.due = Due::No;
                } else if self.wildcard != Wildcard::No {
                    self.entries.insert(
                        name.into(),
                        Entry {
                            accepted,
                            ..Entry::default()
                        },
                    );
                }
            }
        }
    }

    fn subscribe_to_all(&mut self, wildcard: Wildcard, initial_versions: &HashMap<String, String>) {
        if self.wildcard != Wildcard::No {
            // Whoever subscribes again may have forgotten what it had.
            self.entries.values_mut().for_each(|entry| entry.due = Due::Now);
        }
        self.wildcard = wildcard;
        if initial_versions.is_empty() || self.asked_before {
            self.due = Due::Now;
        }
    }

    fn subscribe(&mut self, name: &str) -> &mut Entry {
        let entry = self.entries.entry(name.into()).or_default();
        if !entry.explicit {
            entry.explicit = true;
            self.names += 1;
            self.name_bytes += name.len();
        }
        entry
    }

    fn unsubscribe(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        if entry.explicit {
            entry.explicit = false;
            self.names -= 1;
            self.name_bytes -= name.len();
        }
        if self.wildcard == Wildcard::No {
            self.entries.remove(name);
        }
    }
}
