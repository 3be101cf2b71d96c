//! Join tokens, certificates of proxies, revocations.

mod harness;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ferromesh_api::{revocations, ApiError, ApiState, Clock, IssuedIdentity, ProvenProxy, ProxyIdentities};
use harness::{Answer, Api};
use serde_json::{json, Value};

const TOKENS: &str = "/v1/join-tokens";
const CERTIFICATES: &str = "/v1/identity/certificates";
const REVOCATIONS: &str = "/v1/identity/revocations";
const NODE: &str = "mesh/m/virtualNode/n";

/// Notes for whom it issues.
#[derive(Default)]
struct Issuer(Mutex<Vec<String>>);

impl ProxyIdentities for Issuer {
    fn issue(&self, proxy: &str, request: &str) -> Result<IssuedIdentity, ApiError> {
        if request == "bad" {
            return Err(ApiError::bad_request("csr: is bad"));
        }
        self.0.lock().expect("a lock").push(proxy.to_owned());
        Ok(IssuedIdentity {
            certificate_chain: format!("chain of {proxy}"),
            root: "root".to_owned(),
            not_after: 1.0,
            serial: "01".to_owned(),
        })
    }
}

struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

struct Bench {
    api: Api,
    issuer: Arc<Issuer>,
    clock: Arc<Hands>,
}

impl Bench {
    fn new() -> Self {
        let issuer = Arc::new(Issuer::default());
        let clock = Arc::new(Hands(AtomicU64::new(1_000_000)));
        let (identities, hands) = (Arc::clone(&issuer), Arc::clone(&clock));
        let api = Api::with(|state| ApiState {
            identities,
            clock: hands,
            ..state
        });
        Self { api, issuer, clock }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.api.text("POST", path, body.to_string()).await
    }

