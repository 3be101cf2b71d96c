//! Explanations: the simulator over what the server would send its proxies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferromesh_api::{Explainer, Question};
use ferromesh_ir::simulate;
use ferromesh_model::{mesh::Mesh, Violation};
use serde_json::Value;

/// Explains with the behaviour that the server gives its proxies, and with the names that they know.
#[derive(Clone, Debug)]
pub struct Simulator {
    lowering: ferromesh_ir::Options,
}

impl Simulator {
    /// With the settings that snapshots are made with.
    pub fn new(lowering: ferromesh_ir::Options) -> Self {
        Self { lowering }
    }
}

impl Explainer for Simulator {
    fn explain(&self, mesh: &Mesh, question: &Question) -> Result<Value, Vec<Violation>> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let question = simulate::Question {
            from: question.from.clone(),
            url: question.url.clone(),
            method: question.method.clone(),
            headers: question.headers.clone(),
            circumstances: simulate::Circumstances {
                unix: question.at_unix_millis.map_or_else(now, Duration::from_millis),
                source: question.source,
            },
        };
        let explanation = simulate::explain(mesh, &self.lowering, &question, &ferromesh_emit::names::cluster)?;
        serde_json::to_value(explanation).map_err(|error| {
            vec![Violation::new(
                "",
                format!("the explanation cannot be written: {error}"),
            )]
        })
    }
}
