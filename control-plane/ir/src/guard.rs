//! What requests must pass before they are forwarded: tokens, an authorization service, a rate limit service.

use std::sync::Arc;
use std::time::Duration;

pub use ferromesh_model::policy::{Jwks, Jwt, JwtProvider, JwtRequirement, KeyPart, LimitKey, LIMIT_ENTRY};

use crate::cluster::ClusterId;

/// What requests of one route must pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Guards {
    /// Tokens that they must carry.
    pub jwt: Option<Guard<Jwt>>,
    /// A service that must allow them.
    pub authorization: Option<Guard<Authorization>>,
    /// A service that counts them.
    pub limit: Option<Guard<GlobalLimit>>,
}

/// A guard with the name of the policy that it comes from, which is its own name too: a policy that changes changes a
/// guard, and does not make another one that routes would not know for a moment.
#[derive(Debug, PartialEq)]
pub struct Guard<T> {
    /// The policy's name.
    pub policy: String,
    /// What is asked. Shared: a key set is long, and a gateway has many routes.
    pub spec: Arc<T>,
}

impl<T> Clone for Guard<T> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            spec: self.spec.clone(),
        }
    }
}

/// A service that must allow requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Where it is.
    pub cluster: ClusterId,
    /// How it is asked.
    pub protocol: AuthorizationProtocol,
    /// Time for an answer.
    pub timeout: Duration,
    /// Whether requests pass when there is no answer.
    pub allow_on_failure: bool,
    /// Request headers that it is sent; `None` is Envoy's choice.
    pub include_headers: Option<Vec<String>>,
    /// Request headers that it is not sent.
    pub exclude_headers: Vec<String>,
}

/// How an authorization service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizationProtocol {
    /// By `envoy.service.auth.v3.Authorization`.
    Grpc,
    /// By the head of the request.
    Http {
        /// Host of what it is asked.
        host: String,
        /// What is put before the path.
        path_prefix: String,
        /// Headers of its answer that go on with an allowed request.
        upstream_headers: Vec<String>,
    },
}

/// A service that counts requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalLimit {
    /// Where it is.
    pub cluster: ClusterId,
    /// The domain that it keeps the limits under.
    pub domain: String,
    /// Time for an answer.
    pub timeout: Duration,
    /// Whether requests pass when there is no answer.
    pub allow_on_failure: bool,
    /// What it is asked.
    pub limits: Vec<LimitKey>,
}
