//! The outer shell: one warp filter that takes every request and gives every answer, so that none of warp's own
//! plain-text rejections is ever seen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{header, HeaderMap, HeaderValue, Method};
use uuid::Uuid;
use warp::filters::BoxedFilter;
use warp::host::Authority;
use warp::path::FullPath;
use warp::reply::Response;
use warp::Filter;

use crate::access::gate::Gate;
use crate::access::{Channel, Rule};
use crate::appmesh::{self, Scene};
use crate::audit::{Act, Journal, Recorded};
use crate::meaning::{meaning, Failure, Meaning};
use crate::metrics::Metrics;
use crate::request::{read_body, Request};
use crate::{answer, cloud_map, own, ApiError, ApiState, Audit, Caller, ErrorKind, MayReport, ProvenProxy};

/// Name in metrics and logs of a request that means no operation.
const UNKNOWN: &str = "Unknown";

/// How long a body may take after its headers; most that a slow client has at any stage is 10 s.
const BODY_TIME: Duration = Duration::from_secs(8);

fn too_slow() -> ApiError {
    let seconds = BODY_TIME.as_secs();
    ApiError::bad_request(format!("body: must arrive within {seconds} s of its headers"))
}

/// The whole API as one filter that answers every request, unknown ones with 404 in App Mesh's form.
pub fn routes(state: ApiState) -> BoxedFilter<(Response,)> {
    let server = Arc::new(Server {
        gate: Gate::new(state.admission.clone()),
        journal: Journal::new(Some(state.config.audit)),
        state,
        metrics: Metrics::default(),
    });
    // One that cannot be read is as good as none: what it was needed for is refused for that.
    let host = warp::host::optional().or(warp::any().map(|| None)).unify();
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(host)
        .and(warp::ext::optional::<Channel>())
        .and(warp::ext::optional::<ProvenProxy>())
        .and(warp::ext::optional::<MayReport>())
        .and(warp::body::stream())
        .then(
            move |method: Method,
                  path: FullPath,
                  query: String,
                  headers: HeaderMap,
                  host: Option<Authority>,
                  channel: Option<Channel>,
                  proven: Option<ProvenProxy>,
                  may_report: Option<MayReport>,
                  body| {
                let server = server.clone();
                async move {
                    let began = Instant::now();
                    let id = Uuid::new_v4();
                    let path = path.as_str().to_owned();
                    let read = read_body(body, server.state.config.max_bytes(&path));
                    let read = tokio::time::timeout(BODY_TIME, read).await;
                    let response = match read.unwrap_or_else(|_| Err(too_slow())) {
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
                                        host: host.map(|host| host.to_string()),
                                        // Whoever calls in process is here.
                                        channel: channel.unwrap_or(Channel::Local),
                                        proven,
                                        may_report,
                                    },
                                )
                                .await
                        }
                        Err(error) => server.refuse(id, began, method.as_str(), &path, &Failure::Api(error)),
                    };
                    answer::with_request_id(response, &id)
                }
            },
        )
        .boxed()
}

struct Server {
    state: ApiState,
    metrics: Metrics,
    gate: Gate,
    journal: Journal,
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
        let meaning = match meaning(request) {
            Ok(meaning) => meaning,
            Err((failure, methods)) => {
                let mut response = self.refuse(id, began, request.method.as_str(), &request.path, &failure);
                if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
                    if !methods.is_empty() {
                        response.headers_mut().insert(header::ALLOW, methods);
                    }
                }
                return response;
            }
        };
        let answered = self.admit_and_act(&meaning, &id, request);
        let code = answered.as_ref().map_or_else(Failure::name, |_| "200");
        let took = began.elapsed();
        self.metrics.count(meaning.name(), code, took);
        if meaning.is_change() {
            tracing::info!(
                operation = meaning.name(),
                path = %request.path,
                code,
                error = answered.as_ref().err().map(Failure::message),
                revision = self.state.store.revision().ok(),
                request_id = %id,
                micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                "change"
            );
        }
        answered.unwrap_or_else(|failure| failure.response())
    }

    /// Looks at who calls before anything else, and leaves a record of what was refused.
    fn admit_and_act(&self, meaning: &Meaning, id: &Uuid, request: &Request) -> Result<Response, Failure> {
        let state = &self.state;
        let rule = meaning.rule(request);
        let mut act = Act {
            at: state.clock.now(),
            operation: meaning.name(),
            mesh: rule.named_mesh().map(str::to_owned),
            path: request.path.clone(),
            request_id: id.to_string(),
            key: None,
        };
        let admitted = match &rule {
            Rule::Open => Ok(Caller::anonymous(state.config.account.clone())),
            Rule::Takes(need) => {
                let admitted = self
                    .gate
                    .admit(state.store.as_ref(), request, &state.config.account, act.at);
                match admitted {
                    Ok(caller) => caller
                        .require_need(need)
                        .map(|()| caller.clone())
                        .map_err(|error| (Some(caller), error)),
                    Err(error) => Err((None, error)),
                }
            }
        };
        let caller = match admitted {
            Ok(caller) => caller,
            Err((caller, error)) => {
                act.key = Gate::claimed(request);
                self.record(caller.as_ref(), &act, error.kind.name(), &error.message);
                return Err(meaning.denied(error));
            }
        };
        let takes_turns = meaning.is_change() && !meaning.takes_its_own_turn();
        let _turn = takes_turns.then(|| state.turns.wait());
        let recorded = Recorded::new(state.store.as_ref(), &self.journal, &caller, &act);
        let mut scene = Scene::new(state, &caller);
        if state.audit == Audit::On {
            scene.store = &recorded;
            scene.whole = &recorded;
        }
        let answered = self.act(meaning, &scene, request);
        if let (Meaning::Own(page, _), Ok(_), Audit::On) = (meaning, &answered, state.audit) {
            if page.is_outside_the_store() {
                recorded.record_alone();
            }
        }
        if let (true, Err(failure)) = (meaning.is_change(), &answered) {
            self.record(Some(&caller), &act, failure.name(), failure.message());
        }
        answered
    }

    fn record(&self, caller: Option<&Caller>, act: &Act, outcome: &'static str, message: &str) {
        if self.state.audit == Audit::On {
            self.journal
                .refused(self.state.store.as_ref(), caller, act, outcome, message);
        }
    }

    fn act(&self, meaning: &Meaning, scene: &Scene<'_>, request: &Request) -> Result<Response, Failure> {
        match meaning {
            Meaning::AppMesh(found) => {
                let answered = appmesh::answer(scene, found, request);
                answered.map(|value| answer::json(&value)).map_err(Failure::Api)
            }
            Meaning::CloudMap(call) => cloud_map::answer(scene, call, request).map_err(Failure::CloudMap),
            Meaning::Own(page, segments) => {
                own::answer(&self.state, scene, &self.metrics, *page, segments, request).map_err(Failure::Api)
            }
        }
    }

    /// Answers a request that means no operation.
    fn refuse(&self, id: Uuid, began: Instant, method: &str, path: &str, failure: &Failure) -> Response {
        let code = failure.name();
        self.metrics.count(UNKNOWN, code, began.elapsed());
        tracing::debug!(method, path, code, message = failure.message(), request_id = %id, "refused");
        failure.response()
    }
}
