//! The outer shell: one warp filter that takes every request and gives every answer, so that none of warp's own
//! plain-text rejections is ever seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::{header, HeaderMap, HeaderValue, Method};
use uuid::Uuid;
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::reply::Response;
use warp::Filter;

use crate::appmesh::{self, Found, Scene};
use crate::metrics::Metrics;
use crate::own::{self, Page};
use crate::registry::Refused;
use crate::request::{read_body, Request};
use crate::{answer, cloud_map, ApiError, ApiState, ErrorKind};

/// Name in metrics and logs of a request that means no operation.
const UNKNOWN: &str = "Unknown";

/// The whole API as one filter that answers every request, unknown ones with 404 in App Mesh's form.
pub fn routes(state: ApiState) -> BoxedFilter<(Response,)> {
    let server = Arc::new(Server {
        state,
        metrics: Metrics::default(),
        writing: Mutex::new(()),
    });
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(
            move |method: Method, path: FullPath, query: String, headers: HeaderMap, body| {
                let server = server.clone();
                async move {
                    let began = Instant::now();
                    let id = Uuid::new_v4();
                    let path = path.as_str().to_owned();
                    let response = match read_body(body, server.state.config.max_body_bytes).await {
                        Ok(body) => {
                            server
                                .answer_on_a_thread(
                                    id,
                                    began,
                                    Request {
                                        method,
                                        path,
                                        query,
                                        headers,
                                        body,
                                    },
                                )
                                .await
                        }
                        Err(error) => server.refuse(id, began, method.as_str(), &path, &error),
                    };
                    answer::with_request_id(response, &id)
                }
            },
        )
        .boxed()
}

/// What one request means.
enum Meaning {
    AppMesh(Found),
    Own(Page, Vec<String>),
}

impl Meaning {
    fn name(&self) -> &'static str {
        match self {
            Self::AppMesh(found) => found.call.operation.name,
            Self::Own(page, _) => page.name(),
        }
    }

    fn is_change(&self) -> bool {
        match self {
            Self::AppMesh(found) => found.call.verb.is_change(),
            Self::Own(page, _) => page.is_change(),
        }
    }
}

struct Server {
    state: ApiState,
    metrics: Metrics,
    /// Writers take turns, so that a change is not judged again and again because others commit meanwhile. Other
    /// processes over the same store are kept apart by the store's compares.
    writing: Mutex<()>,
}

impl Server {
    /// The store blocks on the disk, so requests are answered on threads made for that. A panic there is an answer too.
    async fn answer_on_a_thread(self: Arc<Self>, id: Uuid, began: Instant, request: Request) -> Response {
        let server = self.clone();
        match tokio::task::spawn_blocking(move || server.answer(id, began, &request)).await {
            Ok(response) => response,
            Err(error) => {
                self.metrics
                    .count(UNKNOWN, ErrorKind::InternalServerError.name(), began.elapsed());
                answer::error(&ApiError::internal(&error))
            }
        }
    }

    fn answer(&self, id: Uuid, began: Instant, request: &Request) -> Response {
        if let Some(found) = cloud_map::find(request) {
            return self.answer_cloud_map(id, began, found, request);
        }
        let meaning = match meaning(request) {
            Ok(meaning) => meaning,
            Err((error, methods)) => {
                let mut response = self.refuse(id, began, request.method.as_str(), &request.path, &error);
                if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
                    if !methods.is_empty() {
                        response.headers_mut().insert(header::ALLOW, methods);
                    }
                }
                return response;
            }
        };
        let answered = if meaning.is_change() {
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            self.act(&meaning, request)
        } else {
            self.act(&meaning, request)
        };
        let code = answered.as_ref().map_or_else(|error| error.kind.name(), |_| "200");
        let took = began.elapsed();
        self.metrics.count(meaning.name(), code, took);
        if meaning.is_change() {
            let error = answered.as_ref().err().map(|error| error.message.as_str());
            tracing::info!(
                operation = meaning.name(),
                path = %request.path,
                code,
                error,
                revision = self.state.store.revision().ok(),
                request_id = %id,
                micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                "change"
            );
        }
        answered.unwrap_or_else(|error| answer::error(&error))
    }

    /// Cloud Map's operations have one path, and errors of their own.
    fn answer_cloud_map(
        &self,
        id: Uuid,
        began: Instant,
        found: Result<&'static cloud_map::Call, Refused>,
        request: &Request,
    ) -> Response {
        let (name, is_change) = found
            .as_ref()
            .map_or((UNKNOWN, false), |call| (call.name, call.is_change));
        let answered = found.and_then(|call| {
            let ApiState {
                store, config, clock, ..
            } = &self.state;
            let scene = Scene {
                store: store.as_ref(),
                config,
                clock: clock.as_ref(),
            };
            let _turn = call
                .is_change
                .then(|| self.writing.lock().unwrap_or_else(PoisonError::into_inner));
            cloud_map::answer(&scene, call, request)
        });
        let code = answered.as_ref().map_or_else(|refused| refused.why.name(), |_| "200");
        self.metrics.count(name, code, began.elapsed());
        if is_change {
            let error = answered.as_ref().err().map(|refused| refused.message.as_str());
            tracing::info!(
                operation = name,
                code,
                error,
                revision = self.state.store.revision().ok(),
                request_id = %id,
                "change"
            );
        }
        answered.unwrap_or_else(|refused| cloud_map::refuse(&refused))
    }

    fn act(&self, meaning: &Meaning, request: &Request) -> Result<Response, ApiError> {
        match meaning {
            Meaning::AppMesh(found) => {
                let ApiState {
                    store, config, clock, ..
                } = &self.state;
                let scene = Scene {
                    store: store.as_ref(),
                    config,
                    clock: clock.as_ref(),
                };
                appmesh::answer(&scene, found, request).map(|value| answer::json(&value))
            }
            Meaning::Own(page, segments) => own::answer(&self.state, &self.metrics, *page, segments, request),
        }
    }

    /// Answers a request that means no operation.
    fn refuse(&self, id: Uuid, began: Instant, method: &str, path: &str, error: &ApiError) -> Response {
        self.metrics.count(UNKNOWN, error.kind.name(), began.elapsed());
        tracing::debug!(method, path, code = error.kind.name(), message = %error.message, request_id = %id, "refused");
        answer::error(error)
    }
}

/// What a request means, or why it means nothing and which methods its path has.
fn meaning(request: &Request) -> Result<Meaning, (ApiError, Vec<&'static str>)> {
    let segments = request.segments().map_err(|error| (error, Vec::new()))?;
    let found = if appmesh::is_app_mesh(&segments) {
        appmesh::find(request.method.as_str(), &segments).map(Meaning::AppMesh)
    } else {
        own::find(&request.method, &segments).map(|page| Meaning::Own(page, segments))
    };
    found.map_err(|methods| {
        let Request { method, path, .. } = request;
        let error = if methods.is_empty() {
            ApiError::not_found(format!("path: no operation has {path}"))
        } else {
            ApiError::bad_request(format!("method: {path} has {}, not {method}", methods.join(", ")))
        };
        (error, methods)
    })
}
