//! Headers that clients must not write, and the forms that they may write them in.

/// Headers that steer the mesh, Envoy or whoever trusts them, with values that would do something.
pub const RESERVED: &[(&str, &str)] = &[
    ("x-ferromesh-pick", "85"),
    ("x-ferromesh-target", "green"),
    ("x-ferromesh-route", "forged"),
    ("x-ferromesh-attempts", "9"),
    ("x-ferromesh-anything", "forged"),
    ("x-envoy-max-retries", "9"),
    ("x-envoy-retry-on", "5xx,gateway-error,retriable-status-codes"),
    ("x-envoy-retry-grpc-on", "unavailable,internal"),
    ("x-envoy-retriable-status-codes", "503,500"),
    ("x-envoy-retriable-header-names", "x-colour"),
    ("x-envoy-upstream-rq-timeout-ms", "1"),
    ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
    ("x-envoy-upstream-rq-timeout-alt-response", "1"),
    ("x-envoy-expected-rq-timeout-ms", "1"),
    ("x-envoy-hedge-on-per-try-timeout", "true"),
    ("x-envoy-attempt-count", "7"),
    ("x-envoy-decorator-operation", "forged"),
    ("x-envoy-upstream-alt-stat-name", "forged"),
    ("x-envoy-upstream-stream-duration-ms", "1"),
    ("x-envoy-force-trace", "forged"),
    ("x-envoy-internal", "true"),
    ("x-envoy-external-address", "10.9.9.9"),
    ("x-envoy-original-path", "/forged"),
    ("x-envoy-original-host", "forged"),
    ("x-envoy-ip-tags", "forged"),
    ("x-envoy-downstream-service-cluster", "forged"),
    ("x-envoy-downstream-service-node", "forged"),
    ("x-envoy-overloaded", "true"),
    ("x-forwarded-client-cert", "By=spiffe://forged;URI=spiffe://forged"),
];

/// In what form a header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    Duplicate,
    Underscores,
    UpperCase,
    Spaced,
    ConnectionNominated,
    Trailer,
}

pub const FORMS: [Form; 7] = [
    Form::Plain,
    Form::Duplicate,
    Form::Underscores,
    Form::UpperCase,
    Form::Spaced,
    Form::ConnectionNominated,
    Form::Trailer,
];

impl Form {
    /// A whole request with the header in this form.
    pub fn request(self, host: &str, (name, value): (&str, &str)) -> String {
        let line = match self {
            Self::Plain => format!("{name}: {value}\r\n"),
            Self::Duplicate => format!("{name}: {value}\r\n{name}: {value}\r\n"),
            Self::Underscores => format!("{}: {value}\r\n", name.replace('-', "_")),
            Self::UpperCase => format!("{}: {value}\r\n", name.to_uppercase()),
            Self::Spaced => format!("{name}:\t {value} \t\r\n"),
            Self::ConnectionNominated => format!("{name}: {value}\r\nconnection: {name}, close\r\n"),
            Self::Trailer => {
                let chunked = "transfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n";
                return format!(
                    "PUT / HTTP/1.1\r\nhost: {host}\r\ntrailer: {name}\r\n{chunked}{name}: {value}\r\n\r\n"
                );
            }
        };
        let end = if self == Self::ConnectionNominated {
            ""
        } else {
            "connection: close\r\n"
        };
        format!("GET / HTTP/1.1\r\nhost: {host}\r\n{line}{end}\r\n")
    }
}
