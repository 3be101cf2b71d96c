//! Which of a route's targets gets a request: the filter's choice, made by the filter's own code.
//!
//! What only a worker of an Envoy knows is left out: a rollback that it has decided for itself, and the targets that its
//! circuit breaker avoids. A rollback over all proxies is known here.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Duration;

use ferromesh_policy::canary::{
    ChosenBy, Conditions, Config, CookieConfig, Policy, RampConfig, RampStep, Shape, Sticky,
};
use ferromesh_policy::mesh::RouteConfig;
use ferromesh_policy::{Draws, Property, View};
use serde::Serialize;

use super::passage::{percent, Share};
use super::Request;
use crate::route::Forward;

/// When a request is sent, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// Since 1970-01-01 UTC: what a ramp has reached depends on it.
    pub unix: Duration,
    /// The address that the connection to the proxy comes from, if it is known.
    pub source: Option<IpAddr>,
}

/// Who gets a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The target, as among the shares; absent: chance decides, or something that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What it is chosen by, as access logs say it: `override`, `sticky` or `weight`.
    pub by: &'static str,
    /// Why.
    pub because: String,
}

/// The filter's choice on a route, whose targets get the shares that they have by it; `None` where it has none.
pub(super) fn of(
    config: &RouteConfig,
    forward: &Forward,
    request: &Request,
    circumstances: &Circumstances,
    targets: &mut [Share],
) -> Option<Choice> {
    let decision = decide(config, request, circumstances)?;
    // The filter is not told of targets without a weight, unless a ramp may give them one.
    let is_told = |weight: u32| weight > 0 || config.targets.len() == forward.targets.len();
    let all = forward.targets.iter().zip(targets);
    let told = all.filter(|(target, _)| is_told(target.weight));
    let mut told: Vec<&mut Share> = told.map(|(_, share)| share).collect();
    let sum = decision.weights.iter().sum::<u64>().max(1);
    for (share, weight) in told.iter_mut().zip(&decision.weights) {
        share.percent = percent(*weight, sum);
    }
    let target = decision.target.and_then(|target| told.get(target));
    Some(Choice {
        target: target.map(|share| share.target.clone()),
        by: decision.by.label(),
        because: decision.because,
    })
}

/// The choice among the targets of the filter's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decision {
    /// The targets' weights at the time; of a target that is rolled back, none.
    weights: Vec<u64>,
    /// Who gets it, if that is certain.
    target: Option<usize>,
    by: ChosenBy,
    because: String,
}

/// The filter's decision; `None` where it has none to make.
fn decide(config: &RouteConfig, request: &Request, circumstances: &Circumstances) -> Option<Decision> {
    let canary = config.canary.as_ref()?;
    let policy = Policy::compile(canary, &config.targets).ok()?;
    let conditions = Conditions {
        unix: circumstances.unix,
        rolled_back: policy.is_rolled_back(circumstances.unix),
        ..Conditions::default()
    };
    let sight = Sight::of(request, circumstances);
    // Whatever chance decides is not told, so any sequence will do.
    let chosen = policy.decide(&sight, &mut Draws::from_seed(0), &conditions);
    let weights = weights(&policy, config.targets.len(), &conditions);
    let key = || sources(canary).find(|source| is_key(canary, &config.targets, source, request, circumstances));
    let (target, by, mut because) = match chosen.by {
        ChosenBy::Tester => {
            let place = tester_place(canary, &sight);
            (
                Some(chosen.target),
                chosen.by,
                format!("{place} names it, as testers may"),
            )
        }
        _ if sight.lacks_source() => (
            None,
            ChosenBy::Key,
            "it depends on the source address, which is not given".to_owned(),
        ),
        by => match key() {
            Some(source) => (
                Some(chosen.target),
                by,
                format!("whoever has the same {} goes there", place(source)),
            ),
            None => (
                only(&weights),
                ChosenBy::Draw,
                chance(canary, policy.sets_cookies(), &weights),
            ),
        },
    };
    if by != ChosenBy::Tester {
        because.push_str(&ramp(canary, circumstances.unix));
        if let Some(rules) = policy.rollback().filter(|_| conditions.rolled_back) {
            let name = |index: usize| config.targets.get(index).map_or("", String::as_str);
            let (canary, baseline) = (name(rules.canary), name(rules.baseline));
            because.push_str(&format!("; {canary} is rolled back: {baseline} gets its requests"));
        }
    }
    Some(Decision {
        weights,
        target,
        by,
        because,
    })
}

fn weights(policy: &Policy, targets: usize, conditions: &Conditions) -> Vec<u64> {
    let at = policy.weights_at(conditions.unix);
    let mut weights: Vec<u64> = (0..targets).map(|target| at.of(target)).collect();
    if let Some(rules) = policy.rollback().filter(|_| conditions.rolled_back) {
        let moved = weights.get_mut(rules.canary).map(std::mem::take).unwrap_or_default();
        if let Some(baseline) = weights.get_mut(rules.baseline) {
            *baseline = baseline.saturating_add(moved);
        }
    }
    weights
}

