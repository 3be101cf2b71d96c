//! The agent's one connection to a control plane: which of several it is with, and when to try the next.
//!
//! A control plane counts as reached when it has answered a request, not when the connection stands: one that is stopped
//! still accepts. What went wrong with an address is kept with it, so that a dead one is not what every proxy tries first
//! again and again.

mod connect;
mod pause;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper::client::conn::http2::SendRequest;
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{proxy::settings::XdsEndpoint, server::Body};
use connect::{connect, Opened};
use pause::{fraction, Pause};

/// How long an address rests that is connected but does not serve, with up to as much again by chance.
const REST: Duration = Duration::from_secs(5);

/// A connection that lasts this long was a good one, even if it brought nothing.
const PROVEN: Duration = Duration::from_secs(60);

/// The TLS configuration of new connections; `None`: they are not encrypted.
pub type Tls = Option<watch::Receiver<Arc<ClientConfig>>>;

/// Whether a control plane is reached.
#[derive(Clone, Debug)]
pub enum Link {
    /// None is.
    Down {
        /// Since when; the start of the agent counts.
        since: Instant,
        /// Whether every address has been tried since that start, and none was there.
        is_hopeless: bool,
    },
    /// One is.
    Up(Connected),
}

/// A connection on which requests are sent.
#[derive(Clone, Debug)]
pub struct Connected {
    number: u64,
    /// Where it leads.
    pub endpoint: Arc<XdsEndpoint>,
    scheme: &'static str,
    /// Sends requests.
    pub sender: SendRequest<Body>,
    /// Another connection has taken its place: what is open on it should end.
    pub retired: CancellationToken,
}

impl Connected {
    /// A path at this control plane.
    ///
    /// # Errors
    /// It is no path.
    pub fn uri(&self, path: &str) -> Result<http::Uri, http::Error> {
        connect::uri(&self.endpoint, self.scheme, path)
    }
}

/// Why a connected control plane does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It says that it cannot just now, as one that is shutting down.
    Passing,
    /// It has nothing for this proxy, or does not speak.
    Lasting,
}

/// See the module. Clones share it.
#[derive(Clone)]
pub struct Uplink {
    shared: Arc<Shared>,
}

struct Shared {
    link: watch::Sender<Link>,
    /// The number of the last connection that did not serve, and why not.
    failed: watch::Sender<(u64, Failure)>,
    /// The number of the last connection that served.
    served: Mutex<u64>,
}

impl Uplink {
    /// Begins to connect, until `shutdown`. `endpoints` are not empty.
    pub fn start(endpoints: Vec<XdsEndpoint>, tls: Tls, shutdown: CancellationToken) -> Self {
        let shared = Arc::new(Shared {
            link: watch::Sender::new(down()),
            failed: watch::Sender::new((0, Failure::Passing)),
            served: Mutex::new(0),
        });
        let addresses = endpoints.into_iter().map(Address::new).collect();
        let run = Run {
            shared: Arc::clone(&shared),
            addresses,
            tls,
            at: 0,
            number: 0,
        };
        tokio::spawn(async move {
            tokio::select! {
                () = run.forever() => {}
                () = shutdown.cancelled() => {}
            }
        });
        Self { shared }
    }

    /// How it is now.
    pub fn link(&self) -> Link {
        self.shared.link.borrow().clone()
    }

    /// Waits for a control plane.
    pub async fn up(&self) -> Connected {
        let mut links = self.shared.link.subscribe();
        loop {
            if let Link::Up(connected) = &*links.borrow_and_update() {
                return connected.clone();
            }
            if links.changed().await.is_err() {
                // The agent ends.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for a control plane, until it has been away for `patience`.
    pub async fn up_within(&self, patience: Duration) -> Option<Connected> {
        let mut links = self.shared.link.subscribe();
        loop {
            let left = match &*links.borrow_and_update() {
                Link::Up(connected) => return Some(connected.clone()),
                Link::Down { is_hopeless: true, .. } => return None,
                Link::Down { since, .. } => patience.saturating_sub(since.elapsed()),
            };
            match tokio::time::timeout(left, links.changed()).await {
                Ok(Ok(())) => {}
                // The time is up, or the agent ends.
                Err(_) | Ok(Err(_)) => return None,
            }
        }
    }

    /// The control plane of a connection has sent configuration: it is there.
    pub fn served(&self, connected: &Connected) {
        let mut served = self.shared.served.lock().unwrap_or_else(PoisonError::into_inner);
        *served = (*served).max(connected.number);
    }

    /// The control plane of a connection does not serve: another one is tried.
    pub fn failed(&self, connected: &Connected, failure: Failure) {
        self.shared.failed.send_if_modified(|last| {
            let is_newer = last.0 < connected.number;
            if is_newer {
                *last = (connected.number, failure);
            }
            is_newer
        });
    }
}

/// A control plane's address, and when it may be tried.
struct Address {
    endpoint: Arc<XdsEndpoint>,
    not_before: Instant,
    pause: Pause,
    /// What was last said about it in the log.
    told: String,
}

impl Address {
    fn new(endpoint: XdsEndpoint) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
            not_before: Instant::now(),
            pause: Pause::default(),
            told: String::new(),
        }
    }

    fn rest(&mut self, time: Duration) {
        self.not_before = Instant::now() + time;
    }
}

struct Run {
    shared: Arc<Shared>,
    addresses: Vec<Address>,
    tls: Tls,
    /// The address that is tried next.
    at: usize,
    /// Of the last connection.
    number: u64,
}

/// What ends the time with a connection.
enum End {
    Closed(String),
    Failed(Failure),
    /// The proxy's certificate, or whom it believes, is another: so is the connection.
    Renewed(Opened),
}

impl Run {
    async fn forever(mut self) {
        // Not everybody begins with the first: the load of many proxies is spread.
        self.at = (fraction() * self.addresses.len() as f64) as usize % self.addresses.len();
        let mut attempts = 0;
        loop {
            let mut opened = self.next().await;
            attempts += 1;
            if attempts == self.addresses.len() && opened.is_none() && self.number == 0 {
                // An agent that starts in an outage does not make its Envoy wait for what is not there.
                self.shared.link.send_modify(|link| {
                    if let Link::Down { is_hopeless, .. } = link {
                        *is_hopeless = true;
                    }
                });
            }
            while let Some(connection) = opened {
                opened = self.stay(connection).await;
            }
        }
    }

