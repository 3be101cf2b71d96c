//! What holds for one route after all policies, merged from wide to narrow.

use std::collections::BTreeMap;
use std::time::Duration;

use ferromesh_model::policy::{
    AlongPath, BudgetMode, CanarySettings, ExtAuthz, Forwarded, Jwt, Mirror, NonIdempotent, ObservabilitySettings, Off,
    Policy, RateLimit, RetrySettings,
};
use ferromesh_policy::{breaker, fault, headers};

use super::retry::Regardless;
use super::Lowering;
use crate::cluster::RetryBudget;
use crate::matcher::{HeaderMatch, HeaderTest};
use crate::route::{BackOff, Retry};
use crate::ProxyKind;

/// A member with the name of the policy that it comes from.
pub type Named<'a, T> = (&'a str, &'a T);

/// What holds for one route after all policies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings<'a> {
    pub canary: CanarySettings,
    pub retry: RetrySettings,
    pub observability: ObservabilitySettings,
    pub forwarded: Forwarded,
    pub rate_limit: Option<Named<'a, RateLimit>>,
    pub circuit_breaker: Option<&'a breaker::Config>,
    pub fault: Option<&'a fault::Config>,
    pub headers: Option<&'a headers::Config>,
    pub mirror: Option<&'a Mirror>,
    pub jwt: Option<Named<'a, Jwt>>,
    pub ext_authz: Option<Named<'a, ExtAuthz>>,
    /// What would have held requests back and was taken back, with the policy that did.
    pub switched_off: BTreeMap<Off, &'a str>,
    /// The policy that the canary's rollback comes from.
    pub rollback_of: Option<&'a str>,
}

/// Puts each setting that is there over the one before.
macro_rules! settle {
    ($into:expr, $from:expr, $($member:ident),+) => {
        if let Some(from) = &$from {
            $(if from.$member.is_some() {
                $into.$member.clone_from(&from.$member);
            })+
        }
    };
}