    async fn token(&self, body: Value) -> Value {
        let answer = self.post(TOKENS, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    async fn join(&self, token: &Value) -> Answer {
        self.post(CERTIFICATES, json!({"csr": "x", "token": token["token"]}))
            .await
    }

    /// On a connection that proves something.
    async fn renew(&self, proven: Option<Result<&str, &str>>) -> (u16, Value) {
        let mut request = warp::test::request()
            .method("POST")
            .path(CERTIFICATES)
            .body(r#"{"csr": "x"}"#);
        if let Some(proven) = proven {
            request = request.extension(ProvenProxy(proven.map(str::to_owned).map_err(str::to_owned)));
        }
        let answer = request.reply(&self.api.routes).await;
        let body = serde_json::from_slice(answer.body()).expect("JSON");
        (answer.status().as_u16(), body)
    }

    fn issued(&self) -> Vec<String> {
        self.issuer.0.lock().expect("a lock").clone()
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_proxy_its_uses_and_its_time() {
    let bench = Bench::new();
    let token = bench.token(json!({"proxy": NODE, "uses": 2, "ttlSeconds": 60})).await;
    let answer = bench.join(&token).await;
    assert_eq!(answer.body["certificateChain"], json!(format!("chain of {NODE}")));
    assert_eq!(bench.join(&token).await.status, 200);
    let spent = bench.join(&token).await;
    assert_eq!((spent.status, spent.error.as_str()), (403, "AccessDeniedException"));
    let listed = bench.api.text("GET", TOKENS, "").await.body;
    assert_eq!(
        (&listed["tokens"][0]["used"], &listed["tokens"][0]["uses"]),
        (&json!(2), &json!(2))
    );

    let late = bench
        .token(json!({"proxy": "mesh/m/virtualGateway/g", "ttlSeconds": 60}))
        .await;
    bench.clock.0.fetch_add(60, Ordering::Relaxed);
    let refused = bench.join(&late).await;
    assert_eq!(
        refused.refused().2,
        spent.refused().2,
        "the same words, whatever is wrong"
    );
    assert_eq!(bench.issued().len(), 2);
}

#[tokio::test]
async fn the_secret_is_shown_once_and_only_its_hash_is_kept() {
    let bench = Bench::new();
    let token = bench.token(json!({"proxy": NODE})).await;
    let secret = token["token"].as_str().expect("a token");
    assert!(secret.starts_with("fmj_") && secret.len() > 64, "{secret}");
    let kept = |what: &str| {
        let (_, entries) = bench.api.stored();
        entries
            .iter()
            .any(|stored| String::from_utf8_lossy(&stored.value).contains(what))
    };
    assert!(!kept(secret) && !kept(secret.rsplit('_').next().expect("a part")));
    let listed = bench.api.text("GET", TOKENS, "").await.body.to_string();
    assert!(!listed.contains("fmj_") && listed.contains(NODE), "{listed}");
    let id = token["id"].as_str().expect("an id");
    assert_eq!(
        bench.api.text("DELETE", &format!("{TOKENS}/{id}"), "").await.status,
        200
    );
    assert_eq!(bench.join(&token).await.status, 403);
    assert_eq!(
        bench.api.text("DELETE", &format!("{TOKENS}/{id}"), "").await.status,
        404
    );
}

#[tokio::test]
async fn a_token_that_is_not_quite_one_is_refused() {
    let bench = Bench::new();
    let token = bench.token(json!({"proxy": NODE})).await;
    let secret = token["token"].as_str().expect("a token").to_owned();
    let mut wrong = secret.clone();
    let last = wrong.pop().expect("a letter");
    wrong.push(if last == '0' { '1' } else { '0' });
    let upper = secret.to_ascii_uppercase();
    for text in [
        "",
        "fmj_",
        "x",
        &secret[4..],
        wrong.as_str(),
        upper.as_str(),
        "fmj_../../x_1",
    ] {
        let refused = bench.post(CERTIFICATES, json!({"csr": "x", "token": text})).await;
        assert_eq!(refused.status, 403, "{text:?} {refused:?}");
    }
    let bad = bench.post(CERTIFICATES, json!({"csr": "bad", "token": secret})).await;
    assert_eq!(bad.status, 400);
    assert_eq!(
        bench.join(&token).await.status,
        200,
        "a request that cannot be read uses nothing up"
    );
}

#[tokio::test]
async fn of_many_who_come_with_the_last_use_one_gets_it() {
    let bench = Bench::new();
    let token = bench.token(json!({"proxy": NODE})).await;
    let all = (0..16).map(|_| bench.join(&token));
    let answers = futures_util::future::join_all(all).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "{answers:?}");
}

#[tokio::test]
async fn without_a_token_the_connection_says_who_asks() {
    let bench = Bench::new();
    let (status, body) = bench.renew(Some(Ok(NODE))).await;
    assert_eq!(
        (status, &body["certificateChain"]),
        (200, &json!(format!("chain of {NODE}")))
    );
    let (status, body) = bench.renew(Some(Err("the certificate is revoked"))).await;
    assert_eq!(status, 403);
    assert!(
        body["message"].as_str().unwrap_or_default().contains("revoked"),
        "{body}"
    );
    assert_eq!(bench.renew(None).await.0, 403);
    assert_eq!(bench.issued(), [NODE]);
}

#[tokio::test]
async fn a_flood_of_refusals_hinders_no_good_token() {
    let bench = Bench::new();
    let token = bench.token(json!({"proxy": NODE})).await;
    let mut last = 0;
    for _ in 0..110 {
        last = bench
            .post(CERTIFICATES, json!({"csr": "x", "token": "fmj_x"}))
            .await
            .status;
    }
    assert_eq!(last, 503);
    assert_eq!(bench.join(&token).await.status, 200);
    bench.clock.0.fetch_add(61, Ordering::Relaxed);
    let refused = bench.post(CERTIFICATES, json!({"csr": "x", "token": "fmj_x"})).await;
    assert_eq!(refused.status, 403, "after a minute the reason is said again");
}

#[tokio::test]
async fn refuses_tokens_for_what_is_no_proxy_and_says_why() {
    let bench = Bench::new();
    for (body, expected) in [
        (json!({}), "proxy"),
        (json!({"proxy": "mesh/m/virtualRouter/r"}), "proxy: must be mesh/"),
        (json!({"proxy": "mesh/m/virtualNode/a b"}), "proxy: names of 1 to 255"),
        (json!({"proxy": "mesh/m/virtualNode/.."}), "proxy: names of 1 to 255"),
        (
            json!({"proxy": NODE, "ttlSeconds": 59}),
            "ttlSeconds: must be from 60 to 2592000, is 59",
        ),
        (
            json!({"proxy": NODE, "uses": 0}),
            "uses: must be from 1 to 100000, is 0",
        ),
        (json!({"proxy": NODE, "x": 0}), "unknown field"),
    ] {
        let answer = bench.post(TOKENS, body.clone()).await;
        let (status, _, message) = answer.refused();
        assert!(status == 400 && message.contains(expected), "{body} {message}");
    }
    let of_others = bench
        .post(TOKENS, json!({"proxy": "mesh/m@210987654321/virtualNode/n"}))
        .await;
    assert_eq!(of_others.status, 403);
}

#[tokio::test]
async fn revokes_and_takes_back_by_serial_number_and_by_proxy() {
    let bench = Bench::new();
    let serial = bench.post(REVOCATIONS, json!({"serial": "0A:bC"})).await;
    assert_eq!(serial.body, json!({"serial": "0abc", "createdAt": 1_000_000.0}));
    let token = bench.token(json!({"proxy": NODE})).await;
    let other = bench.token(json!({"proxy": "mesh/m/virtualNode/other"})).await;
    assert_eq!(bench.post(REVOCATIONS, json!({"proxy": NODE})).await.status, 200);
    assert_eq!(bench.join(&token).await.status, 403, "its tokens are gone");
    assert_eq!(bench.join(&other).await.status, 200);
    let all = revocations(bench.api.store.as_ref()).expect("revocations");
    assert_eq!(all.len(), 2);
    let listed = bench.api.text("GET", REVOCATIONS, "").await.body;
    assert_eq!(listed["revocations"].as_array().map(Vec::len), Some(2));
    for id in ["0abc", "mesh%2Fm%2FvirtualNode%2Fn"] {
        let path = format!("{REVOCATIONS}/{id}");
        assert_eq!(bench.api.text("DELETE", &path, "").await.status, 200, "{id}");
        assert_eq!(bench.api.text("DELETE", &path, "").await.status, 404, "{id}");
    }
    for body in [
        json!({}),
        json!({"serial": "x"}),
        json!({"serial": "0a", "proxy": NODE}),
    ] {
        assert_eq!(bench.post(REVOCATIONS, body).await.status, 400);
    }
}
