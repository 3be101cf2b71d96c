//! Module sets over the API: what a request may look like, and what is made of it.

mod harness;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ferromesh_api::{ApiError, Author, ErrorKind, ModuleSets, NewModuleSet};
use ferromesh_store::Store;
use harness::Api;
use serde_json::{json, Value};

/// Notes what it is asked, and knows the mesh `m` and the set `1`.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, text: String) {
        self.0.lock().expect("notes").push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("notes"))
    }
}

impl ModuleSets for Notes {
    fn list(&self, _: &dyn Store) -> Result<Vec<Value>, ApiError> {
        Ok(vec![json!({"version": "1"})])
    }

    fn get(&self, _: &dyn Store, version: &str) -> Result<Option<Value>, ApiError> {
        Ok((version == "1").then(|| json!({"version": "1"})))
    }

    fn add(&self, _: &dyn Store, by: &Author, set: &NewModuleSet) -> Result<Value, ApiError> {
        let modules = set.modules.iter().map(|module| {
            let (sha256, signature) = (&module.sha256, &module.signature);
            format!("{} {:?} {sha256:?} {signature:?}", module.name, module.bytes)
        });
        let modules: Vec<_> = modules.collect();
        self.note(format!(
            "add {} by {}: {}",
            set.version,
            by.principal,
            modules.join(", ")
        ));
        Ok(json!({"version": set.version}))
    }

    fn delete(&self, _: &dyn Store, version: &str) -> Result<Option<Value>, ApiError> {
        if version == "1" {
            return Err(ApiError::new(ErrorKind::ResourceInUse, "used"));
        }
        Ok(None)
    }

    fn choice(&self, _: &dyn Store, mesh: &str) -> Result<Option<Value>, ApiError> {
        Ok((mesh == "m").then(|| json!({"mesh": mesh})))
    }

    fn choose(
        &self,
        _: &dyn Store,
        _: &Author,
        mesh: &str,
        version: &str,
        reason: Option<&str>,
    ) -> Result<Option<Value>, ApiError> {
        self.note(format!("choose {mesh} {version} {reason:?}"));
        Ok((mesh == "m").then(|| json!({"mesh": mesh, "version": version})))
    }

    fn roll_back(
        &self,
        _: &dyn Store,
        _: &Author,
        mesh: &str,
        reason: Option<&str>,
    ) -> Result<Option<Value>, ApiError> {
        self.note(format!("back {mesh} {reason:?}"));
        Ok((mesh == "m").then(|| json!({"mesh": mesh})))
    }

    fn file(&self, sha256: &str) -> Result<Option<Bytes>, ApiError> {
        Ok((sha256 == "abc").then(|| Bytes::from_static(b"\0asm of a set")))
    }
}

fn api() -> (Arc<Notes>, Api) {
    let notes = Arc::new(Notes::default());
    let sets = notes.clone();
    let api = Api::with(|mut state| {
        state.module_sets = sets;
        state
    });
    (notes, api)
}

#[tokio::test]
async fn a_set_is_read_from_base64_with_what_is_said_of_it() {
    let (notes, api) = api();
    let set = json!({"version": "1.4", "modules": {
        "mesh": {"wasm": "AGFzbQ==", "sha256": "ab", "signature": "s"},
        "mesh-lean": {"wasm": "AGFzbQ=="},
    }});
    assert_eq!(
        api.text("POST", "/v1/modules", set.to_string()).await.body["version"],
        "1.4"
    );
    let expected = "add 1.4 by anonymous: mesh b\"\\0asm\" Some(\"ab\") Some(\"s\"), mesh-lean b\"\\0asm\" None None";
    assert_eq!(notes.take(), [expected]);
}

