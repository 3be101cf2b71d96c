//! The static clusters of a bootstrap: the control plane, a collector of spans, a secret discovery service.

use std::{path::Path, time::Duration};

use serde_json::{json, Value};

use super::duration;

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// HTTP/2 pings find a dead connection to the control plane within 30 s (App Mesh's agent: 10 s and 20 s too).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How a cluster's host is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, which gRPC needs.
    Http2,
    /// HTTP/2 with pings.
    Http2Watched,
}

/// A cluster of one host that is looked up by name, or stands there as an address.
pub(super) fn tcp(name: &str, host: &str, port: u16, protocol: Protocol) -> Value {
    let is_ip = host.parse::<std::net::IpAddr>().is_ok();
    let kind = if is_ip { "STATIC" } else { "STRICT_DNS" };
    let address = json!({ "socket_address": { "address": host, "port_value": port } });
    cluster(name, kind, &address, protocol)
}

/// A cluster of one Unix socket.
pub(super) fn unix(name: &str, path: &Path, protocol: Protocol) -> Value {
    cluster(name, "STATIC", &json!({ "pipe": { "path": path } }), protocol)
}

fn cluster(name: &str, kind: &str, address: &Value, protocol: Protocol) -> Value {
    let timeout = match protocol {
        Protocol::Http2Watched => "5s",
        // App Mesh's agent had this one.
        Protocol::Http1 | Protocol::Http2 => "1s",
    };
    let mut cluster = json!({
        "name": name,
        "type": kind,
        "connect_timeout": timeout,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
    });
    let http2 = match protocol {
        Protocol::Http1 => return cluster,
        Protocol::Http2 => json!({}),
        Protocol::Http2Watched => json!({ "connection_keepalive": {
            "interval": duration(KEEPALIVE_INTERVAL),
            "timeout": duration(KEEPALIVE_TIMEOUT),
        } }),
    };
    cluster["typed_extension_protocol_options"] = json!({ OPTIONS: {
        "@type": format!("type.googleapis.com/{OPTIONS}"),
        "explicit_http_config": { "http2_protocol_options": http2 },
    } });
    cluster
}
