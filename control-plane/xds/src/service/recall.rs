//! What proxies held when their streams ended.
//!
//! A state-of-the-world client that comes again says which version it holds, not what is in it. Whoever has served it
//! until a moment ago knows that, and can let a cluster that has gone meanwhile stay until its routes have changed. The
//! delta variant needs no such memory: there, a client says what it holds, and a removal is said by name.
//!
//! Nothing is given to anybody for the asking: what is recalled counts only for a client that names the version, a hash
//! over all of the content, under the same node and with the same identity.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::node::NodeInfo;
use crate::peer::Peer;
use crate::stream::Holdings;

/// Proxies whose holdings are kept at a time; resources are shared with other proxies and with snapshots.
const MOST: usize = 10_000;

/// Who held something: node, group, and the names that its certificate vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    id: String,
    cluster: String,
    uris: Vec<String>,
}

impl Holder {
    pub fn new(node: &NodeInfo, peer: Option<&Peer>) -> Self {
        let certificate = peer.and_then(Peer::certificate);
        Self {
            id: node.id.clone(),
            cluster: node.cluster.clone(),
            uris: certificate
                .map(|certificate| certificate.uris.clone())
                .unwrap_or_default(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Recall {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    held: HashMap<Holder, (u64, Holdings)>,
    /// Oldest first; an entry is void when its number is not that of the holder's holdings.
    order: VecDeque<(Instant, u64, Holder)>,
    count: u64,
}

impl Recall {
    pub fn put(&self, holder: Holder, holdings: Holdings, now: Instant, keep: Duration) {
        if holdings.is_empty() || keep.is_zero() {
            return;
        }
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.forget(now, keep);
        shelf.count += 1;
        let count = shelf.count;
        shelf.held.insert(holder.clone(), (count, holdings));
        shelf.order.push_back((now, count, holder));
    }

    /// All proxies of a node go by the same name, and mostly hold the same: whoever takes it leaves it there.
    pub fn get(&self, holder: &Holder, now: Instant, keep: Duration) -> Option<Holdings> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.forget(now, keep);
        shelf.held.get(holder).map(|(_, holdings)| holdings.clone())
    }
}

impl Shelf {
    /// Lets go of what is older than `keep`, and of the oldest beyond the most.
    fn forget(&mut self, now: Instant, keep: Duration) {
        while let Some((since, count, holder)) = self.order.front() {
            let is_old = now.saturating_duration_since(*since) > keep || self.held.len() > MOST;
            let is_void = self.held.get(holder).is_none_or(|(newest, _)| newest != count);
            if !(is_old || is_void) {
                break;
            }
            if !is_void {
                self.held.remove(holder);
            }
            self.order.pop_front();
        }
        if self.order.len() > 2 * MOST {
            let held = &self.held;
            let is_newest = |count: u64, holder: &Holder| held.get(holder).is_some_and(|(newest, _)| *newest == count);
            self.order.retain(|(_, count, holder)| is_newest(*count, holder));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::peer::Certificate;
    use crate::stream::{Limits, Protocol, Request, Stream, Subscribe};
    use crate::{type_url, Snapshot};

    /// Of a client that has taken one cluster.
    fn holdings(now: Instant) -> Holdings {
        let mut stream = Stream::new(Protocol::StateOfTheWorld, 1, Limits::default(), now);
        let cluster = (type_url::CLUSTER, "a", "1".into());
        stream.on_snapshot(Arc::new(Snapshot::seal([cluster], []).unwrap()));
        let request = |nonce| Request {
            node: Some(node("n")),
            type_url: type_url::CLUSTER.into(),
            nonce,
            rejection: None,
            subscribe: Subscribe::default(),
        };
        stream.on_request(request(String::new())).unwrap();
        let response = stream.next_response(now).unwrap();
        stream.on_request(request(response.nonce)).unwrap();
        stream.holdings()
    }

    fn node(id: &str) -> NodeInfo {
        NodeInfo {
            id: id.into(),
            ..NodeInfo::default()
        }
    }

    const KEEP: Duration = Duration::from_secs(60);

    #[test]
    fn holdings_are_given_to_the_same_node_with_the_same_identity_only() {
        let (recall, now) = (Recall::default(), Instant::now());
        let certified = |uri: &str| {
            Peer::Certificate(Arc::new(Certificate {
                uris: vec![uri.into()],
                serial: "1".into(),
                ..Certificate::default()
            }))
        };
        let holder = Holder::new(&node("n"), Some(&certified("spiffe://a/n")));
        recall.put(holder.clone(), holdings(now), now, KEEP);
        for other in [
            Holder::new(&node("m"), Some(&certified("spiffe://a/n"))),
            Holder::new(&node("n"), Some(&certified("spiffe://a/m"))),
            Holder::new(&node("n"), None),
        ] {
            assert!(recall.get(&other, now, KEEP).is_none());
        }
        for _ in 0..2 {
            assert!(recall.get(&holder, now, KEEP).is_some());
        }
    }

    #[test]
    fn holdings_are_forgotten_after_their_time_and_beyond_the_most() {
        let (recall, now) = (Recall::default(), Instant::now());
        let holder = |n: usize| Holder::new(&node(&n.to_string()), None);
        recall.put(holder(0), holdings(now), now, KEEP);
        assert!(recall.get(&holder(0), now + 2 * KEEP, KEEP).is_none());
        let one = holdings(now);
        for n in 0..=MOST + 1 {
            recall.put(holder(n), one.clone(), now, KEEP);
        }
        assert!(recall.get(&holder(0), now, KEEP).is_none());
        assert!(recall.get(&holder(MOST), now, KEEP).is_some());
        // Who comes and goes drives out nobody, and leaves no trace of each time.
        for _ in 0..5 * MOST {
            recall.put(holder(MOST + 1), one.clone(), now, KEEP);
        }
        assert!(recall.get(&holder(MOST), now, KEEP).is_some());
        assert!(recall.shelf.lock().unwrap().order.len() <= 2 * MOST + 1);
        assert!(recall.get(&holder(0), now + 2 * KEEP, KEEP).is_none());
        let shelf = recall.shelf.lock().unwrap();
        assert!(shelf.held.is_empty() && shelf.order.is_empty());
    }
}
