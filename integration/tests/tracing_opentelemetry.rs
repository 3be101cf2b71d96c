//! OpenTelemetry: a receiver of real OTLP gets one trace for each call, with a span of every hop through a gateway and two
//! nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use ferromesh_integration::{
    chain::Chain,
    rig::{eventually, PATIENCE},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        trace_service_server::{TraceService, TraceServiceServer},
        ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{any_value::Value, KeyValue},
    trace::v1::Span,
};
use tonic::transport::{server::TcpIncoming, Server};

/// A span with the attributes of the proxy that sent it.
#[derive(Clone, Debug)]
struct Told {
    resource: BTreeMap<String, String>,
    span: Span,
}

#[derive(Clone, Default)]
struct Receiver {
    told: Arc<Mutex<Vec<Told>>>,
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some((attribute.key.clone(), text.clone())),
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let mut told = self.told.lock().expect("the spans");
        for resource in request.into_inner().resource_spans {
            let of = texts(&resource.resource.unwrap_or_default().attributes);
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            told.extend(spans.map(|span| Told {
                resource: of.clone(),
                span,
            }));
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_a_gateway_and_two_nodes_is_one_trace_of_four_spans() {
    let mut chain = Chain::prepare().await.expect("namespaces and a control plane");
    let receiver = Receiver::default();
    for socket in chain.tcp(4317).expect("OpenTelemetry's port") {
        socket.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(socket).expect("a socket");
        let service = TraceServiceServer::new(receiver.clone());
        let serving = Server::builder().add_service(service);
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));
    }
    let variables = [
        ("ENABLE_ENVOY_OPENTELEMETRY_TRACING", "1"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
    ];
    chain.start(&variables).await.expect("three proxies");
    let begun = std::time::SystemTime::now();
    chain.call(10).expect("calls").assert_no_failures("traced calls");
    let begun = begun.duration_since(std::time::UNIX_EPOCH).expect("a clock").as_nanos() as u64;

    let traces = eventually("ten whole traces", PATIENCE, async || {
        let mut traces: BTreeMap<Vec<u8>, Vec<Told>> = BTreeMap::new();
        for told in receiver.told.lock().expect("the spans").iter() {
            if told.span.start_time_unix_nano >= begun {
                traces.entry(told.span.trace_id.clone()).or_default().push(told.clone());
            }
        }
        let whole = traces.values().filter(|spans| spans.len() >= 4).count();
        (whole >= 10).then_some(traces)
    })
    .await
    .expect("the traces");
    assert_eq!(traces.len(), 10, "a call was more than one trace");
    for spans in traces.values() {
        assert_eq!(spans.len(), 4, "{spans:#?}");
        let services: Vec<_> = spans
            .iter()
            .map(|told| told.resource["service.name"].as_str())
            .collect();
        assert_eq!(
            services.iter().filter(|name| **name == "chain/front").count(),
            2,
            "{services:?}"
        );
        let names: BTreeSet<_> = services.into_iter().collect();
        assert_eq!(names, ["chain/back", "chain/front", "chain/gateway"].into());
        for told in spans {
            assert_eq!(told.resource["appmesh.mesh"], "chain");
            assert_eq!(told.resource["deployment.environment"], "test");
            assert!(
                told.span.end_time_unix_nano > told.span.start_time_unix_nano,
                "{told:?}"
            );
            assert_eq!(texts(&told.span.attributes)["http.status_code"], "200", "{told:?}");
        }
        // From the gateway on each span has the one before as its parent.
        let roots: Vec<_> = spans
            .iter()
            .filter(|told| told.span.parent_span_id.is_empty())
            .collect();
        assert_eq!(roots.len(), 1, "{spans:#?}");
        assert_eq!(roots[0].resource["appmesh.virtual_gateway"], "gateway");
        let ids: BTreeSet<_> = spans.iter().map(|told| told.span.span_id.clone()).collect();
        let parents: BTreeSet<_> = spans.iter().map(|told| told.span.parent_span_id.clone()).collect();
        assert_eq!(ids.len(), 4);
        assert_eq!(parents.len(), 4, "two spans have one parent: {spans:#?}");
        for parent in parents.iter().filter(|parent| !parent.is_empty()) {
            assert!(ids.contains(parent), "{spans:#?}");
        }
    }
}
