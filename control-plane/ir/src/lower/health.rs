//! Host names and health checks that Envoy would refuse, and with them every cluster of the proxy.

use crate::cluster::{HealthCheck, Probe, UpstreamProtocol};

/// Whether a host name is one that can be asked for.
pub fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why a cluster that speaks `protocol` cannot be checked so; `None` if it can.
pub fn problem(check: &HealthCheck, protocol: UpstreamProtocol) -> Option<String> {
    match &check.probe {
        Probe::Grpc if protocol != UpstreamProtocol::Http2 => {
            Some("gRPC needs a listener that speaks http2 or grpc".to_owned())
        }
        Probe::Http { host, path } | Probe::Http2 { host, path } => {
            if !path.starts_with('/') || !is_host(path) {
                Some(format!("path {path:?} is not one that can be asked for"))
            } else if !is_host(host) {
                Some(format!("host {host:?} cannot be a host"))
            } else {
                None
            }
        }
        Probe::Grpc | Probe::Tcp => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{is_host, problem};
    use crate::cluster::{HealthCheck, Probe, UpstreamProtocol};

    fn check(probe: Probe) -> HealthCheck {
        HealthCheck {
            probe,
            port: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy_threshold: 2,
            unhealthy_threshold: 2,
        }
    }

    #[test]
    fn grpc_is_asked_of_http2_only() {
        let grpc = check(Probe::Grpc);
        assert_eq!(problem(&grpc, UpstreamProtocol::Http2), None);
        for protocol in [
            UpstreamProtocol::Http1,
            UpstreamProtocol::Tcp,
            UpstreamProtocol::Downstream,
        ] {
            assert!(problem(&grpc, protocol).is_some(), "{protocol:?}");
        }
        assert_eq!(problem(&check(Probe::Tcp), UpstreamProtocol::Tcp), None);
    }

    #[test]
    fn a_host_name_has_no_blanks_and_is_not_empty() {
        assert!(is_host("a.local") && is_host("::1"));
        assert!(!is_host("") && !is_host("a b") && !is_host("a\n") && !is_host("é"));
    }

    #[test]
    fn what_is_asked_for_must_be_a_path() {
        let http = |path: &str| {
            check(Probe::Http {
                host: "a:80".into(),
                path: path.into(),
            })
        };
        assert_eq!(problem(&http("/ping?a=b"), UpstreamProtocol::Http1), None);
        for path in ["", "ping", "/a b", "/\u{0}", "/é"] {
            assert!(problem(&http(path), UpstreamProtocol::Http1).is_some(), "{path:?}");
        }
    }
}
