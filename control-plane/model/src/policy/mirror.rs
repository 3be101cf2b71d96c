//! Requests that are sent a second time, to a target whose answers nobody waits for.

use serde::{Deserialize, Serialize};

use super::check::{m, NAME, PERCENT, PORT};
use crate::shapes::{Shape, Type};

/// A target that gets copies of requests. Its answers are thrown away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// The virtual node of the mesh.
    pub virtual_node: String,
    /// Port of its listener; may be left out where it has only one of the route's protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Share of the requests in per cent, 0 to 100; 100 when absent. What is finer than 0.0001 is rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
}

pub(super) static MIRROR: Shape = Shape {
    name: "Mirror",
    ty: Type::Structure(&[
        m("virtualNode", &NAME, true),
        m("port", &PORT, false),
        m("percent", &PERCENT, false),
    ]),
};
