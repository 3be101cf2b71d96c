//! A compiled rate limit.

use super::config::{Config, Key, LimitConfig, MissingKey, OnError};
use super::lease::LEASE;
use super::meter::Meter;
use super::record::Layout;
use super::ticks::SECOND;
use super::told::{Field, Fields, Told};
use super::verdict::{Cause, Denial, Verdict};
use crate::hash::hash64;
use crate::{Decimal, Violation};

/// The status of a denial for want of shared data: not the client's fault.
const UNAVAILABLE: u16 = 503;

/// The keys in shared data begin with this; another form of the records has another version.
const PREFIX: [u8; 12] = *b"fm-limit-v1:";
/// Where the seed of the hash of keys is.
pub(super) const SEED_KEY: &[u8] = b"fm-limit-v1:seed";

/// A compiled rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    limits: Vec<Limit>,
    /// The value of `ratelimit-policy`, where responses tell it.
    tells: Option<Box<[u8]>>,
    status: u16,
    is_dry_run: bool,
    on_error: OnError,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    name: String,
    pub(super) key: Key,
    pub(super) missing: MissingKey,
    meter: Meter,
    /// Names the limit in shared data.
    id: [u8; 16],
    /// Names the limit among this worker's leases.
    pub(super) tag: u64,
    /// Records that the limit has.
    records: u32,
    places: usize,
    /// Requests that a worker may take at once.
    pub(super) batch: u32,
}

impl Policy {
    /// Compiles. `scope` names the route among all that share the host's data: mesh, virtual service and route.
    /// Counts belong to scope, limit name, algorithm and key; a change of numbers goes on with them.
    ///
    /// # Errors
    /// No limit or too many, names that repeat or are no names, numbers out of their ranges.
    pub fn compile(config: &Config, scope: &str) -> Result<Self, Vec<Violation>> {
        let violations = config.check();
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Self {
            limits: config.limits.iter().map(|limit| Limit::compile(limit, scope)).collect(),
            tells: config.headers.then(|| policy_field(&config.limits)),
            status: config.status,
            is_dry_run: config.dry_run,
            on_error: config.on_error,
        })
    }

    /// The response headers that tell what is left.
    #[must_use]
    pub fn fields(&self, told: &Told) -> Option<Fields<'_>> {
        let limit = self.limits.get(usize::from(told.limit))?;
        Some(Fields {
            rate_limit: Field::render(&limit.name, told),
            policy: self.tells.as_deref()?,
        })
    }

    /// Whether responses tell what is left.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.tells.is_some()
    }

    /// The name of the limit that is told of.
    #[must_use]
    pub fn limit_name(&self, told: &Told) -> Option<&str> {
        Some(self.limits.get(usize::from(told.limit))?.name.as_str())
    }

    pub(super) fn limits(&self) -> &[Limit] {
        &self.limits
    }

    pub(super) fn admitted(&self, told: Option<Told>) -> Verdict {
        Verdict::Admitted {
            told: told.filter(|_| self.tells.is_some()),
            spared: None,
        }
    }

    pub(super) fn denied(&self, limit: usize, cause: Cause, retry_after: Option<u32>) -> Verdict {
        let spent = Told {
            limit: u8::try_from(limit).unwrap_or(0),
            remaining: 0,
            reset_seconds: retry_after.unwrap_or(0),
        };
        let told = Some(spent).filter(|_| cause == Cause::Spent && self.tells.is_some());
        let allowed = cause == Cause::Unavailable && self.on_error == OnError::Allow;
        if self.is_dry_run || allowed {
            return Verdict::Admitted {
                told,
                spared: Some(cause),
            };
        }
        Verdict::Denied(Denial {
            status: if cause == Cause::Unavailable {
                UNAVAILABLE
            } else {
                self.status
            },
            told,
            retry_after,
            cause,
        })
    }
}

impl Limit {
    fn compile(config: &LimitConfig, scope: &str) -> Self {
        let meter = Meter::new(config);
        let (kind, key) = match &config.key {
            Key::Route(_) => ("route", ""),
            Key::Header(name) => ("header", name.as_str()),
            Key::SourceAddress(_) => ("source", ""),
            Key::Identity(_) => ("identity", ""),
        };
        // Hosts look names up as they are stored: in lower case.
        let key = key.to_ascii_lowercase();
        let named = [scope, &config.name, meter.kind_name(), kind, &key].join("\0");
        let (tag, other) = (hash64(format!("1\0{named}").as_bytes()), hash64(named.as_bytes()));
        let mut id = [0; 16];
        for (to, from) in id
            .iter_mut()
            .zip(tag.to_le_bytes().into_iter().chain(other.to_le_bytes()))
        {
            *to = from;
        }
        let is_whole = matches!(config.key, Key::Route(_));
        let places = if is_whole { 0 } else { meter.ways() };
        Self {
            name: config.name.clone(),
            key: match &config.key {
                Key::Header(_) => Key::Header(key),
                other => other.clone(),
            },
            missing: config.missing_key,
            // Twice the places: then a key rarely finds its record full while there is room in others.
            records: if is_whole {
                1
            } else {
                config
                    .keys
                    .saturating_mul(2)
                    .div_ceil(u32::try_from(places).unwrap_or(1).max(1))
            },
            places,
            batch: batch(config),
            meter,
            id,
            tag,
        }
    }

    pub(super) fn layout(&self) -> Layout<'_> {
        Layout {
            meter: &self.meter,
            places: self.places,
        }
    }

    /// The key in shared data of the record for this key: prefix, limit, number of the record.
    pub(super) fn address(&self, key: u64) -> [u8; 32] {
        // The high half of a product of two 32-bit numbers: uniform below the number of records.
        let record = u32::try_from(((key >> 32) * u64::from(self.records)) >> 32).unwrap_or(0);
        let parts = PREFIX.into_iter().chain(self.id).chain(record.to_le_bytes());
        let mut address = [0; 32];
        for (to, from) in address.iter_mut().zip(parts) {
            *to = from;
        }
        address
    }
}

/// What is admitted within a lease's time, but at most a hundredth of the limit: what workers hold unused
/// stays within the limit's tolerance.
fn batch(config: &LimitConfig) -> u32 {
    let window = u64::from(config.window_seconds) * SECOND;
    let within_lease = u64::from(config.requests) * LEASE / window.max(1);
    u32::try_from(within_lease)
        .unwrap_or(u32::MAX)
        .min(config.depth() / 100)
        .max(1)
}

/// The value of `ratelimit-policy`: a list of strings with parameters (RFC 9651). Names need no escapes.
fn policy_field(limits: &[LimitConfig]) -> Box<[u8]> {
    let mut field = Vec::new();
    for limit in limits {
        if !field.is_empty() {
            field.extend_from_slice(b", ");
        }
        field.push(b'"');
        field.extend_from_slice(limit.name.as_bytes());
        field.extend_from_slice(b"\";q=");
        field.extend_from_slice(Decimal::new(u64::from(limit.requests)).as_bytes());
        field.extend_from_slice(b";w=");
        field.extend_from_slice(Decimal::new(u64::from(limit.window_seconds)).as_bytes());
        if let Some(burst) = limit.burst.filter(|burst| *burst != limit.requests) {
            field.extend_from_slice(b";ferromesh-burst=");
            field.extend_from_slice(Decimal::new(u64::from(burst)).as_bytes());
        }
    }
    field.into_boxed_slice()
}