/// The only target with a weight.
fn only(weights: &[u64]) -> Option<usize> {
    let mut live = (0..weights.len()).filter(|target| weights.get(*target).is_some_and(|weight| *weight > 0));
    match (live.next(), live.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// The places that a key may come from, in order.
fn sources(canary: &Config) -> impl Iterator<Item = &Sticky> {
    let all = match &canary.sticky {
        Some(Sticky::AnyOf(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    all.iter()
}

/// Whether the request has a key there: then the filter finds it there, too, if it is asked about this place alone.
fn is_key(
    canary: &Config,
    targets: &[String],
    source: &Sticky,
    request: &Request,
    circumstances: &Circumstances,
) -> bool {
    // A cookie that would be set is not one that the request has.
    let read = match source {
        Sticky::ManagedCookie(cookie) if cookie.signing_keys.is_empty() => Sticky::Cookie(cookie.name.clone()),
        Sticky::ManagedCookie(cookie) => Sticky::ManagedCookie(CookieConfig {
            set: None,
            ..cookie.clone()
        }),
        other => other.clone(),
    };
    let alone = Config {
        weights: canary.weights.clone(),
        sticky: Some(read),
        ..Config::default()
    };
    let sight = Sight::of(request, circumstances);
    let conditions = Conditions::default();
    Policy::compile(&alone, targets).is_ok_and(|policy| {
        let chosen = policy.decide(&sight, &mut Draws::from_seed(0), &conditions);
        chosen.by == ChosenBy::Key
    })
}

fn place(source: &Sticky) -> String {
    match source {
        Sticky::Header(name) => format!("header {name}"),
        Sticky::Cookie(name) => format!("cookie {name}"),
        Sticky::ManagedCookie(cookie) => format!("cookie {}", cookie.name),
        Sticky::SourceAddress(_) => "source address".to_owned(),
        Sticky::Query(name) => format!("query parameter {name}"),
        Sticky::Path(_) => "path".to_owned(),
        Sticky::AnyOf(all) => all.iter().map(place).collect::<Vec<_>>().join(" or "),
    }
}

/// Where the tester's wish was read: what was read last.
fn tester_place(canary: &Config, sight: &Sight<'_>) -> String {
    let tester = canary.tester.clone().unwrap_or_default();
    match (tester.header, tester.cookie) {
        (_, Some(cookie)) if sight.read.borrow().as_deref() == Some("cookie") => format!("cookie {cookie}"),
        (Some(header), _) => format!("header {header}"),
        (None, cookie) => format!("cookie {}", cookie.unwrap_or_default()),
    }
}

fn chance(canary: &Config, sets_cookies: bool, weights: &[u64]) -> String {
    let places: Vec<String> = sources(canary).map(place).collect();
    let why = if places.is_empty() {
        "nothing keeps users with a target".to_owned()
    } else {
        format!("the request has no {}", places.join(" and no "))
    };
    let how = if only(weights).is_some() {
        "no other target has a weight"
    } else {
        "drawn by weight"
    };
    let keeps = if sets_cookies {
        ", and a new cookie keeps the user there"
    } else {
        ""
    };
    format!("{how}: {why}{keeps}")
}

/// Where on its ramp a canary is.
fn ramp(canary: &Config, unix: Duration) -> String {
    let Some(ramp) = &canary.ramp else {
        return String::new();
    };
    let Some(reached) = reached(ramp, unix) else {
        return "; the ramp has not begun".to_owned();
    };
    let now = unix.as_millis();
    let is_paused = ramp.pauses.iter().any(|pause| {
        let is_over = pause.until_unix_millis.is_some_and(|until| u128::from(until) <= now);
        u128::from(pause.from_unix_millis) <= now && !is_over
    });
    let paused = if is_paused { ", paused" } else { "" };
    let (step, steps) = (reached + 1, ramp.steps.len());
    if ramp.shape == Shape::Linear && step < steps {
        format!(
            "; the ramp is between the steps {step} and {} of {steps}{paused}",
            step + 1
        )
    } else {
        format!("; the ramp is at step {step} of {steps}{paused}")
    }
}

/// The step that a ramp has reached, asked of a ramp with the same times whose weights tell the steps apart.
fn reached(ramp: &RampConfig, unix: Duration) -> Option<usize> {
    const SUM: u32 = 1000;
    // A ramp has 100 steps at most.
    let numbers = 1..SUM;
    let steps = ramp.steps.iter().zip(numbers).map(|(step, number)| RampStep {
        after_seconds: step.after_seconds,
        weights: vec![number, SUM - number],
    });
    let telling = Config {
        weights: vec![1, 1],
        ramp: Some(RampConfig {
            shape: Shape::Steps,
            steps: steps.collect(),
            ..ramp.clone()
        }),
        ..Config::default()
    };
    let policy = Policy::compile(&telling, &["number".to_owned(), "rest".to_owned()]).ok()?;
    let weights = policy.weights_at(unix);
    let (number, rest) = (weights.of(0), weights.of(1));
    // Before the beginning the native weights hold, which are equal; no step's are.
    let share = number * u64::from(SUM) / (number + rest).max(1);
    usize::try_from(share).ok().filter(|_| number != rest)?.checked_sub(1)
}

/// What the filter sees of a request.
struct Sight<'r> {
    request: &'r Request,
    source: Option<IpAddr>,
    /// The header that was read last.
    read: RefCell<Option<String>>,
    wants_source: RefCell<bool>,
}

impl<'r> Sight<'r> {
    fn of(request: &'r Request, circumstances: &Circumstances) -> Self {
        Self {
            request,
            source: circumstances.source,
            read: RefCell::default(),
            wants_source: RefCell::default(),
        }
    }

    /// Whether the filter has asked for what is not known.
    fn lacks_source(&self) -> bool {
        *self.wants_source.borrow() && self.source.is_none()
    }
}

impl View for Sight<'_> {
    type Value<'a>
        = Vec<u8>
    where
        Self: 'a;

    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        *self.read.borrow_mut() = Some(name.to_owned());
        self.request.values(name).into_iter().next().map(String::into_bytes)
    }

    fn response_header(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn property(&self, property: Property) -> Option<Vec<u8>> {
        if property != Property::SourceAddress {
            return None;
        }
        *self.wants_source.borrow_mut() = true;
        // Any port: it is not part of a key.
        let source = self.source.map(|address| std::net::SocketAddr::new(address, 1));
        source.map(|address| address.to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests;
