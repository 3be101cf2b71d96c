//! Datadog: its agent's endpoint gets spans in MessagePack, and those of one call are one trace.

use std::collections::{BTreeMap, BTreeSet};

use ferromesh_integration::{
    capture::HttpCapture,
    chain::Chain,
    rig::{eventually, PATIENCE},
};
use serde::Deserialize;

/// A span as the agent's endpoint `/v0.4/traces` takes it.
#[derive(Clone, Debug, Deserialize)]
struct Span {
    service: String,
    trace_id: u64,
    span_id: u64,
    parent_id: u64,
    duration: i64,
    meta: BTreeMap<String, String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_gets_four_spans_of_one_trace_for_each_call() {
    let mut chain = Chain::prepare().await.expect("namespaces and a control plane");
    let sockets = chain.tcp(8126).expect("Datadog's port");
    let agent = HttpCapture::serve(sockets, 200, r#"{"rate_by_service":{"service:,env:":1}}"#).expect("receivers");
    chain
        .start(&[("ENABLE_ENVOY_DATADOG_TRACING", "1")])
        .await
        .expect("three proxies");
    chain.call(5).expect("calls").assert_no_failures("traced calls");

    let traces = eventually("five whole traces", PATIENCE, async || {
        let mut traces: BTreeMap<u64, Vec<Span>> = BTreeMap::new();
        for received in agent.received() {
            if received.path != "/v0.4/traces" {
                continue;
            }
            assert_eq!(received.headers["content-type"], "application/msgpack");
            let chunks: Vec<Vec<Span>> = rmp_serde::from_slice(&received.body).expect("spans in msgpack");
            for span in chunks.into_iter().flatten() {
                traces.entry(span.trace_id).or_default().push(span);
            }
        }
        // A call that was tried again while the mesh came up has a failed span, and further ones.
        let is_well = |span: &Span| span.meta.get("http.status_code").is_some_and(|code| code == "200");
        traces.retain(|_, spans| spans.len() >= 4 && spans.iter().all(is_well));
        (traces.len() >= 5).then_some(traces)
    })
    .await
    .expect("the traces");
    for spans in traces.values() {
        assert_eq!(spans.len(), 4, "{spans:#?}");
        let services: BTreeSet<_> = spans.iter().map(|span| span.service.as_str()).collect();
        let expected = ["envoy-chain/back", "envoy-chain/front", "envoy-chain/gateway"];
        assert_eq!(services, expected.into());
        let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id).collect();
        assert_eq!(ids.len(), 4);
        let roots: Vec<_> = spans.iter().filter(|span| span.parent_id == 0).collect();
        assert_eq!(roots.len(), 1, "{spans:#?}");
        assert_eq!(roots[0].service, "envoy-chain/gateway");
        for span in spans {
            assert!(span.parent_id == 0 || ids.contains(&span.parent_id), "{spans:#?}");
            assert!(span.duration > 0, "{span:?}");
            assert_eq!(span.meta["http.status_code"], "200", "{span:?}");
        }
    }
}
