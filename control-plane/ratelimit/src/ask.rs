//! From a request of Envoy to what is asked of the store.

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::RateLimitOverride;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::r#type::v3::RateLimitUnit;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest;
use ferromesh_model::policy::{InvalidLimit, Limit, LIMIT_ENTRY};

use crate::bucket::Bucket;
use crate::store::{Charge, Key};

/// Descriptors of one request; the control plane emits at most 10.
pub const MAX_DESCRIPTORS: usize = 64;
/// Entries of one descriptor; the control plane emits at most 11.
pub const MAX_ENTRIES: usize = 64;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The limits, one for each descriptor, in their order.
    pub limits: Vec<AskedLimit>,
    /// Charges with distinct keys.
    pub charges: Vec<Charge>,
}

/// A descriptor's limit.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedLimit {
    /// The limit.
    pub limit: Limit,
    /// Which of the charges is its own. Descriptors with the same key share one.
    pub charge: usize,
}

/// Why a request cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// Limits belong to a domain.
    #[error("domain is missing")]
    Domain,
    /// Nothing to count, or too much.
    #[error("descriptors must be 1 to {MAX_DESCRIPTORS}, are {0}")]
    Descriptors(usize),
    /// Nothing to count by, or too much.
    #[error("descriptors[{index}]: entries must be 1 to {MAX_ENTRIES}, are {entries}")]
    Entries {
        /// Which descriptor.
        index: usize,
        /// How many.
        entries: usize,
    },
    /// Nobody says what the limit is: to admit would be to have none.
    #[error("descriptors[{0}]: has neither an entry {LIMIT_ENTRY:?} nor a limit of its own")]
    NoLimit(usize),
    /// Only the control plane says what the limit is, and says it once.
    #[error("descriptors[{0}]: has more than one entry {LIMIT_ENTRY:?}")]
    TwoLimits(usize),
    /// The limit is none.
    #[error("descriptors[{index}]: {error}")]
    Limit {
        /// Which descriptor.
        index: usize,
        /// Why.
        error: InvalidLimit,
    },
    /// A unit that no bucket here is for.
    #[error("descriptors[{index}]: limit.unit must be SECOND, MINUTE, HOUR or DAY, is {unit}")]
    Unit {
        /// Which descriptor.
        index: usize,
        /// Its number.
        unit: i32,
    },
    /// More than anything admits.
    #[error("descriptors[{index}]: hits must be at most {}, are {hits}", u32::MAX)]
    Hits {
        /// Which descriptor.
        index: usize,
        /// How many.
        hits: u64,
    },
}

impl Asked {
    /// What a request asks.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(request: &RateLimitRequest) -> Result<Self, InvalidRequest> {
        if request.domain.is_empty() {
            return Err(InvalidRequest::Domain);
        }
        if !(1..=MAX_DESCRIPTORS).contains(&request.descriptors.len()) {
            return Err(InvalidRequest::Descriptors(request.descriptors.len()));
        }
        let mut asked = Self {
            limits: Vec::with_capacity(request.descriptors.len()),
            charges: Vec::with_capacity(request.descriptors.len()),
        };
        for (index, descriptor) in request.descriptors.iter().enumerate() {
            let entries = descriptor.entries.len();
            if !(1..=MAX_ENTRIES).contains(&entries) {
                return Err(InvalidRequest::Entries { index, entries });
            }
            let limit = limit(index, descriptor)?;
            let key = key(&request.domain, descriptor, &limit);
            let hits = hits(index, descriptor, request.hits_addend)?;
            let known = asked.charges.iter().position(|charge| charge.key == key);
            let charge = match known {
                Some(charge) => {
                    asked.charges[charge].hits += hits;
                    charge
                }
                None => {
                    let bucket = Bucket::from(&limit);
                    asked.charges.push(Charge { key, bucket, hits });
                    asked.charges.len() - 1
                }
            };
            asked.limits.push(AskedLimit { limit, charge });
        }
        Ok(asked)
    }
}

