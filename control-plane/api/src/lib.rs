//! The control plane's HTTP API: App Mesh's own (`/v20190125/…`, all 38 operations), AWS Cloud Map's (`POST /`, all 30) and
//! ours (`/v1/…`, modules, health, metrics).
//!
//! ```
//! use std::sync::Arc;
//! use ferromesh_api::{routes, ApiState};
//! use ferromesh_store::RedbStore;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let store = Arc::new(RedbStore::open(folder.path().join("store.redb"))?);
//! let routes = routes(ApiState::new(store));
//! let answer = warp::test::request()
//!     .method("PUT")
//!     .path("/v20190125/meshes")
//!     .body(r#"{"meshName": "colors"}"#)
//!     .reply(&routes)
//!     .await;
//! assert_eq!(answer.status(), 200);
//! let mesh: serde_json::Value = serde_json::from_slice(answer.body())?;
//! assert_eq!(mesh["metadata"]["arn"], "arn:aws:appmesh:us-east-1:123456789012:mesh/colors");
//! # Ok(()) }
//! ```
//!
//! # Signatures, accounts, regions
//!
//! Requests may carry an AWS Signature Version 4 `Authorization` header, as every AWS client sends one, or none; it is
//! not verified. The server is meant for loopback only as long as that is so. ARNs have the account and region of
//! [`ApiConfig`], not those of the client's credentials: a resource has one ARN whoever asks for it, and proxies are
//! configured with it.
//!
//! # Errors
//!
//! Every error, ours too, has App Mesh's form: the status, the header `x-amzn-errortype` with the error's name, and the
//! body `{"message": "…"}`; Cloud Map's have Cloud Map's form, with the name in `__type` too. An error means that nothing was stored.

mod answer;
mod appmesh;
mod certificates;
mod cloud_map;
mod error;
mod explanation;
mod metrics;
mod own;
mod percent;
mod registry;
mod request;
mod rollback;
mod routes;
mod state;
mod view;

pub use certificates::{Certificates, Import, NoCertificates};
pub use error::{ApiError, ErrorKind};
pub use explanation::{Explainer, NoExplainer, Question};
pub use rollback::{CanaryCounts, CanaryReport, Comparisons, NoComparisons, ReportRefused, Reporter};
pub use routes::routes;
pub use state::{
    ApiConfig, ApiState, Clock, InvalidApiConfig, MetricsSource, Module, Modules, NoProxies, ProxyStatus, SystemClock,
};
