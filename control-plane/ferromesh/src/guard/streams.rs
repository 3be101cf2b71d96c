//! Open streams: how many Envoys a proxy has, and how their streams are ended.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use ferromesh_xds::{peer::Certificate, Applicant, Subscription};
use tokio::sync::oneshot;
use tonic::Status;

use super::verdict::{Refusal, Shown};
use crate::identity::ProxyKey;

/// An Envoy that comes again may still have its old stream: so many of one Envoy count as one.
const STREAMS_OF_ONE: usize = 2;

/// A stream that is to be.
pub(super) struct Place {
    pub key: ProxyKey,
    /// Which Envoy it is, by its own word: only for the count.
    pub envoy: String,
    /// Who it is by its certificate; without one there is nothing that could end.
    pub shown: Option<Shown>,
}

struct Open {
    envoy: String,
    shown: Option<Shown>,
    /// Closed when the stream has ended.
    end: oneshot::Sender<Status>,
}

/// Those that are open, by their proxies.
#[derive(Default)]
pub(super) struct Streams {
    open: Mutex<HashMap<ProxyKey, Vec<Open>>>,
}

impl Streams {
    /// Takes a place, if the proxy has one left.
    pub fn take(&self, place: Place, most: Option<usize>) -> Result<oneshot::Receiver<Status>, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_proxy = open.entry(place.key.clone()).or_default();
        of_proxy.retain(|one| !one.end.is_closed());
        if let Some(most) = most {
            let others = of_proxy.iter().map(|one| one.envoy.as_str());
            if envoys(others.chain([place.envoy.as_str()])) > most {
                let proxy = place.key;
                return Err(Refusal::TooMany { proxy, most });
            }
        }
        let (end, ended) = oneshot::channel();
        of_proxy.push(Open {
            envoy: place.envoy,
            shown: place.shown,
            end,
        });
        Ok(ended)
    }

    /// What an open stream of a proxy was let in with, if it shows this certificate on the same connection.
    pub fn shown_on(&self, key: &ProxyKey, certificate: &Arc<Certificate>) -> Option<Shown> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_proxy = open.get(key)?.iter().filter(|one| !one.end.is_closed());
        let mut shown = of_proxy.filter_map(|one| one.shown.as_ref());
        shown
            .find(|shown| Arc::ptr_eq(&shown.certificate, certificate))
            .cloned()
    }

    /// Ends those with a certificate for which a status is given, and forgets those that have ended; how many it ended.
    pub fn end_those(&self, mut status: impl FnMut(&ProxyKey, &Shown) -> Option<Status>) -> usize {
        // Verifying certificates takes its time: meanwhile others may come.
        let looked_at = self.shown();
        let over: Vec<_> = looked_at
            .into_iter()
            .filter_map(|(key, shown)| status(&key, &shown).map(|status| (key, shown, status)))
            .collect();
        let mut ended = 0;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, shown, status) in over {
            let Some(of_proxy) = open.get_mut(&key) else { continue };
            let is_it = |one: &Open| {
                let its = one.shown.as_ref();
                its.is_some_and(|its| Arc::ptr_eq(&its.certificate, &shown.certificate))
            };
            let (over, others) = std::mem::take(of_proxy).into_iter().partition(is_it);
            *of_proxy = others;
            let over: Vec<Open> = over;
            for one in over {
                // Whoever has gone meanwhile needs no end.
                ended += usize::from(one.end.send(status.clone()).is_ok());
            }
        }
        ended
    }

    /// The proxies and certificates of open streams: each once, although a connection may have several streams.
    fn shown(&self) -> Vec<(ProxyKey, Shown)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(ProxyKey, Shown)> = Vec::new();
        open.retain(|key, of_proxy| {
            of_proxy.retain(|one| !one.end.is_closed());
            let first = all.len();
            for shown in of_proxy.iter().filter_map(|one| one.shown.as_ref()) {
                let is_there = |(_, there): &(ProxyKey, Shown)| Arc::ptr_eq(&there.certificate, &shown.certificate);
                if !all.get(first..).unwrap_or_default().iter().any(is_there) {
                    all.push((key.clone(), shown.clone()));
                }
            }
            !of_proxy.is_empty()
        });
        all
    }
}

/// How many Envoys some streams are of.
fn envoys<'a>(streams: impl Iterator<Item = &'a str>) -> usize {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for envoy in streams {
        *count.entry(envoy).or_default() += 1;
    }
    count.values().map(|streams| streams.div_ceil(STREAMS_OF_ONE)).sum()
}

/// Which Envoy a stream is of: the instance that the agent gave it, else every stream is one of its own.
pub(super) fn envoy(applicant: &Applicant<'_>) -> String {
    let said = applicant
        .node
        .metadata
        .get("ferromesh")
        .and_then(|said| said.get("instance"));
    match said.and_then(serde_json::Value::as_str) {
        Some(instance) => instance.chars().take(64).collect(),
        None => format!("stream {}", applicant.stream),
    }
}

/// A subscription that ends when its source ends it, or the guard does.
pub(super) fn with_end(subscription: Subscription, guards: oneshot::Receiver<Status>) -> Subscription {
    let Subscription { snapshots, end } = subscription;
    let end = match end {
        None => guards,
        Some(sources) => {
            let (either, ended) = oneshot::channel();
            tokio::spawn(pass_on(sources, guards, either));
            ended
        }
    };
    Subscription {
        snapshots,
        end: Some(end),
    }
}

async fn pass_on(
    sources: oneshot::Receiver<Status>,
    guards: oneshot::Receiver<Status>,
    mut either: oneshot::Sender<Status>,
) {
    // One whose sender is dropped ends nothing.
    let when = |end: oneshot::Receiver<Status>| async {
        match end.await {
            Ok(status) => status,
            Err(_) => std::future::pending().await,
        }
    };
    let status = tokio::select! {
        status = when(sources) => status,
        status = when(guards) => status,
        () = either.closed() => return,
    };
    // Whoever has gone meanwhile needs no end.
    drop(either.send(status));
}
