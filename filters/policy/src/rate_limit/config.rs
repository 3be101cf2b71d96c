//! The rate limit's part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

use crate::Violation;

const MAX_LIMITS: usize = super::MAX_LIMITS;
const MAX_REQUESTS: u32 = 10_000_000;
const MAX_WINDOW_SECONDS: u32 = 86_400;
/// A bucket that takes longer to fill is a quota, which a proxy's memory should not hold.
const MAX_FILL_SECONDS: u64 = 7 * 86_400;
const MAX_KEYS: u32 = 65_536;
const MAX_NAME: usize = 64;

/// How many requests a route admits. A request must be admitted by every limit and is counted once in each;
/// one that any limit denies is counted in none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "RateLimitConfig"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The limits, 1 to 8, each with a name of its own.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_LIMITS)))]
    pub limits: Vec<LimitConfig>,
    /// Whether responses tell `ratelimit` and `ratelimit-policy` (draft-ietf-httpapi-ratelimit-headers-10). A denial
    /// tells `retry-after` in any case.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub headers: bool,
    /// The status of a denial, 400 to 599.
    #[serde(
        default = "Config::default_status",
        skip_serializing_if = "Config::is_default_status"
    )]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, range(min = 400, max = 599)))]
    pub status: u16,
    /// Whether to count and tell, and deny nothing.
    #[serde(default, skip_serializing_if = "is_no")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub dry_run: bool,
    /// What happens to requests when the host's shared data cannot be read or written.
    #[serde(default, skip_serializing_if = "OnError::is_deny")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub on_error: OnError,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitConfig {
    /// What the limit is called in response headers: 1 to 64 letters, digits, `-`, `_` and `.`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_NAME)))]
    pub name: String,
    /// Requests in each window, 1 to 10,000,000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_REQUESTS)))]
    pub requests: u32,
    /// The window in seconds, 1 to 86,400.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_WINDOW_SECONDS)))]
    pub window_seconds: u32,
    /// How requests are counted.
    #[serde(default, skip_serializing_if = "Algorithm::is_token_bucket")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub algorithm: Algorithm,
    /// Requests that an idle token bucket admits at once, 1 to 10,000,000; absent: `requests`. The bucket
    /// must fill within 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_REQUESTS)))]
    pub burst: Option<u32>,
    /// What is counted apart.
    #[serde(default, skip_serializing_if = "Key::is_route")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub key: Key,
    /// What happens to requests without the key.
    #[serde(default, skip_serializing_if = "MissingKey::is_limit")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub missing_key: MissingKey,
    /// Distinct keys that there is room for at once, 1 to 65,536. Each takes about 100 bytes of Envoy's memory in a
    /// token bucket, 800 in a sliding window. Keys that find no room share one count among some of them.
    #[serde(
        default = "LimitConfig::default_keys",
        skip_serializing_if = "LimitConfig::is_default_keys"
    )]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, range(min = 1, max = MAX_KEYS)))]
    pub keys: u32,
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Algorithm {
    /// `burst` at once after idling, then `requests` evenly over each window.
    #[default]
    TokenBucket,
    /// Never more than `requests` in any span of the window's length.
    SlidingWindow,
}

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Key {
    /// Nothing: all requests of the route together.
    Route(NoSettings),
    /// The value of this request header (name in any case).
    Header(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))] String),
    /// The peer's address without its port.
    SourceAddress(NoSettings),
    /// The first URI name (SPIFFE id) in the peer's verified certificate.
    Identity(NoSettings),
}

/// No settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// What happens to requests without the key, or with an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum MissingKey {
    /// They are counted together, as if they had one key.
    #[default]
    Limit,
    /// This limit does not count them.
    Allow,
    /// They are denied.
    Deny,
}

/// What happens to requests while there is no shared data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum OnError {
    /// They are denied with status 503: a filter that protects fails closed.
    #[default]
    Deny,
    /// They are admitted uncounted.
    Allow,
}

impl Default for Key {
    fn default() -> Self {
        Self::Route(NoSettings {})
    }
}

