//! Policies through the control plane's interface, and when a gateway has them.

use anyhow::Result;
use reqwest::Method;
use serde_json::{json, Value};

use crate::{
    rig::{eventually, PATIENCE},
    two_colours::TwoColours,
};

/// The response header by which a policy shows that it is in effect.
const SHOWN: &str = "x-policy-in-effect";

impl TwoColours {
    /// Makes or replaces a policy for `target` and returns when the gateway's answers at `path` show that it is in effect.
    /// The answers that it takes until then are forgotten; faults are to be injected later.
    pub async fn policy_for(&self, name: &str, target: Value, spec: &Value, path: &str) -> Result<()> {
        let mut spec = spec.clone();
        spec["headers"] = json!({"response": [{"set": {"name": SHOWN, "value": name}}]});
        let policy = json!({"target": target, "spec": spec});
        self.rig
            .accepted(Method::PUT, &format!("/v1/policies/colours/{name}"), &policy)
            .await?;
        self.shows(path, Some(name)).await
    }

    /// The same for the whole mesh.
    pub async fn policy(&self, name: &str, spec: &Value) -> Result<()> {
        self.policy_for(name, json!({"mesh": {}}), spec, "/").await
    }

    /// Waits until the gateway's answers at `path` show this policy, or none.
    pub async fn shows(&self, path: &str, name: Option<&str>) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = self.url(path);
        eventually("the gateway has the policy", PATIENCE, async || {
            let answer = client.get(&url).send().await.ok()?;
            let shown = answer.headers().get(SHOWN).and_then(|value| value.to_str().ok());
            (shown == name).then_some(())
        })
        .await?;
        self.blue.forget();
        self.green.forget();
        Ok(())
    }
}
