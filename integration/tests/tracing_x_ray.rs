//! X-Ray: the daemon's UDP port gets segments in its own form, and those of one call are one trace.

use std::collections::BTreeMap;

use ferromesh_integration::{
    capture::UdpCapture,
    chain::{Chain, PROXIES},
    rig::{eventually, PATIENCE},
};
use serde_json::{json, Value};

/// The segment in a datagram, behind the line by which the daemon knows its form.
fn segment(datagram: &str) -> Value {
    let (header, segment) = datagram.split_once('\n').expect("two lines");
    let header: Value = serde_json::from_str(header).expect("a header in json");
    assert_eq!(header, json!({"format": "json", "version": 1}));
    serde_json::from_str(segment).expect("a segment in json")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_gets_a_segment_of_every_hop_in_one_trace() {
    let mut chain = Chain::prepare().await.expect("namespaces and a control plane");
    let daemon = UdpCapture::read(chain.udp(2000).expect("X-Ray's port")).expect("receivers");
    let variables = [("ENABLE_ENVOY_XRAY_TRACING", "1"), ("XRAY_SAMPLING_RATE", "1.00")];
    chain.start(&variables).await.expect("three proxies");
    let before = daemon.texts().len();
    chain.call(5).expect("calls").assert_no_failures("traced calls");

    let traces = eventually("five whole traces", PATIENCE, async || {
        let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for datagram in &daemon.texts()[before..] {
            let segment = segment(datagram);
            let trace = segment["trace_id"].as_str().expect("a trace").to_owned();
            traces.entry(trace).or_default().push(segment);
        }
        let whole = traces.values().filter(|segments| segments.len() >= 4).count();
        (whole >= 5).then_some(traces)
    })
    .await
    .expect("the traces");
    let form = regex::Regex::new("^1-[0-9a-f]{8}-[0-9a-f]{24}$").expect("a regex");
    for (trace, segments) in traces.iter().filter(|(_, segments)| segments.len() == 4) {
        assert!(form.is_match(trace), "{trace}");
        for proxy in PROXIES {
            let name = format!("chain/{proxy}");
            let own: Vec<_> = segments
                .iter()
                .filter(|segment| segment["name"] == name.as_str())
                .collect();
            // A node has one of what arrives and one of what leaves.
            assert_eq!(own.len(), if proxy == "front" { 2 } else { 1 }, "{segments:#?}");
            for segment in own {
                assert_eq!(segment["origin"], "AWS::AppMesh::Proxy", "{segment}");
                let app_mesh = &segment["aws"]["app_mesh"];
                assert_eq!(app_mesh["mesh_name"], "chain", "{segment}");
                assert_eq!(app_mesh["virtual_node_name"], proxy, "{segment}");
                assert_eq!(segment["http"]["response"]["status"], 200, "{segment}");
                assert!(
                    segment["end_time"].as_f64() >= segment["start_time"].as_f64(),
                    "{segment}"
                );
            }
        }
        let roots = segments.iter().filter(|segment| segment.get("parent_id").is_none());
        assert_eq!(roots.count(), 1, "{segments:#?}");
    }
}
