//! The API's own metrics, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ferromesh_store::{key, Store, StoreError};

use crate::MetricsSource;

/// Counts of requests. The labels come from fixed tables, so their number is bounded.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str), Requests>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Requests {
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// Counts one request by its operation and outcome (`200` or an error's name).
    pub(crate) fn count(&self, operation: &'static str, code: &'static str, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = requests.entry((operation, code)).or_default();
        entry.count += 1;
        entry.seconds += took.as_secs_f64();
    }

    /// All metrics: requests, then what the store holds, then those of other parts.
    pub(crate) fn write(
        &self,
        store: &dyn Store,
        others: &[std::sync::Arc<dyn MetricsSource>],
    ) -> Result<String, StoreError> {
        let mut text = String::new();
        self.write_requests(&mut text);
        write_store(&mut text, store)?;
        for other in others {
            other.write(&mut text);
        }
        Ok(text)
    }

    fn write_requests(&self, text: &mut String) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        family(
            text,
            "ferromesh_api_requests_total",
            "counter",
            "API requests by operation and outcome.",
        );
        for ((operation, code), requests) in &requests {
            let count = requests.count;
            let _ = writeln!(
                text,
                "ferromesh_api_requests_total{{operation=\"{operation}\",code=\"{code}\"}} {count}"
            );
        }
        family(
            text,
            "ferromesh_api_request_seconds_total",
            "counter",
            "Time spent on API requests, in seconds.",
        );
        for ((operation, code), requests) in &requests {
            let seconds = requests.seconds;
            let labels = format!("operation=\"{operation}\",code=\"{code}\"");
            let _ = writeln!(text, "ferromesh_api_request_seconds_total{{{labels}}} {seconds}");
        }
    }
}

fn write_store(text: &mut String, store: &dyn Store) -> Result<(), StoreError> {
    use ferromesh_model::resource::Kind;
    let prefixes = [key::MESHES, key::RESOURCES, key::POLICIES, key::ACCOUNTS];
    let (revision, listed) = store.snapshot(&prefixes)?;
    let mut counts: BTreeMap<&str, usize> = Kind::ALL.iter().map(|kind| (kind.wire_name(), 0)).collect();
    counts.insert("policy", 0);
    for stored in listed.iter().flatten() {
        // What other accounts have stands under `account/<id>/`.
        let of_account = stored
            .key
            .strip_prefix(key::ACCOUNTS)
            .and_then(|rest| rest.split_once('/'));
        let inner = of_account.map_or(stored.key.as_str(), |(_, inner)| inner);
        let mut components = inner.split('/');
        let kind = match components.next() {
            Some("mesh") => Some("mesh"),
            Some("policy") => Some("policy"),
            Some("resource") => components.nth(1),
            _ => None,
        };
        if let Some(count) = kind.and_then(|kind| counts.get_mut(kind)) {
            *count += 1;
        }
    }
    family(text, "ferromesh_resources", "gauge", "Stored resources by kind.");
    for (kind, count) in counts {
        let _ = writeln!(text, "ferromesh_resources{{kind=\"{kind}\"}} {count}");
    }
    family(
        text,
        "ferromesh_store_revision",
        "gauge",
        "Latest committed revision of the store.",
    );
    let _ = writeln!(text, "ferromesh_store_revision {revision}");
    Ok(())
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
