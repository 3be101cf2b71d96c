//! How the agent stands with its control planes, for who asks.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use crate::proxy::settings::XdsEndpoint;

/// Counts, and since when things are as they are. Clones share it.
#[derive(Clone, Debug)]
pub struct Standing(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    open: usize,
    relayed: u64,
    from_last_good: u64,
    open_from_last_good: usize,
    address: Option<Arc<XdsEndpoint>>,
    /// Since when it is connected, or not.
    since: (Instant, SystemTime),
}

/// A moment of it.
#[derive(Clone, Debug)]
pub struct View {
    /// The control plane that Envoy's stream is with; `None`: it is with none.
    pub address: Option<Arc<XdsEndpoint>>,
    /// Since when it is so.
    pub since: (Instant, SystemTime),
    /// Whether Envoy's stream is with the last good configuration.
    pub is_from_last_good: bool,
    /// When Envoy acknowledged the last of the last good configuration; `None`: there is none.
    pub good_at: Option<SystemTime>,
}

/// A stream that is open. It is counted until it is dropped.
#[derive(Debug)]
pub struct Place {
    standing: Standing,
    is_relayed: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            open: 0,
            relayed: 0,
            from_last_good: 0,
            open_from_last_good: 0,
            address: None,
            since: (Instant::now(), SystemTime::now()),
        })))
    }
}

impl Standing {
    /// A stream is passed on.
    pub fn relayed(&self, to: &Arc<XdsEndpoint>) -> Place {
        let mut inner = self.lock();
        inner.relayed += 1;
        inner.open += 1;
        if inner.open == 1 {
            inner.since = (Instant::now(), SystemTime::now());
        }
        inner.address = Some(Arc::clone(to));
        self.place(true)
    }

    /// A stream is answered from the last good configuration.
    pub fn answered_from_last_good(&self) -> Place {
        let mut inner = self.lock();
        inner.from_last_good += 1;
        inner.open_from_last_good += 1;
        self.place(false)
    }

    /// How it is now.
    pub fn view(&self, good_at: Option<SystemTime>) -> View {
        let inner = self.lock();
        View {
            address: inner.address.clone(),
            since: inner.since,
            is_from_last_good: inner.open_from_last_good > 0,
            good_at,
        }
    }

    /// The agent's metrics in Prometheus' text form.
    pub fn prometheus(&self, good_at: Option<SystemTime>) -> String {
        let inner = self.lock();
        let connected = u8::from(inner.open > 0);
        let mut text = format!(
            "# TYPE ferromesh_agent_connected gauge\nferromesh_agent_connected {connected}\n\
             # TYPE ferromesh_agent_streams_total counter\n\
             ferromesh_agent_streams_total{{source=\"control_plane\"}} {}\n\
             ferromesh_agent_streams_total{{source=\"last_good\"}} {}\n",
            inner.relayed, inner.from_last_good
        );
        if let Some(good_at) = good_at {
            let seconds = crate::proxy::status::since_epoch(good_at);
            let _ = writeln!(
                text,
                "# TYPE ferromesh_agent_last_good_timestamp_seconds gauge\n\
                 ferromesh_agent_last_good_timestamp_seconds {seconds:.3}"
            );
        }
        text
    }

    fn place(&self, is_relayed: bool) -> Place {
        Place {
            standing: self.clone(),
            is_relayed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.standing.lock();
        if !self.is_relayed {
            inner.open_from_last_good -= 1;
            return;
        }
        inner.open -= 1;
        if inner.open == 0 {
            inner.address = None;
            inner.since = (Instant::now(), SystemTime::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_connected_while_one_stream_is_passed_on() {
        let standing = Standing::default();
        let address = Arc::new(XdsEndpoint::Unix("/x".into()));
        assert!(standing.view(None).address.is_none());
        let first = standing.relayed(&address);
        let second = standing.relayed(&address);
        drop(first);
        assert_eq!(standing.view(None).address, Some(address));
        drop(second);
        assert!(standing.view(None).address.is_none());
        let place = standing.answered_from_last_good();
        assert!(standing.view(None).is_from_last_good);
        drop(place);
        let metrics = standing.prometheus(None);
        assert!(metrics.contains("ferromesh_agent_connected 0\n"), "{metrics}");
        assert!(metrics.contains("{source=\"control_plane\"} 2\n"), "{metrics}");
        assert!(metrics.contains("{source=\"last_good\"} 1\n"), "{metrics}");
    }
}
