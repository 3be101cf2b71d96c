//! How failed requests are tried again, beyond what App Mesh's retry policy says.

use serde::{Deserialize, Serialize};

use super::check::{m, BOOLEAN, FIELD, FIELD_VALUE, RATIO};
use crate::shapes::{Shape, Type};
use crate::Violation;

/// How failed requests are tried again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetrySettings {
    /// Whether anything is tried again at all; `true` when absent. `false` also switches App Mesh's default policy off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What happens to requests that are not idempotent; absent is [`NonIdempotent::NeverProcessed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_idempotent: Option<NonIdempotent>,
    /// Request header that makes a request of whatever method one that may be repeated: the application answers a second
    /// request with the same value as it did the first. `idempotency-key` is customary; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key_header: Option<String>,
    /// Bound on retries as a share of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<RetryBudget>,
    /// Which of the hops of a call retries; absent is [`AlongPath::FirstHop`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub along_path: Option<AlongPath>,
    /// Response headers that lead to another attempt, whatever the status; at most 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<RetriableHeader>>,
    /// Time between attempts; Envoy's 25 ms to 250 ms when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// Whether a response's `retry-after` is waited for; it is not when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfter>,
    /// Whether attempts overlap; they do not when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedging: Option<Hedging>,
}

/// What happens to failed requests that are not idempotent (`POST`, `PATCH` and unknown methods).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonIdempotent {
    /// They are tried again only if the upstream cannot have processed them.
    #[serde(rename = "neverProcessed")]
    NeverProcessed,
    /// They are tried again like any other, which is what App Mesh did.
    #[serde(rename = "retry")]
    Retry,
}

/// Which of the hops of a call retries, where several have a retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlongPath {
    /// The first one only. It marks the request in `tracestate`; requests that carry the mark are not retried. An
    /// application that does not pass `tracestate` on begins a new path.
    #[serde(rename = "firstHop")]
    FirstHop,
    /// Every one, so that attempts multiply, which is what App Mesh did.
    #[serde(rename = "everyHop")]
    EveryHop,
}

/// Bound on retries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryBudget {
    /// Who counts. Absent: [`BudgetMode::Native`] where `minConcurrency` is given, otherwise [`BudgetMode::Filter`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BudgetMode>,
    /// Retries for each request, 0 to 1; 0.2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Retries towards one target that may be under way whatever the ratio, 0 to 1000; 10 when absent. Only
    /// [`BudgetMode::Native`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_concurrency: Option<u32>,
    /// Retries a second that are always allowed, 0 to 1000; 3 when absent. [`BudgetMode::Native`] has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_per_second: Option<u32>,
    /// Length of the window in seconds, 1 to 3600; 10 when absent. [`BudgetMode::Native`] has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u32>,
}

/// Who counts requests and retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BudgetMode {
    /// Envoy: retries under way as a share of the requests under way, for each target. Costs nothing.
    #[serde(rename = "native")]
    Native,
    /// The filter, over a window, for each virtual service in each worker.
    #[serde(rename = "filter")]
    Filter,
    /// The filter in front of the target, over a window, for each virtual service over all workers: it sees every attempt,
    /// so the bound holds exactly.
    #[serde(rename = "exact")]
    Exact,
}

/// A response header that leads to another attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetriableHeader {
    /// Its name.
    pub name: String,
    /// Its value; whatever it is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Time between attempts: drawn between zero and a bound that doubles from `baseMillis` to `maxMillis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// Bound before the first retry in milliseconds, 1 to 60,000.
    pub base_millis: u32,
    /// Largest bound in milliseconds, `baseMillis` to 600,000; ten times `baseMillis` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_millis: Option<u32>,
}

/// How long a response's `retry-after` (in seconds) is waited for before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryAfter {
    /// Longest time in milliseconds, 1 to 600,000; a header that asks for more is disregarded.
    pub max_millis: u32,
}

/// Whether attempts overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hedging {
    /// Whether an attempt that reaches the time for one attempt goes on beside the next; the first answer counts.
    pub on_per_try_timeout: bool,
}

