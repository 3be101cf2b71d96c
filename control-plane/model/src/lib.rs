//! App Mesh resources as Ferromesh sees them: the wire form that clients send and the validated form that everything
//! behind the API works with.
//!
//! The flow inside this crate is one-directional:
//!
//! 1. [`shapes`] checks a JSON value against App Mesh's own constraints (unknown members, types, limits, unions).
//! 2. [`resource`] holds the typed specs, [`record`] the stored form of one resource, [`policy`] our own side resources,
//!    [`registry`] the tasks that stand where AWS Cloud Map stood.
//! 3. [`validate`] holds the rules that one resource alone cannot answer: references, listeners, deletion.
//! 4. [`mesh::Mesh::assemble`] makes the typed view of one whole mesh, which is what gets lowered to Envoy.
//!
//! ```
//! use ferromesh_model::resource::{Kind, RouteSpec};
//! use ferromesh_model::validate;
//!
//! let spec = serde_json::json!({"httpRoute": {
//!     "match": {"prefix": "/"},
//!     "action": {"weightedTargets": [{"virtualNode": "blue", "weight": 90}, {"virtualNode": "green", "weight": 10}]}
//! }});
//! assert!(validate::spec(Kind::Route, &spec).is_empty());
//! let typed: RouteSpec = serde_json::from_value(spec)?;
//! assert_eq!(typed.http_route.map(|route| route.action.weighted_targets.len()), Some(2));
//!
//! let wrong = serde_json::json!({"httpRoute": {"match": {"prefix": "red"}, "action": {"weightedTargets": [
//!     {"virtualNode": "blue", "weight": 1}
//! ]}}});
//! let found = validate::spec(Kind::Route, &wrong);
//! assert_eq!(found[0].to_string(), "spec.httpRoute.match.prefix: must start with '/', is \"red\"");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod describe;
pub mod mesh;
pub mod policy;
pub mod record;
pub mod registry;
pub mod resource;
pub mod rollback;
pub mod shapes;
pub mod url;
pub mod validate;

mod generated;

mod violation;

pub use describe::describe;
pub use violation::Violation;
