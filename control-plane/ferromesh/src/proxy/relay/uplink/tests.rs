use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use rustls::{crypto::ring, RootCertStore};

use super::*;
use crate::{
    address::{self, Listener},
    server::{self, Limits},
};

/// A server that answers everything with one status.
async fn answering(status: StatusCode, address: &str, stop: &CancellationToken) -> XdsEndpoint {
    let answer = move |_: Request<Incoming>| async move {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut response: Response<Body> = Response::new(body);
        *response.status_mut() = status;
        response
    };
    let listener = Listener::bind(&address.parse().unwrap()).await.unwrap();
    let at = listener.address().unwrap();
    tokio::spawn(server::run(listener, answer, Limits::default(), stop.clone()));
    match at {
        address::Address::Tcp(at) => XdsEndpoint::Tcp {
            host: at.ip().to_string(),
            port: at.port(),
        },
        address::Address::Unix(path) => XdsEndpoint::Unix(path),
    }
}

/// An address where nobody is, for as long as the socket is there: it has the port and does not listen.
fn dead() -> (tokio::net::TcpSocket, XdsEndpoint) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = XdsEndpoint::Tcp {
        host: "127.0.0.1".into(),
        port: socket.local_addr().unwrap().port(),
    };
    (socket, endpoint)
}

async fn up(uplink: &Uplink) -> Connected {
    let up = tokio::time::timeout(Duration::from_secs(60), uplink.up());
    up.await.expect("a control plane")
}

#[tokio::test]
async fn who_is_dead_or_not_ready_is_passed_by() {
    let stop = CancellationToken::new();
    let starting = answering(StatusCode::SERVICE_UNAVAILABLE, "127.0.0.1:0", &stop).await;
    let good = answering(StatusCode::OK, "127.0.0.1:0", &stop).await;
    let (_socket, dead) = dead();
    let uplink = Uplink::start(vec![dead, starting, good.clone()], None, stop.clone());
    assert_eq!(*up(&uplink).await.endpoint, good);
    stop.cancel();
}

#[tokio::test]
async fn who_does_not_serve_gives_way_to_the_next() {
    let stop = CancellationToken::new();
    let both = [
        answering(StatusCode::OK, "127.0.0.1:0", &stop).await,
        answering(StatusCode::OK, "127.0.0.1:0", &stop).await,
    ];
    let uplink = Uplink::start(both.to_vec(), None, stop.clone());
    let first = up(&uplink).await;
    uplink.failed(&first, Failure::Lasting);
    // It is said of a connection, not of whatever is up when it is heard.
    let second = loop {
        let connected = up(&uplink).await;
        if connected.number != first.number {
            break connected;
        }
        tokio::task::yield_now().await;
    };
    assert_ne!(first.endpoint, second.endpoint);
    uplink.failed(&first, Failure::Lasting);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(matches!(uplink.link(), Link::Up(connected) if connected.number == second.number));
    stop.cancel();
}

#[tokio::test]
async fn an_agent_that_starts_and_finds_nobody_does_not_wait() {
    let stop = CancellationToken::new();
    let [(_first, first), (_second, second)] = [dead(), dead()];
    let uplink = Uplink::start(vec![first, second], None, stop.clone());
    let patience = Duration::from_secs(3600);
    let waited = tokio::time::timeout(Duration::from_secs(60), uplink.up_within(patience));
    assert!(waited.await.expect("a decision").is_none());
    stop.cancel();
}

#[tokio::test]
async fn another_certificate_brings_another_connection_before_the_one_before_is_retired() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let socket = format!("unix://{}", folder.path().join("s").display());
    let endpoint = answering(StatusCode::OK, &socket, &stop).await;
    let config = || {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        Arc::new(config)
    };
    let credential = watch::Sender::new(config());
    let uplink = Uplink::start(vec![endpoint], Some(credential.subscribe()), stop.clone());
    let first = up(&uplink).await;
    assert!(!first.retired.is_cancelled());
    credential.send_replace(config());
    tokio::time::timeout(Duration::from_secs(60), first.retired.cancelled())
        .await
        .expect("another connection");
    let second = up(&uplink).await;
    assert!(second.number > first.number && !second.retired.is_cancelled());
    stop.cancel();
}
