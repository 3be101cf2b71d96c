//! Rate limits that a service keeps over all proxies: `ferromesh rate-limit-service`, or one of the user's own.

use ferromesh_policy::rate_limit;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check::{m, EMPTY, FIELD, TEXT, TIMEOUT_MILLIS};
use super::limit::{Limit, LIMIT, LIMIT_ENTRY};
use super::service::{OnFailure, ServiceAt, ON_FAILURE, SERVICE_AT};
use crate::shapes::{Shape, Type};
use crate::Violation;

/// How many requests are admitted: the filter's own limits, a service's, or both. In JSON the former's members stand beside
/// `global`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct RateLimit {
    /// Limits that each proxy keeps for itself.
    pub local: Option<rate_limit::Config>,
    /// Limits that a service keeps for all.
    pub global: Option<GlobalRateLimit>,
}

impl TryFrom<Map<String, Value>> for RateLimit {
    type Error = serde_json::Error;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, Self::Error> {
        let global = members.remove("global").map(serde_json::from_value).transpose()?;
        let local = (!members.is_empty()).then(|| serde_json::from_value(Value::Object(members)));
        Ok(Self {
            local: local.transpose()?,
            global,
        })
    }
}

impl From<RateLimit> for Map<String, Value> {
    fn from(limits: RateLimit) -> Self {
        let mut members = match limits.local.map(serde_json::to_value) {
            Some(Ok(Value::Object(members))) => members,
            _ => Self::new(),
        };
        if let Some(Ok(global)) = limits.global.map(serde_json::to_value) {
            members.insert("global".into(), global);
        }
        members
    }
}

/// A rate limit service (`envoy.service.ratelimit.v3.RateLimitService`) that is asked about requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GlobalRateLimit {
    /// Where the service is; it speaks gRPC.
    pub service: ServiceAt,
    /// The domain that it keeps the limits under.
    pub domain: String,
    /// Time for an answer in milliseconds, 1 to 60,000; 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u32>,
    /// What happens without an answer; refused when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// What it is asked, 1 to 10: a request is refused if one of them is over its limit.
    pub limits: Vec<LimitKey>,
}

/// What one limit counts by: a descriptor of these entries. A request without one of them is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitKey {
    /// The entries in order, 1 to 10.
    pub key: Vec<KeyPart>,
    /// The limit, for `ferromesh rate-limit-service`; absent: the service knows it by itself, as others than ours do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// An entry of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum KeyPart {
    /// `remote_address`: the client's address without its port.
    SourceAddress {},
    /// A request header, under its own name.
    Header(String),
    /// `virtual_service`: the virtual service.
    VirtualService {},
    /// `route`: the route.
    Route {},
    /// An entry that is always the same.
    Constant(Entry),
}

/// An entry that is always the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

pub(super) static GLOBAL: Shape = Shape {
    name: "GlobalRateLimit",
    ty: Type::Structure(&[
        m("service", &SERVICE_AT, true),
        m("domain", &TEXT, true),
        m("timeoutMillis", &TIMEOUT_MILLIS, false),
        m("onFailure", &ON_FAILURE, false),
        m("limits", &LIMITS, true),
    ]),
};
static LIMITS: Shape = Shape {
    name: "Limits",
    ty: Type::List {
        member: &LIMIT_KEY,
        min: 1,
        max: Some(10),
    },
};
static LIMIT_KEY: Shape = Shape {
    name: "LimitKey",
    ty: Type::Structure(&[m("key", &KEY, true), m("limit", &LIMIT, false)]),
};
static KEY: Shape = Shape {
    name: "KeyParts",
    ty: Type::List {
        member: &PART,
        min: 1,
        max: Some(10),
    },
};
static PART: Shape = Shape {
    name: "KeyPart",
    ty: Type::Union(&[
        m("sourceAddress", &EMPTY, false),
        m("header", &FIELD, false),
        m("virtualService", &EMPTY, false),
        m("route", &EMPTY, false),
        m("constant", &ENTRY, false),
    ]),
};
static ENTRY: Shape = Shape {
    name: "Entry",
    ty: Type::Structure(&[m("key", &TEXT, true), m("value", &TEXT, true)]),
};

impl RateLimit {
    /// What no shape can say.
    pub(super) fn check(&self) -> Vec<Violation> {
        let global = self.global.iter().flat_map(GlobalRateLimit::check);
        let mut found: Vec<Violation> = global.map(|violation| violation.under("global")).collect();
        if self.local.is_none() && self.global.is_none() {
            found.push(Violation::new("", "must have limits, global or both, has none"));
        }
        found
    }
}

impl GlobalRateLimit {
    fn check(&self) -> Vec<Violation> {
        let service = self.service.check().into_iter();
        let mut found: Vec<Violation> = service.map(|violation| violation.under("service")).collect();
        for (index, limit) in self.limits.iter().enumerate() {
            let at = |violation: Violation| violation.under(&format!("limits[{index}]"));
            found.extend(limit.check().into_iter().map(at));
            let name = limit.limit.as_ref().map(|limit| &limit.name);
            let earlier = self.limits.iter().take(index);
            let mut named = earlier.filter_map(|earlier| Some(&earlier.limit.as_ref()?.name));
            if let Some(name) = name.filter(|name| named.any(|earlier| earlier == *name)) {
                let message = format!("must be another than that of an earlier limit, is {name:?}");
                found.push(at(Violation::new("limit.name", message)));
            }
        }
        found
    }
}

impl LimitKey {
    fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for (index, part) in self.key.iter().enumerate() {
            let key = match part {
                KeyPart::Header(name) => name,
                KeyPart::Constant(entry) => &entry.key,
                _ => continue,
            };
            // A header of this name would let a client say its own limit.
            if key.eq_ignore_ascii_case(LIMIT_ENTRY) {
                let message = format!("must not be {LIMIT_ENTRY:?}, which holds the limit");
                found.push(Violation::new(format!("key[{index}]"), message));
            }
        }
        if let Some(Err(error)) = self.limit.as_ref().map(Limit::check) {
            found.push(Violation::new("limit", error.to_string()));
        }
        found
    }
}