fn limit(index: usize, descriptor: &RateLimitDescriptor) -> Result<Limit, InvalidRequest> {
    let mut said = descriptor.entries.iter().filter(|entry| entry.key == LIMIT_ENTRY);
    let first = said.next();
    if said.next().is_some() {
        return Err(InvalidRequest::TwoLimits(index));
    }
    let invalid = |error| InvalidRequest::Limit { index, error };
    let said = first.map(|entry| entry.value.parse::<Limit>().map_err(invalid));
    let said = said.transpose()?;
    let limit = match (&descriptor.limit, said) {
        (None, Some(said)) => return Ok(said),
        (None, None) => return Err(InvalidRequest::NoLimit(index)),
        // Envoy's override goes before what is configured, here as everywhere; the name stays.
        (Some(own), said) => overriding(index, own, said)?,
    };
    limit.check().map_err(invalid)?;
    Ok(limit)
}

fn overriding(index: usize, own: &RateLimitOverride, said: Option<Limit>) -> Result<Limit, InvalidRequest> {
    let (unit, window_seconds) = match own.unit() {
        RateLimitUnit::Second => ("second", 1),
        RateLimitUnit::Minute => ("minute", 60),
        RateLimitUnit::Hour => ("hour", 3_600),
        RateLimitUnit::Day => ("day", 86_400),
        _ => {
            let unit = own.unit;
            return Err(InvalidRequest::Unit { index, unit });
        }
    };
    let (name, headers) = match said {
        Some(said) => (said.name, said.headers),
        None => (format!("requests-per-{unit}"), true),
    };
    Ok(Limit {
        name,
        requests: own.requests_per_unit,
        window_seconds,
        burst: None,
        headers,
    })
}

fn key(domain: &str, descriptor: &RateLimitDescriptor, limit: &Limit) -> Key {
    let entries = descriptor.entries.iter().filter(|entry| entry.key != LIMIT_ENTRY);
    let entries = entries.flat_map(|entry| [entry.key.as_str(), entry.value.as_str()]);
    Key::of([domain, limit.name.as_str()].into_iter().chain(entries))
}

fn hits(index: usize, descriptor: &RateLimitDescriptor, of_request: u32) -> Result<i64, InvalidRequest> {
    let hits = match &descriptor.hits_addend {
        Some(own) => own.value,
        // Not said.
        None if of_request == 0 => 1,
        None => of_request.into(),
    };
    let Ok(whole) = u32::try_from(hits) else {
        return Err(InvalidRequest::Hits { index, hits });
    };
    let whole = i64::from(whole);
    Ok(if descriptor.is_negative_hits { -whole } else { whole })
}

#[cfg(test)]
pub(crate) mod tests {
    use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
    use envoy_types::pb::google::protobuf::UInt64Value;

    use super::*;

    pub(crate) fn descriptor(entries: &[(&str, &str)]) -> RateLimitDescriptor {
        let entries = entries.iter().map(|(key, value)| Entry {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        });
        RateLimitDescriptor {
            entries: entries.collect(),
            ..RateLimitDescriptor::default()
        }
    }

    pub(crate) fn request(descriptors: Vec<RateLimitDescriptor>) -> RateLimitRequest {
        RateLimitRequest {
            domain: "shop".into(),
            descriptors,
            hits_addend: 0,
        }
    }

    const LIMIT: &str = r#""a";q=10;w=60;ferromesh-burst=20"#;

