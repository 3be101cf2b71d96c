//! What is done with a request.

use envoy_types::pb::envoy::config::route::v3::route::Action as RouteSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use envoy_types::pb::envoy::config::route::v3::weighted_cluster::{ClusterWeight, RandomValueSpecifier};
use envoy_types::pb::envoy::config::route::v3::{DirectResponseAction, RouteAction, WeightedCluster};
use envoy_types::pb::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;
use ferromesh_ir::route::{Action, Forward, PathRewrite, Target};
use ferromesh_ir::Proxy;
use ferromesh_policy::canary::PICK_HEADER;

use crate::{matcher, mirror, names, pack, retry};

/// A route's action.
pub fn action(proxy: &Proxy, action: &Action) -> RouteSpecifier {
    match action {
        Action::Respond(status) => RouteSpecifier::DirectResponse(DirectResponseAction {
            status: *status,
            ..DirectResponseAction::default()
        }),
        Action::Forward(forward) => RouteSpecifier::Route(forward_action(proxy, forward)),
    }
}

fn forward_action(proxy: &Proxy, forward: &Forward) -> RouteAction {
    let (prefix_rewrite, regex_rewrite) = match &forward.path {
        None => (String::new(), None),
        Some(PathRewrite::Matched(to)) => (to.clone(), None),
        Some(PathRewrite::Prefix { from, to }) => (String::new(), Some(substitute(&format!("^{}", escape(from)), to))),
        Some(PathRewrite::Whole(to)) => (String::new(), Some(substitute("^/.*$", to))),
    };
    RouteAction {
        cluster_specifier: Some(targets(proxy, &forward.targets)),
        prefix_rewrite,
        regex_rewrite,
        timeout: Some(pack::duration(forward.timeout)),
        idle_timeout: forward.idle_timeout.map(pack::duration),
        retry_policy: forward.retry.as_deref().map(retry::retry_policy),
        hedge_policy: forward.retry.as_deref().and_then(retry::hedge_policy),
        request_mirror_policies: forward
            .mirror
            .iter()
            .map(|copy| mirror::mirror_policy(proxy, copy))
            .collect(),
        host_rewrite_specifier: forward.host.clone().map(HostRewriteSpecifier::HostRewriteLiteral),
        ..RouteAction::default()
    }
}

/// The filter writes the number by which Envoy chooses; without a number Envoy draws by the same weights.
fn targets(proxy: &Proxy, targets: &[Target]) -> ClusterSpecifier {
    match targets {
        [only] => ClusterSpecifier::Cluster(names::cluster(proxy, &only.cluster)),
        several => ClusterSpecifier::WeightedClusters(WeightedCluster {
            clusters: several
                .iter()
                .map(|target| ClusterWeight {
                    name: names::cluster(proxy, &target.cluster),
                    weight: Some(pack::uint32(target.weight)),
                    ..ClusterWeight::default()
                })
                .collect(),
            random_value_specifier: Some(RandomValueSpecifier::HeaderName(PICK_HEADER.into())),
            ..WeightedCluster::default()
        }),
    }
}

fn substitute(pattern: &str, to: &str) -> RegexMatchAndSubstitute {
    RegexMatchAndSubstitute {
        pattern: Some(matcher::regex(pattern)),
        // A backslash would refer to a group.
        substitution: to.replace('\\', r"\\"),
    }
}

/// RE2 reads every ASCII punctuation behind a backslash as itself.
fn escape(literal: &str) -> String {
    literal
        .chars()
        .flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c]))
        .collect()
}
