//! The filters' reports on canaries, which Envoy sends where its configuration comes from (decision 0017): HTTP calls that
//! are passed on while a control plane is there, a few at a time, and else refused, so that the filters send them again.

use std::time::Duration;

use bytes::Bytes;
use http::{header, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use super::{
    refusals::Refusals,
    uplink::{Link, Uplink},
};
use crate::server::Body;

/// Below this everything is a report.
const PREFIX: &str = "/v1/reports/";
/// Bytes of a report, and of its answer. Those of a worker with a hundred canaries have a few kB.
const SIZE_LIMIT: usize = 256 << 10;
/// Reports under way at once. Each worker has one.
const AT_ONCE: usize = 64;
/// From the first byte of a report to the last of its answer. Filters give up after five seconds.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Passes reports on.
pub(super) struct Reports {
    places: Semaphore,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            places: Semaphore::new(AT_ONCE),
        }
    }
}

impl Reports {
    /// Answers one request that is no discovery stream.
    pub async fn answer(&self, uplink: &Uplink, refusals: &Refusals, request: Request<Incoming>) -> Response<Body> {
        if request.method() != Method::POST || !request.uri().path().starts_with(PREFIX) {
            return said(
                StatusCode::NOT_FOUND,
                "the agent passes on discovery streams and reports only",
            );
        }
        let Ok(_place) = self.places.try_acquire() else {
            return said(StatusCode::SERVICE_UNAVAILABLE, "too many reports are under way");
        };
        match tokio::time::timeout(TIME_LIMIT, pass_on(uplink, refusals, request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(Refused(status, reason))) => said(status, &reason),
            Err(_) => said(StatusCode::GATEWAY_TIMEOUT, "the control plane does not answer in time"),
        }
    }
}

struct Refused(StatusCode, String);

impl Refused {
    fn by_upstream(error: impl std::fmt::Display) -> Self {
        Self(StatusCode::BAD_GATEWAY, format!("the control plane: {error}"))
    }
}

async fn pass_on(uplink: &Uplink, refusals: &Refusals, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
    let Link::Up(mut connected) = uplink.link() else {
        let reason = "no control plane is there".to_owned();
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, reason));
    };
    let (head, body) = request.into_parts();
    let body = Limited::new(body, SIZE_LIMIT).collect().await;
    let body = body.map_err(|error| Refused(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
    let path = head
        .uri
        .path_and_query()
        .map_or(PREFIX, |path| path.as_str())
        .to_owned();
    let mut passed = Request::new(full(body.to_bytes()));
    *passed.method_mut() = head.method;
    *passed.uri_mut() = connected.uri(&path).map_err(Refused::by_upstream)?;
    if let Some(content_type) = head.headers.get(header::CONTENT_TYPE) {
        passed.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
    }
    connected.sender.ready().await.map_err(Refused::by_upstream)?;
    let answer = connected.sender.send_request(passed).await;
    let (head, body) = answer.map_err(Refused::by_upstream)?.into_parts();
    let body = Limited::new(body, SIZE_LIMIT).collect().await;
    let body = body.map_err(Refused::by_upstream)?.to_bytes();
    if head.status == StatusCode::FORBIDDEN {
        refusals.report(&connected.endpoint.to_string(), &path, &body);
    }
    let mut response = Response::new(full(body));
    *response.status_mut() = head.status;
    if let Some(content_type) = head.headers.get(header::CONTENT_TYPE) {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type.clone());
    }
    Ok(response)
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn said(status: StatusCode, message: &str) -> Response<Body> {
    let body = serde_json::json!({ "message": message }).to_string();
    let mut response = Response::new(full(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
