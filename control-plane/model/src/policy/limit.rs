//! A limit that the rate limit service of this project keeps, and the form in which it travels.
//!
//! Envoy sends descriptors to a rate limit service and no limits. Ours learns the limit from one more entry of the
//! descriptor, so that key and limit change in one update of the route, and the service has no configuration that could be
//! older than a proxy's. The entry's value is a member of the field `ratelimit-policy`
//! (draft-ietf-httpapi-ratelimit-headers-10): what responses tell is what the service was told.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::check::m;
use crate::shapes::{Pattern, Shape, Type};

/// The key of the entry that holds a limit. No other entry may have it.
pub const LIMIT_ENTRY: &str = "ferromesh.limit";

const MAX_NAME: usize = 64;
const MAX_REQUESTS: u32 = 10_000_000;
const MAX_WINDOW_SECONDS: u32 = 86_400;
/// A bucket that takes longer to fill is a quota: 7 days, as in the filter.
const MAX_FILL_SECONDS: u64 = 7 * 86_400;

/// How many requests with one key are admitted: a token bucket, exact over all proxies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// What the limit is called in response headers: 1 to 64 letters, digits, `-`, `_` and `.`. Counts belong to domain, key
    /// and name; a change of numbers goes on with them.
    pub name: String,
    /// Requests in each window, 1 to 10,000,000.
    pub requests: u32,
    /// The window in seconds, 1 to 86,400.
    pub window_seconds: u32,
    /// Requests that an idle bucket admits at once, 1 to 10,000,000; absent: `requests`. The bucket must fill within 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Whether responses tell `ratelimit` and `ratelimit-policy`; they do when absent. A denial tells `retry-after` in any
    /// case.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub headers: bool,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form.
fn is_yes(value: &bool) -> bool {
    *value
}

/// Why a text or its numbers are no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLimit(String);

impl fmt::Display for InvalidLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidLimit {}

impl Limit {
    /// Requests that an idle bucket admits at once.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.burst.unwrap_or(self.requests)
    }

    /// The member of the field `ratelimit-policy` that tells the limit.
    #[must_use]
    pub fn told(&self) -> Told<'_> {
        Told(self)
    }

    /// What is wrong with it.
    ///
    /// # Errors
    /// The first mistake.
    pub fn check(&self) -> Result<(), InvalidLimit> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.bytes().all(named) {
            let name: String = self.name.chars().take(MAX_NAME + 1).collect();
            let message = format!("name must be 1 to {MAX_NAME} letters, digits, '-', '_' and '.', is {name:?}");
            return Err(InvalidLimit(message));
        }
        for (what, is, most) in [
            ("requests", self.requests, MAX_REQUESTS),
            ("windowSeconds", self.window_seconds, MAX_WINDOW_SECONDS),
            ("burst", self.capacity(), MAX_REQUESTS),
        ] {
            if !(1..=most).contains(&is) {
                return Err(InvalidLimit(format!("{what} must be 1 to {most}, is {is}")));
            }
        }
        let seconds = (u64::from(self.capacity()) * u64::from(self.window_seconds)).div_ceil(u64::from(self.requests));
        if seconds > MAX_FILL_SECONDS {
            let message = format!("a bucket must fill within {MAX_FILL_SECONDS} s, takes {seconds} s");
            return Err(InvalidLimit(message));
        }
        Ok(())
    }
}

/// A limit as `ratelimit-policy` tells it.
#[derive(Debug, Clone, Copy)]
pub struct Told<'l>(&'l Limit);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.0;
        write!(f, "\"{}\";q={};w={}", limit.name, limit.requests, limit.window_seconds)?;
        match limit.burst.filter(|burst| *burst != limit.requests) {
            Some(burst) => write!(f, ";ferromesh-burst={burst}"),
            None => Ok(()),
        }
    }
}

/// The value of the entry: what is told, and whether it is.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)?;
        f.write_str(if self.headers { "" } else { ";ferromesh-headers=?0" })
    }
}

