//! Protobuf's own wrappers.

use std::collections::HashMap;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    address, api_config_source, grpc_service, socket_address, Address, AggregatedConfigSource, ApiConfigSource,
    ApiVersion, ConfigSource, GrpcService, SocketAddress,
};
use envoy_types::pb::google::protobuf;
use prost::{Message, Name};

/// A message in an `Any`.
pub fn any<M: Message + Name>(message: &M) -> protobuf::Any {
    protobuf::Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

/// A map that is encoded in the order of its keys, of which there must be few.
///
/// The generated types hold maps in hash maps, which are encoded in an order that differs from one to the next; the same mesh
/// must give the same bytes. A map of n members comes out sorted once in n! tries, which for the handful of filters that a
/// route speaks to is a matter of nanoseconds.
pub fn map(mut members: Vec<(String, protobuf::Any)>) -> HashMap<String, protobuf::Any> {
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    loop {
        let map: HashMap<_, _> = members.iter().cloned().collect();
        if map.keys().is_sorted() {
            return map;
        }
    }
}

/// A duration, at most as long as Envoy can count.
pub fn duration(duration: Duration) -> protobuf::Duration {
    /// 100 years. Envoy refuses a configuration with more than 2^63 ns (292 years) in it, and adds the time of day.
    const MAX_SECONDS: i64 = 3_155_760_000;
    protobuf::Duration {
        seconds: i64::try_from(duration.as_secs())
            .unwrap_or(MAX_SECONDS)
            .min(MAX_SECONDS),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

/// A number that may be absent.
pub fn uint32(value: u32) -> protobuf::UInt32Value {
    protobuf::UInt32Value { value }
}

/// A truth value that may be absent.
pub fn boolean(value: bool) -> protobuf::BoolValue {
    protobuf::BoolValue { value }
}

/// A TCP address.
pub fn address(host: &str, port: u16) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: host.to_owned(),
            port_specifier: Some(socket_address::PortSpecifier::PortValue(port.into())),
            ..SocketAddress::default()
        })),
    }
}

/// The aggregated stream. Resources are waited for without limit: a listener without its routes or its filter would answer
/// 404 or 500 where the one before it still works.
pub fn ads() -> ConfigSource {
    ConfigSource {
        initial_fetch_timeout: Some(protobuf::Duration::default()),
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    }
}

/// A gRPC stream of its own to a static cluster. Waited for no longer than Envoy does by itself, 15 s: a proxy without that
/// server still opens its other ports.
pub fn grpc(cluster: &str) -> ConfigSource {
    let service = GrpcService {
        target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(grpc_service::EnvoyGrpc {
            cluster_name: cluster.to_owned(),
            ..grpc_service::EnvoyGrpc::default()
        })),
        ..GrpcService::default()
    };
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::ApiConfigSource(ApiConfigSource {
            api_type: api_config_source::ApiType::Grpc.into(),
            transport_api_version: ApiVersion::V3.into(),
            grpc_services: vec![service],
            ..ApiConfigSource::default()
        })),
        ..ConfigSource::default()
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn durations_are_at_most_what_envoy_can_count() {
        assert_eq!(duration(Duration::from_millis(1500)).seconds, 1);
        assert_eq!(duration(Duration::from_millis(1500)).nanos, 500_000_000);
        assert_eq!(duration(Duration::from_secs(10_000_000_000)).seconds, 3_155_760_000);
        assert_eq!(duration(Duration::MAX).seconds, 3_155_760_000);
    }
}
