//! Jaeger: its Zipkin port gets spans in JSON, and those of one call are one trace.

use std::collections::{BTreeMap, BTreeSet};

use ferromesh_integration::{
    capture::HttpCapture,
    chain::Chain,
    rig::{eventually, PATIENCE},
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_gets_four_spans_of_one_trace_for_each_call() {
    let mut chain = Chain::prepare().await.expect("namespaces and a control plane");
    let sockets = chain.tcp(9411).expect("Zipkin's port");
    let collector = HttpCapture::serve(sockets, 202, "").expect("receivers");
    let variables = [("ENABLE_ENVOY_JAEGER_TRACING", "1"), ("JAEGER_TRACER_VERSION", "JSON")];
    chain.start(&variables).await.expect("three proxies");
    chain.call(5).expect("calls").assert_no_failures("traced calls");

    let traces = eventually("five whole traces", PATIENCE, async || {
        let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for received in collector.received() {
            assert_eq!(
                (received.method.as_str(), received.path.as_str()),
                ("POST", "/api/v2/spans")
            );
            assert_eq!(received.headers["content-type"], "application/json");
            let spans: Vec<Value> = serde_json::from_slice(&received.body).expect("spans in json");
            for span in spans {
                let trace = span["traceId"].as_str().expect("a trace").to_owned();
                traces.entry(trace).or_default().push(span);
            }
        }
        // A call that was tried again while the mesh came up has a failed span, and further ones.
        let is_well = |span: &Value| span["tags"]["http.status_code"] == "200";
        traces.retain(|_, spans| spans.len() >= 4 && spans.iter().all(is_well));
        (traces.len() >= 5).then_some(traces)
    })
    .await
    .expect("the traces");
    for spans in traces.values() {
        assert_eq!(spans.len(), 4, "{spans:#?}");
        let ids: BTreeSet<_> = spans.iter().map(|span| span["id"].as_str().expect("an id")).collect();
        assert_eq!(ids.len(), 4, "spans are shared: {spans:#?}");
        let roots: Vec<_> = spans.iter().filter(|span| span.get("parentId").is_none()).collect();
        assert_eq!(roots.len(), 1, "{spans:#?}");
        let services: BTreeSet<_> = spans
            .iter()
            .map(|span| span["localEndpoint"]["serviceName"].as_str().expect("a service"))
            .collect();
        assert_eq!(services.len(), 3, "{services:?}");
        for span in spans {
            assert!(
                ["CLIENT", "SERVER"].contains(&span["kind"].as_str().expect("a kind")),
                "{span}"
            );
            assert_eq!(span["tags"]["http.status_code"], "200", "{span}");
            assert!(span["duration"].as_u64() > Some(0), "{span}");
        }
    }
}
