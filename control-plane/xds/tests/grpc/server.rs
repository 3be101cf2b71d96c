//! A discovery server on a free port of the loopback, and clients of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use ferromesh_xds::{
    service, AggregatedDiscoveryService, Applicant, Config, DeliveryStatus, Snapshot, SnapshotSource, Subscription,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

pub use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, LISTENER, ROUTE};

/// Long enough for a slow machine, short enough to fail in time.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two pings to a client, and how long it has for the answer. Whoever serves in earnest gives more, see
/// [`Config`].
const PING: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(8));

#[derive(Default)]
pub struct Source(Mutex<HashMap<String, watch::Sender<Option<Arc<Snapshot>>>>>);

impl Source {
    pub fn publish(&self, node: &str, resources: &[(&str, &str, Bytes)]) {
        self.publish_sealed(node, Snapshot::seal(resources.iter().cloned(), []).unwrap());
    }

    pub fn publish_sealed(&self, node: &str, snapshot: Snapshot) {
        self.0
            .lock()
            .unwrap()
            .entry(node.into())
            .or_default()
            .send_replace(Some(Arc::new(snapshot)));
    }

    pub fn withdraw(&self, node: &str) {
        self.0.lock().unwrap().remove(node);
    }
}

impl SnapshotSource for Source {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let node = applicant.node;
        if node.id == "stranger" {
            return Err(Status::permission_denied("node `stranger` is not known"));
        }
        Ok(self
            .0
            .lock()
            .unwrap()
            .entry(node.id.clone())
            .or_default()
            .subscribe()
            .into())
    }
}

pub struct Server {
    pub source: Arc<Source>,
    pub status: Arc<DeliveryStatus>,
    pub service: AggregatedDiscoveryService,
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(config: Config) -> Self {
        let (source, status) = (Arc::new(Source::default()), Arc::new(DeliveryStatus::default()));
        let service = service(source.clone(), status.clone(), config);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(PING.0))
            .http2_keepalive_timeout(Some(PING.1))
            .add_service(service.clone());
        let task = tokio::spawn(async move {
            router
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        Self {
            source,
            status,
            service,
            address,
            task,
        }
    }

    pub async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    pub async fn sotw(&self, node: &str) -> Sotw {
        Sotw::open(self.channel().await, node).await.unwrap()
    }

    pub async fn delta(&self, node: &str) -> Delta {
        let (requests, receiver) = mpsc::channel(16);
        let mut client = AggregatedDiscoveryServiceClient::new(self.channel().await);
        let responses = client
            .delta_aggregated_resources(ReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        Delta {
            requests,
            responses,
            node: Some(node_of(node)),
        }
    }

    /// Waits until `condition` holds.
    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("{what} did not come about"));
    }
}

pub fn node_of(id: &str) -> Node {
    Node {
        id: id.into(),
        cluster: "c".into(),
        ..Node::default()
    }
}

pub struct Sotw {
    pub requests: mpsc::Sender<DiscoveryRequest>,
    pub responses: Streaming<DiscoveryResponse>,
    node: Option<Node>,
}

impl Sotw {
    pub async fn open(channel: Channel, node: &str) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(16);
        let mut client = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let responses = client
            .stream_aggregated_resources(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        Ok(Self {
            requests,
            responses,
            node: Some(node_of(node)),
        })
    }

    pub async fn ask(&mut self, type_url: &str, names: &[&str]) {
        self.send(type_url, "", "", names).await;
    }

    pub async fn send(&mut self, type_url: &str, version: &str, nonce: &str, names: &[&str]) {
        let request = DiscoveryRequest {
            node: self.node.take(),
            type_url: type_url.into(),
            version_info: version.into(),
            response_nonce: nonce.into(),
            resource_names: names.iter().map(|n| n.to_string()).collect(),
            ..Default::default()
        };
        self.requests.send(request).await.unwrap();
    }

    pub async fn ack(&mut self, response: &DiscoveryResponse, names: &[&str]) {
        self.send(&response.type_url, &response.version_info, &response.nonce, names)
            .await;
    }

    pub async fn next(&mut self) -> DiscoveryResponse {
        let message = tokio::time::timeout(PATIENCE, self.responses.message()).await;
        message.expect("a response in time").unwrap().expect("a response")
    }

    pub async fn end(&mut self) -> Status {
        end(&mut self.responses).await
    }
}

pub struct Delta {
    pub requests: mpsc::Sender<DeltaDiscoveryRequest>,
    pub responses: Streaming<DeltaDiscoveryResponse>,
    node: Option<Node>,
}

impl Delta {
    pub async fn send(&mut self, mut request: DeltaDiscoveryRequest) {
        request.node = self.node.take();
        self.requests.send(request).await.unwrap();
    }

    pub async fn subscribe(&mut self, type_url: &str, names: &[&str]) {
        let resource_names_subscribe = names.iter().map(|n| n.to_string()).collect();
        let request = DeltaDiscoveryRequest {
            type_url: type_url.into(),
            resource_names_subscribe,
            ..Default::default()
        };
        self.send(request).await;
    }

    pub async fn ack(&mut self, response: &DeltaDiscoveryResponse) {
        let (type_url, response_nonce) = (response.type_url.clone(), response.nonce.clone());
        self.send(DeltaDiscoveryRequest {
            type_url,
            response_nonce,
            ..Default::default()
        })
        .await;
    }

    pub async fn next(&mut self) -> DeltaDiscoveryResponse {
        let message = tokio::time::timeout(PATIENCE, self.responses.message()).await;
        message.expect("a response in time").unwrap().expect("a response")
    }
}

/// The status that the stream ends with, responses before it ignored.
pub async fn end<T>(responses: &mut Streaming<T>) -> Status {
    let wait = async {
        loop {
            match responses.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::new(Code::Ok, ""),
                Err(status) => return status,
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the stream ends in time")
}
