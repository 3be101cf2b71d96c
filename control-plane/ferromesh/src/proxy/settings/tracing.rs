//! Which tracer Envoy sends its spans to: App Mesh's variables for X-Ray, Datadog and Jaeger (Zipkin), and variables of
//! the same pattern for OpenTelemetry, which App Mesh did not have.
//!
//! | tracer | variables and defaults |
//! |---|---|
//! | X-Ray | `ENABLE_ENVOY_XRAY_TRACING`, `AWS_XRAY_DAEMON_ADDRESS` 127.0.0.1 (an IP, with or without port), `XRAY_DAEMON_PORT` 2000, `XRAY_SAMPLING_RATE` 0.05, `XRAY_SAMPLING_RULE_MANIFEST`, `XRAY_SEGMENT_NAME` `<mesh>/<name>` |
//! | Datadog | `ENABLE_ENVOY_DATADOG_TRACING`, `DATADOG_TRACER_ADDRESS` 127.0.0.1, `DATADOG_TRACER_PORT` 8126, `DD_SERVICE` `envoy-<mesh>/<name>` |
//! | Jaeger | `ENABLE_ENVOY_JAEGER_TRACING`, `JAEGER_TRACER_ADDRESS` 127.0.0.1, `JAEGER_TRACER_PORT` 9411, `JAEGER_TRACER_VERSION` `PROTO` or `JSON` |
//! | OpenTelemetry | `ENABLE_ENVOY_OPENTELEMETRY_TRACING`, `OPENTELEMETRY_TRACER_ADDRESS` 127.0.0.1, `OPENTELEMETRY_TRACER_PORT` 4317 or 4318, `OPENTELEMETRY_TRACER_PROTOCOL` `grpc` or `http`, `OTEL_SERVICE_NAME` `<mesh>/<name>`, `OTEL_RESOURCE_ATTRIBUTES` |
//! | any | `ENVOY_TRACING_CFG_FILE`: a file with Envoy's own `tracing`, in place of the above |
//!
//! `FERROMESH_TRACING_SAMPLING_PERCENT` (0 to 100, two decimals) is the share of requests without a decision of their
//! caller that are traced, for all but X-Ray, which has its own. Default 100, as in App Mesh.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use crate::{identity::Identity, proxy::environment::Environment};

/// What is traced and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracing {
    /// Where spans go, if anywhere.
    pub tracer: Option<Tracer>,
    /// Share of the requests without a decision of their caller, in hundredths of a percent; `None`: all.
    pub sampling: Option<u32>,
    /// A file with Envoy's own `tracing`, used in place of a tracer.
    pub file: Option<PathBuf>,
}

/// A tracer of Envoy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracer {
    /// AWS X-Ray's daemon.
    XRay(XRay),
    /// Datadog's agent.
    Datadog {
        /// Where it listens.
        collector: Collector,
        /// Envoy's name in traces.
        service: String,
    },
    /// Jaeger, or any collector with Zipkin's API.
    Jaeger {
        /// Where it listens.
        collector: Collector,
        /// The form of spans.
        form: ZipkinForm,
    },
    /// A collector with OpenTelemetry's protocol.
    OpenTelemetry(OpenTelemetry),
}

/// AWS X-Ray's daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XRay {
    /// Where it takes UDP.
    pub daemon: SocketAddr,
    /// Name of the segments.
    pub segment: String,
    /// Which requests are sampled.
    pub sampling: XRaySampling,
}

/// Which requests X-Ray samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XRaySampling {
    /// Envoy's default: one a second, and 5 % of the rest.
    Default,
    /// One a second, and so many hundredths of the rest.
    Rate(u32),
    /// X-Ray's own rules, from a file.
    Manifest(PathBuf),
}

/// A collector with OpenTelemetry's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTelemetry {
    /// Where it listens.
    pub collector: Collector,
    /// Over gRPC or HTTP.
    pub protocol: OtlpProtocol,
    /// Envoy's name in traces.
    pub service: String,
    /// Whether `OTEL_RESOURCE_ATTRIBUTES` is set, which Envoy reads itself.
    pub has_resource_attributes: bool,
}

/// A collector of spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Name or IP address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The form of spans for Zipkin's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZipkinForm {
    /// Protobuf.
    Proto,
    /// JSON.
    Json,
}

/// What carries OpenTelemetry's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

const XRAY: &str = "ENABLE_ENVOY_XRAY_TRACING";
const DATADOG: &str = "ENABLE_ENVOY_DATADOG_TRACING";
const JAEGER: &str = "ENABLE_ENVOY_JAEGER_TRACING";
const OPEN_TELEMETRY: &str = "ENABLE_ENVOY_OPENTELEMETRY_TRACING";
const SAMPLING: &str = "FERROMESH_TRACING_SAMPLING_PERCENT";

