//! Which part of the service a request is for: gRPC by its content type, everything else is one of three pages.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use ferromesh_ratelimit::{Metrics, Store};
use http::{header, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::server::Body;

/// What the pages tell of.
pub(super) struct Pages<S> {
    pub store: Arc<S>,
    pub metrics: Arc<Metrics>,
    pub shutdown: CancellationToken,
}

/// Answers one request.
pub(super) async fn answer<S, G>(pages: Arc<Pages<S>>, grpc: G, request: Request<Incoming>) -> Response<Body>
where
    S: Store,
    G: Service<Request<Incoming>, Response = Response<tonic::body::Body>, Error = Infallible>,
{
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return match grpc.oneshot(request).await {
            Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
            Err(never) => match never {},
        };
    }
    let (status, text) = pages.page(request.method(), request.uri().path());
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

impl<S: Store> Pages<S> {
    fn page(&self, method: &Method, path: &str) -> (StatusCode, String) {
        if !matches!(path, "/livez" | "/readyz" | "/metrics") {
            return (StatusCode::NOT_FOUND, "pages are /livez, /readyz and /metrics\n".into());
        }
        if method != Method::GET && method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, "pages are read with GET\n".into());
        }
        let is_ready = self.store.is_ready() && !self.shutdown.is_cancelled();
        match path {
            "/metrics" => (StatusCode::OK, self.metrics.render(self.store.is_ready())),
            "/livez" => (StatusCode::OK, "alive\n".into()),
            _ if is_ready => (StatusCode::OK, "ready\n".into()),
            _ if self.shutdown.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".into()),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "the store is not reachable\n".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_ratelimit::{Client, Memory, Redis, RedisConfig, StoreTls};

    use super::*;

    fn pages<S: Store>(store: S) -> Pages<S> {
        Pages {
            store: Arc::new(store),
            metrics: Arc::default(),
            shutdown: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn it_is_ready_with_its_store_until_the_shutdown() {
        let ready = pages(Memory::new(1));
        assert_eq!(ready.page(&Method::GET, "/readyz").0, StatusCode::OK);
        ready.shutdown.cancel();
        assert_eq!(ready.page(&Method::GET, "/readyz").0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ready.page(&Method::GET, "/livez").0, StatusCode::OK);

        // Nobody listens on port 1.
        let client = Client::open("redis://127.0.0.1:1", &StoreTls::default()).unwrap();
        let lost = pages(Redis::start(client, RedisConfig::default()));
        assert_eq!(lost.page(&Method::GET, "/readyz").0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(lost.page(&Method::GET, "/livez").0, StatusCode::OK);
        let (status, text) = lost.page(&Method::GET, "/metrics");
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("ferromesh_ratelimit_store_ready 0\n"), "{text}");
        assert_eq!(lost.page(&Method::GET, "/other").0, StatusCode::NOT_FOUND);
        assert_eq!(lost.page(&Method::POST, "/metrics").0, StatusCode::METHOD_NOT_ALLOWED);
    }
}
