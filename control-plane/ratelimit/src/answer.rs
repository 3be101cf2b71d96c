//! From what the store said to Envoy's answer, with the header fields that the filter's own limits tell:
//! `ratelimit`, `ratelimit-policy` (draft-ietf-httpapi-ratelimit-headers-10) and `retry-after` (RFC 9110, 10.2.3).

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{
    rate_limit::Unit, Code, DescriptorStatus, RateLimit,
};
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitResponse;
use envoy_types::pb::google::protobuf::Duration as PbDuration;
use ferromesh_model::policy::Limit;

use crate::ask::Asked;
use crate::store::Decision;

/// How one limit stands after the request.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Standing<'l> {
    limit: &'l Limit,
    is_over: bool,
    remaining: u32,
    /// Microseconds until nothing is used; of one that is over: until the request fits.
    reset: u64,
    /// Whether waiting helps.
    comes_back: bool,
}

/// The answer to Envoy. Both have as many charges, in the same order.
#[must_use]
pub fn answer(asked: &Asked, decision: &Decision) -> RateLimitResponse {
    let standings: Vec<Standing<'_>> = asked
        .limits
        .iter()
        .filter_map(|one| {
            let charge = asked.charges.get(one.charge)?;
            let used = *decision.used.get(one.charge)?;
            Some(Standing::of(&one.limit, charge, used, decision.admitted))
        })
        .collect();
    let code = if decision.admitted { Code::Ok } else { Code::OverLimit };
    RateLimitResponse {
        overall_code: code.into(),
        statuses: standings.iter().map(status).collect(),
        response_headers_to_add: fields(&standings),
        ..RateLimitResponse::default()
    }
}

impl<'l> Standing<'l> {
    fn of(limit: &'l Limit, charge: &crate::Charge, used: f64, admitted: bool) -> Self {
        let bucket = charge.bucket;
        if admitted || bucket.fits(used, charge.hits) {
            let used = if admitted {
                bucket.after(used, charge.hits)
            } else {
                used
            };
            return Self {
                limit,
                is_over: false,
                remaining: bucket.remaining(used),
                reset: bucket.until_unused(used),
                comes_back: true,
            };
        }
        let wait = bucket.until_fits(used, charge.hits);
        Self {
            limit,
            is_over: true,
            remaining: bucket.remaining(used),
            reset: wait.unwrap_or_else(|| bucket.until_unused(used)),
            comes_back: wait.is_some(),
        }
    }

    /// At least 1 for one that is over: 0 would invite the request at once.
    fn reset_seconds(&self) -> u64 {
        self.reset.div_ceil(1_000_000).max(u64::from(self.is_over))
    }
}

