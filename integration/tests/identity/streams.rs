//! A few hundred streams over real TLS: each certificate, each node, both variants, several types. Nobody receives anything
//! of another's.

use bytes::{BufMut, Bytes, BytesMut};
use ferromesh_integration::{
    rig::{eventually, PATIENCE},
    two_colours::node,
};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::world::{Authority, Pair, World};

const NODES: [&str; 3] = ["marker-alpha", "marker-beta", "marker-gamma"];
pub const TYPES: [&str; 4] = [
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
];

/// A field of a message whose value has a length (protobuf's wire type 2).
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 0x7f {
        bytes.push(u8::try_from(length & 0x7f).expect("a byte") | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).expect("a byte"));
    bytes.extend(value);
    bytes
}

/// `Node{id}`, everything of a type: `DiscoveryRequest` (`node` 2, `type_url` 4) or `DeltaDiscoveryRequest` (1 and 2, names 3).
fn request(id: &str, type_url: &str, is_delta: bool) -> http::Request<Full<Bytes>> {
    let node = field(1, id.as_bytes());
    let (method, message) = match is_delta {
        true => {
            let parts = [field(1, &node), field(2, type_url.as_bytes()), field(3, b"*")];
            ("DeltaAggregatedResources", parts.concat())
        }
        false => (
            "StreamAggregatedResources",
            [field(2, &node), field(4, type_url.as_bytes())].concat(),
        ),
    };
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).expect("short"));
    body.put_slice(&message);
    http::Request::builder()
        .method("POST")
        .uri(format!(
            "https://127.0.0.1/envoy.service.discovery.v3.AggregatedDiscoveryService/{method}"
        ))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(body.freeze()))
        .expect("a request")
}

pub type Sender = SendRequest<Full<Bytes>>;

pub async fn connect(world: &World, shown: Option<&Pair>) -> std::io::Result<Sender> {
    let stream = TcpStream::connect(&world.address).await?;
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let stream = TlsConnector::from(world.config(shown)).connect(name, stream).await?;
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    // In TLS 1.3 a certificate is refused after the client believes to be done.
    sender.ready().await.map_err(std::io::Error::other)?;
    Ok(sender)
}

/// The bytes and the status of a stream whose client says one thing.
pub async fn ask(sender: &mut Sender, id: &str, type_url: &str, is_delta: bool) -> Result<(Bytes, i32), hyper::Error> {
    sender.ready().await?;
    let answer = sender.send_request(request(id, type_url, is_delta)).await?;
    let early = answer.headers().get("grpc-status").cloned();
    let body = answer.into_body().collect().await?;
    let status = body
        .trailers()
        .and_then(|trailers| trailers.get("grpc-status"))
        .cloned()
        .or(early);
    let status = status
        .and_then(|status| status.to_str().ok()?.parse().ok())
        .expect("a status");
    Ok((body.to_bytes(), status))
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn over_tls_every_node_gets_its_own_and_no_byte_of_anothers() {
    let world = World::start().await;
    let rig = &world.rig;
    rig.put("meshes", &json!({"meshName": "m"})).await.expect("a mesh");
    for (name, port) in NODES.into_iter().zip(9001..) {
        let node = json!({"virtualNodeName": name, "spec": node(port)});
        rig.put("meshes/m/virtualNodes", &node).await.expect("a node");
    }
    let issued = |name: &str| format!("spiffe://ferromesh.local/mesh/m/virtualNode/{name}");
    let others = |name: &str| format!("spiffe://example.org/ns/m/sa/{name}");
    let [alpha, beta, _] = NODES;
    let joined = world.join(&format!("mesh/m/virtualNode/{alpha}")).await;
    let spire = &world.spire;
    // What is shown, and whose configuration that gives.
    let mut shown: Vec<(&str, Option<Pair>, Option<&str>)> = vec![
        ("a certificate for a join token", Some(joined), Some(alpha)),
        ("SPIRE's", Some(spire.issue(&[&others(beta)])), Some(beta)),
        ("nothing", None, None),
        (
            "SPIRE's, of two",
            Some(spire.issue(&[&others(alpha), &others(beta)])),
            None,
        ),
        ("SPIRE's, without an identity", Some(spire.issue(&[])), None),
        (
            "SPIRE's, as the built-in authority names proxies",
            Some(spire.issue(&[&issued(alpha)])),
            None,
        ),
        (
            "SPIRE's, of another mesh",
            Some(spire.issue(&["spiffe://example.org/ns/x/sa/marker-alpha"])),
            None,
        ),
        (
            "SPIRE's, of another domain",
            Some(spire.issue(&["spiffe://example.com/ns/m/sa/marker-alpha"])),
            None,
        ),
        (
            "SPIRE's, by a detour",
            Some(spire.issue(&["spiffe://example.org/ns/x/../m/sa/marker-alpha"])),
            None,
        ),
    ];
    let gateway = world.join(&format!("mesh/m/virtualGateway/{alpha}")).await;
    shown.push(("a gateway's of the node's name", Some(gateway), None));

    let mut cases = 0;
    for (what, pair, gives) in &shown {
        let mut sender = connect(&world, pair.as_ref()).await.expect("a connection");
        for node in NODES {
            let id = format!("mesh/m/virtualNode/{node}");
            if *gives == Some(node) {
                let waited = eventually("its configuration", PATIENCE, async || {
                    let (bytes, _) = ask(&mut sender, &id, TYPES[0], true).await.ok()?;
                    has(&bytes, node).then_some(())
                });
                waited.await.expect("its own configuration comes");
            }
            for (type_url, is_delta) in TYPES.into_iter().flat_map(|url| [(url, true), (url, false)]) {
                let (bytes, status) = ask(&mut sender, &id, type_url, is_delta).await.expect("an answer");
                let context = format!("{what}, as {node}, {type_url}");
                match *gives == Some(node) {
                    true => assert_eq!(status, 0, "{context}"),
                    false => {
                        assert!(bytes.is_empty(), "{context}: {} bytes", bytes.len());
                        assert!([7, 16].contains(&status), "{context}: {status}");
                    }
                }
                for other in NODES.into_iter().filter(|other| *other != node) {
                    assert!(!has(&bytes, other), "{context}: {other} is in it");
                }
                cases += 1;
            }
        }
    }
    assert_eq!(cases, shown.len() * NODES.len() * TYPES.len() * 2);

    // Whom nobody vouches for does not come as far as that.
    let stranger = Authority::new("stranger").issue(&[&others(alpha)]);
    let refused = match connect(&world, Some(&stranger)).await {
        Err(_) => true,
        Ok(mut sender) => {
            let id = format!("mesh/m/virtualNode/{alpha}");
            ask(&mut sender, &id, TYPES[0], true).await.is_err()
        }
    };
    assert!(refused);
    world.rig.shut_down().expect("a clean end");
}
