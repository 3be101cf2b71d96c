//! The observability part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

use super::trace::{Formats, TraceContext};
use crate::Violation;

/// What is told about the requests of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(
        !from,
        !into,
        rename = "ObservabilityConfig",
        rename_all = "camelCase",
        deny_unknown_fields,
        default
    )
)]
#[serde(from = "Written", into = "Written")]
pub struct Config {
    /// Request counters and latency histograms.
    pub metrics: bool,
    /// Keep a valid trace, make one otherwise. In JSON `traceContext` is `true` (W3C), `false`, or
    /// `{"accept":["w3c","b3"],"emit":["w3c"]}`.
    #[cfg_attr(feature = "schema", schemars(with = "super::TraceContext"))]
    pub trace_context: bool,
    /// The forms of traces that are read and written, where `trace_context` is on.
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub trace_formats: Formats,
    /// Make an `x-request-id` where there is none. Off by default: Envoy makes one itself before any filter,
    /// unless its `generate_request_id` is off, and looking costs a read on every request.
    pub request_id: bool,
    /// Keep the `x-request-id` that a request comes with (the default). `false`, where callers are not trusted:
    /// every request gets a new one. Of no effect without `request_id`.
    pub keep_request_id: bool,
    /// Response headers that say which route and target answered and after how many attempts. They tell
    /// clients about the mesh, so a gateway has them only when asked.
    pub response_headers: bool,
    /// Add `server-timing` to responses: milliseconds, and attempts where they are read.
    pub server_timing: bool,
    /// The route carries gRPC: its metrics have the label `grpc_status`. One read at the end of each request.
    pub grpc: bool,
    /// App Mesh's metrics beside our own, under its names; needs `metrics`. Two reads at the end of each request, for
    /// the bytes.
    pub app_mesh: bool,
    /// Whether attempts are read for the metric of retries: one read for each response. Absent: on routes whose
    /// policy has retries, where the budget reads them anyway.
    pub attempts: Option<bool>,
    /// Tell Envoy's access logs what was decided: `%FILTER_STATE(wasm.ferromesh:PLAIN)%`. One write for each request.
    pub access_log: bool,
}

impl Config {
    /// Mistakes that the form allows.
    #[must_use]
    pub fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.trace_context && self.trace_formats.emit.is_empty() {
            let message = "no format; name at least one, or write \"traceContext\": false";
            found.push(Violation::new("traceContext.emit", message));
        }
        if self.app_mesh && !self.metrics {
            let message = "App Mesh's metrics are counted with our own, so \"metrics\" must be true";
            found.push(Violation::new("appMesh", message));
        }
        found
    }

    /// The traces to keep and to make, if any.
    #[must_use]
    pub fn tracing(&self) -> Option<Formats> {
        self.trace_context.then_some(self.trace_formats)
    }

    /// Whether attempts are worth a read for what is told here, on a route that is retried or not.
    #[must_use]
    pub fn reads_attempts(&self, is_retried: bool) -> bool {
        self.response_headers || self.attempts.unwrap_or(self.metrics && is_retried)
    }
}

impl Default for Config {
    fn default() -> Self {
        Written::default().into()
    }
}

/// The JSON form, where `traceContext` says both whether and which.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    metrics: bool,
    trace_context: TraceContext,
    #[serde(skip_serializing_if = "is_no")]
    request_id: bool,
    #[serde(skip_serializing_if = "is_yes")]
    keep_request_id: bool,
    response_headers: bool,
    #[serde(skip_serializing_if = "is_no")]
    server_timing: bool,
    #[serde(skip_serializing_if = "is_no")]
    grpc: bool,
    #[serde(skip_serializing_if = "is_no")]
    app_mesh: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<bool>,
    #[serde(skip_serializing_if = "is_no")]
    access_log: bool,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            metrics: true,
            trace_context: TraceContext::default(),
            request_id: false,
            keep_request_id: true,
            response_headers: false,
            server_timing: false,
            grpc: false,
            app_mesh: false,
            attempts: None,
            access_log: false,
        }
    }
}

