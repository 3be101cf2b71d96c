//! The agent's API beside Envoy, on App Mesh's port 9902 and with its paths.
//!
//! | call | what it does |
//! |---|---|
//! | `GET /status` | health of Envoy and of its connection to the control plane |
//! | `POST /drain_listeners` | takes the proxy out of service without ending it |
//! | `GET /stats/prometheus[?usedonly][&filter=metrics_extension]` | Envoy's statistics; with the filter only the mesh's own, App Mesh's metrics among them |
//! | `POST /enableLogging?level=debug` | another log level, for 300 s (`APPNET_AGENT_LOGGING_RESET_TIMEOUT`) |

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{header, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::{
    admin::{Admin, AdminError, Answer},
    connections::Connections,
    relay::Relay,
    status::Health,
};
use crate::{identity::Identity, server::Body};

/// The API's state; clones share it.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    admin: Admin,
    health: Arc<Health>,
    log_level: LogLevel,
    extension: Option<Identity>,
    relay: Option<Relay>,
    rate: Mutex<Rate>,
}

/// Envoy's log level at its start, and how long another one stays.
#[derive(Clone, Copy, Debug)]
pub struct LogLevel {
    /// The level that comes back.
    pub usual: &'static str,
    /// After how long.
    pub reset_after: Duration,
}

/// Calls a second, and calls at once: App Mesh's agent had the same bounds. Each call costs Envoy's main thread.
const RATE: f64 = 10.0;
const BURST: f64 = 20.0;

struct Rate {
    tokens: f64,
    at: Instant,
}

impl Rate {
    fn admits(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * RATE;
        self.tokens = (self.tokens + gained).min(BURST);
        self.at = now;
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

impl Api {
    /// An API over one Envoy. `extension`: whose connections are told as App Mesh's metrics, if asked for; `relay`: what its
    /// configuration comes through, if it does.
    pub fn new(
        admin: Admin,
        health: Arc<Health>,
        log_level: LogLevel,
        extension: Option<Identity>,
        relay: Option<Relay>,
    ) -> Self {
        let rate = Mutex::new(Rate {
            tokens: BURST,
            at: Instant::now(),
        });
        Self {
            shared: Arc::new(Shared {
                admin,
                health,
                log_level,
                extension,
                relay,
                rate,
            }),
        }
    }

    /// Answers one request.
    pub async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let known = ["/status", "/drain_listeners", "/stats/prometheus", "/enableLogging"];
        if !known.contains(&path.as_str()) {
            return text(StatusCode::NOT_FOUND, "no such path");
        }
        let admitted = {
            let rate = self.shared.rate.lock();
            rate.unwrap_or_else(PoisonError::into_inner).admits(Instant::now())
        };
        if !admitted {
            return text(StatusCode::TOO_MANY_REQUESTS, "more than 10 calls a second");
        }
        match (method, path.as_str()) {
            (Method::GET, "/status") => self.status().await,
            (Method::POST, "/drain_listeners") => {
                if let Some(relay) = &self.shared.relay {
                    relay.hold();
                }
                passed_on(self.shared.admin.post("/drain_listeners?graceful").await)
            }
            (Method::GET, "/stats/prometheus") => self.stats(&query).await,
            (Method::POST, "/enableLogging") => self.logging(&query).await,
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "wrong method"),
        }
    }

    async fn status(&self) -> Response<Body> {
        let status = self.shared.health.look(&self.shared.admin).await;
        match serde_json::to_vec_pretty(&status) {
            Ok(json) => with_type(StatusCode::OK, "application/json", json),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    async fn stats(&self, query: &str) -> Response<Body> {
        let mut arguments = Vec::new();
        for argument in query.split('&').filter(|argument| !argument.is_empty()) {
            match argument {
                "usedonly" | "usedonly=" => arguments.push("usedonly"),
                // ^wasmcustom\.(ferromesh_|;Mesh=) : what the filter counts, under our names and App Mesh's, without the
                // cluster that is called so too.
                "filter=metrics_extension" => arguments.push("filter=%5Ewasmcustom%5C.(ferromesh_%7C%3BMesh%3D)"),
                _ => {
                    return text(
                        StatusCode::BAD_REQUEST,
                        &format!("{argument}: expected usedonly or filter=metrics_extension"),
                    )
                }
            }
        }
        let path = format!("/stats/prometheus?{}", arguments.join("&"));
        let is_filtered = arguments.iter().any(|argument| argument.starts_with("filter="));
        let mut answer = self.shared.admin.get(&path).await;
        if let (Some(relay), Ok(answer), false) = (&self.shared.relay, &mut answer, is_filtered) {
            let more = relay.prometheus();
            answer.body = [&answer.body[..], more.as_bytes()].concat().into();
        }
        if let (Some(identity), Ok(answer)) = (&self.shared.extension, &mut answer) {
            match Connections::count(&self.shared.admin).await {
                Ok(connections) => {
                    let more = connections.prometheus(identity);
                    answer.body = [&answer.body[..], more.as_bytes()].concat().into();
                }
                Err(error) => return passed_on(Err(error)),
            }
        }
        passed_on(answer)
    }

    async fn logging(&self, query: &str) -> Response<Body> {
        const LEVELS: [&str; 7] = ["trace", "debug", "info", "warning", "error", "critical", "off"];
        let asked = query.strip_prefix("level=").unwrap_or_default();
        let Some(level) = LEVELS.iter().find(|level| **level == asked) else {
            return text(
                StatusCode::BAD_REQUEST,
                &format!("level is {asked:?}: expected one of {}", LEVELS.join(", ")),
            );
        };
        let answer = self.set_level(level).await;
        if answer.as_ref().is_ok_and(|answer| answer.status.is_success()) {
            let api = self.clone();
            let usual = self.shared.log_level;
            tokio::spawn(async move {
                tokio::time::sleep(usual.reset_after).await;
                if let Err(error) = api.set_level(usual.usual).await {
                    tracing::warn!(error = %error, "the usual log level could not be set again");
                }
            });
        }
        passed_on(answer)
    }

    async fn set_level(&self, level: &str) -> Result<Answer, AdminError> {
        let path = format!("/logging?level={level}");
        self.shared.admin.post(&path).await
    }
}

fn passed_on(answer: Result<Answer, AdminError>) -> Response<Body> {
    match answer {
        Ok(answer) => with_type(answer.status, "text/plain; charset=utf-8", answer.body),
        Err(error) => text(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    with_type(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::from(body.into()).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let value = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_and_then_ten_a_second() {
        let start = Instant::now();
        let mut rate = Rate {
            tokens: BURST,
            at: start,
        };
        let admitted = (0..100).filter(|_| rate.admits(start)).count();
        assert_eq!(admitted, 20);
        let later = start + Duration::from_secs(1);
        let admitted = (0..100).filter(|_| rate.admits(later)).count();
        assert_eq!(admitted, 10);
    }
}
