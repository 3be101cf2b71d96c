//! The last good configuration of one Envoy: what it acknowledged, and nothing that it refused.
//!
//! A state machine that is told what passes between Envoy and the control plane. What is offered becomes good with the
//! acknowledgement that carries its nonce. Two things are not as simple:
//!
//! - A stream can end between an offer and its answer. Envoy's next stream begins with the versions that it holds; what
//!   was offered and is among them was taken.
//! - What Envoy no longer asks for goes away late, by [`LastGood::settle`]: an Envoy that is being taken out of service
//!   closes its listeners and with them unsubscribes their routes, which its successor needs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use ferromesh_xds::type_url;
use prost::Message;

use super::{
    configuration::{Configuration, Kept},
    wire::{Any, DeltaRequest, DeltaResponse, Named, Request, Response},
};

/// Offers without an answer that are remembered: a control plane has one for each type.
const MAX_OFFERS: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct LastGood {
    configuration: Configuration,
    stream: Notes,
    /// Of the stream before, without an answer.
    unanswered: Vec<Offer>,
}

/// What is known of the newest stream.
#[derive(Debug, Default)]
struct Notes {
    offers: Vec<Offer>,
    types: BTreeMap<Arc<str>, TypeNotes>,
    is_open: bool,
}

#[derive(Debug, Default)]
struct TypeNotes {
    /// Whether everything of the type was asked for, without names.
    is_wildcard: bool,
    /// What Envoy holds, if it has asked for everything; else what it has asked for.
    names: BTreeSet<Arc<str>>,
    /// Whether `names` is all that Envoy holds, not only what came since the stream began.
    is_known: bool,
}

/// A response.
#[derive(Debug)]
struct Offer {
    type_url: Arc<str>,
    nonce: String,
    resources: Vec<(Arc<str>, Kept)>,
    removed: Vec<String>,
    /// State of the world: what is not there is gone.
    is_whole: bool,
}

/// What a message has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// More is good now.
    Accepted,
    /// Envoy has refused an offer; what was good before still is.
    Rejected {
        /// The offer's type.
        type_url: String,
        /// Envoy's words.
        message: String,
    },
}

/// A response cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a response holds a resource of type {found:?} among those of type {expected:?}")]
pub struct Mixed {
    found: String,
    expected: String,
}

impl LastGood {
    /// Begins with what was kept.
    pub fn from(configuration: Configuration) -> Self {
        Self {
            configuration,
            ..Self::default()
        }
    }

    /// What is good.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// A stream begins; the one before counts no more.
    pub fn open(&mut self) {
        self.close();
        self.stream.is_open = true;
    }

    /// The stream has ended.
    pub fn close(&mut self) {
        let before = std::mem::take(&mut self.stream);
        // A stream on which Envoy has said nothing says nothing of the one before.
        if before.is_open && !before.types.is_empty() {
            self.unanswered = before.offers;
        }
    }

    /// Envoy has sent a request of the delta variant.
    pub fn on_delta_request(&mut self, request: DeltaRequest) -> Change {
        let url: Arc<str> = request.type_url.as_str().into();
        let mut change = Change::None;
        if !self.stream.types.contains_key(&url) {
            let subscribed = &request.resource_names_subscribe;
            let is_wildcard = subscribed.is_empty() || subscribed.iter().any(|name| name == "*");
            let held = &request.initial_resource_versions;
            let notes = TypeNotes {
                is_wildcard,
                names: held.keys().map(|name| name.as_str().into()).collect(),
                is_known: !held.is_empty(),
            };
            self.stream.types.insert(Arc::clone(&url), notes);
            change = self.take_what_is_held(&url, held);
        }
        if let Some(notes) = self.stream.types.get_mut(&url) {
            let named = request.resource_names_subscribe.iter().filter(|name| *name != "*");
            notes.names.extend(named.map(|name| Arc::from(name.as_str())));
            for name in &request.resource_names_unsubscribe {
                notes.names.remove(name.as_str());
            }
        }
        let error = request.error_detail.map(|status| status.message);
        self.on_answer(&url, &request.response_nonce, error).or(change)
    }

    /// Envoy has sent a request of the state-of-the-world variant.
    pub fn on_request(&mut self, request: Request) -> Change {
        let url: Arc<str> = request.type_url.as_str().into();
        let is_wildcard = request.resource_names.is_empty() || request.resource_names.iter().any(|name| name == "*");
        let notes = self.stream.types.entry(Arc::clone(&url)).or_insert_with(|| TypeNotes {
            is_wildcard,
            ..TypeNotes::default()
        });
        if !notes.is_wildcard {
            notes.names = request.resource_names.iter().map(|name| name.as_str().into()).collect();
        }
        let error = request.error_detail.map(|status| status.message);
        self.on_answer(&url, &request.response_nonce, error)
    }

