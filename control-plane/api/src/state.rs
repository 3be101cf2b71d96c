//! What the API works on and what it is configured with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ferromesh_model::validate::Quotas;
use ferromesh_store::Store;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::access::Admission;
use crate::audit::AuditLimits;
use crate::certificates::{Certificates, NoCertificates};
use crate::explanation::{Explainer, NoExplainer};
use crate::identity::{JoinRefusals, NoProxyIdentities, ProxyIdentities};
use crate::module_sets::{ModuleSets, NoModuleSets};
use crate::preview::{NoPreviewer, Previewer};
use crate::rollback::{Comparisons, NoComparisons};
use crate::rollouts::{Events, NoRollouts, Rollouts};

/// Settings of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Region in ARNs; `us-east-1` by default.
    pub region: String,
    /// The server's own account, 12 digits, for which everybody acts of whom no other is known; `123456789012` by
    /// default.
    pub account: String,
    /// Most bytes of a request's body; 256 KiB by default.
    pub max_body_bytes: usize,
    /// Most bytes of a change set; 4 MiB by default.
    pub max_change_set_bytes: usize,
    /// Most bytes of a request that adds a module set; 6 MiB by default: two modules of 2 MiB in base64.
    pub max_module_set_bytes: usize,
    /// Most resources of each kind; unlimited by default.
    pub quotas: Quotas,
    /// How much of the audit record is kept.
    pub audit: AuditLimits,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            max_body_bytes: 256 << 10,
            max_change_set_bytes: 4 << 20,
            max_module_set_bytes: 6 << 20,
            quotas: Quotas::default(),
            audit: AuditLimits::default(),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiConfig {
    /// The account is no AWS account id.
    #[error("account must be 12 digits, is {0:?}")]
    Account(String),
    /// The region cannot stand in an ARN.
    #[error("region must consist of lower case letters, digits and '-', is {0:?}")]
    Region(String),
}

impl ApiConfig {
    /// Settings with this region and account and defaults for the rest.
    ///
    /// # Errors
    /// A region or account that cannot stand in an ARN.
    pub fn try_new(region: impl Into<String>, account: impl Into<String>) -> Result<Self, InvalidApiConfig> {
        let (region, account) = (region.into(), account.into());
        if !is_account(&account) {
            return Err(InvalidApiConfig::Account(account));
        }
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || !region.bytes().all(fits) {
            return Err(InvalidApiConfig::Region(region));
        }
        Ok(Self {
            region,
            account,
            ..Self::default()
        })
    }
}

impl ApiConfig {
    /// Most bytes of the body of a request with this path.
    pub(crate) fn max_bytes(&self, path: &str) -> usize {
        match path {
            "/v1/changes" => self.max_change_set_bytes,
            "/v1/modules" => self.max_module_set_bytes,
            _ => self.max_body_bytes,
        }
    }
}

/// What the API works on. [`ApiState::new`] has defaults for everything but the store:
///
/// ```no_run
/// # use std::sync::Arc;
/// # use ferromesh_api::{ApiConfig, ApiState};
/// # fn example(store: Arc<dyn ferromesh_store::Store>) -> Result<ApiState, Box<dyn std::error::Error>> {
/// let config = ApiConfig::try_new("eu-west-1", "210987654321")?;
/// Ok(ApiState { config, ..ApiState::new(store) })
/// # }
/// ```
#[derive(Clone)]
pub struct ApiState {
    /// Where resources are kept.
    pub store: Arc<dyn Store>,
    /// Settings.
    pub config: ApiConfig,
    /// Modules that are served; none by default.
    pub modules: Arc<Modules>,
    /// Who keeps module sets and what meshes choose of them; nobody by default.
    pub module_sets: Arc<dyn ModuleSets>,
    /// Writers take turns by these.
    pub turns: Turns,
    /// What is known of connected proxies; none by default.
    pub proxies: Arc<dyn ProxyStatus>,
    /// Who compares canaries with their baselines over all proxies; nobody by default.
    pub comparisons: Arc<dyn Comparisons>,
    /// Who rolls changes out; nobody by default.
    pub rollouts: Arc<dyn Rollouts>,
    /// Who tells what happens; nobody by default.
    pub events: Arc<dyn Events>,
    /// Who keeps certificates; nobody by default.
    pub certificates: Arc<dyn Certificates>,
    /// Who issues certificates to proxies; nobody by default.
    pub identities: Arc<dyn ProxyIdentities>,
    /// How many of those who asked for such a certificate were refused.
    pub join_refusals: Arc<JoinRefusals>,
    /// Who says where a request would go; nobody by default.
    pub explainer: Arc<dyn Explainer>,
    /// Who says what a change would come to; nobody by default.
    pub previewer: Arc<dyn Previewer>,
    /// Where the time comes from; the system's clock by default.
    pub clock: Arc<dyn Clock>,
    /// Whom the server answers; everybody by default.
    pub admission: Admission,
    /// Whether there is an audit record; there is none by default.
    pub audit: Audit,
    /// Metrics of other parts of the control plane, shown after the API's own; none by default.
    pub metrics: Vec<Arc<dyn MetricsSource>>,
}

