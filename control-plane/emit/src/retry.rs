//! When a failed request is tried again.

use envoy_types::pb::envoy::config::route::v3::retry_policy::{retry_host_predicate, RetryHostPredicate};
use envoy_types::pb::envoy::config::route::v3::RetryPolicy;
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use ferromesh_ir::route::Retry;

use crate::pack;

/// How often another task is looked for before one is tried a second time.
const HOST_SELECTION_ATTEMPTS: i64 = 5;

/// A route's retry policy.
pub fn retry_policy(retry: &Retry) -> RetryPolicy {
    let mut conditions: Vec<&str> = retry.on.iter().map(|on| on.as_str()).collect();
    if !retry.status_codes.is_empty() {
        conditions.push("retriable-status-codes");
    }
    RetryPolicy {
        retry_on: conditions.join(","),
        num_retries: Some(pack::uint32(retry.max_retries)),
        per_try_timeout: retry.per_try_timeout.map(pack::duration),
        retriable_status_codes: retry.status_codes.iter().copied().collect(),
        retry_host_predicate: vec![RetryHostPredicate {
            name: "envoy.retry_host_predicates.previous_hosts".into(),
            config_type: Some(retry_host_predicate::ConfigType::TypedConfig(pack::any(
                &PreviousHostsPredicate {},
            ))),
        }],
        host_selection_retry_max_attempts: HOST_SELECTION_ATTEMPTS,
        ..RetryPolicy::default()
    }
}
