//! A server with keys, called in process.

use std::sync::Arc;

use bytes::Bytes;
use ferromesh_api::{
    create_key, routes, Admission, ApiState, Audit, Binding, NewKey, Role, Seal, Subject, Unopened, WithoutKeys,
};
use ferromesh_store::RedbStore;
use serde_json::{json, Value};
use warp::filters::BoxedFilter;
use warp::reply::Response;

pub const ACCOUNT: &str = "123456789012";
pub const NOW: f64 = 1_790_000_000.0;

/// Seals nothing: what is tested here are rights.
pub struct Open;

impl Seal for Open {
    fn seal(&self, text: &str, _: &[u8]) -> Result<Value, Unopened> {
        Ok(json!(text))
    }

    fn open(&self, sealed: &Value, _: &[u8]) -> Result<String, Unopened> {
        sealed.as_str().map(str::to_owned).ok_or(Unopened("no text".to_owned()))
    }

    fn is_newest(&self, _: &Value) -> bool {
        true
    }
}

pub struct Server {
    pub store: Arc<RedbStore>,
    routes: BoxedFilter<(Response,)>,
    _folder: tempfile::TempDir,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub error: String,
    pub body: Value,
}

impl Answer {
    pub fn is_denied(&self) -> bool {
        (self.status, self.error.as_str()) == (403, "AccessDeniedException")
    }
}

impl Server {
    pub fn new(without_keys: WithoutKeys) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(RedbStore::open(folder.path().join("store.redb")).expect("a store"));
        let state = ApiState {
            admission: Admission::Keys {
                seal: Arc::new(Open),
                without_keys,
            },
            audit: Audit::On,
            ..ApiState::new(store.clone())
        };
        Self {
            store,
            routes: routes(state),
            _folder: folder,
        }
    }

    /// A token of a principal with these bindings. The first one is an admin's.
    pub fn token(&self, principal: &str, bindings: &[Binding]) -> String {
        let new = NewKey {
            principal: principal.to_owned(),
            bindings: bindings.to_vec(),
            bearer: true,
            ..NewKey::default()
        };
        let created = create_key(self.store.as_ref(), &Open, &new, ACCOUNT, NOW);
        created.expect("a key").secret
    }

    pub async fn call(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = warp::test::request()
            .method(method)
            .path(path)
            .body(Bytes::from(body.to_owned()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.reply(&self.routes).await;
        let error = response.headers().get("x-amzn-errortype");
        Answer {
            status: response.status().as_u16(),
            error: error
                .map(|value| value.to_str().unwrap_or_default().to_owned())
                .unwrap_or_default(),
            body: serde_json::from_slice(response.body()).unwrap_or(Value::Null),
        }
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(Some(token), "GET", path, &[], "").await
    }
}

pub fn binding(role: Role, mesh: &str, kinds: &[Subject]) -> Binding {
    Binding {
        role,
        mesh: mesh.to_owned(),
        kinds: kinds.to_vec(),
    }
}