fn status(standing: &Standing<'_>) -> DescriptorStatus {
    let code = if standing.is_over { Code::OverLimit } else { Code::Ok };
    let reset = Duration::from_micros(standing.reset);
    DescriptorStatus {
        code: code.into(),
        current_limit: Some(RateLimit {
            name: standing.limit.name.clone(),
            requests_per_unit: standing.limit.requests,
            unit: unit(standing.limit.window_seconds).into(),
        }),
        limit_remaining: standing.remaining,
        duration_until_reset: Some(PbDuration {
            seconds: i64::try_from(reset.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(reset.subsec_nanos()).unwrap_or(0),
        }),
        ..DescriptorStatus::default()
    }
}

/// Envoy's protocol has no other windows.
fn unit(window_seconds: u32) -> Unit {
    match window_seconds {
        1 => Unit::Second,
        60 => Unit::Minute,
        3_600 => Unit::Hour,
        86_400 => Unit::Day,
        _ => Unit::Unknown,
    }
}

fn fields(standings: &[Standing<'_>]) -> Vec<HeaderValue> {
    let mut fields = Vec::new();
    let mut policies: Vec<String> = Vec::new();
    for standing in standings.iter().filter(|standing| standing.limit.headers) {
        let policy = standing.limit.told().to_string();
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    let over = || standings.iter().filter(|standing| standing.is_over);
    let told = match over().max_by_key(|standing| standing.reset) {
        Some(over) => Some(over),
        None => standings
            .iter()
            .filter(|standing| standing.limit.headers)
            .min_by_key(|standing| standing.remaining),
    };
    if let Some(told) = told.filter(|told| told.limit.headers) {
        let value = format!(
            "\"{}\";r={};t={}",
            told.limit.name,
            told.remaining,
            told.reset_seconds()
        );
        fields.push(field("ratelimit-policy", policies.join(", ")));
        fields.push(field("ratelimit", value));
    }
    let wait = over().map(Standing::reset_seconds).max();
    if let Some(wait) = wait.filter(|_| over().all(|over| over.comes_back)) {
        fields.push(field("retry-after", wait.to_string()));
    }
    fields
}

fn field(key: &str, value: String) -> HeaderValue {
    HeaderValue {
        key: key.to_owned(),
        value,
        ..HeaderValue::default()
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_model::policy::LIMIT_ENTRY;

    use super::*;
    use crate::ask::tests::{descriptor, request};
    use crate::Memory;

    fn asked(limits: &[&str], hits: u32) -> Asked {
        let descriptors = limits
            .iter()
            .map(|limit| descriptor(&[("a", "b"), (LIMIT_ENTRY, limit)]));
        let mut request = request(descriptors.collect());
        request.hits_addend = hits;
        Asked::read(&request).expect("limits")
    }

    fn said(response: &RateLimitResponse) -> Vec<String> {
        let fields = response.response_headers_to_add.iter();
        fields.map(|field| format!("{}: {}", field.key, field.value)).collect()
    }

    #[test]
    fn an_admitted_request_is_told_of_the_limit_that_has_least_left() {
        let store = Memory::new(10);
        let asked = asked(&[r#""wide";q=100;w=1"#, r#""narrow";q=3;w=60;ferromesh-burst=2"#], 0);
        let response = answer(&asked, &store.take_at(&asked.charges, 0));
        assert_eq!(response.overall_code(), Code::Ok);
        assert_eq!(
            said(&response),
            [
                r#"ratelimit-policy: "wide";q=100;w=1, "narrow";q=3;w=60;ferromesh-burst=2"#,
                r#"ratelimit: "narrow";r=1;t=20"#,
            ]
        );
        let wide = &response.statuses[0];
        assert_eq!((wide.code(), wide.limit_remaining), (Code::Ok, 99));
        let limit = wide.current_limit.as_ref().expect("a limit");
        assert_eq!((limit.requests_per_unit, limit.unit()), (100, Unit::Second));
        assert_eq!(wide.duration_until_reset.expect("a time").nanos, 10_000_000);
        assert_eq!(response.statuses[1].limit_remaining, 1);
    }

    #[test]
    fn a_denied_request_is_told_when_to_come_back_and_counted_nowhere() {
        let store = Memory::new(10);
        let asked = asked(&[r#""wide";q=100;w=1"#, r#""narrow";q=1;w=60"#], 0);
        store.take_at(&asked.charges, 0);
        for _ in 0..3 {
            let response = answer(&asked, &store.take_at(&asked.charges, 0));
            assert_eq!(response.overall_code(), Code::OverLimit);
            assert_eq!(
                said(&response)[1..],
                [r#"ratelimit: "narrow";r=0;t=60"#, "retry-after: 60"]
            );
            let codes: Vec<Code> = response.statuses.iter().map(DescriptorStatus::code).collect();
            assert_eq!(codes, [Code::Ok, Code::OverLimit]);
            assert_eq!(response.statuses[0].limit_remaining, 99, "a denied request was counted");
        }
    }

    #[test]
    fn more_than_a_bucket_holds_is_not_told_to_come_back() {
        let asked = asked(&[r#""small";q=5;w=1"#], 6);
        let response = answer(&asked, &Memory::new(1).take_at(&asked.charges, 0));
        assert_eq!(response.overall_code(), Code::OverLimit);
        assert_eq!(
            said(&response),
            [r#"ratelimit-policy: "small";q=5;w=1"#, r#"ratelimit: "small";r=5;t=1"#]
        );
    }

    #[test]
    fn a_limit_that_is_not_told_of_still_tells_when_to_come_back() {
        let asked = asked(&[r#""quiet";q=1;w=10;ferromesh-headers=?0"#], 0);
        let store = Memory::new(1);
        assert_eq!(said(&answer(&asked, &store.take_at(&asked.charges, 0))), [""; 0]);
        assert_eq!(
            said(&answer(&asked, &store.take_at(&asked.charges, 0))),
            ["retry-after: 10"]
        );
    }
}
