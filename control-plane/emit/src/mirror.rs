//! Copies of requests.

use envoy_types::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use envoy_types::pb::envoy::config::route::v3::route_action::RequestMirrorPolicy;
use envoy_types::pb::envoy::r#type::v3::fractional_percent::DenominatorType;
use envoy_types::pb::envoy::r#type::v3::FractionalPercent;
use ferromesh_ir::route::Mirror;
use ferromesh_ir::Proxy;

use crate::names;

/// Where a route's copies go.
pub fn mirror_policy(proxy: &Proxy, mirror: &Mirror) -> RequestMirrorPolicy {
    RequestMirrorPolicy {
        cluster: names::cluster(proxy, &mirror.cluster),
        runtime_fraction: Some(RuntimeFractionalPercent {
            default_value: Some(FractionalPercent {
                numerator: mirror.per_million,
                denominator: DenominatorType::Million.into(),
            }),
            ..RuntimeFractionalPercent::default()
        }),
        // Envoy would make "color.local-shadow" of the host, which no service in the mesh is called.
        disable_shadow_host_suffix_append: true,
        ..RequestMirrorPolicy::default()
    }
}