impl From<Written> for Config {
    fn from(written: Written) -> Self {
        Self {
            metrics: written.metrics,
            trace_context: written.trace_context.0.is_some(),
            trace_formats: written.trace_context.0.unwrap_or_default(),
            request_id: written.request_id,
            keep_request_id: written.keep_request_id,
            response_headers: written.response_headers,
            server_timing: written.server_timing,
            grpc: written.grpc,
            app_mesh: written.app_mesh,
            attempts: written.attempts,
            access_log: written.access_log,
        }
    }
}

impl From<Config> for Written {
    fn from(config: Config) -> Self {
        Self {
            metrics: config.metrics,
            trace_context: TraceContext(config.tracing()),
            request_id: config.request_id,
            keep_request_id: config.keep_request_id,
            response_headers: config.response_headers,
            server_timing: config.server_timing,
            grpc: config.grpc,
            app_mesh: config.app_mesh,
            attempts: config.attempts,
            access_log: config.access_log,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_no(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_yes(value: &bool) -> bool {
    *value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::trace::FormatList;
    use crate::observability::Format;

    fn parse(json: &str) -> Result<Config, Violation> {
        crate::document::parse(json.as_bytes())
    }

    #[test]
    fn what_was_written_before_there_were_formats_reads_and_writes_as_it_did() {
        for json in [
            r#"{"metrics":true,"traceContext":true,"responseHeaders":false}"#,
            r#"{"metrics":false,"traceContext":false,"requestId":true,"responseHeaders":true}"#,
        ] {
            assert_eq!(serde_json::to_string(&parse(json).unwrap()).unwrap(), json);
        }
        assert_eq!(parse("{}").unwrap(), Config::default());
        assert_eq!(parse(r#"{"traceContext":true}"#).unwrap().tracing(), Some(Formats::W3C));
    }

    #[test]
    fn writes_what_it_reads() {
        let json = r#"{"metrics":true,"traceContext":{"accept":["xray","b3multi"],"emit":["w3c","b3"]},"requestId":true,"keepRequestId":false,"responseHeaders":false,"serverTiming":true,"grpc":true,"appMesh":true,"attempts":false,"accessLog":true}"#;
        let config = parse(json).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), json);
        assert!(config.check().is_empty());
        let accept = FormatList::try_from(vec![Format::Xray, Format::B3Multi]).unwrap();
        assert_eq!(config.tracing().unwrap().accept, accept);
    }

    #[test]
    fn mistakes_name_their_fields() {
        let path = |json: &str| parse(json).unwrap_err();
        let twice = path(r#"{"traceContext":{"accept":["b3","b3"]}}"#);
        assert!(twice.message.contains("name each format at most once"), "{twice}");
        assert!(twice.path.starts_with("traceContext"), "{twice}");
        let unknown = path(r#"{"traceContext":{"emit":["jaeger"]}}"#);
        assert_eq!(unknown.path, "traceContext.emit[0]");
        assert!(path(r#"{"traceContext":"w3c"}"#)
            .message
            .contains("true, false, or the formats"));
        assert!(parse(r#"{"traceContext":{"acept":[]}}"#).is_err());
        assert!(parse(r#"{"colour":true}"#).is_err());
    }

    #[test]
    fn checks_what_the_form_allows() {
        let config = parse(r#"{"metrics":false,"appMesh":true,"traceContext":{"emit":[]}}"#).unwrap();
        let found = config.check();
        let paths: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["traceContext.emit", "appMesh"]);
    }

    #[test]
    fn attempts_are_read_where_something_is_told_of_them() {
        let reads = |json: &str, is_retried| parse(json).unwrap().reads_attempts(is_retried);
        assert!(reads("{}", true));
        assert!(!reads("{}", false));
        assert!(!reads(r#"{"metrics":false}"#, true));
        assert!(!reads(r#"{"attempts":false}"#, true));
        assert!(reads(r#"{"attempts":true}"#, false));
        assert!(reads(r#"{"attempts":false,"responseHeaders":true}"#, false));
    }
}
