//! The service itself. Whatever it cannot decide is an error, and Envoy's failure mode decides: to say OK would be to have no
//! limit where one was asked for.

use std::sync::Arc;
use std::time::Instant;

use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::answer::answer;
use crate::ask::Asked;
use crate::metrics::{Metrics, Outcome, Problem};
use crate::store::{Store, StoreError};

/// A request of 64 descriptors of 64 entries has room; more is no request of a proxy.
const MAX_MESSAGE: usize = 256 * 1024;

/// Bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Requests that wait for the store at the same time; further ones are refused.
    pub waiting: usize,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self { waiting: 4_096 }
    }
}

/// The rate limit service over a store.
#[derive(Debug)]
pub struct Service<S> {
    store: Arc<S>,
    metrics: Arc<Metrics>,
    places: Semaphore,
}

impl<S: Store> Service<S> {
    /// A service that counts in `store` and tells `metrics`.
    pub fn new(store: Arc<S>, metrics: Arc<Metrics>, config: ServiceConfig) -> Self {
        Self {
            store,
            metrics,
            places: Semaphore::new(config.waiting),
        }
    }

    /// The service as one of HTTP/2 requests. Clones share everything.
    pub fn into_server(self) -> RateLimitServiceServer<Self> {
        RateLimitServiceServer::new(self).max_decoding_message_size(MAX_MESSAGE)
    }

    async fn decide(&self, request: &RateLimitRequest) -> Result<RateLimitResponse, (Problem, Status)> {
        let invalid = |error: crate::ask::InvalidRequest| {
            tracing::debug!(domain = request.domain, %error, "invalid request");
            (Problem::Invalid, Status::invalid_argument(error.to_string()))
        };
        let asked = Asked::read(request).map_err(invalid)?;
        let Ok(_place) = self.places.try_acquire() else {
            let status = Status::resource_exhausted("too many requests wait for the store");
            return Err((Problem::Busy, status));
        };
        let begun = Instant::now();
        let decision = self.store.take(&asked.charges).await.map_err(|error| {
            let text = error.to_string();
            match error {
                StoreError::Lost => (Problem::Lost, Status::unavailable(text)),
                StoreError::Late => (Problem::Late, Status::deadline_exceeded(text)),
                StoreError::Refused(_) => {
                    tracing::warn!(error = text, "a charge failed");
                    (Problem::Refused, Status::unavailable(text))
                }
            }
        })?;
        self.metrics.store_took(begun.elapsed());
        let response = answer(&asked, &decision);
        for (limit, status) in asked.limits.iter().zip(&response.statuses) {
            let name = &limit.limit.name;
            self.metrics.limited(&request.domain, name, outcome(status.code()));
        }
        self.metrics.answered(outcome(response.overall_code()));
        Ok(response)
    }
}

fn outcome(code: Code) -> Outcome {
    match code {
        Code::OverLimit => Outcome::OverLimit,
        _ => Outcome::Ok,
    }
}

#[tonic::async_trait]
impl<S: Store> RateLimitService for Service<S> {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        match self.decide(request.get_ref()).await {
            Ok(response) => Ok(Response::new(response)),
            Err((problem, status)) => {
                self.metrics.failed(problem);
                Err(status)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_model::policy::LIMIT_ENTRY;
    use tonic::Code as Grpc;

    use super::*;
    use crate::ask::tests::{descriptor, request};
    use crate::store::{Charge, Decision};

    /// A store that fails, or never answers.
    struct Broken(Option<StoreError>);

    impl Store for Broken {
        async fn take(&self, _: &[Charge]) -> Result<Decision, StoreError> {
            match &self.0 {
                Some(error) => Err(error.clone()),
                None => std::future::pending().await,
            }
        }

        fn is_ready(&self) -> bool {
            false
        }
    }

    fn one() -> RateLimitRequest {
        request(vec![descriptor(&[("a", "b"), (LIMIT_ENTRY, r#""x";q=1;w=60"#)])])
    }

    async fn failure(store: Broken, request: RateLimitRequest) -> (Grpc, String) {
        let metrics = Arc::new(Metrics::default());
        let service = Service::new(Arc::new(store), Arc::clone(&metrics), ServiceConfig::default());
        let error = service
            .should_rate_limit(Request::new(request))
            .await
            .expect_err("an error");
        (error.code(), metrics.render(false))
    }

    #[tokio::test]
    async fn what_cannot_be_decided_is_an_error_and_never_ok() {
        let (code, text) = failure(Broken(Some(StoreError::Lost)), one()).await;
        assert_eq!(code, Grpc::Unavailable);
        assert!(text.contains("errors_total{reason=\"store_lost\"} 1"), "{text}");
        let (code, _) = failure(Broken(Some(StoreError::Late)), one()).await;
        assert_eq!(code, Grpc::DeadlineExceeded);
        let (code, _) = failure(Broken(Some(StoreError::Refused("OOM".into()))), one()).await;
        assert_eq!(code, Grpc::Unavailable);
        let (code, text) = failure(Broken(None), request(vec![descriptor(&[("a", "b")])])).await;
        assert_eq!(code, Grpc::InvalidArgument);
        assert!(text.contains("errors_total{reason=\"invalid_request\"} 1"), "{text}");
    }

    #[tokio::test]
    async fn only_so_many_wait_for_the_store() {
        let service = Service::new(Arc::new(Broken(None)), Arc::default(), ServiceConfig { waiting: 1 });
        let service = Arc::new(service);
        let first = Arc::clone(&service);
        let waiting = tokio::spawn(async move { first.should_rate_limit(Request::new(one())).await });
        tokio::task::yield_now().await;
        let error = service
            .should_rate_limit(Request::new(one()))
            .await
            .expect_err("no place");
        assert_eq!(error.code(), Grpc::ResourceExhausted);
        waiting.abort();
        assert!(waiting.await.expect_err("aborted").is_cancelled());
        // Its place is free again.
        let again = tokio::time::timeout(
            std::time::Duration::from_millis(20),
            service.should_rate_limit(Request::new(one())),
        );
        assert!(again.await.is_err(), "it waits");
    }
}
