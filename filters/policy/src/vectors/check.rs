//! Comparisons. Every mismatch is a sentence that names what was seen and what was expected.

use std::collections::BTreeMap;

use regex::Regex;

use super::{prometheus_key, Action, HeaderExpectation, Headers, Metric, RequestExpectation, RequestOutcome};

pub(super) fn request(expected: &RequestExpectation, seen: &RequestOutcome) -> Vec<String> {
    let mut found = headers(&expected.request_headers, &seen.headers);
    match (&expected.action, &seen.action) {
        (Action::LocalReply(wanted), Action::LocalReply(given)) => {
            let differs = wanted.status != given.status
                || wanted
                    .headers
                    .iter()
                    .any(|(name, value)| given.headers.get(name) != Some(value));
            if differs {
                found.push(format!("local reply {given:?}, expected {wanted:?}"));
            }
        }
        (wanted, given) if wanted != given => {
            found.push(format!("action {given:?}, expected {wanted:?}"));
        }
        _ => {}
    }
    found
}

pub(super) fn headers(expected: &BTreeMap<String, HeaderExpectation>, seen: &Headers) -> Vec<String> {
    expected
        .iter()
        .filter_map(|(name, wanted)| header(name, wanted, seen).err())
        .collect()
}

fn header(name: &str, wanted: &HeaderExpectation, seen: &Headers) -> Result<(), String> {
    let values: Vec<&[u8]> = seen
        .iter()
        .filter(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.0.as_slice())
        .collect();
    let shown = || {
        let texts: Vec<String> = values.iter().map(|value| value.escape_ascii().to_string()).collect();
        if texts.is_empty() {
            "absent".to_owned()
        } else {
            format!("{texts:?}")
        }
    };
    match wanted {
        HeaderExpectation::Absent if values.is_empty() => Ok(()),
        HeaderExpectation::Absent => Err(format!("header {name} is {}, expected absent", shown())),
        HeaderExpectation::Values { values: wanted } => {
            if values.len() == wanted.len() && values.iter().zip(wanted).all(|(given, wanted)| *given == wanted.0) {
                return Ok(());
            }
            let wanted: Vec<String> = wanted.iter().map(|value| value.0.escape_ascii().to_string()).collect();
            Err(format!("header {name} is {}, expected {wanted:?}", shown()))
        }
        HeaderExpectation::Exactly(value) if values == [value.0.as_slice()] => Ok(()),
        HeaderExpectation::Exactly(value) => Err(format!(
            "header {name} is {}, expected [{:?}]",
            shown(),
            value.0.escape_ascii().to_string()
        )),
        HeaderExpectation::Matches { matches } => {
            let regex = Regex::new(&format!("^(?:{matches})$")).map_err(|error| format!("header {name}: {error}"))?;
            match values.as_slice() {
                [value] if std::str::from_utf8(value).is_ok_and(|text| regex.is_match(text)) => Ok(()),
                _ => Err(format!(
                    "header {name} is {}, expected one match of {matches:?}",
                    shown()
                )),
            }
        }
    }
}

pub(super) fn metrics(expected: &BTreeMap<String, Metric>, seen: &[(String, Metric)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut totals: BTreeMap<String, Metric> = BTreeMap::new();
    for (raw, metric) in seen {
        match prometheus_key(raw) {
            Ok(key) => totals.entry(key).or_insert_with(|| metric.zero()).add(metric),
            Err(reason) => found.push(format!("stat name {raw:?}: {reason}")),
        }
    }
    // A metric that was defined and never moved says nothing.
    totals.retain(|_, metric| !metric.is_zero());
    for (key, wanted) in expected {
        match totals.remove(key) {
            Some(given) if given.same(wanted) => {}
            Some(given) => found.push(format!("metric {key} is {given:?}, expected {wanted:?}")),
            None if wanted.is_zero() => {}
            None => found.push(format!("metric {key} is absent, expected {wanted:?}")),
        }
    }
    found.extend(
        totals
            .iter()
            .map(|(key, given)| format!("metric {key} is {given:?}, expected absent")),
    );
    found
}
