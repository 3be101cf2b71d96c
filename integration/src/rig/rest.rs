//! The control plane's REST interface without a client library: for calls that a client would refuse to
//! send, and for tests that make many of them.

use anyhow::{ensure, Result};
use reqwest::Method;
use serde_json::Value;

use super::Rig;

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// The header `x-amzn-errortype`, empty when there is none.
    pub error: String,
    /// The body; `Null` when empty or not JSON.
    pub body: Value,
}

impl Answer {
    /// The `message` of an error.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Rig {
    /// One call, such as `(PUT, "/v20190125/meshes", body)`. The body is sent as it is.
    pub async fn call(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Result<Answer> {
        let url = format!("http://{}{path}", self.address());
        let response = self
            .client()
            .request(method, url)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        let status = response.status().as_u16();
        let error = response
            .headers()
            .get("x-amzn-errortype")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        Ok(Answer { status, error, body })
    }

    /// `PUT /v20190125/<path>` that must be accepted: creates on a collection, updates on an item.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.accepted(Method::PUT, &format!("/v20190125/{path}"), body).await
    }

    /// `GET /v20190125/<path>` that must be accepted.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.accepted(Method::GET, &format!("/v20190125/{path}"), &Value::Null)
            .await
    }

    /// `DELETE /v20190125/<path>` that must be accepted.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.accepted(Method::DELETE, &format!("/v20190125/{path}"), &Value::Null)
            .await
    }

    /// A call of any of the control plane's interfaces that must be accepted.
    pub async fn accepted(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let bytes = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let answer = self.call(method.clone(), path, bytes).await?;
        ensure!(
            answer.status == 200,
            "{method} {path} {body}: {} {} {}",
            answer.status,
            answer.error,
            answer.body
        );
        Ok(answer.body)
    }
}
