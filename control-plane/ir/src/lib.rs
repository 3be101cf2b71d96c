//! What one Envoy must do, said without any Envoy type.
//!
//! [`lower::proxy`] turns a validated mesh into a [`Proxy`]: listeners, route tables, clusters and plugin settings of one
//! virtual node or virtual gateway. Everything that App Mesh did without saying so (default timeouts and retries, rewrites
//! at gateways, the way out to AWS) is explicit here, so that what reads a `Proxy` needs no defaults of its own.
//!
//! The crate is pure: no clock, no I/O, no protobuf. [`simulate`] answers which route a request would meet, over the same
//! data that gets emitted.
//!
//! ```
//! use std::collections::BTreeMap;
//! use ferromesh_ir::{lower, Options, ProxyKind};
//! use ferromesh_model::mesh::{Mesh, VirtualGateway};
//!
//! let spec = serde_json::from_str(r#"{"listeners":[{"portMapping":{"port":8080,"protocol":"http"}}]}"#).unwrap();
//! let mesh = Mesh {
//!     name: "m".into(),
//!     owner: "123456789012".into(),
//!     spec: Default::default(),
//!     virtual_nodes: BTreeMap::new(),
//!     virtual_services: BTreeMap::new(),
//!     virtual_routers: BTreeMap::new(),
//!     virtual_gateways: [("g".to_owned(), VirtualGateway { spec, routes: vec![] })].into(),
//!     policies: vec![],
//!     rollbacks: BTreeMap::new(),
//! };
//! let proxy = lower::proxy(&mesh, ProxyKind::VirtualGateway, "g", &Options::default()).unwrap();
//! assert_eq!(proxy.listeners[0].port, 8080);
//! ```

pub mod cluster;
pub mod guard;
pub mod lint;
pub mod listener;
pub mod lower;
pub mod matcher;
pub mod options;
pub mod proxy;
pub mod registry;
pub mod rollback;
pub mod route;
pub mod simulate;
pub mod tls;

pub use lint::Lint;
pub use options::{Imported, Options};
pub use proxy::{Proxy, ProxyKind, Reporter};
