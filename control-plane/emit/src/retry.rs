//! When a failed request is tried again.

use envoy_types::pb::envoy::config::route::v3::retry_policy::{
    retry_host_predicate, RateLimitedRetryBackOff, ResetHeader, ResetHeaderFormat, RetryBackOff, RetryHostPredicate,
};
use envoy_types::pb::envoy::config::route::v3::{HedgePolicy, RetryPolicy};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use ferromesh_ir::route::Retry;

use crate::matcher::header_matcher;
use crate::pack;

/// How often another task is looked for before one is tried a second time.
const HOST_SELECTION_ATTEMPTS: i64 = 5;

/// A route's retry policy.
pub fn retry_policy(retry: &Retry) -> RetryPolicy {
    let mut conditions: Vec<&str> = retry.on.iter().map(|on| on.as_str()).collect();
    if !retry.status_codes.is_empty() {
        conditions.push("retriable-status-codes");
    }
    if !retry.headers.is_empty() {
        conditions.push("retriable-headers");
    }
    RetryPolicy {
        retry_on: conditions.join(","),
        num_retries: Some(pack::uint32(retry.max_retries)),
        per_try_timeout: retry.per_try_timeout.map(pack::duration),
        retriable_headers: retry.headers.iter().map(header_matcher).collect(),
        retry_back_off: retry.back_off.map(|back_off| RetryBackOff {
            base_interval: Some(pack::duration(back_off.base)),
            max_interval: Some(pack::duration(back_off.max)),
        }),
        rate_limited_retry_back_off: retry.retry_after.map(|longest| RateLimitedRetryBackOff {
            reset_headers: vec![ResetHeader {
                name: "retry-after".into(),
                format: ResetHeaderFormat::Seconds.into(),
            }],
            max_interval: Some(pack::duration(longest)),
        }),
        retriable_status_codes: retry.status_codes.iter().copied().collect(),
        retry_host_predicate: vec![RetryHostPredicate {
            name: "envoy.retry_host_predicates.previous_hosts".into(),
            config_type: Some(retry_host_predicate::ConfigType::TypedConfig(pack::any(
                &PreviousHostsPredicate {},
            ))),
        }],
        refresh_cluster_on_retry: retry.elsewhere,
        host_selection_retry_max_attempts: HOST_SELECTION_ATTEMPTS,
        ..RetryPolicy::default()
    }
}

/// Whether attempts overlap.
pub fn hedge_policy(retry: &Retry) -> Option<HedgePolicy> {
    retry.hedged.then(|| HedgePolicy {
        hedge_on_per_try_timeout: true,
        ..HedgePolicy::default()
    })
}
