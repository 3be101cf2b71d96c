//! What the API knows of explanations: that somebody can give them.

use std::net::IpAddr;

use ferromesh_model::mesh::Mesh;
use ferromesh_model::Violation;
use serde_json::Value;

/// A request that somebody might send, for `POST /v1/explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who sends it: the name of a virtual node or virtual gateway, alone or behind `virtualNode/` or `virtualGateway/`.
    pub from: String,
    /// `http://…`, `https://…` or `tcp://…`.
    pub url: String,
    /// Method; `GET` by default.
    pub method: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The address that the connection comes from, if it matters.
    pub source: Option<IpAddr>,
    /// When it is sent, in milliseconds since 1970-01-01 UTC; absent: now.
    pub at_unix_millis: Option<u64>,
}

/// Says where a request would go in a mesh, and why.
pub trait Explainer: Send + Sync {
    /// The explanation as JSON.
    ///
    /// # Errors
    /// What is wrong with the question, each with the path of its member.
    fn explain(&self, mesh: &Mesh, question: &Question) -> Result<Value, Vec<Violation>>;
}

/// Explains nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoExplainer;

impl Explainer for NoExplainer {
    fn explain(&self, _mesh: &Mesh, _question: &Question) -> Result<Value, Vec<Violation>> {
        Err(vec![Violation::new("", "this server gives no explanations")])
    }
}
