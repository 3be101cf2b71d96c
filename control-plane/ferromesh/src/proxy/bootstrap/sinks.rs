//! Where statistics are sent: DogStatsD, whose lines carry tags.

use serde_json::{json, Value};

use crate::address::Address;

/// A sink that sends DogStatsD over UDP, or to a Unix socket for datagrams.
pub(super) fn dog_statsd(address: &Address) -> Value {
    let address = match address {
        Address::Tcp(udp) => json!({ "socket_address": {
            "protocol": "UDP",
            "address": udp.ip().to_string(),
            "port_value": udp.port(),
        } }),
        Address::Unix(path) => json!({ "pipe": { "path": path } }),
    };
    json!({
        "name": "envoy.stat_sinks.dog_statsd",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.metrics.v3.DogStatsdSink",
            "address": address,
        },
    })
}
