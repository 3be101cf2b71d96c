//! A server inside the client: gives it an answer that is at hand, and keeps what it would have sent.
//!
//! The SDK has types for specs, and neither reads nor writes them as JSON by itself. So its own code for answers reads a
//! spec of the table, and its own code for requests writes the spec that it got.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    http_client_fn, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{json, Value};

/// The stand-in for a server.
#[derive(Clone, Debug, Default)]
pub struct Mirror(Arc<Mutex<Exchange>>);

#[derive(Debug, Default)]
struct Exchange {
    answer: String,
    request: Option<Value>,
}

impl Mirror {
    /// A connection to it.
    pub fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// What it answers from now on: a resource of any kind with this spec.
    pub fn answer(&self, spec: &Value) {
        let names: serde_json::Map<String, Value> = [
            "mesh",
            "virtualNode",
            "virtualRouter",
            "route",
            "virtualService",
            "virtualGateway",
            "gatewayRoute",
        ]
        .map(|kind| (format!("{kind}Name"), json!("any")))
        .into_iter()
        .collect();
        let metadata = json!({
            "arn": "", "createdAt": 0, "lastUpdatedAt": 0, "meshOwner": "", "resourceOwner": "", "uid": "", "version": 1,
        });
        let mut body = Value::Object(names);
        body["spec"] = spec.clone();
        body["metadata"] = metadata;
        body["status"] = json!({"status": "ACTIVE"});
        self.exchange(|exchange| exchange.answer = body.to_string());
    }

    /// The body of the last request.
    pub fn request(&self) -> Option<Value> {
        self.exchange(|exchange| exchange.request.take())
    }

    fn exchange<T>(&self, act: impl FnOnce(&mut Exchange) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpConnector for Mirror {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = request
            .body()
            .bytes()
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        let answer = self.exchange(|exchange| {
            exchange.request = sent;
            exchange.answer.clone()
        });
        let status = 200.try_into().expect("200 is a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
    }
}
