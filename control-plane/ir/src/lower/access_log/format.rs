//! Access log formats: Envoy refuses a whole listener for one command operator that it does not know.

/// What a command operator takes in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    /// Nothing.
    None,
    /// Something, or nothing.
    Optional,
    /// Something.
    Required,
}

/// What is wrong with a format; `None` if Envoy takes it.
pub fn problem(format: &str) -> Option<String> {
    let mut rest = format;
    while let Some(start) = rest.find('%') {
        let from = rest.get(start + 1..).unwrap_or_default();
        if let Some(after) = from.strip_prefix('%') {
            rest = after;
            continue;
        }
        let Some((command, after)) = Command::read(from) else {
            let shown: String = from.chars().take(20).collect();
            return Some(format!(
                "\"%{shown}\" starts no command operator; a % by itself is written %%"
            ));
        };
        if let Some(problem) = command.problem() {
            return Some(problem);
        }
        rest = after;
    }
    None
}

/// `NAME`, `NAME(argument)` or either with `:length`.
struct Command<'f> {
    name: &'f str,
    argument: Option<&'f str>,
    has_length: bool,
}

impl<'f> Command<'f> {
    /// Reads what follows a `%`, up to and with the next one; also gives what is behind it.
    fn read(text: &'f str) -> Option<(Self, &'f str)> {
        let end = text.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))?;
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return None;
        }
        if let Some((has_length, rest)) = ending(rest) {
            let argument = None;
            return Some((
                Self {
                    name,
                    argument,
                    has_length,
                },
                rest,
            ));
        }
        let inside = rest.strip_prefix('(')?;
        // The first bracket behind which the command can end; an argument may hold others.
        inside.match_indices(')').find_map(|(at, _)| {
            let (has_length, rest) = ending(inside.get(at + 1..)?)?;
            let argument = inside.get(..at).filter(|argument| !argument.contains('\n'));
            argument?;
            Some((
                Self {
                    name,
                    argument,
                    has_length,
                },
                rest,
            ))
        })
    }

    fn problem(&self) -> Option<String> {
        let name = self.name;
        let Some((_, argument, takes_length)) = COMMANDS.iter().find(|(known, ..)| *known == name) else {
            return Some(format!("%{name}% is no command operator of Envoy"));
        };
        let is_given = self.argument.is_some_and(|argument| !argument.is_empty());
        if *argument == Argument::Required && !is_given {
            Some(format!("%{name}% needs an argument, as in %{name}(…)%"))
        } else if *argument == Argument::None && self.argument.is_some() {
            Some(format!("%{name}% takes no argument"))
        } else if self.has_length && !takes_length {
            Some(format!("%{name}% takes no length"))
        } else {
            None
        }
    }
}

/// The end of a command: `%` or `:length%`; whether it has a length, and what is behind it.
fn ending(text: &str) -> Option<(bool, &str)> {
    if let Some(rest) = text.strip_prefix('%') {
        return Some((false, rest));
    }
    let digits = text.strip_prefix(':')?;
    let end = digits.find(|c: char| !c.is_ascii_digit())?;
    let rest = digits.get(end..)?.strip_prefix('%')?;
    (end > 0).then_some((true, rest))
}