impl FromStr for Limit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            let text: String = text.chars().take(200).collect();
            InvalidLimit(format!(
                "limit {text:?} is not of the form \"name\";q=REQUESTS;w=SECONDS"
            ))
        };
        let mut parts = text.split(';');
        let name = parts.next().and_then(|name| name.strip_prefix('"')?.strip_suffix('"'));
        let (mut requests, mut window_seconds, mut burst, mut headers) = (None, None, None, None);
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(wrong)?;
            let number = || value.parse().ok().filter(|_| !value.starts_with('+'));
            let known = match key {
                "q" => requests.replace(number().ok_or_else(wrong)?).is_some(),
                "w" => window_seconds.replace(number().ok_or_else(wrong)?).is_some(),
                "ferromesh-burst" => burst.replace(number().ok_or_else(wrong)?).is_some(),
                "ferromesh-headers" if value == "?0" => headers.replace(false).is_some(),
                _ => true,
            };
            // Said twice, or something that this version does not know and so must not ignore.
            if known {
                return Err(wrong());
            }
        }
        let limit = Self {
            name: name.ok_or_else(wrong)?.to_owned(),
            requests: requests.ok_or_else(wrong)?,
            window_seconds: window_seconds.ok_or_else(wrong)?,
            burst,
            headers: headers.unwrap_or(true),
        };
        limit.check()?;
        Ok(limit)
    }
}

pub(super) static LIMIT: Shape = Shape {
    name: "Limit",
    ty: Type::Structure(&[
        m("name", &LIMIT_NAME, true),
        m("requests", &REQUESTS, true),
        m("windowSeconds", &WINDOW_SECONDS, true),
        m("burst", &REQUESTS, false),
        m("headers", &super::check::BOOLEAN, false),
    ]),
};
static LIMIT_NAME: Shape = Shape {
    name: "LimitName",
    ty: Type::String {
        min: 1,
        max: Some(MAX_NAME),
        pattern: Some(&WORD),
    },
};
static WORD: Pattern = Pattern::new("^[-_.0-9A-Za-z]+$");
static REQUESTS: Shape = Shape {
    name: "Requests",
    ty: Type::Integer {
        min: 1,
        max: MAX_REQUESTS as i64,
    },
};
static WINDOW_SECONDS: Shape = Shape {
    name: "WindowSeconds",
    ty: Type::Integer {
        min: 1,
        max: MAX_WINDOW_SECONDS as i64,
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: u32, window_seconds: u32, burst: Option<u32>) -> Limit {
        Limit {
            name: "per-user".into(),
            requests,
            window_seconds,
            burst,
            headers: true,
        }
    }

    #[test]
    fn the_entry_is_read_back_as_it_was_written() {
        let quiet = Limit {
            headers: false,
            ..limit(5, 1, None)
        };
        for (limit, text) in [
            (limit(100, 60, None), r#""per-user";q=100;w=60"#),
            (limit(100, 60, Some(7)), r#""per-user";q=100;w=60;ferromesh-burst=7"#),
            (quiet, r#""per-user";q=5;w=1;ferromesh-headers=?0"#),
        ] {
            assert_eq!(limit.to_string(), text);
            assert_eq!(text.parse(), Ok(limit));
        }
        assert_eq!(
            Limit {
                headers: false,
                ..limit(5, 1, None)
            }
            .told()
            .to_string(),
            r#""per-user";q=5;w=1"#
        );
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in [
            "",
            "x",
            r#""a""#,
            r#""a";q=1"#,
            r#""a";w=1"#,
            r#""a";q=0;w=1"#,
            r#""a";q=1;w=86401"#,
            r#""a";q=10000001;w=1"#,
            r#""a";q=1;w=1;q=2"#,
            r#""a";q=1;w=1;x=2"#,
            r#""a";q=+1;w=1"#,
            r#""a";q=-1;w=1"#,
            r#""a b";q=1;w=1"#,
            r#""";q=1;w=1"#,
            r#""a";q=1;w=1;ferromesh-headers=?1"#,
            r#""a";q=1;w=86400;ferromesh-burst=8"#,
        ] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
