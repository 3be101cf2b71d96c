//! Trace context in stock Envoy: whatever form it comes in, upstreams get the same trace in the forms that are asked for.

use ferromesh_integration::{
    bed::{Bed, Setup},
    client::Client,
    upstream::{Seen, Upstream},
};
use serde_json::{json, Value};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const ALL: [&str; 7] = [
    "traceparent",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-amzn-trace-id",
];

struct Traced {
    bed: Bed,
    upstream: Upstream,
}

impl Traced {
    async fn start(trace_context: Value) -> Self {
        let upstream = Upstream::start("blue").await.expect("blue");
        let policy = json!({
            "labels": {"virtualService": "color.local", "route": "all"},
            "targets": ["blue"],
            "observability": {"metrics": false, "traceContext": trace_context, "requestId": true},
        });
        let setup = Setup::with_policy("observability", &policy).expect("a built module");
        // Envoy's own ids are off: the module's are looked at.
        let setup = setup.target(&upstream, 1).manager("generate_request_id", json!(false));
        Self {
            bed: setup.start().await.expect("Envoy"),
            upstream,
        }
    }

    /// What the upstream sees of a request with these headers.
    async fn seen(&self, headers: &[(&str, &str)]) -> Seen {
        let mut client = Client::of(self.bed.address()).expect("a client");
        assert_eq!(client.get("/", headers).await.expect("an answer").status, 200);
        self.upstream.seen().pop().expect("a request")
    }
}

fn parts(value: &str) -> Vec<&str> {
    value.split('-').collect()
}

/// Checks that the upstream got one trace in all four forms: these ids, sampled or not.
fn assert_everywhere(seen: &Seen, what: &str, trace: &str, span: Option<&str>, is_sampled: bool) {
    let header = |name: &str| {
        seen.header(name)
            .unwrap_or_else(|| panic!("{what}: no {name}: {seen:?}"))
    };
    let flag = if is_sampled { "1" } else { "0" };
    let w3c = parts(header("traceparent"));
    assert_eq!(
        (w3c[0], w3c[1], w3c[3]),
        ("00", trace, format!("0{flag}").as_str()),
        "{what}: traceparent"
    );
    let parent = span.unwrap_or(w3c[2]);
    assert_eq!(w3c[2], parent, "{what}: traceparent");
    let b3 = parts(header("b3"));
    assert_eq!(b3[..3], [trace, parent, flag], "{what}: b3");
    assert_eq!(header("x-b3-traceid"), trace, "{what}");
    assert_eq!(header("x-b3-spanid"), parent, "{what}");
    assert_eq!(header("x-b3-sampled"), flag, "{what}");
    let amazon = header("x-amzn-trace-id");
    let root = format!("Root=1-{}-{}", &trace[..8], &trace[8..]);
    assert!(amazon.contains(&root), "{what}: {amazon}");
    assert!(amazon.contains(&format!("Parent={parent}")), "{what}: {amazon}");
    assert!(amazon.contains(&format!("Sampled={flag}")), "{what}: {amazon}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_in_any_form_reaches_the_upstream_in_every_form() {
    let formats = json!(["w3c", "b3", "b3multi", "xray"]);
    let traced = Traced::start(json!({"accept": formats, "emit": formats})).await;
    for is_sampled in [true, false] {
        let flag = u8::from(is_sampled).to_string();
        let w3c = format!("00-{TRACE}-{SPAN}-0{flag}");
        let b3 = format!("{TRACE}-{SPAN}-{flag}");
        let amazon = format!("Root=1-{}-{};Parent={SPAN};Sampled={flag}", &TRACE[..8], &TRACE[8..]);
        let forms: [(&str, Vec<(&str, &str)>); 4] = [
            ("w3c", vec![("traceparent", &w3c)]),
            ("b3", vec![("b3", &b3)]),
            (
                "b3multi",
                vec![("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", &flag)],
            ),
            ("xray", vec![("x-amzn-trace-id", &amazon)]),
        ];
        for (form, headers) in &forms {
            let seen = traced.seen(headers).await;
            assert_everywhere(
                &seen,
                &format!("{form}, sampled {is_sampled}"),
                TRACE,
                Some(SPAN),
                is_sampled,
            );
        }
    }
    // The first of the accepted forms that is valid is the trace; the others are written over.
    let other = "463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-0";
    let w3c = format!("00-{TRACE}-{SPAN}-01");
    let seen = traced
        .seen(&[("b3", other), ("traceparent", &w3c), ("tracestate", "a=b")])
        .await;
    assert_everywhere(&seen, "two forms", TRACE, Some(SPAN), true);
    assert_eq!(
        seen.header("tracestate"),
        Some("a=b"),
        "it belongs to the trace that was kept"
    );
    let seen = traced
        .seen(&[("traceparent", "00-zz"), ("tracestate", "a=b"), ("b3", other)])
        .await;
    assert_everywhere(
        &seen,
        "an invalid form before a valid one",
        &other[..32],
        Some(&other[33..49]),
        false,
    );
    assert_eq!(seen.header("tracestate"), None, "it belonged to what was invalid");
    traced.bed.assert_no_trap().await.expect("no trap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_trace_begins_one_and_invalid_ones_are_replaced() {
    let formats = json!(["w3c", "b3", "b3multi", "xray"]);
    let traced = Traced::start(json!({"accept": formats, "emit": formats})).await;
    let mut ids = std::collections::BTreeSet::new();
    let long = "0".repeat(5_000);
    let invalid = [
        vec![],
        vec![("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")],
        vec![("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        vec![("b3", "zz"), ("x-b3-traceid", ""), ("x-amzn-trace-id", "Root=")],
        vec![("traceparent", long.as_str()), ("b3", long.as_str())],
        vec![("x-b3-spanid", SPAN)],
    ];
    for headers in &invalid {
        let seen = traced.seen(headers).await;
        let id = parts(seen.header("traceparent").expect("a trace"))[1].to_owned();
        assert_everywhere(&seen, &format!("{headers:?}"), &id, None, true);
        // X-Ray drops a trace whose beginning is not the time.
        let began = u64::from_str_radix(&id[..8], 16).expect("seconds");
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock");
        assert!(now.as_secs().abs_diff(began) < 60, "{id}");
        assert!(ids.insert(id), "an id twice");
        let request = seen.header("x-request-id").expect("an id");
        assert_eq!(request.len(), 36, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w3c_alone_leaves_other_forms_as_they_are_and_off_touches_nothing() {
    let (w3c, b3) = (format!("00-{TRACE}-{SPAN}-00"), "not looked at");
    let alone = Traced::start(json!(true)).await;
    let seen = alone
        .seen(&[("traceparent", &w3c), ("b3", b3), ("x-request-id", "mine")])
        .await;
    assert_eq!(seen.header("traceparent"), Some(w3c.as_str()));
    assert_eq!(seen.header("b3"), Some(b3));
    assert_eq!(seen.header("x-request-id"), Some("mine"));
    let off = Traced::start(json!(false)).await;
    let seen = off.seen(&[("b3", b3)]).await;
    for name in ALL {
        assert_eq!(seen.header(name), (name == "b3").then_some(b3), "{name}");
    }
}
