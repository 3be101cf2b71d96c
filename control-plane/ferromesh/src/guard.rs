//! Who may have a proxy's configuration: the outermost source of snapshots.
//!
//! A proxy says in its node id which virtual node or gateway it is. On this machine, without TLS, that is believed: who can
//! open the Unix socket or the loopback port is taken for whom they say they are. Over TLS the certificate decides: it must
//! have exactly one URI, and that must be the SPIFFE identity of exactly the virtual node or gateway, mesh and account that
//! the node id means.
//!
//! Whatever was let in is looked at again every [`SWEEP`]: a stream whose certificate is over, revoked, or of an authority
//! that is believed no more is ended. Its proxy goes on with the configuration that it has.
//!
//! ```text
//! issuer    certificates for proxies
//! naming    SPIFFE identities of proxies, and proxies of SPIFFE identities
//! vouch     which authority is behind a certificate now
//! revoked   certificates and proxies that were revoked, as the store has them
//! verdict   all of that, for one applicant
//! streams   open streams: how many of which proxy, and how to end them
//! handshake certificates that are refused before anything is asked
//! counts    what was refused and cut, for Prometheus
//! ```

pub mod counts;
pub mod handshake;
pub mod issuer;
pub mod naming;
mod revoked;
mod streams;
mod verdict;
pub mod vouch;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use ferromesh_api::{Clock, MetricsSource};
use ferromesh_store::{Store, StoreError};
use ferromesh_xds::{Applicant, Peer, SnapshotSource, Subscription};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::identity::{Identity, ProxyKey, ProxyKind};
use counts::{Asked, Counts};
use naming::Naming;
use revoked::Revoked;
use streams::{Place, Streams};
pub use verdict::Refusal;
use vouch::Vouch;

/// How often open streams are looked at.
pub const SWEEP: Duration = Duration::from_secs(5);

/// Changes of the store come in bursts; revocations are read at most this often.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether a proxy over TLS must show who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// It must show a certificate.
    Required,
    /// One without a certificate is believed; one with a certificate is held to it.
    Optional,
}

/// Most Envoys of one proxy that are connected at a time; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MostEnvoys {
    /// For each virtual node.
    pub virtual_node: Option<usize>,
    /// For each virtual gateway.
    pub virtual_gateway: Option<usize>,
}

/// What the guard goes by.
#[derive(Clone)]
pub struct Settings {
    /// Whether a proxy over TLS must show who it is.
    pub requirement: Requirement,
    /// Which identity is which proxy's.
    pub naming: Naming,
    /// Most Envoys of one proxy.
    pub most: MostEnvoys,
    /// Who is behind certificates; changes when authorities do.
    pub vouch: watch::Receiver<Arc<dyn Vouch>>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What is refused is counted here.
    pub counts: Arc<Counts>,
}

/// A source of snapshots that gives each proxy its own and nobody else's. Clones share everything.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<dyn SnapshotSource>,
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    store: Arc<dyn Store>,
    revoked: RwLock<Arc<Revoked>>,
    streams: Streams,
}

impl Guard {
    /// A guard around a source, over the store that has the revocations. What is open is cut by [`Guard::run`]. Blocks.
    ///
    /// # Errors
    /// The revocations cannot be read.
    pub fn new(inner: Arc<dyn SnapshotSource>, store: Arc<dyn Store>, settings: Settings) -> Result<Self, StoreError> {
        let revoked = Revoked::read(store.as_ref())?;
        Ok(Self {
            inner,
            shared: Arc::new(Shared {
                settings,
                store,
                revoked: RwLock::new(Arc::new(revoked)),
                streams: Streams::default(),
            }),
        })
    }

    /// Follows revocations, authorities and the time until `shutdown`, and ends the streams that may no longer be.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut revisions = self.shared.store.watch();
        let mut authorities = self.shared.settings.vouch.clone();
        let mut is_store_open = true;
        let mut are_authorities_open = true;
        // The first round reads what came between the opening and now.
        revisions.mark_changed();
        loop {
            let mut has_other_authorities = false;
            tokio::select! {
                changed = revisions.changed(), if is_store_open => {
                    is_store_open = changed.is_ok();
                    tokio::time::sleep(PAUSE).await;
                    revisions.borrow_and_update();
                    let shared = Arc::clone(&self.shared);
                    // Reads the disk.
                    if let Err(error) = tokio::task::spawn_blocking(move || shared.read_revocations()).await {
                        tracing::error!(%error, "reading revocations failed; those before hold");
                    }
                }
                changed = authorities.changed(), if are_authorities_open => {
                    are_authorities_open = changed.is_ok();
                    has_other_authorities = are_authorities_open;
                    authorities.borrow_and_update();
                }
                () = tokio::time::sleep(SWEEP) => {}
                () = shutdown.cancelled() => return,
            }
            let shared = Arc::clone(&self.shared);
            let swept = tokio::task::spawn_blocking(move || shared.sweep(has_other_authorities));
            if let Err(error) = swept.await {
                tracing::error!(%error, "looking at open streams failed");
            }
        }
    }

    /// The proxy that somebody proves to be by a certificate of the built-in authority.
    ///
    /// # Errors
    /// Why they prove nothing.
    pub fn proven(&self, peer: &Peer) -> Result<ProxyKey, Refusal> {
        let Some(certificate) = peer.certificate() else {
            // Whoever comes with a join token shows none.
            return Err(Refusal::NoCertificate);
        };
        let proven = self.shared.judge().issued(certificate);
        proven.inspect_err(|refusal| {
            let who = certificate.uris.first().map_or("", String::as_str);
            if self.shared.settings.counts.refused(Asked::Renewal, refusal.word(), who) {
                let (uris, serial, reason) = (&certificate.uris, &certificate.serial, refusal.detail());
                tracing::warn!(?uris, serial, %reason, "proxy certificate not renewed");
            }
        })
    }

    /// Whether the other end of a connection may report for a proxy, named as in node ids: whoever may have its
    /// configuration, and nobody else.
    ///
    /// # Errors
    /// Why not.
    pub fn may_report(&self, proxy: &str, peer: Option<&Peer>) -> Result<(), Refusal> {
        let shared = &self.shared;
        let decided = shared.speaks_for(proxy, peer);
        decided.inspect_err(|refusal| shared.tell(Asked::Report, proxy, peer, refusal))
    }

    /// Ends the streams that may no longer be, and gives how many those were. [`Guard::run`] does so whenever it is needed.
    pub fn sweep(&self) -> usize {
        self.shared.sweep(true)
    }

    /// Reads the revocations anew. [`Guard::run`] does so whenever the store has changed.
    pub fn read_revocations(&self) {
        self.shared.read_revocations();
    }
}

