//! Which service a request is for: gRPC by its content type, everything else is the HTTP API.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use ferromesh_api::{Channel, MayReport, ProvenProxy, Reporter};
use ferromesh_xds::{AggregatedDiscoveryService, Peer};
use http::{header, HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tower::ServiceExt;
use warp::{filters::BoxedFilter, Filter};

use crate::{
    guard::Guard,
    server::{streams, Body},
};

/// The API has a limit of its own for bodies that come slowly, and answers in milliseconds; what takes this long is stuck.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Where proxies come for certificates: only there it is looked at who the connection proves them to be.
const CERTIFICATES: &str = "/v1/identity/certificates";

/// Both services. Clones share them.
#[derive(Clone)]
pub(super) struct Dispatch {
    api: BoxedFilter<(warp::reply::Response,)>,
    xds: AggregatedDiscoveryService,
    guard: Guard,
    /// Whether TLS without a certificate is taken for what plaintext is: only this machine reaches the listener.
    is_local: bool,
}

impl Dispatch {
    pub(super) fn new(
        api: BoxedFilter<(warp::reply::Response,)>,
        xds: AggregatedDiscoveryService,
        guard: Guard,
    ) -> Self {
        Self {
            api,
            xds,
            guard,
            is_local: false,
        }
    }

    /// For a listener that only this machine reaches, where proxies are believed over TLS as they are without.
    pub(super) fn on_local(self, is_local: bool) -> Self {
        Self { is_local, ..self }
    }

    /// Answers one request.
    pub(super) async fn answer(self, mut request: Request<Incoming>) -> Response<Body> {
        // As discovery streams take it, and reports with them.
        let peer = match request.extensions().get::<Peer>() {
            Some(Peer::Unidentified) if self.is_local => Some(Peer::Local),
            other => other.cloned(),
        };
        if is_grpc(request.headers()) {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let answer = |request| async { never_fails(self.xds.oneshot(request).await) };
            return streams::admitted(request, answer).await;
        }
        let is_local = matches!(request.extensions().get(), Some(Peer::Local));
        request
            .extensions_mut()
            .insert(if is_local { Channel::Local } else { Channel::Tls });
        // What the path says is read by the API alone: there it is asked whether it may be.
        let guard = self.guard.clone();
        request
            .extensions_mut()
            .insert(MayReport::by(move |reporter: &Reporter| {
                let decided = guard.may_report(&reporter.id(), peer.as_ref());
                decided.map_err(|refusal| refusal.detail())
            }));
        if request.uri().path() == CERTIFICATES {
            if let Some(peer) = request.extensions().get::<Peer>() {
                let proven = self.guard.proven(peer);
                let proven = proven.map(|proxy| proxy.to_string());
                let proven = ProvenProxy(proven.map_err(|refusal| refusal.detail()));
                request.extensions_mut().insert(proven);
            }
        }
        let answer = warp::service(self.api.map(|response| response)).oneshot(request);
        match tokio::time::timeout(TIME_LIMIT, answer).await {
            Ok(response) => never_fails(response).map(|body| body.map_err(Into::into).boxed_unsync()),
            Err(_) => too_slow(),
        }
    }
}

fn never_fails<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn too_slow() -> Response<Body> {
    let body = format!(
        r#"{{"message":"the request was not answered within {} s"}}"#,
        TIME_LIMIT.as_secs()
    );
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        "x-amzn-errortype",
        HeaderValue::from_static("ServiceUnavailableException"),
    );
    // The rest of the body may still come: nothing else can be read from this connection.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
