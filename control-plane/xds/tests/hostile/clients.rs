//! One hostile client at a time, and a good one beside it.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ferromesh_xds::stream::Limits;
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT};
use ferromesh_xds::{service, AggregatedDiscoveryService, Applicant, Config, Snapshot, SnapshotSource, Subscription};
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tonic::{Code, Status};
use tower::Service as _;

use crate::bytes_of::*;

pub const SOTW_PATH: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
pub const DELTA_PATH: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/// Long enough for a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct One(pub watch::Sender<Option<Arc<Snapshot>>>);

impl SnapshotSource for One {
    fn subscribe(&self, _: &Applicant<'_>) -> Result<Subscription, Status> {
        Ok(self.0.subscribe().into())
    }
}

impl One {
    pub fn publish(&self, content: &str) {
        let content = Bytes::copy_from_slice(content.as_bytes());
        let snapshot = Snapshot::seal([(CLUSTER, "a", content.clone()), (ENDPOINT, "a", content)], []).unwrap();
        self.0.send_replace(Some(Arc::new(snapshot)));
    }
}

pub fn server(config: Config) -> (Arc<One>, AggregatedDiscoveryService) {
    let source = Arc::new(One(watch::Sender::new(None)));
    source.publish("1");
    (source.clone(), service(source, Arc::new(()), config))
}

/// A response body that is read frame by frame.
pub type Answers = tonic::body::Body;

pub async fn open<B>(service: &AggregatedDiscoveryService, path: &str, body: B) -> Answers
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request = http::Request::post(path).body(body).unwrap();
    service.clone().call(request).await.unwrap().into_body()
}

/// The next bytes of a response; the status when the stream has ended.
pub async fn next(answers: &mut Answers) -> Result<Bytes, Status> {
    let frame = tokio::time::timeout(PATIENCE, answers.frame()).await;
    let frame = frame
        .expect("something comes in time")
        .expect("trailers come last")
        .unwrap();
    match frame.into_data() {
        Ok(data) => Ok(data),
        Err(frame) => Err(Status::from_header_map(frame.trailers_ref().unwrap()).unwrap()),
    }
}