impl Tracing {
    /// `identity` is absent when the environment names no proxy, which is a problem already.
    pub(super) fn read(env: &mut Environment, identity: Option<&Identity>) -> Self {
        let file = env.text("ENVOY_TRACING_CFG_FILE").map(PathBuf::from);
        let name = identity.map_or_else(String::new, |identity| format!("{}/{}", identity.mesh, identity.name));
        let mut on = Vec::new();
        for flag in [XRAY, DATADOG, JAEGER, OPEN_TELEMETRY] {
            if env.flag(flag, false) {
                on.push(flag);
            }
        }
        // All are read, so that a wrong value is told wherever it stands.
        let mut tracers = [
            x_ray(env, &name),
            datadog(env, &name),
            jaeger(env),
            open_telemetry(env, &name),
        ];
        let tracer = match on[..] {
            [] => None,
            [only] => [XRAY, DATADOG, JAEGER, OPEN_TELEMETRY]
                .iter()
                .zip(&mut tracers)
                .find(|(flag, _)| **flag == only)
                .and_then(|(_, tracer)| tracer.take()),
            _ => {
                env.problem(format!(
                    "{} are set: Envoy has one tracer, set one of them",
                    on.join(" and ")
                ));
                None
            }
        };
        let sampling = hundredths(env, SAMPLING, 100);
        if sampling.is_some() && on == [XRAY] {
            env.problem(format!(
                "{SAMPLING} is not for X-Ray, which samples by XRAY_SAMPLING_RATE"
            ));
        }
        if file.is_some() && !on.is_empty() {
            env.warn(format!(
                "ENVOY_TRACING_CFG_FILE is set: {} has no effect",
                on.join(" and ")
            ));
        }
        Self {
            tracer: tracer.filter(|_| file.is_none()),
            sampling,
            file,
        }
    }
}

fn x_ray(env: &mut Environment, name: &str) -> Option<Tracer> {
    let port = collector_port(env, "XRAY_DAEMON_PORT", 2000);
    let daemon = daemon(env, port);
    let rate = hundredths(env, "XRAY_SAMPLING_RATE", 1);
    let sampling = match (env.text("XRAY_SAMPLING_RULE_MANIFEST"), rate) {
        (Some(path), _) => XRaySampling::Manifest(path.into()),
        // X-Ray's default.
        (None, None | Some(5)) => XRaySampling::Default,
        (None, Some(rate)) => XRaySampling::Rate(rate),
    };
    let segment = env.text("XRAY_SEGMENT_NAME").unwrap_or_else(|| name.to_owned());
    Some(Tracer::XRay(XRay {
        daemon: daemon?,
        segment,
        sampling,
    }))
}

/// `AWS_XRAY_DAEMON_ADDRESS`: an IP, whose port goes before `XRAY_DAEMON_PORT`.
fn daemon(env: &mut Environment, port: u16) -> Option<SocketAddr> {
    const NAME: &str = "AWS_XRAY_DAEMON_ADDRESS";
    let Some(text) = env.text(NAME) else {
        return Some((Ipv4Addr::LOCALHOST, port).into());
    };
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(&text);
    let parsed = match bare.parse::<IpAddr>() {
        Ok(ip) => Some((ip, port).into()),
        Err(_) => text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0),
    };
    if parsed.is_none() {
        env.problem(format!(
            "{NAME} is {text:?}: expected an ip address with or without a port, because Envoy resolves no name there"
        ));
    }
    parsed
}

fn datadog(env: &mut Environment, name: &str) -> Option<Tracer> {
    let collector = collector(env, "DATADOG_TRACER_ADDRESS", "DATADOG_TRACER_PORT", 8126);
    let service = env.text("DD_SERVICE").unwrap_or_else(|| format!("envoy-{name}"));
    Some(Tracer::Datadog {
        collector: collector?,
        service,
    })
}

fn jaeger(env: &mut Environment) -> Option<Tracer> {
    let collector = collector(env, "JAEGER_TRACER_ADDRESS", "JAEGER_TRACER_PORT", 9411);
    let form = match env.word("JAEGER_TRACER_VERSION", &["PROTO", "JSON"]) {
        "JSON" => ZipkinForm::Json,
        _ => ZipkinForm::Proto,
    };
    Some(Tracer::Jaeger {
        collector: collector?,
        form,
    })
}

fn open_telemetry(env: &mut Environment, name: &str) -> Option<Tracer> {
    // The ports that OpenTelemetry's specification has for the two.
    let (protocol, port) = match env.word("OPENTELEMETRY_TRACER_PROTOCOL", &["grpc", "http"]) {
        "http" => (OtlpProtocol::Http, 4318),
        _ => (OtlpProtocol::Grpc, 4317),
    };
    let collector = collector(env, "OPENTELEMETRY_TRACER_ADDRESS", "OPENTELEMETRY_TRACER_PORT", port);
    let service = env.text("OTEL_SERVICE_NAME").unwrap_or_else(|| name.to_owned());
    let has_resource_attributes = env.text("OTEL_RESOURCE_ATTRIBUTES").is_some();
    Some(Tracer::OpenTelemetry(OpenTelemetry {
        collector: collector?,
        protocol,
        service,
        has_resource_attributes,
    }))
}

fn collector(env: &mut Environment, address: &str, port: &str, default: u16) -> Option<Collector> {
    let port = collector_port(env, port, default);
    let text = env.text(address).unwrap_or_else(|| "127.0.0.1".to_owned());
    let host = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(&text);
    let is_ip = host.parse::<IpAddr>().is_ok();
    let is_name = host.len() <= 253
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !is_ip && !is_name {
        env.problem(format!(
            "{address} is {text:?}: expected a host name or an ip address, without port"
        ));
        return None;
    }
    Some(Collector {
        host: host.to_owned(),
        port,
    })
}

fn collector_port(env: &mut Environment, name: &str, default: u16) -> u16 {
    let number = env.number(name, default.into(), 1..=u16::MAX.into());
    u16::try_from(number).unwrap_or(default)
}

/// A decimal from 0 to `most`, in hundredths; further decimals are rounded.
fn hundredths(env: &mut Environment, name: &str, most: u32) -> Option<u32> {
    let text = env.text(name)?;
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse::<f64>() {
        Ok(number) if is_decimal && number <= f64::from(most) => Some((number * 100.0).round() as u32),
        _ => {
            env.problem(format!("{name} is {text:?}: expected a decimal from 0 to {most}"));
            None
        }
    }
}
