//! Metrics as an executor sees them, and the way from a raw stat name to a Prometheus-like key.

use std::sync::OnceLock;

use regex::Regex;
use serde::Deserialize;

use crate::observability::{STATS_PREFIX, STATS_TAGS};

/// A metric's cumulative value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Metric {
    /// A counter's total.
    Counter(u64),
    /// A histogram's samples, compared without regard to order.
    Histogram(Vec<u64>),
}

impl Metric {
    pub(super) fn zero(&self) -> Self {
        match self {
            Self::Counter(_) => Self::Counter(0),
            Self::Histogram(_) => Self::Histogram(Vec::new()),
        }
    }

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
/// A label that is missing, a name that keeps something after the labels are taken out.
pub fn prometheus_key(raw: &str) -> Result<String, String> {
    static TAGS: OnceLock<Vec<(&'static str, Regex)>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| {
        STATS_TAGS
            .iter()
            .filter_map(|(label, regex)| Some((*label, Regex::new(regex).ok()?)))
            .collect()
    });
    if tags.len() != STATS_TAGS.len() {
        return Err("a regular expression of STATS_TAGS is invalid".to_owned());
    }
    let full = format!("{STATS_PREFIX}{raw}");
    let mut labels = Vec::new();
    let mut removed = Vec::new();
    for (label, regex) in tags {
        let captures = regex.captures(&full).ok_or_else(|| format!("no label {label}"))?;
        let (whole, value) = (captures.get(1), captures.get(2));
        let (Some(whole), Some(value)) = (whole, value) else {
            return Err(format!("the expression of label {label} needs two groups"));
        };
        removed.push(whole.range());
        labels.push(format!("{label}=\"{}\"", value.as_str()));
    }
    removed.sort_by_key(|range| range.start);
    let mut name = String::new();
    let mut from = STATS_PREFIX.len();
    for range in removed {
        name.push_str(full.get(from..range.start).ok_or("labels overlap")?);
        from = range.end;
    }
    name.push_str(full.get(from..).ok_or("labels overlap")?);
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("{name:?} is left after the labels"));
    }
    labels.sort();
    Ok(format!("{name}{{{}}}", labels.join(",")))
}
