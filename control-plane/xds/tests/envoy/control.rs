//! A control plane that can be stopped and started again on its port, and counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferromesh_xds::{
    service, AggregatedDiscoveryService, Applicant, Config, DeliveryObserver, Event, EventKind, Snapshot,
    SnapshotSource, Subscription,
};
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;

use crate::resources::Mesh;

pub const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two pings to an Envoy, and how long it has for the answer. Whoever serves in earnest gives more, see
/// [`Config`].
const PING: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(8));

#[derive(Default)]
struct Source {
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    /// Of the streams there are and were.
    ends: Mutex<Vec<oneshot::Sender<Status>>>,
}

impl SnapshotSource for Source {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let node = applicant.node;
        assert_eq!((node.id.as_str(), node.user_agent.as_str()), ("node", "envoy/1.40.0"));
        assert_eq!(node.metadata["k"], serde_json::json!({"a": [1.0, true, "x"]}));
        let (end, ended) = oneshot::channel();
        self.ends.lock().unwrap().push(end);
        Ok(Subscription {
            snapshots: self.snapshots.subscribe(),
            end: Some(ended),
        })
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl DeliveryObserver for Log {
    fn on(&self, event: &Event<'_>) {
        let line = match event.kind {
            EventKind::Connected { .. } => "connected".to_owned(),
            EventKind::Disconnected { .. } => "disconnected".to_owned(),
            EventKind::Sent(u) => format!("sent {} {:?} -{:?}", u.type_url, u.resources, u.removed),
            EventKind::Acked { update, .. } => format!("acked {}", update.type_url),
            EventKind::Nacked { update, rejection, .. } => {
                format!("nacked {} {}", update.type_url, rejection.message)
            }
        };
        self.0.lock().unwrap().push(line);
    }
}

pub struct Control {
    source: Arc<Source>,
    log: Arc<Log>,
    config: Config,
    service: Option<AggregatedDiscoveryService>,
    port: u16,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Control {
    pub async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    pub async fn start_with(config: Config) -> Self {
        let mut control = Self {
            source: Arc::default(),
            log: Arc::default(),
            config,
            service: None,
            port: crate::proxy::free_port(),
            runtime: None,
        };
        control.run();
        control
    }

    /// In a runtime of its own, so that stopping it ends every connection at once, as a crash does.
    fn run(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = service(self.source.clone(), self.log.clone(), self.config.clone());
        self.service = Some(service.clone());
        let port = self.port;
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            let server = tonic::transport::Server::builder()
                .http2_keepalive_interval(Some(PING.0))
                .http2_keepalive_timeout(Some(PING.1))
                .add_service(service);
            server
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        self.runtime = Some(runtime);
    }

    /// Ends every stream politely, as their age does.
    pub fn end_streams(&self) {
        let ends = std::mem::take(&mut *self.source.ends.lock().unwrap());
        // The proxy may have gone by itself.
        ends.into_iter()
            .for_each(|end| drop(end.send(Status::ok("old enough"))));
    }

    /// Ends every stream politely, and takes no new one.
    pub fn drain(&self) {
        self.service.iter().for_each(AggregatedDiscoveryService::drain);
    }

    pub async fn until_disconnected(&self) {
        self.until("the end of a stream", |log| {
            log.iter().any(|line| line == "disconnected")
        })
        .await;
    }

    /// How many streams have been opened.
    pub fn connections(&self) -> usize {
        self.log().iter().filter(|line| *line == "connected").count()
    }

    pub async fn until_connections(&self, count: usize) {
        let opened = |log: &[String]| log.iter().filter(|line| *line == "connected").count();
        self.until("a connection", |log| opened(log) >= count).await;
    }

    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// A new server on the same port, without a memory of the old one.
    pub async fn restart(&mut self) {
        self.stop();
        tokio::time::sleep(Duration::from_millis(200)).await;
        self.source = Arc::default();
        self.log = Arc::default();
        self.run();
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn publish(&self, mesh: &Mesh) {
        self.source.snapshots.send_replace(Some(Arc::new(mesh.seal())));
    }

    pub fn log(&self) -> Vec<String> {
        self.log.0.lock().unwrap().clone()
    }

    pub fn sent(&self, type_url: &str) -> usize {
        self.log()
            .iter()
            .filter(|line| line.starts_with(&format!("sent {type_url} ")))
            .count()
    }

    pub fn sent_in_all(&self) -> usize {
        self.log().iter().filter(|line| line.starts_with("sent ")).count()
    }

    pub async fn until_connected(&self) {
        self.until("a connection", |log| log.iter().any(|line| line == "connected"))
            .await;
    }

    /// Everything sent is acknowledged, and nothing more comes for a while.
    pub async fn until_all_acked(&self) {
        let count = |log: &[String], what: &str| log.iter().filter(|line| line.starts_with(what)).count();
        loop {
            self.until("acknowledgements", |log| {
                count(log, "sent ") == count(log, "acked ") + count(log, "nacked ")
            })
            .await;
            let before = self.log().len();
            tokio::time::sleep(Duration::from_millis(600)).await;
            if self.log().len() == before {
                return;
            }
        }
    }

    pub async fn until_nacked(&self, type_url: &str) -> String {
        let nack = format!("nacked {type_url} ");
        self.until("a rejection", |log| log.iter().any(|line| line.starts_with(&nack)))
            .await;
        let log = self.log();
        log.iter().find_map(|line| line.strip_prefix(&nack)).unwrap().to_owned()
    }

    async fn until(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        let wait = async {
            while !condition(&self.log()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("{what} did not come: {:#?}", self.log());
        }
    }
}
