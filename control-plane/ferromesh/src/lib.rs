//! The parts of the `ferromesh` program, as a library so that tests and tools can use them.
//!
//! | part | what it is |
//! |---|---|
//! | [`proxy`] | `ferromesh proxy`: bootstrap, Envoy process, agent API |
//! | [`redirect`] | `ferromesh redirect`: the packet rules that lead traffic through the proxy |
//! | [`serve`] | `ferromesh serve`: settings, modules, status |
//! | [`authority`] | the built-in CA, for certificates that resources name by ARN |
//! | [`certificates`] | certificates that were imported for ARNs, their keys sealed |
//! | [`modules`] | sets of filter modules, judged, kept and chosen by meshes |
//! | [`rollback`] | canaries compared over all proxies |
//! | [`rollout`] | changes go to one proxy, then a share, then all |
//! | [`config_file`] | settings of a command that are not flags |
//! | [`store`], [`backup`] | which store, and the whole of it as a file |
//! | [`sharing`] | proxies of accounts with which a mesh was shared |
//! | [`publisher`] | from the store to snapshots: the last good one stays |
//! | [`guard`] | who may have which proxy's snapshots: certificates, revocations, quotas |
//! | [`server`] | the accept loop with its time limits |
//! | [`rate_limit_service`] | `ferromesh rate-limit-service`: counts over all proxies |
//! | [`client`] | `ferromesh apply`, `get`, `delete`, `status`, `module` |
//! | [`identity`] | which proxy an Envoy says it is |
//!
//! ```
//! use ferromesh::identity::Identity;
//!
//! let identity = Identity::parse("arn:aws:appmesh:eu-west-1:123456789012:mesh/shop/virtualNode/web")?;
//! assert_eq!(identity.key().to_string(), "mesh/shop/virtualNode/web");
//! # Ok::<(), ferromesh::identity::InvalidIdentity>(())
//! ```

pub mod address;
pub mod authority;
pub mod backup;
pub mod certificates;
pub mod client;
pub mod config_file;
pub mod exit;
pub mod guard;
pub mod identity;
pub mod log;
pub mod memory;
pub mod modules;
pub mod proxy;
pub mod publisher;
pub mod rate_limit_service;
pub mod redirect;
pub mod rollback;
pub mod rollout;
pub mod serve;
pub mod server;
pub mod sharing;
pub mod store;
pub mod termination;
pub mod timestamp;
