//! Tracers, statistics and their sinks from App Mesh's variables.

use super::super::tracing::{OtlpProtocol, Tracer, XRaySampling, ZipkinForm};
use super::*;

fn settings(more: &[(&'static str, &'static str)]) -> Settings {
    read(&with(more), Overrides::default()).unwrap().0
}

fn problems(more: &[(&'static str, &'static str)]) -> Vec<String> {
    read(&with(more), Overrides::default()).unwrap_err()
}

#[test]
fn each_tracer_has_app_meshs_defaults() {
    let tracer = |flag| settings(&[(flag, "true")]).tracing.tracer.unwrap();
    let Tracer::XRay(x_ray) = tracer("ENABLE_ENVOY_XRAY_TRACING") else {
        panic!()
    };
    assert_eq!(x_ray.daemon.to_string(), "127.0.0.1:2000");
    assert_eq!(
        (x_ray.segment.as_str(), &x_ray.sampling),
        ("m/n", &XRaySampling::Default)
    );
    let Tracer::Datadog { collector, service } = tracer("ENABLE_ENVOY_DATADOG_TRACING") else {
        panic!()
    };
    assert_eq!(
        (collector.host.as_str(), collector.port, service.as_str()),
        ("127.0.0.1", 8126, "envoy-m/n")
    );
    let Tracer::Jaeger { collector, form } = tracer("ENABLE_ENVOY_JAEGER_TRACING") else {
        panic!()
    };
    assert_eq!((collector.port, form), (9411, ZipkinForm::Proto));
    let Tracer::OpenTelemetry(tracer) = tracer("ENABLE_ENVOY_OPENTELEMETRY_TRACING") else {
        panic!()
    };
    assert_eq!((tracer.collector.port, tracer.protocol), (4317, OtlpProtocol::Grpc));
    assert_eq!(tracer.service, "m/n");
    assert_eq!(settings(&[]).tracing, Tracing::default());
}

#[test]
fn two_tracers_are_refused_and_a_file_goes_before_one() {
    let two = problems(&[("ENABLE_ENVOY_XRAY_TRACING", "1"), ("ENABLE_ENVOY_JAEGER_TRACING", "1")]);
    assert!(
        two[0].contains("ENABLE_ENVOY_XRAY_TRACING and ENABLE_ENVOY_JAEGER_TRACING"),
        "{two:?}"
    );
    let file = settings(&[("ENABLE_ENVOY_XRAY_TRACING", "1"), ("ENVOY_TRACING_CFG_FILE", "/x")]);
    assert_eq!(file.tracing.tracer, None);
}

#[test]
fn x_rays_address_may_have_a_port_and_must_be_an_ip() {
    let daemon = |address: &'static str| {
        let more = [
            ("ENABLE_ENVOY_XRAY_TRACING", "1"),
            ("XRAY_DAEMON_PORT", "2100"),
            ("AWS_XRAY_DAEMON_ADDRESS", address),
        ];
        match settings(&more).tracing.tracer {
            Some(Tracer::XRay(x_ray)) => x_ray.daemon.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(daemon("10.0.0.1"), "10.0.0.1:2100");
    assert_eq!(daemon("10.0.0.1:7"), "10.0.0.1:7");
    assert_eq!(daemon("::1"), "[::1]:2100");
    assert_eq!(daemon("[::1]:7"), "[::1]:7");
    let wrong = problems(&[("AWS_XRAY_DAEMON_ADDRESS", "xray:2000")]);
    assert!(wrong[0].contains("AWS_XRAY_DAEMON_ADDRESS"), "{wrong:?}");
}

#[test]
fn x_rays_rate_is_rounded_and_its_default_makes_no_rules() {
    let sampling =
        |rate: &'static str| match settings(&[("ENABLE_ENVOY_XRAY_TRACING", "1"), ("XRAY_SAMPLING_RATE", rate)])
            .tracing
            .tracer
        {
            Some(Tracer::XRay(x_ray)) => x_ray.sampling,
            other => panic!("{other:?}"),
        };
    assert_eq!(sampling("0.05"), XRaySampling::Default);
    assert_eq!(sampling("1.00"), XRaySampling::Rate(100));
    assert_eq!(sampling("0.126"), XRaySampling::Rate(13));
    assert_eq!(sampling("0"), XRaySampling::Rate(0));
    for wrong in ["1.01", "-0.1", "NaN", "inf", "1e-1", ""] {
        let read = read(&with(&[("XRAY_SAMPLING_RATE", wrong)]), Overrides::default());
        assert_eq!(read.is_err(), !wrong.is_empty(), "{wrong}");
    }
}

#[test]
fn the_share_that_is_traced_is_in_hundredths_of_a_percent() {
    assert_eq!(
        settings(&[("FERROMESH_TRACING_SAMPLING_PERCENT", "12.5")])
            .tracing
            .sampling,
        Some(1_250)
    );
    let x_ray = problems(&[
        ("FERROMESH_TRACING_SAMPLING_PERCENT", "1"),
        ("ENABLE_ENVOY_XRAY_TRACING", "1"),
    ]);
    assert!(x_ray[0].contains("XRAY_SAMPLING_RATE"), "{x_ray:?}");
}

#[test]
fn statsd_goes_to_an_address_or_a_socket() {
    let statsd = |more: &[(&'static str, &'static str)]| {
        let more = [&[("ENABLE_ENVOY_DOG_STATSD", "1")], more].concat();
        settings(&more).stats.dog_statsd.unwrap().to_string()
    };
    assert_eq!(statsd(&[]), "127.0.0.1:8125");
    assert_eq!(statsd(&[("STATSD_ADDRESS", "::1"), ("STATSD_PORT", "9")]), "[::1]:9");
    assert_eq!(
        statsd(&[("STATSD_SOCKET_PATH", "/run/dsd.sock")]),
        "unix:///run/dsd.sock"
    );
    assert!(problems(&[("STATSD_ADDRESS", "statsd")])[0].contains("resolves no name"));
    assert_eq!(settings(&[("STATSD_PORT", "9")]).stats.dog_statsd, None);
}

#[test]
fn the_metrics_extension_has_one_version() {
    assert!(
        settings(&[("APPMESH_METRIC_EXTENSION_VERSION", "1")])
            .stats
            .metrics_extension
    );
    assert!(problems(&[("APPMESH_METRIC_EXTENSION_VERSION", "2")])[0].contains("version 1 only"));
}
