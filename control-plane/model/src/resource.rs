//! The App Mesh resources' wire form, one struct for each shape of the `appmesh/2019-01-25` service model.
//!
//! Names are the service model's, fields are its members in snake case. A member that the model requires is a plain
//! field, an optional one an `Option`, a list a `Vec` (an absent list and an empty one are the same here; the stored
//! specs keep the difference, see [`crate::record::Record`]). Unions are enums, so that exactly one member is present.
//! Shapes that App Mesh defines twice with the same members (for virtual nodes and for virtual gateways) are one struct
//! and a type alias under the second name.
//!
//! Limits are not checked here but by [`crate::shapes`]; the field docs repeat them for the reader.

mod connection_pool;
mod duration;
mod gateway_route;
mod health_check;
mod key;
mod logging;
mod mesh;
mod port;
mod retry;
mod route;
mod route_match;
mod service_discovery;
mod timeout;
mod tls;
mod virtual_gateway;
mod virtual_node;
mod virtual_router;
mod virtual_service;

pub use connection_pool::*;
pub use duration::*;
pub use gateway_route::*;
pub use health_check::*;
pub use key::*;
pub use logging::*;
pub use mesh::*;
pub use port::*;
pub use retry::*;
pub use route::*;
pub use route_match::*;
pub use service_discovery::*;
pub use timeout::*;
pub use tls::*;
pub use virtual_gateway::*;
pub use virtual_node::*;
pub use virtual_router::*;
pub use virtual_service::*;