// Serde's predicates take references.
#[allow(clippy::trivially_copy_pass_by_ref)]
impl Algorithm {
    fn is_token_bucket(&self) -> bool {
        *self == Self::TokenBucket
    }
}

impl Key {
    fn is_route(&self) -> bool {
        matches!(self, Self::Route(_))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
impl MissingKey {
    fn is_limit(&self) -> bool {
        *self == Self::Limit
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
impl OnError {
    fn is_deny(&self) -> bool {
        *self == Self::Deny
    }
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_yes(value: &bool) -> bool {
    *value
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_no(value: &bool) -> bool {
    !*value
}

impl Config {
    fn default_status() -> u16 {
        429
    }

    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_default_status(status: &u16) -> bool {
        *status == Self::default_status()
    }

    pub(super) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if !(1..=MAX_LIMITS).contains(&self.limits.len()) {
            let message = format!("{} limits; there must be 1 to {MAX_LIMITS}", self.limits.len());
            found.push(Violation::new("limits", message));
        }
        for (index, limit) in self.limits.iter().enumerate() {
            let parent = format!("limits[{index}]");
            found.extend(limit.check().into_iter().map(|violation| violation.within(&parent)));
            if self.limits.iter().take(index).any(|other| other.name == limit.name) {
                let message = format!("name {:?} is taken by another limit of this route", limit.name);
                found.push(Violation::new("name", message).within(&parent));
            }
        }
        if !(400..=599).contains(&self.status) {
            let message = format!("status {} must be 400 to 599", self.status);
            found.push(Violation::new("status", message));
        }
        found
    }
}

impl LimitConfig {
    fn default_keys() -> u32 {
        4_096
    }

    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_default_keys(keys: &u32) -> bool {
        *keys == Self::default_keys()
    }

    /// Requests that an idle limit admits at once.
    pub(super) fn depth(&self) -> u32 {
        self.burst.unwrap_or(self.requests)
    }

    fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let named = (1..=MAX_NAME).contains(&self.name.len())
            && self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !named {
            let message = format!(
                "name {:?} must be 1 to {MAX_NAME} letters, digits, '-', '_' or '.'",
                self.name
            );
            found.push(Violation::new("name", message));
        }
        found.extend(within("requests", "requests", self.requests, MAX_REQUESTS));
        found.extend(within(
            "windowSeconds",
            "seconds",
            self.window_seconds,
            MAX_WINDOW_SECONDS,
        ));
        found.extend(within("keys", "keys", self.keys, MAX_KEYS));
        if let Some(burst) = self.burst {
            found.extend(within("burst", "requests", burst, MAX_REQUESTS));
            if self.algorithm == Algorithm::SlidingWindow {
                found.push(Violation::new("burst", "a sliding window has no burst; leave it out"));
            }
            let fill = u64::from(burst) * u64::from(self.window_seconds) / u64::from(self.requests.max(1));
            if fill > MAX_FILL_SECONDS {
                let message = format!("a bucket of {burst} takes {fill} s to fill; at most {MAX_FILL_SECONDS} s");
                found.push(Violation::new("burst", message));
            }
        }
        match &self.key {
            Key::Header(name) => found.extend(check_header("key.header", name)),
            Key::Route(_) if self.missing_key != MissingKey::Limit => {
                let message = "every request has the key \"route\"; leave it out";
                found.push(Violation::new("missingKey", message));
            }
            Key::Route(_) | Key::SourceAddress(_) | Key::Identity(_) => {}
        }
        found
    }
}

fn within(path: &str, unit: &str, value: u32, most: u32) -> Option<Violation> {
    (!(1..=most).contains(&value)).then(|| Violation::new(path, format!("{value} {unit} must be 1 to {most}")))
}

/// A header's name: an RFC 9110 token (or a pseudo header) of at most 255 bytes.
fn check_header(path: &str, name: &str) -> Option<Violation> {
    let token = name.strip_prefix(':').unwrap_or(name);
    let valid = !token.is_empty()
        && name.len() <= 255
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    (!valid).then(|| Violation::new(path, format!("name {name:?} must be a token of 1 to 255 characters")))
}