    /// Tries one address, when one may be tried.
    async fn next(&mut self) -> Option<Opened> {
        self.choose().await;
        let tls = self.tls.as_mut().map(|tls| Arc::clone(&tls.borrow_and_update()));
        let address = &mut self.addresses[self.at];
        match connect(&address.endpoint, tls).await {
            Ok(opened) => Some(opened),
            Err(error) => {
                let reason = format!("{error:#}");
                let pause = address.pause.next(fraction());
                address.rest(pause);
                if address.told != reason {
                    tracing::warn!(address = %address.endpoint, reason, "the control plane is not reached");
                    address.told = reason;
                }
                self.at = (self.at + 1) % self.addresses.len();
                None
            }
        }
    }

    /// Waits until an address may be tried, beginning with the one whose turn it is.
    async fn choose(&mut self) {
        loop {
            let now = Instant::now();
            let count = self.addresses.len();
            let turn = (0..count).map(|step| (self.at + step) % count);
            if let Some(index) = turn.into_iter().find(|index| self.addresses[*index].not_before <= now) {
                self.at = index;
                return;
            }
            let earliest = self.addresses.iter().map(|address| address.not_before).min();
            let wake = tokio::time::sleep_until(earliest.unwrap_or(now).into());
            tokio::select! {
                () = wake => {}
                () = renewed(&mut self.tls) => {
                    // What was refused before may be accepted now.
                    for address in &mut self.addresses {
                        address.not_before = now;
                    }
                }
            }
        }
    }

    /// Stays connected for as long as possible. Gives the connection that takes the place of this one, if there is one.
    async fn stay(&mut self, mut opened: Opened) -> Option<Opened> {
        self.number += 1;
        let address = &mut self.addresses[self.at];
        address.told.clear();
        let connected = Connected {
            number: self.number,
            endpoint: Arc::clone(&address.endpoint),
            scheme: opened.scheme,
            sender: opened.sender,
            retired: CancellationToken::new(),
        };
        let before = self.shared.link.send_replace(Link::Up(connected.clone()));
        if let Link::Up(before) = before {
            before.retired.cancel();
        }
        tracing::info!(address = %connected.endpoint, "the control plane is reached");
        let begun = Instant::now();
        let mut failures = self.shared.failed.subscribe();
        let end = loop {
            tokio::select! {
                closed = &mut opened.closed => break End::Closed(closed.unwrap_or_else(|_| "it was cut".to_owned())),
                failed = failures.wait_for(|failed| failed.0 == connected.number) => {
                    break End::Failed(failed.map_or(Failure::Passing, |failed| failed.1));
                }
                () = renewed(&mut self.tls) => {}
            }
            // With another certificate a connection is made beside the one that there is.
            let tls = self.tls.as_mut().map(|tls| Arc::clone(&tls.borrow_and_update()));
            match connect(&connected.endpoint, tls).await {
                Ok(next) => break End::Renewed(next),
                Err(error) => {
                    let reason = format!("{error:#}");
                    tracing::warn!(address = %connected.endpoint, reason, "no connection with the new certificate");
                }
            }
        };
        let address = &mut self.addresses[self.at];
        let served = *self.shared.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served == connected.number || begun.elapsed() > PROVEN {
            address.pause = Pause::default();
        }
        match end {
            End::Renewed(next) => return Some(next),
            End::Closed(reason) => {
                tracing::warn!(address = %connected.endpoint, reason, "the connection to the control plane is closed");
                // Not at once: so are those of all the others.
                let pause = address.pause.next(fraction());
                address.rest(pause);
            }
            End::Failed(failure) => {
                tracing::warn!(address = %connected.endpoint, "the control plane is connected and does not serve");
                let pause = address.pause.next(fraction());
                address.rest(match failure {
                    Failure::Passing => pause,
                    Failure::Lasting => REST.mul_f64(1.0 + fraction()),
                });
            }
        }
        self.at = (self.at + 1) % self.addresses.len();
        self.shared.link.send_replace(down());
        None
    }
}

fn down() -> Link {
    Link::Down {
        since: Instant::now(),
        is_hopeless: false,
    }
}

/// Waits for another TLS configuration.
async fn renewed(tls: &mut Tls) {
    if let Some(receiver) = tls {
        if receiver.changed().await.is_ok() {
            return;
        }
        // Nobody renews any more; what there is stays.
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