    #[test]
    fn a_descriptor_brings_its_limit_along_which_is_no_part_of_its_key() {
        let user = |limit| descriptor(&[("x-user", "ada"), (LIMIT_ENTRY, limit)]);
        let first = Asked::read(&request(vec![user(LIMIT)])).expect("a limit");
        let bucket = Bucket {
            capacity: 20,
            requests: 10,
            window_seconds: 60,
        };
        assert_eq!(first.charges[0].bucket, bucket);
        assert_eq!(first.charges[0].hits, 1);
        let changed = Asked::read(&request(vec![user(r#""a";q=1;w=1"#)])).expect("a limit");
        assert_eq!(changed.charges[0].key, first.charges[0].key);
        let renamed = Asked::read(&request(vec![user(r#""b";q=1;w=1"#)])).expect("a limit");
        assert_ne!(renamed.charges[0].key, first.charges[0].key);
        let mut elsewhere = request(vec![user(LIMIT)]);
        elsewhere.domain = "other".into();
        assert_ne!(
            Asked::read(&elsewhere).expect("a limit").charges[0].key,
            first.charges[0].key
        );
    }

    #[test]
    fn descriptors_of_one_key_are_charged_together() {
        let user = |name| descriptor(&[("x-user", name), (LIMIT_ENTRY, LIMIT)]);
        let asked = Asked::read(&request(vec![user("ada"), user("bob"), user("ada")])).expect("limits");
        let hits: Vec<i64> = asked.charges.iter().map(|charge| charge.hits).collect();
        assert_eq!(hits, [2, 1]);
        let charges: Vec<usize> = asked.limits.iter().map(|limit| limit.charge).collect();
        assert_eq!(charges, [0, 1, 0]);
    }

    #[test]
    fn hits_are_the_descriptors_or_the_requests_or_one() {
        let of = |own: Option<u64>, negative, of_request| {
            let mut descriptor = descriptor(&[("a", "b"), (LIMIT_ENTRY, LIMIT)]);
            descriptor.hits_addend = own.map(|value| UInt64Value { value });
            descriptor.is_negative_hits = negative;
            let request = RateLimitRequest {
                hits_addend: of_request,
                ..request(vec![descriptor])
            };
            Asked::read(&request).map(|asked| asked.charges[0].hits)
        };
        assert_eq!(of(None, false, 0), Ok(1));
        assert_eq!(of(None, false, 7), Ok(7));
        assert_eq!(of(Some(0), false, 7), Ok(0));
        assert_eq!(of(Some(3), true, 7), Ok(-3));
        assert!(of(Some(1 << 32), false, 0).is_err());
    }

    #[test]
    fn envoys_override_goes_before_the_entry_and_stands_alone() {
        let own = |unit: RateLimitUnit, entries: &[(&str, &str)]| {
            let mut descriptor = descriptor(entries);
            descriptor.limit = Some(RateLimitOverride {
                requests_per_unit: 5,
                unit: unit.into(),
            });
            Asked::read(&request(vec![descriptor])).map(|asked| asked.limits[0].limit.to_string())
        };
        let alone = own(RateLimitUnit::Minute, &[("a", "b")]);
        assert_eq!(alone.as_deref(), Ok(r#""requests-per-minute";q=5;w=60"#));
        let both = own(RateLimitUnit::Hour, &[("a", "b"), (LIMIT_ENTRY, LIMIT)]);
        assert_eq!(both.as_deref(), Ok(r#""a";q=5;w=3600"#));
        assert!(own(RateLimitUnit::Year, &[("a", "b")]).is_err());
        assert!(own(RateLimitUnit::Unknown, &[("a", "b")]).is_err());
    }

    #[test]
    fn what_has_no_limit_or_two_is_refused() {
        let wrong = |descriptors| Asked::read(&request(descriptors)).expect_err("wrong").to_string();
        assert_eq!(wrong(vec![]), "descriptors must be 1 to 64, are 0");
        assert_eq!(
            wrong(vec![descriptor(&[])]),
            "descriptors[0]: entries must be 1 to 64, are 0"
        );
        assert_eq!(
            wrong(vec![descriptor(&[("a", "b")])]),
            "descriptors[0]: has neither an entry \"ferromesh.limit\" nor a limit of its own"
        );
        let forged = descriptor(&[(LIMIT_ENTRY, r#""a";q=1000000;w=1"#), (LIMIT_ENTRY, LIMIT)]);
        assert_eq!(
            wrong(vec![forged]),
            "descriptors[0]: has more than one entry \"ferromesh.limit\""
        );
        let many = vec![descriptor(&[("a", "b"), (LIMIT_ENTRY, LIMIT)]); 65];
        assert_eq!(wrong(many), "descriptors must be 1 to 64, are 65");
        assert!(wrong(vec![descriptor(&[(LIMIT_ENTRY, "x")])]).contains("is not of the form"));
        let nameless = RateLimitRequest {
            domain: String::new(),
            ..request(vec![])
        };
        assert_eq!(Asked::read(&nameless), Err(InvalidRequest::Domain));
    }
}
