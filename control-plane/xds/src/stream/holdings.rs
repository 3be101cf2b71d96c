//! What a state-of-the-world client holds of clusters and listeners, handed from one stream of it to its next.

use std::sync::Arc;

use super::channel::Channel;
use super::entry::Accepted;
use crate::resource::{Resource, SetVersion};

/// What a client held when its stream ended, as far as the server knows. It counts on its next stream for the types of
/// which the client names the same version.
#[derive(Debug, Clone, Default)]
pub struct Holdings(Arc<[Held]>);

#[derive(Debug, Clone)]
pub(super) struct Held {
    type_url: Arc<str>,
    version: SetVersion,
    pub resources: Vec<Arc<Resource>>,
    /// Of what was in a response that the client has refused, or may have: of a part of it that was good, an Envoy keeps
    /// the new version under the old version of the whole.
    pub doubtful: Vec<Arc<str>>,
}

impl Holdings {
    /// Whether nothing is known to be held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the client holds, and what was recalled of types that nothing was said about on this stream.
    pub(super) fn of(channels: &[Channel], recalled: &Self) -> Self {
        let open = recalled.0.iter().filter(|held| held.is_open(channels));
        let mut all: Vec<Option<Held>> = open.cloned().map(Some).collect();
        for channel in channels.iter().filter(|channel| channel.sends_full_state()) {
            // The acknowledgement of what is under way may have been lost with the stream.
            all.extend([channel.accepted_state(), channel.state_under_way()]);
        }
        Self(all.into_iter().flatten().collect())
    }

    /// Whether the client may still name a version of these.
    pub(super) fn is_open(&self, channels: &[Channel]) -> bool {
        self.0.iter().any(|held| held.is_open(channels))
    }

    /// What the client holds if `claim` is what it says it has accepted of the type.
    pub(super) fn find(&self, type_url: &str, claim: &str) -> Option<&Held> {
        let mut of_type = self.0.iter().filter(|held| &*held.type_url == type_url);
        of_type.find(|held| held.version.to_string() == claim)
    }
}

impl Held {
    /// Whether the client holds this, and nothing else.
    pub(super) fn is_certain(&self) -> bool {
        self.doubtful.is_empty()
    }

    /// Whether nothing was said about the type on this stream yet.
    fn is_open(&self, channels: &[Channel]) -> bool {
        let mut of_type = channels.iter().filter(|channel| channel.type_url == self.type_url);
        of_type.all(|channel| channel.claim.is_some())
    }
}

impl Channel {
    fn held(&self, resources: Vec<Arc<Resource>>, doubtful: Vec<Arc<str>>) -> Option<Held> {
        let version = resources.iter().fold(SetVersion::NONE, |all, r| all.with(r));
        (!resources.is_empty()).then(|| Held {
            type_url: self.type_url.clone(),
            version,
            resources,
            doubtful,
        })
    }

    fn accepted_state(&self) -> Option<Held> {
        let mut resources = Vec::new();
        let mut doubtful = Vec::new();
        for (name, entry) in &self.entries {
            match &entry.accepted {
                Accepted::Resource(resource) => resources.push(resource.clone()),
                Accepted::Never | Accepted::Absent => {}
                Accepted::Foreign | Accepted::Version(_) => return None,
            }
            if entry.doubtful {
                doubtful.push(name.clone());
            }
        }
        // A rejection of what is under way may have been lost, too.
        let under_way = self.outstanding.iter().flat_map(|outstanding| &outstanding.resources);
        let new = under_way.filter(|r| self.entries.get(r.name()).is_none_or(|e| !e.has(r) && !e.doubtful));
        doubtful.extend(new.map(|resource| resource.name().clone()));
        self.held(resources, doubtful)
    }

    fn state_under_way(&self) -> Option<Held> {
        self.held(self.outstanding.as_ref()?.resources.clone(), Vec::new())
    }
}