pub(super) static RETRY: Shape = Shape {
    name: "RetrySettings",
    ty: Type::Structure(&[
        m("enabled", &BOOLEAN, false),
        m("nonIdempotent", &NON_IDEMPOTENT, false),
        m("idempotencyKeyHeader", &FIELD, false),
        m("budget", &BUDGET, false),
        m("alongPath", &ALONG_PATH, false),
        m("headers", &HEADERS, false),
        m("backoff", &BACKOFF, false),
        m("retryAfter", &RETRY_AFTER, false),
        m("hedging", &HEDGING, false),
    ]),
};
static NON_IDEMPOTENT: Shape = Shape {
    name: "NonIdempotent",
    ty: Type::Enum(&["neverProcessed", "retry"]),
};
static ALONG_PATH: Shape = Shape {
    name: "AlongPath",
    ty: Type::Enum(&["firstHop", "everyHop"]),
};
static BUDGET: Shape = Shape {
    name: "RetryBudget",
    ty: Type::Structure(&[
        m("mode", &MODE, false),
        m("ratio", &RATIO, false),
        m("minConcurrency", &TO_1000, false),
        m("minPerSecond", &TO_1000, false),
        m("windowSeconds", &WINDOW, false),
    ]),
};
static MODE: Shape = Shape {
    name: "BudgetMode",
    ty: Type::Enum(&["native", "filter", "exact"]),
};
static TO_1000: Shape = Shape {
    name: "Retries",
    ty: Type::Integer { min: 0, max: 1000 },
};
static WINDOW: Shape = Shape {
    name: "WindowSeconds",
    ty: Type::Integer { min: 1, max: 3600 },
};
static HEADERS: Shape = Shape {
    name: "RetriableHeaders",
    ty: Type::List {
        member: &RETRIABLE_HEADER,
        min: 1,
        max: Some(8),
    },
};
static RETRIABLE_HEADER: Shape = Shape {
    name: "RetriableHeader",
    ty: Type::Structure(&[m("name", &FIELD, true), m("value", &FIELD_VALUE, false)]),
};
static BACKOFF: Shape = Shape {
    name: "Backoff",
    ty: Type::Structure(&[m("baseMillis", &BASE_MILLIS, true), m("maxMillis", &MAX_MILLIS, false)]),
};
static BASE_MILLIS: Shape = Shape {
    name: "BaseMillis",
    ty: Type::Integer { min: 1, max: 60_000 },
};
static MAX_MILLIS: Shape = Shape {
    name: "MaxMillis",
    ty: Type::Integer { min: 1, max: 600_000 },
};
static RETRY_AFTER: Shape = Shape {
    name: "RetryAfter",
    ty: Type::Structure(&[m("maxMillis", &MAX_MILLIS, true)]),
};
static HEDGING: Shape = Shape {
    name: "Hedging",
    ty: Type::Structure(&[m("onPerTryTimeout", &BOOLEAN, true)]),
};

impl RetrySettings {
    /// What no shape can say.
    pub(super) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if let Some(Backoff {
            base_millis,
            max_millis: Some(max),
        }) = self.backoff
        {
            if max < base_millis {
                let message = format!("must be at least baseMillis, which is {base_millis}, is {max}");
                found.push(Violation::new("backoff.maxMillis", message));
            }
        }
        let Some(budget) = &self.budget else { return found };
        let mut refuse = |member: &str, is_there: bool, message: &str| {
            if is_there {
                found.push(Violation::new(format!("budget.{member}"), message));
            }
        };
        match budget.mode {
            Some(BudgetMode::Native) => {
                let message = "is for the modes filter and exact: Envoy's own budget has no window";
                refuse("minPerSecond", budget.min_per_second.is_some(), message);
                refuse("windowSeconds", budget.window_seconds.is_some(), message);
            }
            Some(BudgetMode::Filter | BudgetMode::Exact) => {
                let message = "is for the mode native: a window counts retries by minPerSecond";
                refuse("minConcurrency", budget.min_concurrency.is_some(), message);
            }
            None => {}
        }
        found
    }
}
