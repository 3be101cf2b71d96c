//! Metrics as an executor sees them, and the way from a raw stat name to a Prometheus-like key.

#[cfg(feature = "vectors")]
use std::sync::OnceLock;

#[cfg(feature = "vectors")]
use regex::Regex;
use serde::{Deserialize, Serialize};

#[cfg(feature = "vectors")]
use crate::observability::{OPTIONAL_STATS_TAGS, STATS_PREFIX, STATS_TAGS};

/// A metric's cumulative value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metric {
    /// A counter's total.
    Counter(u64),
    /// A histogram's samples, compared without regard to order.
    Histogram(Vec<u64>),
}

impl Metric {
    #[cfg(feature = "vectors")]
    pub(super) fn zero(&self) -> Self {
        match self {
            Self::Counter(_) => Self::Counter(0),
            Self::Histogram(_) => Self::Histogram(Vec::new()),
        }
    }

    #[cfg(feature = "vectors")]
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Counter(total) => *total == 0,
            Self::Histogram(samples) => samples.is_empty(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Counter(total), Self::Counter(more)) => *total += more,
            (Self::Histogram(samples), Self::Histogram(more)) => samples.extend(more),
            _ => {}
        }
    }

    #[cfg(feature = "vectors")]
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Counter(one), Self::Counter(two)) => one == two,
            (Self::Histogram(one), Self::Histogram(two)) => {
                let (mut one, mut two) = (one.clone(), two.clone());
                one.sort_unstable();
                two.sort_unstable();
                one == two
            }
            _ => false,
        }
    }
}

/// `ferromesh_requests_total{mesh="m",…}` from the name that the filter defined: what Envoy does with
/// `stats_tags` (each tag's first group leaves the name, the second is the value). Labels sorted by name.
///
/// # Errors
/// A label that every metric of ours has and this one has not, a name that keeps something after the labels are
/// taken out.
#[cfg(feature = "vectors")]
pub fn prometheus_key(raw: &str) -> Result<String, String> {
    static TAGS: OnceLock<Vec<(&'static str, Regex)>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| {
        let all = STATS_TAGS.iter().chain(OPTIONAL_STATS_TAGS);
        all.filter_map(|(label, regex)| Some((*label, Regex::new(regex).ok()?)))
            .collect()
    });
    if tags.len() != STATS_TAGS.len() + OPTIONAL_STATS_TAGS.len() {
        return Err("a regular expression of the tags is invalid".to_owned());
    }
    let full = format!("{STATS_PREFIX}{raw}");
    let is_ours = raw.starts_with("ferromesh_");
    let mut labels = Vec::new();
    let mut removed = Vec::new();
    for (index, (label, regex)) in tags.iter().enumerate() {
        let Some(captures) = regex.captures(&full) else {
            if is_ours && index < STATS_TAGS.len() {
                return Err(format!("no label {label}"));
            }
            continue;
        };
        let (whole, value) = (captures.get(1), captures.get(2));
        let (Some(whole), Some(value)) = (whole, value) else {
            return Err(format!("the expression of label {label} needs two groups"));
        };
        removed.push(whole.range());
        labels.push(format!("{label}=\"{}\"", value.as_str()));
    }
    removed.sort_by_key(|range| range.start);
    let mut name = String::new();
    let mut from = 0;
    for range in removed {
        name.push_str(full.get(from..range.start).ok_or("labels overlap")?);
        from = range.end;
    }
    name.push_str(full.get(from..).ok_or("labels overlap")?);
    // What is left of Envoy's custom prefix is not printed; other names get Envoy's own, and `_` for dots.
    let name = match name.strip_prefix(STATS_PREFIX) {
        Some(custom) => custom.to_owned(),
        None => format!("envoy_{}", name.replace('.', "_")),
    };
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("{name:?} is left after the labels"));
    }
    labels.sort();
    Ok(format!("{name}{{{}}}", labels.join(",")))
}
