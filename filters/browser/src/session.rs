//! What JavaScript may do, as functions from JSON to values that can be written as JSON.

use ferromesh_policy::mesh::{PluginConfig, RouteConfig};
use ferromesh_policy::vectors::{Action, Executor, Headers, Metric, Native, Payload, Request, Response, MODULES};
use ferromesh_policy::Violation;
use serde::{Deserialize, Serialize};

/// The latest time that is taken, in milliseconds: what a JavaScript number holds exactly.
const MAX_MILLIS: f64 = 9_007_199_254_740_991.0;

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The field, as in `canary.weights[1]`; empty: the whole document.
    pub path: String,
    /// What is wrong: the value and the limit.
    pub message: String,
}

impl From<&Violation> for Mistake {
    fn from(violation: &Violation) -> Self {
        Self {
            path: violation.path.clone(),
            message: violation.message.clone(),
        }
    }
}

/// The mistakes of a plugin configuration; none: valid.
#[must_use]
pub fn check_plugin(config: &Payload) -> Vec<Mistake> {
    let violations = match PluginConfig::parse(&config.0) {
        Ok(config) => config.check(),
        Err(violation) => vec![violation],
    };
    violations.iter().map(Mistake::from).collect()
}

/// The mistakes of a route's policy; none: valid.
#[must_use]
pub fn check_route_policy(policy: &Payload) -> Vec<Mistake> {
    let compiled = RouteConfig::parse(&policy.0)
        .map_err(|violation| vec![violation])
        .and_then(|config| config.compile());
    let violations = compiled.err().unwrap_or_default();
    violations.iter().map(Mistake::from).collect()
}

/// One VM of a filter module with one plugin: streams are played on it, and it counts.
#[derive(Debug)]
pub struct Session {
    native: Native,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requested {
    /// All request headers as the next filter would see them.
    pub headers: Headers,
    /// Whether the stream goes on.
    pub action: Action,
    /// What is wrong with the route's policy, which then is not in effect: as `path: message`.
    #[serde(default)]
    pub mistakes: Vec<String>,
}

impl Session {
    /// A VM of the module of this name: `canary`, `retry`, `observability`, or `mesh` for all of them. At the time 0
    /// the wall clock shows `unix`, counted from 1970-01-01 UTC.
    ///
    /// # Errors
    /// A name of no module.
    pub fn try_new(module: &str, seed: u64, unix: Millis) -> Result<Self, String> {
        let Some((_, features)) = MODULES.into_iter().find(|(name, _)| *name == module) else {
            let known = MODULES.map(|(name, _)| name).join(", ");
            return Err(format!("module {module:?} is not one of {known}"));
        };
        let native = Native::new(features, seed).at_unix(unix.0);
        Ok(Self { native })
    }

    /// A plugin configuration; its mistakes, and then the one before stays in effect.
    pub fn configure(&mut self, at: Millis, plugin: &Payload) -> Vec<Mistake> {
        self.native.configure(at.0, &plugin.0);
        self.native.violations().iter().map(Mistake::from).collect()
    }

    /// A stream's request headers.
    pub fn request(&mut self, at: Millis, stream: u32, request: &Request) -> Requested {
        let outcome = self.native.request(at.0, stream as usize, request);
        Requested {
            headers: outcome.headers,
            action: outcome.action,
            mistakes: self.native.violations().iter().map(Violation::to_string).collect(),
        }
    }

    /// A stream's response headers: all of them as the next filter would see them.
    pub fn response(&mut self, at: Millis, stream: u32, response: &Response) -> Headers {
        self.native.response(at.0, stream as usize, response)
    }

    /// A stream ended, with a response or without.
    pub fn end(&mut self, at: Millis, stream: u32) {
        self.native.end(at.0, stream as usize);
    }

    /// The time for counters to be written.
    pub fn tick(&mut self, at: Millis) {
        self.native.tick(at.0);
    }

    /// What was written on ticks so far: the stat's name with its labels, and a counter's total or a histogram's
    /// samples.
    pub fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.native.metrics()
    }
}

/// A moment, in milliseconds since any fixed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Millis(u64);

impl Millis {
    /// From a JavaScript number.
    ///
    /// # Errors
    /// Numbers that are negative, not finite, or beyond what JavaScript counts exactly.
    pub fn try_new(millis: f64) -> Result<Self, String> {
        if (0.0..=MAX_MILLIS).contains(&millis) {
            // Within u64; a part of a millisecond does not count.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Ok(Self(millis as u64))
        } else {
            Err(format!("time of {millis} ms must be 0 to {MAX_MILLIS} ms"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(text: &str) -> Payload {
        Payload(text.as_bytes().to_vec())
    }

    #[test]
    fn mistakes_have_their_paths() {
        let policy = payload(
            r#"{"labels":{"virtualService":"v","route":"r"},"targets":["a"],"canary":{"weights":[0]},"retry":{"maxRetries":2000}}"#,
        );
        let paths: Vec<String> = check_route_policy(&policy)
            .into_iter()
            .map(|mistake| mistake.path)
            .collect();
        assert_eq!(paths, ["canary.weights", "retry.maxRetries"]);
        let plugin = payload(r#"{"mesh":"m","node":"n","reporter":"sideways"}"#);
        assert_eq!(check_plugin(&plugin)[0].path, "reporter");
    }

    #[test]
    fn refuses_times_that_no_clock_gives() {
        assert_eq!(Millis::try_new(1.9), Ok(Millis(1)));
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 1e16] {
            assert!(Millis::try_new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn refuses_a_module_that_does_not_exist() {
        let refused = Session::try_new("lua", 1, Millis(0)).unwrap_err();
        assert_eq!(
            refused,
            r#"module "lua" is not one of canary, retry, observability, rate-limit, circuit-breaker, fault, headers, mesh"#
        );
    }
}