impl<'a> Settings<'a> {
    fn apply(&mut self, policy: &'a Policy) {
        let spec = &policy.spec;
        let name = policy.name.as_str();
        let before = self.protection();
        for off in &spec.off {
            self.switch_off(*off);
        }
        settle!(self.canary, spec.canary, on_retry, sticky, r#override, ramp, rollback);
        if spec.canary.as_ref().is_some_and(|canary| canary.rollback.is_some()) {
            self.rollback_of = Some(name);
        }
        settle!(
            self.retry,
            spec.retry,
            enabled,
            non_idempotent,
            idempotency_key_header,
            along_path,
            headers,
            backoff,
            retry_after,
            hedging
        );
        if let Some(budget) = spec.retry.as_ref().and_then(|retry| retry.budget) {
            let merged = self.retry.budget.get_or_insert_default();
            settle!(
                merged,
                Some(budget),
                mode,
                ratio,
                min_concurrency,
                min_per_second,
                window_seconds
            );
        }
        self.observe(policy);
        settle!(
            self.forwarded,
            spec.forwarded,
            xff_trusted_hops,
            use_remote_address,
            forward_client_cert_details,
            set_current_client_cert_details
        );
        replace(
            &mut self.rate_limit,
            spec.rate_limit.as_ref().map(|member| (name, member)),
        );
        replace(&mut self.circuit_breaker, spec.circuit_breaker.as_ref());
        replace(&mut self.fault, spec.fault.as_ref());
        replace(&mut self.headers, spec.headers.as_ref());
        replace(&mut self.mirror, spec.mirror.as_ref());
        replace(&mut self.jwt, spec.jwt.as_ref().map(|member| (name, member)));
        replace(
            &mut self.ext_authz,
            spec.ext_authz.as_ref().map(|member| (name, member)),
        );
        for ((member, had), (_, has)) in before.into_iter().zip(self.protection()) {
            if has {
                self.switched_off.remove(&member);
            } else if had {
                self.switched_off.insert(member, name);
            }
        }
    }

    fn observe(&mut self, policy: &Policy) {
        settle!(
            self.observability,
            policy.spec.observability,
            enabled,
            response_headers,
            trace_context,
            request_id,
            keep_request_id,
            server_timing,
            grpc,
            app_mesh,
            attempts,
            access_log
        );
    }

    /// A route's retries with what policies say of them; `None` if it has none.
    pub fn retries(&self, retry: Option<Retry>) -> Option<Retry> {
        let retry = retry.filter(|_| self.retry.enabled.unwrap_or(true))?;
        let headers = self.retry.headers.iter().flatten();
        Some(Retry {
            headers: headers
                .map(|header| {
                    let test = header.value.clone().map_or(HeaderTest::Present, HeaderTest::Exact);
                    HeaderMatch::new(&header.name, test)
                })
                .collect(),
            back_off: self.retry.backoff.map(|backoff| {
                let base = Duration::from_millis(backoff.base_millis.into());
                let max = backoff.max_millis.map(|millis| Duration::from_millis(millis.into()));
                BackOff {
                    base,
                    max: max.unwrap_or(base * 10),
                }
            }),
            retry_after: self
                .retry
                .retry_after
                .map(|after| Duration::from_millis(after.max_millis.into())),
            hedged: self.retry.hedging.is_some_and(|hedging| hedging.on_per_try_timeout),
            marks: self.is_first_hop_only(),
            ..retry
        })
    }

    /// Whether only the first of a call's hops that has retries retries.
    pub fn is_first_hop_only(&self) -> bool {
        self.retry.along_path.unwrap_or(AlongPath::FirstHop) == AlongPath::FirstHop
    }

    /// Which requests are tried again without regard to their method, where the route has no opinion of its own.
    pub fn regardless(&self, of_route: Regardless) -> Regardless {
        match self.retry.non_idempotent {
            Some(NonIdempotent::Retry) => Regardless::Always,
            Some(NonIdempotent::NeverProcessed) | None => of_route,
        }
    }

    /// Who counts retries.
    pub fn budget_mode(&self) -> BudgetMode {
        let budget = self.retry.budget.unwrap_or_default();
        let by_default = if budget.min_concurrency.is_some() {
            BudgetMode::Native
        } else {
            BudgetMode::Filter
        };
        budget.mode.unwrap_or(by_default)
    }

    /// Envoy's own budget; `None` leaves it at the mesh's default.
    pub fn native_budget(&self, default: Option<RetryBudget>) -> Option<RetryBudget> {
        let budget = self.retry.budget?;
        if self.budget_mode() != BudgetMode::Native || (budget.ratio.is_none() && budget.min_concurrency.is_none()) {
            return None;
        }
        let default = default.unwrap_or(RetryBudget::DEFAULT);
        Some(RetryBudget {
            // Without the digits that binary fractions add: 0.29 is 29 %.
            percent: budget
                .ratio
                .map_or(default.percent, |ratio| (ratio * 1e6).round() / 1e4),
            min_concurrency: budget.min_concurrency.unwrap_or(default.min_concurrency),
        })
    }
}

fn replace<T>(value: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *value = new;
    }
}

impl<'a> Lowering<'a> {
    /// What holds for a route of a virtual service where this proxy sends requests. Narrower targets win: mesh, then the node
    /// or gateway that sends, then the gateway route, then virtual service, then route. Without a service: what holds for
    /// all of the proxy.
    pub fn settings(&self, service: Option<&str>, route: Option<(&str, &str)>) -> Settings<'a> {
        let mesh = &self.mesh;
        let gateway_route = self
            .gateway_route
            .as_ref()
            .filter(|_| self.kind == ProxyKind::VirtualGateway);
        let from_wide_to_narrow: [&'a [&'a Policy]; 5] = [
            mesh.mesh_policies(),
            // Parts are of those who have none.
            if self.is_part {
                &[]
            } else {
                mesh.policies_of(self.kind, self.name)
            },
            gateway_route.map_or(&[], |name| mesh.policies_of_gateway_route(self.name, name)),
            service.map_or(&[], |service| mesh.policies_of_service(service)),
            route.map_or(&[], |(router, name)| mesh.policies_of_route(router, name)),
        ];
        let mut settings = Settings::default();
        for policy in from_wide_to_narrow.into_iter().flatten() {
            settings.apply(policy);
        }
        settings
    }

    /// What holds where requests arrive at this virtual node. What a policy for the whole mesh does to requests it does once,
    /// where they are sent; only its observability holds here too.
    pub fn arrival_settings(&self) -> Settings<'a> {
        let mut settings = Settings::default();
        for policy in self.mesh.mesh_policies() {
            settings.observe(policy);
        }
        for policy in self.mesh.policies_of_ingress(self.name) {
            settings.apply(policy);
        }
        settings
    }
}