impl Shared {
    fn judge(&self) -> verdict::Judge<'_> {
        verdict::Judge {
            requirement: self.settings.requirement,
            naming: &self.settings.naming,
            vouch: Arc::clone(&self.settings.vouch.borrow()),
            revoked: Arc::clone(&self.revoked.read().unwrap_or_else(PoisonError::into_inner)),
            now: self.settings.clock.now(),
        }
    }

    fn read_revocations(&self) {
        match Revoked::read(self.store.as_ref()) {
            Ok(read) => *self.revoked.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read),
            Err(error) => tracing::warn!(%error, "revocations cannot be read; those before hold"),
        }
    }

    fn sweep(&self, has_other_authorities: bool) -> usize {
        let judge = self.judge();
        self.streams.end_those(|proxy, shown| {
            let refusal = judge.still(proxy, shown, has_other_authorities).err()?;
            self.settings.counts.cut(&refusal);
            let serial = &shown.certificate.serial;
            tracing::warn!(proxy = %proxy, serial, reason = %refusal.detail(), "stream cut");
            Some(refusal.status())
        })
    }

    /// Whether the other end of a connection speaks for a proxy.
    fn speaks_for(&self, proxy: &str, peer: Option<&Peer>) -> Result<(), Refusal> {
        let identity = Identity::parse(proxy).map_err(Refusal::NoProxy)?;
        let key = self.settings.naming.key(&identity);
        let judge = self.judge();
        // Reports come on the connection of the stream. What was verified for that is not verified each second again.
        if let Some(Peer::Certificate(certificate)) = peer {
            if let Some(shown) = self.streams.shown_on(&key, certificate) {
                return judge.still(&key, &shown, false);
            }
        }
        judge.admit(&key, peer).map(drop)
    }

    /// Counts a refusal, and logs it once in a while: whom it was about, what they showed, and why not.
    fn tell(&self, asked: Asked, proxy: &str, peer: Option<&Peer>, refusal: &Refusal) {
        let certificate = peer.and_then(Peer::certificate);
        // Of several who come as one proxy each is told.
        let shown = certificate.and_then(|shown| shown.uris.first());
        let who = shown.map_or_else(|| proxy.to_owned(), |uri| format!("{uri} {proxy}"));
        if self.settings.counts.refused(asked, refusal.word(), &who) {
            let uris = certificate.map(|shown| shown.uris.clone());
            let serial = certificate.map(|shown| shown.serial.as_str());
            let reason = refusal.detail();
            let message = match asked {
                Asked::Report => "report refused",
                _ => "proxy refused",
            };
            tracing::warn!(proxy, ?uris, serial, %reason, "{message}");
        }
    }

    fn most(&self, kind: ProxyKind) -> Option<usize> {
        match kind {
            ProxyKind::VirtualNode => self.settings.most.virtual_node,
            ProxyKind::VirtualGateway => self.settings.most.virtual_gateway,
        }
    }
}

impl SnapshotSource for Guard {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let shared = &self.shared;
        let refuse = |refusal: Refusal| {
            shared.tell(Asked::Configuration, &applicant.node.id, applicant.peer, &refusal);
            refusal.status()
        };
        let identity = Identity::parse(&applicant.node.id).map_err(|error| refuse(Refusal::NoProxy(error)))?;
        let key = shared.settings.naming.key(&identity);
        let judge = shared.judge();
        let shown = judge.admit(&key, applicant.peer).map_err(refuse)?;
        let most = shared.most(key.kind);
        if shown.is_none() && most.is_none() {
            // Nothing to count and nothing that could end.
            return self.inner.subscribe(applicant);
        }
        let place = Place {
            key: key.clone(),
            envoy: streams::envoy(applicant),
            shown,
        };
        let taken = shared.streams.take(place, most).map_err(refuse)?;
        let newer = shared.judge();
        if !judge.is_as(&newer) {
            // What changed meanwhile has been looked for among the open streams, and may have missed this one.
            newer.admit(&key, applicant.peer).map_err(refuse)?;
        }
        // Given back if the source refuses: then the place's end is dropped.
        let subscription = self.inner.subscribe(applicant)?;
        Ok(streams::with_end(subscription, taken))
    }
}

impl MetricsSource for Guard {
    fn write(&self, text: &mut String) {
        self.shared.settings.counts.write(text);
    }
}

#[cfg(test)]
mod tests;
