//! Lints over a whole mesh: what was accepted, and is not live, or not as its author may expect.
//!
//! App Mesh took many configurations that its proxies then dropped without a word. Here every such place has a code that
//! stays the same, a severity, the reason and the mend, and a page of its own in `docs/lints/`. The codes FM1xx are found
//! while a proxy's configuration is made ([`ferromesh_ir::Proxy::lints`]); FM2xx need the whole mesh and are found here, on
//! what the proxies would do rather than on how it is written.
//!
//! ```
//! use ferromesh_analyze::analyze;
//! use ferromesh_ir::Options;
//! # use std::collections::BTreeMap;
//! # let mesh = ferromesh_model::mesh::Mesh {
//! #     name: "m".into(), owner: "123456789012".into(), spec: Default::default(), virtual_nodes: BTreeMap::new(),
//! #     virtual_services: BTreeMap::new(), virtual_routers: BTreeMap::new(), virtual_gateways: BTreeMap::new(),
//! #     policies: vec![], rollbacks: BTreeMap::new(),
//! # };
//! for finding in analyze(&mesh, &Options::default()) {
//!     println!("{} {} {}: {}", finding.severity, finding.code, finding.resource, finding.message);
//! }
//! ```

mod calls;
pub mod code;
mod cover;
mod finding;
mod names;
mod reach;
mod retries;
mod scene;
mod shadow;
mod tasks;
mod timeouts;
mod tls;

use std::collections::BTreeSet;

use ferromesh_ir::Options;
use ferromesh_model::mesh::Mesh;

pub use code::{Code, Explained};
pub use finding::{Finding, Severity};
use scene::Scene;

/// Everything that is doubtful about a mesh, the worst first, then by resource. `options` are those that its proxies are
/// made with.
pub fn analyze(mesh: &Mesh, options: &Options) -> Vec<Finding> {
    let scene = Scene::of(mesh, options);
    let mut found = BTreeSet::new();
    for lint in scene.all().flat_map(|proxy| &proxy.lints) {
        found.insert(Finding::lowered(lint));
    }
    let rules: [fn(&Scene<'_>) -> Vec<Finding>; 8] = [
        shadow::findings,
        retries::findings,
        timeouts::findings,
        tls::findings,
        tasks::findings,
        reach::findings,
        calls::findings,
        names::findings,
    ];
    for rule in rules {
        found.extend(rule(&scene));
    }
    found.into_iter().collect()
}