    /// The control plane has sent a response of the delta variant.
    ///
    /// # Errors
    /// [`Mixed`].
    pub fn on_delta_response(&mut self, response: DeltaResponse) -> Result<(), Mixed> {
        let mut resources = Vec::with_capacity(response.resources.len());
        for resource in response.resources {
            // Without content it says that the one before lives on.
            let Some(any) = resource.resource else { continue };
            let value = value(any, &response.type_url)?;
            let version = resource.version;
            resources.push((resource.name.into(), Kept { version, value }));
        }
        self.offer(Offer {
            type_url: response.type_url.into(),
            nonce: response.nonce,
            resources,
            removed: response.removed_resources,
            is_whole: false,
        });
        Ok(())
    }

    /// The control plane has sent a response of the state-of-the-world variant.
    ///
    /// # Errors
    /// [`Mixed`].
    pub fn on_response(&mut self, response: Response) -> Result<(), Mixed> {
        let mut resources = Vec::with_capacity(response.resources.len());
        for any in response.resources {
            let value = value(any, &response.type_url)?;
            // A resource that has no name cannot be asked for and is no use later.
            let Ok(Named { name }) = Named::decode(value.clone()) else {
                continue;
            };
            let version = response.version_info.clone();
            resources.push((name.into(), Kept { version, value }));
        }
        let is_whole = matches!(response.type_url.as_str(), type_url::CLUSTER | type_url::LISTENER);
        self.offer(Offer {
            type_url: response.type_url.into(),
            nonce: response.nonce,
            resources,
            removed: Vec::new(),
            is_whole,
        });
        Ok(())
    }

    /// Forgets what Envoy holds no more, when it holds a whole configuration and nothing is under way. Says whether
    /// anything was forgotten. For when nothing has passed for a while.
    pub fn settle(&mut self) -> bool {
        let types = &self.stream.types;
        let is_known = |url| types.get(url).is_some_and(|notes| notes.is_known);
        let is_whole = is_known(type_url::CLUSTER) && is_known(type_url::LISTENER);
        if !self.stream.is_open || !self.stream.offers.is_empty() || !is_whole {
            return false;
        }
        let mut has_changed = false;
        for (url, notes) in types.iter().filter(|(_, notes)| notes.is_known || !notes.is_wildcard) {
            has_changed |= self.configuration.retain(url, &notes.names);
        }
        has_changed
    }

    fn offer(&mut self, offer: Offer) {
        if self.stream.offers.len() >= MAX_OFFERS {
            self.stream.offers.remove(0);
        }
        self.stream.offers.push(offer);
    }

    fn on_answer(&mut self, url: &str, nonce: &str, error: Option<String>) -> Change {
        if nonce.is_empty() {
            return Change::None;
        }
        let offers = &mut self.stream.offers;
        let found = offers.iter().position(|o| &*o.type_url == url && o.nonce == nonce);
        let Some(offer) = found.map(|index| offers.remove(index)) else {
            return Change::None;
        };
        match error {
            None => {
                self.accept(offer);
                Change::Accepted
            }
            Some(message) => Change::Rejected {
                type_url: url.to_owned(),
                message,
            },
        }
    }

    /// What the stream before offered and Envoy says it has: it was taken, though nobody heard the acknowledgement.
    pub fn take_what_is_held(&mut self, url: &str, held: &HashMap<String, String>) -> Change {
        let unanswered = std::mem::take(&mut self.unanswered);
        let (of_type, others) = unanswered.into_iter().partition(|offer| &*offer.type_url == url);
        self.unanswered = others;
        let of_type: Vec<Offer> = of_type;
        let mut change = Change::None;
        for offer in of_type {
            let has = |name: &str, version: &str| held.get(name).is_some_and(|held| held == version);
            let is_held = !held.is_empty()
                && offer.resources.iter().all(|(name, kept)| has(name, &kept.version))
                && offer.removed.iter().all(|name| !held.contains_key(name));
            if is_held {
                self.accept(offer);
                change = Change::Accepted;
            }
        }
        change
    }

    fn accept(&mut self, offer: Offer) {
        let url = offer.type_url;
        if let Some(notes) = self.stream.types.get_mut(&url).filter(|notes| notes.is_wildcard) {
            if offer.is_whole {
                notes.names.clear();
            }
            notes
                .names
                .extend(offer.resources.iter().map(|(name, _)| Arc::clone(name)));
            for name in &offer.removed {
                notes.names.remove(name.as_str());
            }
            notes.is_known = true;
        }
        for name in &offer.removed {
            self.configuration.remove(&url, name);
        }
        for (name, kept) in offer.resources {
            // A copy, so that one small resource does not hold the whole response that brought it.
            let value = Bytes::copy_from_slice(&kept.value);
            self.configuration.put(&url, name, Kept { value, ..kept });
        }
    }
}

impl Change {
    fn or(self, other: Self) -> Self {
        if self == Self::None {
            other
        } else {
            self
        }
    }
}

fn value(any: Any, expected: &str) -> Result<Bytes, Mixed> {
    if any.type_url == expected {
        return Ok(any.value);
    }
    Err(Mixed {
        found: any.type_url,
        expected: expected.to_owned(),
    })
}

#[cfg(test)]
mod tests;
