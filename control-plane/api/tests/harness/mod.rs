//! An API over a new store, called in process.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::sync::Arc;

use bytes::Bytes;
use ferromesh_api::{routes, ApiState};
use ferromesh_model::shapes;
use ferromesh_store::{RedbStore, Store};
use serde_json::Value;
use warp::filters::BoxedFilter;
use warp::reply::Response;

/// The API and what it stands on.
pub struct Api {
    pub store: Arc<RedbStore>,
    pub routes: BoxedFilter<(Response,)>,
    _folder: tempfile::TempDir,
}

/// An answer, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// `x-amzn-errortype`, or empty.
    pub error: String,
    pub body: Value,
}

impl Answer {
    /// Name of the error, after a look at its form.
    pub fn refused(&self) -> (u16, &str, &str) {
        assert!(self.body["message"].is_string(), "{self:?}");
        assert_eq!(self.body.as_object().map(serde_json::Map::len), Some(1), "{self:?}");
        (
            self.status,
            &self.error,
            self.body["message"].as_str().unwrap_or_default(),
        )
    }

    /// The body of a success, after a look at its form.
    pub fn ok(self, operation: &str) -> Value {
        assert_eq!((self.status, self.error.as_str()), (200, ""), "{self:?}");
        let operation = shapes::operations()
            .iter()
            .find(|known| known.name == operation)
            .expect("an operation");
        let violations = shapes::check_against(operation.output, &self.body);
        assert_eq!(violations, [], "{self:?}");
        self.body
    }
}

impl Api {
    pub fn new() -> Self {
        Self::with(|state| state)
    }

    pub fn with(change: impl FnOnce(ApiState) -> ApiState) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Arc::new(RedbStore::open(folder.path().join("store.redb")).expect("a new store"));
        let routes = routes(change(ApiState::new(store.clone())));
        Self {
            store,
            routes,
            _folder: folder,
        }
    }

    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Bytes>) -> http::Response<Bytes> {
        let body: Bytes = body.into();
        warp::test::request()
            .method(method)
            .path(path)
            .body(body)
            .reply(&self.routes)
            .await
    }

    /// Calls a path below `/v20190125`.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.text(method, &format!("/v20190125{path}"), body).await
    }

    pub async fn text(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        let response = self.raw(method, path, body).await;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap_or("?").to_owned())
        };
        assert!(header("x-amzn-requestid").is_some(), "every answer has a request id");
        assert_eq!(
            header("content-type").as_deref(),
            Some("application/json"),
            "{response:?}"
        );
        Answer {
            status: response.status().as_u16(),
            error: header("x-amzn-errortype").unwrap_or_default(),
            body: serde_json::from_slice(response.body()).expect("a JSON body"),
        }
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        let answer = self.call("PUT", path, body).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// Everything stored, to see that nothing changed.
    pub fn stored(&self) -> (u64, Vec<ferromesh_store::Stored>) {
        let listing = self.store.list("", None, None).expect("list");
        (listing.revision, listing.entries)
    }
}
