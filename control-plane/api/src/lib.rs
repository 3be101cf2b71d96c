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
//! Requests may carry an AWS Signature Version 4 `Authorization` header, as every AWS client sends one; it is verified
//! once there is a key ([`Admission`]). The key's principal has an account, and what its callers make is that account's;
//! without keys everybody acts for the account of [`ApiConfig`]. ARNs have the region of [`ApiConfig`], whatever region the
//! client signs for: a resource has one ARN whoever asks for it, and proxies are configured with it.
//!
//! # Errors
//!
//! Every error, ours too, has App Mesh's form: the status, the header `x-amzn-errortype` with the error's name, and the
//! body `{"message": "…"}`; Cloud Map's have Cloud Map's form, with the name in `__type` too. An error means that nothing was stored.

mod access;
mod answer;
mod appmesh;
mod audit;
mod caller;
mod certificates;
mod cloud_map;
mod difference;
mod error;
mod explanation;
mod identity;
mod meaning;
mod metrics;
mod module_sets;
mod openapi;
mod own;
mod percent;
mod preview;
mod registry;
mod reporting;
mod request;
mod rollback;
mod rollouts;
mod routes;
mod sigv4;
mod state;
mod view;

pub use access::{
    bind as bind_principal, create as create_key, delete as delete_key, list as list_keys, seal_anew as seal_keys_anew,
    set_state as set_key_state, Admission, Binding, Channel, Created as CreatedKey, NewKey, Principal, Role, Seal,
    State as KeyState, Subject, Unopened, WithoutKeys,
};
pub use audit::{recorded_as, recorded_offline, AuditLimit, AuditLimits};
pub use caller::{Caller, ANONYMOUS};
pub use certificates::{Certificates, Import, NoCertificates};
pub use difference::differences;
pub use error::{ApiError, ErrorKind};
pub use explanation::{Explainer, NoExplainer, Question};
pub use identity::{
    revocations, IssuedIdentity, JoinRefusals, NoProxyIdentities, ProvenProxy, ProxyIdentities, Revocation,
};
pub use module_sets::{Author, ModuleSets, NewModule, NewModuleSet, NoModuleSets};
pub use openapi::document as openapi;
pub use preview::{NoPreviewer, Previewer};
pub use reporting::MayReport;
pub use rollback::{CanaryCounts, CanaryReport, Comparisons, NoComparisons, ReportRefused, Reporter};
pub use rollouts::{Events, Followed, Happening, NoRollouts, ProxyReport, Rollouts, Turn, TurnRefused};
pub use routes::routes;
pub use state::{
    ApiConfig, ApiState, Audit, Clock, InvalidApiConfig, MetricsSource, Module, Modules, NoProxies, ProxyStatus,
    SystemClock, Turns,
};