/// The command operators of Envoy 1.40 in access logs: name, argument, and whether a length may follow. Measured: each was
/// put into a configuration with and without both.
#[rustfmt::skip]
const COMMANDS: &[(&str, Argument, bool)] = &[
    ("ACCESS_LOG_TYPE", Argument::None, false),
    ("BYTES_RECEIVED", Argument::None, false),
    ("BYTES_RETRANSMITTED", Argument::None, false),
    ("BYTES_SENT", Argument::None, false),
    ("CEL", Argument::Required, true),
    ("CLUSTER_METADATA", Argument::Required, false),
    ("CONNECTION_ID", Argument::None, false),
    ("CONNECTION_TERMINATION_DETAILS", Argument::None, false),
    ("CUSTOM_FLAGS", Argument::None, false),
    ("DOWNSTREAM_CX_RTT", Argument::None, false),
    ("DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", Argument::None, false),
    ("DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", Argument::None, false),
    ("DOWNSTREAM_DETECTED_CLOSE_TYPE", Argument::None, false),
    ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS", Argument::None, false),
    ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", Argument::None, false),
    ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", Argument::Optional, false),
    ("DOWNSTREAM_DIRECT_LOCAL_PORT", Argument::None, false),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Argument::None, false),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Argument::Optional, false),
    ("DOWNSTREAM_DIRECT_REMOTE_PORT", Argument::None, false),
    ("DOWNSTREAM_HANDSHAKE_DURATION", Argument::None, false),
    ("DOWNSTREAM_HEADER_BYTES_RECEIVED", Argument::None, false),
    ("DOWNSTREAM_HEADER_BYTES_SENT", Argument::None, false),
    ("DOWNSTREAM_LOCAL_ADDRESS", Argument::None, false),
    ("DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", Argument::None, false),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Argument::Optional, false),
    ("DOWNSTREAM_LOCAL_CLOSE_REASON", Argument::None, false),
    ("DOWNSTREAM_LOCAL_DNS_SAN", Argument::None, false),
    ("DOWNSTREAM_LOCAL_EMAIL_SAN", Argument::None, false),
    ("DOWNSTREAM_LOCAL_IP_SAN", Argument::None, false),
    ("DOWNSTREAM_LOCAL_OTHERNAME_SAN", Argument::None, false),
    ("DOWNSTREAM_LOCAL_PORT", Argument::None, false),
    ("DOWNSTREAM_LOCAL_SUBJECT", Argument::None, false),
    ("DOWNSTREAM_LOCAL_URI_SAN", Argument::None, false),
    ("DOWNSTREAM_PEER_CERT", Argument::None, false),
    ("DOWNSTREAM_PEER_CERT_V_END", Argument::Optional, false),
    ("DOWNSTREAM_PEER_CERT_V_START", Argument::Optional, false),
    ("DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", Argument::None, false),
    ("DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", Argument::None, false),
    ("DOWNSTREAM_PEER_CHAIN_SERIALS", Argument::None, false),
    ("DOWNSTREAM_PEER_DNS_SAN", Argument::None, false),
    ("DOWNSTREAM_PEER_EMAIL_SAN", Argument::None, false),
    ("DOWNSTREAM_PEER_FINGERPRINT_1", Argument::None, false),
    ("DOWNSTREAM_PEER_FINGERPRINT_256", Argument::None, false),
    ("DOWNSTREAM_PEER_IP_SAN", Argument::None, false),
    ("DOWNSTREAM_PEER_ISSUER", Argument::None, false),
    ("DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256", Argument::None, false),
    ("DOWNSTREAM_PEER_ISSUER_SERIAL", Argument::None, false),
    ("DOWNSTREAM_PEER_OTHERNAME_SAN", Argument::None, false),
    ("DOWNSTREAM_PEER_SERIAL", Argument::None, false),
    ("DOWNSTREAM_PEER_SUBJECT", Argument::None, false),
    ("DOWNSTREAM_PEER_URI_SAN", Argument::None, false),
    ("DOWNSTREAM_REMOTE_ADDRESS", Argument::None, false),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Argument::Optional, false),
    ("DOWNSTREAM_REMOTE_PORT", Argument::None, false),
    ("DOWNSTREAM_TLS_CIPHER", Argument::None, false),
    ("DOWNSTREAM_TLS_GROUP", Argument::None, false),
    ("DOWNSTREAM_TLS_SESSION_ID", Argument::None, false),
    ("DOWNSTREAM_TLS_VERSION", Argument::None, false),
    ("DOWNSTREAM_TRANSPORT_FAILURE_REASON", Argument::None, false),
    ("DOWNSTREAM_WIRE_BYTES_RECEIVED", Argument::None, false),
    ("DOWNSTREAM_WIRE_BYTES_SENT", Argument::None, false),
    ("DURATION", Argument::None, false),
    ("DYNAMIC_METADATA", Argument::Required, true),
    ("EMIT_TIME", Argument::Optional, false),
    ("EMIT_TIME_LOCAL", Argument::Optional, false),
    ("ENVIRONMENT", Argument::Required, true),
    ("FILTER_CHAIN_NAME", Argument::None, false),
    ("FILTER_STATE", Argument::Required, true),
    ("GRPC_STATUS", Argument::None, false),
    ("GRPC_STATUS_NUMBER", Argument::None, false),
    ("HOSTNAME", Argument::None, false),
    ("LOCAL_REPLY_BODY", Argument::None, false),
    ("PATH", Argument::None, true),
    ("PROTOCOL", Argument::None, false),
    ("QUERY_PARAM", Argument::Required, true),
    ("QUERY_PARAMS", Argument::Optional, true),
    ("REQ", Argument::Required, true),
    ("REQUESTED_SERVER_NAME", Argument::None, false),
    ("REQUEST_DURATION", Argument::None, false),
    ("REQUEST_HEADER", Argument::Required, true),
    ("REQUEST_HEADERS_BYTES", Argument::None, false),
    ("REQUEST_TX_DURATION", Argument::None, false),
    ("RESP", Argument::Required, true),
    ("RESPONSE_CODE", Argument::None, false),
    ("RESPONSE_CODE_DETAILS", Argument::Optional, false),
    ("RESPONSE_DURATION", Argument::None, false),
    ("RESPONSE_FLAGS", Argument::None, false),
    ("RESPONSE_FLAGS_LONG", Argument::None, false),
    ("RESPONSE_HEADER", Argument::Required, true),
    ("RESPONSE_HEADERS_BYTES", Argument::None, false),
    ("RESPONSE_TRAILER", Argument::Required, true),
    ("RESPONSE_TRAILERS_BYTES", Argument::None, false),
    ("RESPONSE_TX_DURATION", Argument::None, false),
    ("ROUNDTRIP_DURATION", Argument::None, false),
    ("ROUTE_NAME", Argument::None, false),
    ("ROUTE_RESOLUTION_COUNT", Argument::None, false),
    ("ROUTE_RESOLUTION_TIME_US", Argument::None, false),
    ("SPAN_ID", Argument::None, false),
    ("START_TIME", Argument::Optional, false),
    ("START_TIME_LOCAL", Argument::Optional, false),
    ("STREAM_ID", Argument::None, false),
    ("STREAM_INFO_REQ", Argument::Required, true),
    ("TLS_JA3_FINGERPRINT", Argument::None, false),
    ("TLS_JA4_FINGERPRINT", Argument::None, false),
    ("TRACE_ID", Argument::None, false),
    ("TRAILER", Argument::Required, true),
    ("UNIQUE_ID", Argument::None, false),
    ("UPSTREAM_CLUSTER", Argument::None, false),
    ("UPSTREAM_CLUSTER_RAW", Argument::None, false),
    ("UPSTREAM_CONNECTION_ID", Argument::None, false),
    ("UPSTREAM_CONNECTION_IDS_ATTEMPTED", Argument::None, false),
    ("UPSTREAM_CONNECTION_POOL_READY_DURATION", Argument::None, false),
    ("UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", Argument::None, false),
    ("UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", Argument::None, false),
    ("UPSTREAM_DETECTED_CLOSE_TYPE", Argument::None, false),
    ("UPSTREAM_FILTER_STATE", Argument::Required, true),
    ("UPSTREAM_HEADER_BYTES_RECEIVED", Argument::None, false),
    ("UPSTREAM_HEADER_BYTES_SENT", Argument::None, false),
    ("UPSTREAM_HOST", Argument::None, false),
    ("UPSTREAM_HOSTS_ATTEMPTED", Argument::None, false),
    ("UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", Argument::None, false),
    ("UPSTREAM_HOST_NAME", Argument::None, false),
    ("UPSTREAM_HOST_NAMES_ATTEMPTED", Argument::None, false),
    ("UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", Argument::None, false),
    ("UPSTREAM_HOST_NAME_WITHOUT_PORT", Argument::None, false),
    ("UPSTREAM_LOCAL_ADDRESS", Argument::None, false),
    ("UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Argument::Optional, false),
    ("UPSTREAM_LOCAL_CLOSE_REASON", Argument::None, false),
    ("UPSTREAM_LOCAL_DNS_SAN", Argument::None, false),
    ("UPSTREAM_LOCAL_IP_SAN", Argument::None, false),
    ("UPSTREAM_LOCAL_PORT", Argument::None, false),
    ("UPSTREAM_LOCAL_URI_SAN", Argument::None, false),
    ("UPSTREAM_METADATA", Argument::Required, false),
    ("UPSTREAM_PEER_CERT", Argument::None, false),
    ("UPSTREAM_PEER_CERT_V_END", Argument::Optional, false),
    ("UPSTREAM_PEER_CERT_V_START", Argument::Optional, false),
    ("UPSTREAM_PEER_DNS_SAN", Argument::None, false),
    ("UPSTREAM_PEER_IP_SAN", Argument::None, false),
    ("UPSTREAM_PEER_ISSUER", Argument::None, false),
    ("UPSTREAM_PEER_SUBJECT", Argument::None, false),
    ("UPSTREAM_PEER_URI_SAN", Argument::None, false),
    ("UPSTREAM_PROTOCOL", Argument::None, false),
    ("UPSTREAM_REMOTE_ADDRESS", Argument::None, false),
    ("UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", Argument::None, false),
    ("UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Argument::Optional, false),
    ("UPSTREAM_REMOTE_PORT", Argument::None, false),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", Argument::None, false),
    ("UPSTREAM_SERVER_NAME", Argument::None, false),
    ("UPSTREAM_TLS_CIPHER", Argument::None, false),
    ("UPSTREAM_TLS_GROUP", Argument::None, false),
    ("UPSTREAM_TLS_SESSION_ID", Argument::None, false),
    ("UPSTREAM_TLS_VERSION", Argument::None, false),
    ("UPSTREAM_TRANSPORT_FAILURE_REASON", Argument::None, false),
    ("UPSTREAM_WIRE_BYTES_RECEIVED", Argument::None, false),
    ("UPSTREAM_WIRE_BYTES_SENT", Argument::None, false),
    ("VIRTUAL_CLUSTER_NAME", Argument::None, false),
];

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn takes_what_envoy_takes() {
        for format in [
            "",
            "plain",
            "100%%",
            "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE%",
            "%REQ(X-A):10%%BYTES_SENT%",
            "%START_TIME(%Y/%m/%d)%",
            "%DYNAMIC_METADATA(a:b)%",
            "%RESPONSE_FLAGS%",
        ] {
            assert_eq!(problem(format), None, "{format}");
        }
    }

    #[test]
    fn says_what_envoy_refuses() {
        for (format, said) in [
            ("100%", "starts no command operator"),
            ("%REQ(", "starts no command operator"),
            ("%START_TIME", "starts no command operator"),
            ("%REQ(a):x%", "starts no command operator"),
            ("%NOPE%", "is no command operator of Envoy"),
            ("%REQ%", "needs an argument"),
            ("%DYNAMIC_METADATA%", "needs an argument"),
            ("%PROTOCOL(a)%", "takes no argument"),
            ("%BYTES_SENT:3%", "takes no length"),
        ] {
            let problem = problem(format).unwrap_or_default();
            assert!(problem.contains(said), "{format}: {problem}");
        }
    }
}