/// What the stream ends with.
pub async fn end(answers: &mut Answers) -> Status {
    loop {
        if let Err(status) = next(answers).await {
            return status;
        }
    }
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_answered_when_it_is_whole() {
    let (_, service) = server(Config::default());
    let bytes: Vec<u8> = sotw(CLUSTER, &[]).to_vec();
    let one_by_one = bytes.into_iter().map(|b| Bytes::from(vec![b]));
    let mut answers = open(&service, SOTW_PATH, Pieces::new(one_by_one)).await;
    assert!(!next(&mut answers).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_that_never_becomes_whole_is_held_as_long_as_one_that_never_comes() {
    let config = Config {
        hold: Duration::from_millis(300),
        ..Config::default()
    };
    let (_, service) = server(config);
    let mut request = sotw(CLUSTER, &[]);
    for rest in [0, 3, request.len() - 1] {
        let start = request.split_to(rest.min(request.len()));
        let mut answers = open(&service, SOTW_PATH, Pieces::new([start].into_iter())).await;
        assert_eq!(end(&mut answers).await.code(), Code::InvalidArgument);
        request = sotw(CLUSTER, &[]);
    }
    assert_eq!(service.streams(), 0);
}

#[tokio::test]
async fn a_flood_of_subscriptions_is_read_no_faster_than_allowed_and_others_are_served() {
    let (source, service) = server(Config::default());
    let name = |n: usize| vec![format!("name-{n}")];
    // Every odd request takes away what the one before has asked for.
    let flood = (0..1_000_000).map(move |n| match n % 2 {
        0 => delta(ENDPOINT, &name(n / 2), &[]),
        _ => delta(ENDPOINT, &[], &name(n / 2)),
    });
    let body = Pieces::new(flood);
    let read = body.given.clone();
    let mut flooding = open(&service, DELTA_PATH, body).await;
    let flooding = tokio::spawn(async move { while next(&mut flooding).await.is_ok() {} });

    let mut good = open(&service, SOTW_PATH, Pieces::new([sotw(CLUSTER, &[])].into_iter())).await;
    next(&mut good).await.unwrap();
    let begun = std::time::Instant::now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // 200 at once and 20 a second, and what is read ahead: one piece.
    let read = read.load(Ordering::Relaxed);
    let allowed = 200 + 21 * (begun.elapsed().as_secs() as usize + 2);
    assert!(read <= allowed, "{read} requests were read, {allowed} are allowed");
    source.publish("2");
    flooding.abort();
}

#[tokio::test]
async fn ten_thousand_names_are_served_and_one_more_is_refused() {
    let (_, service) = server(Config::default());
    let names = |count: usize| -> Vec<String> { (0..count).map(|n| format!("outbound|{n}|cluster")).collect() };
    let mut wanted = names(9_999);
    wanted.push("a".into());
    let mut answers = open(&service, SOTW_PATH, Pieces::new([sotw(ENDPOINT, &wanted)].into_iter())).await;
    assert!(!next(&mut answers).await.unwrap().is_empty());
    for (path, request) in [
        (SOTW_PATH, sotw(ENDPOINT, &names(10_001))),
        (DELTA_PATH, delta(ENDPOINT, &names(10_001), &[])),
    ] {
        let status = end(&mut open(&service, path, Pieces::new([request].into_iter())).await).await;
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(
            status.message(),
            "the stream subscribes to 10001 names, more than 10000"
        );
    }
}

#[tokio::test]
async fn types_without_end_are_refused_at_the_thirty_third() {
    let (_, service) = server(Config::default());
    let types = (0..1000).map(|n| sotw(&format!("type.googleapis.com/some.Type{n}"), &[]));
    let status = end(&mut open(&service, SOTW_PATH, Pieces::new(types)).await).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "the stream subscribes to more than 32 types");
}

#[tokio::test]
async fn metadata_without_end_is_refused_also_when_it_is_repeated_later() {
    use envoy_types::pb::envoy::config::core::v3::Node;
    use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;
    use envoy_types::pb::google::protobuf::{value, Struct, Value};
    use prost::Message as _;
    let nested = (0..30).fold(Value::default(), |inner, _| Value {
        kind: Some(value::Kind::StructValue(Struct {
            fields: [("x".repeat(3_000), inner)].into(),
        })),
    });
    let large = Node {
        id: "n".into(),
        metadata: Some(Struct {
            fields: [("all".to_owned(), nested)].into(),
        }),
        ..Node::default()
    };
    let request = framed(
        &DiscoveryRequest {
            node: Some(large),
            type_url: CLUSTER.into(),
            ..Default::default()
        }
        .encode_to_vec(),
    );
    let (_, service) = server(Config::default());
    for requests in [vec![request.clone()], vec![sotw(CLUSTER, &[]), request]] {
        let status = end(&mut open(&service, SOTW_PATH, Pieces::new(requests.into_iter())).await).await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(status.message().starts_with("field `node` has 9"), "{status:?}");
    }
}

#[tokio::test]
async fn nonces_that_were_never_given_change_nothing() {
    use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;
    use prost::Message as _;
    let (source, service) = server(Config::default());
    let wrong = (0..150).map(|n| {
        framed(
            &DiscoveryRequest {
                type_url: CLUSTER.into(),
                response_nonce: format!("{n}.{n}"),
                version_info: n.to_string(),
                ..Default::default()
            }
            .encode_to_vec(),
        )
    });
    let body = Pieces::new(std::iter::once(sotw(CLUSTER, &[])).chain(wrong));
    let read = body.given.clone();
    let mut answers = open(&service, SOTW_PATH, body).await;
    next(&mut answers).await.unwrap();
    // What was sent is not acknowledged by any of them, so neither does a change follow, nor the same again.
    source.publish("2");
    let more = tokio::time::timeout(Duration::from_millis(500), answers.frame()).await;
    assert!(more.is_err(), "{more:?}");
    assert_eq!(read.load(Ordering::Relaxed), 151);
}

#[tokio::test]
async fn streams_beyond_a_nodes_share_are_refused_and_others_are_not() {
    let config = Config {
        max_streams_per_node: 3,
        limits: Limits::default(),
        ..Config::default()
    };
    let (_, service) = server(config);
    let mut open_ones = Vec::new();
    for _ in 0..3 {
        let mut answers = open(&service, SOTW_PATH, Pieces::new([sotw(CLUSTER, &[])].into_iter())).await;
        next(&mut answers).await.unwrap();
        open_ones.push(answers);
    }
    let fourth = async || open(&service, SOTW_PATH, Pieces::new([sotw(CLUSTER, &[])].into_iter())).await;
    let status = end(&mut fourth().await).await;
    assert_eq!(status.code() as i32, 8);
    assert_eq!(
        status.message(),
        "3 discovery streams of node `n` are open, and the limit is 3"
    );
    open_ones.pop();
    next(&mut fourth().await).await.unwrap();
}