impl ApiState {
    /// State over a store, with defaults for the rest.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            config: ApiConfig::default(),
            modules: Arc::new(Modules::default()),
            module_sets: Arc::new(NoModuleSets),
            turns: Turns::default(),
            proxies: Arc::new(NoProxies),
            comparisons: Arc::new(NoComparisons),
            rollouts: Arc::new(NoRollouts),
            events: Arc::new(NoRollouts),
            certificates: Arc::new(NoCertificates),
            identities: Arc::new(NoProxyIdentities),
            join_refusals: Arc::default(),
            explainer: Arc::new(NoExplainer),
            previewer: Arc::new(NoPreviewer),
            clock: Arc::new(SystemClock),
            admission: Admission::Everybody,
            audit: Audit::Off,
            metrics: Vec::new(),
        }
    }
}

/// Writers of one process take turns, so that a change is not judged again and again because others commit meanwhile.
/// Other processes over the same store are kept apart by the store's compares. Clones are the same turns.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<()>>);

impl Turns {
    /// Waits for a turn, which ends when it is dropped.
    pub(crate) fn wait(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether who did what is recorded in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// It is: every change with it, and what was refused.
    On,
    /// It is not.
    Off,
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 UTC, with a fraction.
    fn now(&self) -> f64;
}

/// The system's clock, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> f64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Whole milliseconds below 2^53 divide without loss that a printed number would show.
        since.as_millis() as f64 / 1000.0
    }
}

/// What is known of connected proxies and what was delivered to them.
pub trait ProxyStatus: Send + Sync {
    /// All proxies, each a JSON object with at least `id`.
    fn list(&self) -> Vec<Value>;

    /// One proxy by its id, which may hold slashes.
    fn get(&self, id: &str) -> Option<Value>;
}

/// No proxies at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProxies;

impl ProxyStatus for NoProxies {
    fn list(&self) -> Vec<Value> {
        Vec::new()
    }

    fn get(&self, _id: &str) -> Option<Value> {
        None
    }
}

/// Metrics of another part of the control plane.
pub trait MetricsSource: Send + Sync {
    /// Appends metrics in Prometheus' text format, each family with its `# TYPE` line.
    fn write(&self, text: &mut String);
}

/// A wasm module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Name: `mesh`.
    pub name: String,
    /// SHA-256 of the bytes, 64 lower case hexadecimal digits.
    pub sha256: String,
    /// The module.
    pub bytes: Bytes,
}

/// The modules that are served, by their SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules {
    by_hash: BTreeMap<String, Module>,
}

impl Modules {
    /// Modules with their names.
    pub fn new(modules: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let by_hash = modules.into_iter().map(|(name, bytes)| {
            let sha256 = hex(&Sha256::digest(&bytes));
            (sha256.clone(), Module { name, sha256, bytes })
        });
        Self {
            by_hash: by_hash.collect(),
        }
    }

    /// The module with this SHA-256.
    pub fn get(&self, sha256: &str) -> Option<&Module> {
        self.by_hash.get(sha256)
    }

    /// All modules in the order of their names.
    pub fn list(&self) -> Vec<&Module> {
        let mut modules: Vec<_> = self.by_hash.values().collect();
        modules.sort_by(|a, b| a.name.cmp(&b.name));
        modules
    }
}

/// Whether this can be the id of an account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Lower case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_accounts_and_regions_that_fit_into_arns() {
        assert!(ApiConfig::try_new("eu-west-1", "000000000001").is_ok());
        assert!(ApiConfig::try_new("eu-west-1", "1").is_err());
        assert!(ApiConfig::try_new("eu-west-1", "12345678901x").is_err());
        assert!(ApiConfig::try_new("", "000000000001").is_err());
        assert!(ApiConfig::try_new("eu:west", "000000000001").is_err());
    }

    #[test]
    fn names_modules_by_their_hash() {
        let modules = Modules::new([("empty".to_owned(), Bytes::new())]);
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(modules.get(hash).map(|module| module.name.as_str()), Some("empty"));
        assert_eq!(modules.get("00"), None);
    }
}