#[tokio::test]
async fn what_is_wrong_with_a_set_is_said_with_its_member() {
    let (notes, api) = api();
    for (body, message) in [
        (json!({"modules": {}}), "version: is missing"),
        (json!({"version": 1}), "version: must be a string"),
        (
            json!({"version": "1", "sets": 1}),
            "sets: is unknown; known are version, modules",
        ),
        (
            json!({"version": "1", "modules": []}),
            "modules: must be an object of modules by their names",
        ),
        (
            json!({"version": "1", "modules": {"mesh": "AA=="}}),
            "modules.mesh: must be an object",
        ),
        (
            json!({"version": "1", "modules": {"mesh": {}}}),
            "modules.mesh.wasm: is missing",
        ),
        (
            json!({"version": "1", "modules": {"mesh": {"wasm": 1}}}),
            "modules.mesh.wasm: must be a string",
        ),
        (
            json!({"version": "1", "modules": {"mesh": {"wasm": "A"}}}),
            "modules.mesh.wasm: must be base64 with its padding",
        ),
        (
            json!({"version": "1", "modules": {"mesh": {"wasm": "AA==", "url": "http://a"}}}),
            "modules.mesh.url: is unknown; known are wasm, sha256, signature",
        ),
    ] {
        let answer = api.text("POST", "/v1/modules", body.to_string()).await;
        assert_eq!(answer.body["message"], message, "{body}");
        assert_eq!(answer.refused().0, 400);
    }
    assert_eq!(notes.take(), [] as [&str; 0]);
}

#[tokio::test]
async fn sets_may_be_larger_than_other_bodies_up_to_a_limit() {
    let (notes, api) = api();
    let set =
        |bytes: usize| json!({"version": "1", "modules": {"mesh": {"wasm": "AAAA".repeat(bytes / 3)}}}).to_string();
    assert_eq!(api.text("POST", "/v1/modules", set(4 << 20)).await.status, 200);
    assert_eq!(notes.take().len(), 1);
    let answer = api.text("POST", "/v1/modules", set(5 << 20)).await;
    assert_eq!(answer.body["message"], "body: must have at most 6291456 bytes");
    assert_eq!(notes.take(), [] as [&str; 0]);
}

#[tokio::test]
async fn meshes_choose_and_go_back() {
    let (notes, api) = api();
    const PATH: &str = "/v1/meshes/m/module";
    assert_eq!(api.text("GET", PATH, "").await.body["mesh"], "m");
    let wish = json!({"version": "1", "reason": "why"}).to_string();
    assert_eq!(api.text("PUT", PATH, wish).await.body["version"], "1");
    assert_eq!(api.text("POST", "/v1/meshes/m/module/rollback", "").await.status, 200);
    assert_eq!(
        api.text("POST", "/v1/meshes/m/module/rollback", r#"{"reason": "bad"}"#)
            .await
            .status,
        200
    );
    assert_eq!(
        notes.take(),
        ["choose m 1 Some(\"why\")", "back m None", "back m Some(\"bad\")"]
    );
    for (method, path) in [("GET", "/v1/meshes/x/module"), ("POST", "/v1/meshes/x/module/rollback")] {
        assert_eq!(api.text(method, path, "").await.refused().0, 404);
    }
    let long = json!({"version": "1", "reason": "x".repeat(501)});
    for (body, message) in [
        (json!({}), "version: is missing"),
        (
            json!({"version": "1", "force": true}),
            "force: is unknown; known are version, reason",
        ),
        (json!({"version": ["1"]}), "version: must be a string"),
        (long, "reason: must have at most 500 bytes, has 501"),
    ] {
        let answer = api.text("PUT", PATH, body.to_string()).await;
        assert_eq!(answer.body["message"], message);
    }
}

#[tokio::test]
async fn sets_are_listed_beside_the_built_in_modules_and_their_files_are_served() {
    let (_, api) = api();
    let list = api.text("GET", "/v1/modules", "").await.body;
    assert_eq!(list, json!({"modules": [], "sets": [{"version": "1"}]}));
    assert_eq!(api.text("GET", "/v1/modules/1", "").await.body["version"], "1");
    assert_eq!(api.text("GET", "/v1/modules/2", "").await.refused().0, 404);
    assert_eq!(api.text("DELETE", "/v1/modules/1", "").await.refused().0, 409);
    assert_eq!(api.text("DELETE", "/v1/modules/2", "").await.refused().0, 404);
    let file = api.raw("GET", "/modules/abc.wasm", "").await;
    assert_eq!(file.body().as_ref(), b"\0asm of a set");
    assert_eq!(file.headers()["etag"], "\"abc\"");
    assert_eq!(api.text("GET", "/modules/abd.wasm", "").await.refused().0, 404);
}
