//! Header policies in stock Envoy: what upstreams and clients get, with every variable.

use ferromesh_integration::{
    bed::{Bed, Setup},
    client::Client,
    upstream::{Faults, Seen, Upstream},
};
use serde_json::{json, Value};

async fn bed(upstream: &Upstream, headers: Value, observability: Option<Value>) -> Bed {
    let mut policy = json!({
        "labels": {"virtualService": "color.local", "route": "main"},
        "targets": ["blue"],
        "headers": headers,
    });
    let module = match observability {
        Some(observability) => {
            policy["observability"] = observability;
            "mesh"
        }
        None => "headers",
    };
    let setup = Setup::with_policy(module, &policy).expect("a built module");
    // What the application behind Envoy would say.
    let said = |name: &str, value: &str| json!({"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"});
    setup
        .target(upstream, 1)
        .host(
            "response_headers_to_add",
            json!([
                said("set-cookie", "app=1; Path=/"),
                said("server", "app/9"),
                said("server-timing", "db;dur=53")
            ]),
        )
        .action("retry_policy", json!({"retry_on": "5xx", "num_retries": 3}))
        .start()
        .await
        .expect("Envoy")
}

async fn blue() -> Upstream {
    Upstream::start("blue").await.expect("blue")
}

fn values(seen: &Seen, name: &str) -> Vec<String> {
    let found = seen.headers.iter().filter(|(known, _)| known == name);
    found
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_set_added_and_removed_in_order() {
    let upstream = blue().await;
    let operations = json!({"request": [
        {"set": {"name": "x-set", "value": "ours"}},
        {"add": {"name": "x-add", "value": "ours"}},
        {"remove": "x-remove"},
        {"add": {"name": "x-both", "value": "a"}},
        {"set": {"name": "x-both", "value": "b"}},
        {"set": {"name": "x-braces", "value": "{{literally}}"}},
    ]});
    let bed = bed(&upstream, operations, None).await;
    let mut client = Client::of(bed.address()).expect("a client");
    let theirs = [
        ("x-set", "1"),
        ("x-set", "2"),
        ("x-add", "theirs"),
        ("x-remove", "1"),
        ("x-remove", "2"),
        ("x-other", "stays"),
    ];
    let answer = client.get("/", &theirs).await.expect("an answer");
    assert_eq!(answer.status, 200);
    let seen = upstream.seen().pop().expect("a request");
    assert_eq!(values(&seen, "x-set"), ["ours"]);
    assert_eq!(values(&seen, "x-add"), ["theirs", "ours"]);
    assert_eq!(values(&seen, "x-remove"), [""; 0]);
    assert_eq!(values(&seen, "x-both"), ["b"]);
    assert_eq!(values(&seen, "x-braces"), ["{literally}"]);
    assert_eq!(values(&seen, "x-other"), ["stays"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_are_changed_and_what_applications_set_is_added_to() {
    let upstream = blue().await;
    let operations = json!({"response": [
        {"add": {"name": "set-cookie", "value": "mesh=1; Path=/"}},
        {"remove": "server"},
        {"set": {"name": "x-colour", "value": "hidden"}},
        {"set": {"name": "x-mesh", "value": "{mesh}/{virtualService}/{route}/{target}"}},
    ]});
    let observability = json!({"metrics": true, "serverTiming": true});
    let bed = bed(&upstream, operations, Some(observability)).await;
    let mut client = Client::of(bed.address()).expect("a client");
    let answer = client.get("/", &[]).await.expect("an answer");
    assert_eq!(answer.values("set-cookie"), ["app=1; Path=/", "mesh=1; Path=/"]);
    // Envoy writes `server: envoy` itself, after every filter.
    assert_ne!(answer.header("server"), Some("app/9"));
    assert_eq!(answer.values("x-colour"), ["hidden"]);
    assert_eq!(answer.values("x-mesh"), ["bed/color.local/main/blue"]);
    let timing = answer.values("server-timing");
    assert_eq!(timing.len(), 2, "{timing:?}");
    assert_eq!(timing[0], "db;dur=53");
    assert!(timing[1].starts_with("ferromesh;dur="), "{timing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_variable_has_its_value_and_an_empty_one_is_not_written() {
    let upstream = blue().await;
    let variables = [
        "mesh",
        "node",
        "virtualService",
        "route",
        "target",
        "request.id",
        "request.host",
        "request.path",
        "request.method",
        "request.scheme",
        "source.address",
        "source.identity",
        "response.attempts",
        "response.status",
    ];
    let operation = |name: &&str| json!({"set": {"name": format!("x-v-{}", name.to_lowercase().replace('.', "-")), "value": format!("{{{name}}}")}});
    let operations = json!({
        "request": variables[..12].iter().map(operation).collect::<Vec<_>>(),
        "response": variables.iter().map(operation).collect::<Vec<_>>(),
    });
    let bed = bed(&upstream, operations, None).await;
    upstream.inject(Faults {
        first: 2,
        ..Faults::default()
    });
    let mut client = Client::of(bed.address())
        .expect("a client")
        .from("127.0.0.7")
        .expect("an address");
    // A client's own value does not stand where ours is empty.
    let forged = [("x-v-source-identity", "spiffe://forged"), ("x-request-id", "forged")];
    let answer = client.get("/some/path?q=1", &forged).await.expect("an answer");
    let seen = upstream.seen().pop().expect("a request");
    let expected = [
        ("mesh", "bed"),
        ("node", "front"),
        ("virtualservice", "color.local"),
        ("route", "main"),
        ("target", "blue"),
        ("request-host", "color.local"),
        ("request-path", "/some/path?q=1"),
        ("request-method", "GET"),
        ("request-scheme", "http"),
        ("source-address", "127.0.0.7"),
    ];
    for (name, value) in expected {
        let name = format!("x-v-{name}");
        assert_eq!(values(&seen, &name), [value], "{name} at the upstream");
    }
    let id = seen.header("x-request-id").expect("an id").to_owned();
    assert_eq!(seen.header("x-v-request-id"), Some(id.as_str()));
    assert_eq!(
        values(&seen, "x-v-source-identity"),
        [""; 0],
        "there is no certificate here"
    );
    assert_eq!(answer.values("x-v-source-identity"), [""; 0]);
    assert_eq!(answer.values("x-v-response-status"), ["200"]);
    assert_eq!(answer.values("x-v-response-attempts"), ["3"]);
    // What responses know of their requests.
    for (name, value) in expected {
        let name = format!("x-v-{name}");
        assert_eq!(answer.values(&name), [value], "{name} at the client");
    }
    assert_eq!(answer.values("x-v-request-id"), [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_a_client_cannot_begin_another_header() {
    let upstream = blue().await;
    let operations = json!({
        "request": [{"set": {"name": "x-path", "value": "p={request.path}"}}],
        "response": [{"set": {"name": "x-path", "value": "p={request.path};h={request.host}"}}],
    });
    let bed = bed(&upstream, operations, None).await;
    let mut client = Client::of(bed.address()).expect("a client");
    let long = format!("/{}", "%0d%0ax-evil:1".repeat(500));
    let answer = client.get(&long, &[]).await.expect("an answer");
    assert_eq!(answer.header("x-evil"), None);
    bed.assert_no_trap().await.expect("no trap");
    let seen = upstream.seen().pop().expect("a request");
    assert_eq!(values(&seen, "x-path")[0].len(), 4_096, "a long value is cut");
    assert_eq!(answer.header("x-path").map(str::len), Some(4_096), "{answer:?}");
}
