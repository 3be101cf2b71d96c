use proptest::prelude::*;

use super::*;
use crate::vectors::prometheus_key;

#[derive(Default)]
pub(in super::super) struct Stats {
    names: Vec<String>,
    pub(in super::super) totals: BTreeMap<String, u64>,
    pub(in super::super) samples: BTreeMap<String, Vec<u64>>,
    refuses: bool,
}

impl Sink for Stats {
    fn define(&mut self, _: MetricKind, name: &str) -> Option<u32> {
        self.names.push(name.to_owned());
        (!self.refuses).then(|| u32::try_from(self.names.len() - 1).unwrap())
    }
    fn add(&mut self, id: u32, amount: u64) {
        *self.totals.entry(self.names[id as usize].clone()).or_default() += amount;
    }
    fn record(&mut self, id: u32, sample: u64) {
        self.samples
            .entry(self.names[id as usize].clone())
            .or_default()
            .push(sample);
    }
}

pub(in super::super) fn scope(route: &str) -> Scope<'_> {
    Scope {
        mesh: "m",
        reporter: "source",
        source_node: "n",
        virtual_service: "v.local",
        route,
    }
}

pub(in super::super) fn ok() -> Outcome {
    Outcome {
        target: Some(0),
        class: ResponseClass::Successful,
        millis: 5,
        ..Outcome::default()
    }
}

#[test]
fn counts_and_samples_reach_the_host_once_with_their_labels() {
    let mut ledger = Ledger::default();
    let mut stats = Stats::default();
    let block = ledger.block(&scope("r"), &["blue".into()]);
    ledger.count(
        block,
        &Outcome {
            retries: 2,
            events: Event::RetryBudgetExhausted.into(),
            ..ok()
        },
    );
    ledger.count(
        block,
        &Outcome {
            target: None,
            class: ResponseClass::None,
            ..ok()
        },
    );
    ledger.flush(&mut stats);
    ledger.flush(&mut stats);
    let labels = |target: &str, class: &str| {
        format!(";mesh=m;reporter=source;source_node=n;virtual_service=v.local;route=r;target_node={target};response_class={class}")
    };
    let blue = labels("blue", "2xx");
    let unknown = labels("unknown", "none");
    let expected: BTreeMap<String, u64> = [
        (format!("ferromesh_requests_total{blue}"), 1),
        (format!("ferromesh_retries_total{blue}"), 2),
        (format!("ferromesh_retry_budget_exhausted_total{blue}"), 1),
        (format!("ferromesh_requests_total{unknown}"), 1),
    ]
    .into();
    assert_eq!(stats.totals, expected);
    assert_eq!(stats.samples.values().flatten().count(), 2);
}

#[test]
fn the_same_route_compiled_again_counts_in_the_same_series() {
    let mut ledger = Ledger::default();
    let mut stats = Stats::default();
    for _ in 0..3 {
        let block = ledger.block(&scope("r"), &["blue".into()]);
        ledger.count(block, &ok());
        ledger.flush(&mut stats);
    }
    assert_eq!(stats.totals.values().copied().collect::<Vec<_>>(), [3]);
    assert_eq!(stats.names.len(), 2, "defined once each");
}

#[test]
fn beyond_a_thousand_series_everything_is_other() {
    let mut ledger = Ledger::default();
    let mut stats = Stats::default();
    for route in 0..5_000 {
        let block = ledger.block(&scope(&format!("r{route}")), &["blue".into()]);
        ledger.count(block, &ok());
        ledger.count(block, &ok());
    }
    ledger.flush(&mut stats);
    assert_eq!(stats.totals.len(), MAX_SERIES + 1);
    assert_eq!(stats.totals.values().sum::<u64>(), 10_000);
    let other = stats
        .totals
        .iter()
        .find(|(name, _)| name.contains("route=other"))
        .unwrap();
    assert_eq!(*other.1, 8_000);
    assert!(other.0.ends_with("response_class=2xx"));
}

#[test]
fn the_ledger_stays_bounded_when_configurations_come_and_go() {
    let mut ledger = Ledger::default();
    let targets: Vec<String> = (0..100).map(|index| format!("t{index}")).collect();
    let blocks = (0..1_000)
        .filter_map(|route| ledger.block(&scope(&route.to_string()), &targets))
        .count();
    assert_eq!(blocks, MAX_CELLS / (101 * ResponseClass::COUNT));
}

#[test]
fn a_host_that_refuses_metrics_is_asked_once() {
    let mut ledger = Ledger::default();
    let mut stats = Stats {
        refuses: true,
        ..Stats::default()
    };
    let block = ledger.block(&scope("r"), &["blue".into()]);
    for _ in 0..3 {
        ledger.count(block, &ok());
        ledger.flush(&mut stats);
    }
    assert_eq!(stats.names.len(), 2);
}

#[test]
fn asks_for_a_flush_before_samples_pile_up() {
    let mut ledger = Ledger::default();
    let block = ledger.block(&scope("r"), &[]);
    let counted = (0..)
        .take_while(|_| {
            ledger.count(block, &ok());
            !ledger.is_full()
        })
        .count();
    assert_eq!(counted + 1, MAX_PENDING_SAMPLES);
}

proptest! {
    #[test]
    fn every_label_comes_back_by_the_exported_expressions(
        mesh in "\\PC{0,20}", node in "\\PC{0,20}", service in any::<String>(), route in any::<String>(), target in "[;=%.:\\PC]{1,12}",
    ) {
        let mut ledger = Ledger::default();
        let mut stats = Stats::default();
        let scope = Scope { mesh: &mesh, reporter: "source", source_node: &node, virtual_service: &service, route: &route };
        let block = ledger.block(&scope, std::slice::from_ref(&target));
        ledger.count(block, &ok());
        ledger.flush(&mut stats);
        let key = prometheus_key(stats.totals.keys().next().unwrap()).unwrap();
        for (label, value) in [("mesh", &mesh), ("source_node", &node), ("virtual_service", &service), ("route", &route), ("target_node", &target)] {
            let start = key.find(&format!("{label}=\"")).unwrap() + label.len() + 2;
            let raw = key[start..].split('"').next().unwrap();
            let expected = if value.is_empty() { "unknown" } else { value };
            prop_assert_eq!(decode(raw), expected);
        }
        let named = key.starts_with("ferromesh_requests_total{");
        prop_assert!(named);
    }
}

pub(in super::super) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: String = [rest.next().unwrap(), rest.next().unwrap()]
                .map(char::from)
                .iter()
                .collect();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

pub(in super::super) fn grpc(code: u64) -> Detail {
    Detail {
        grpc: Some(GrpcStatus::of_property(Some(&code.to_le_bytes()))),
        ..Detail::default()
    }
}

#[test]
fn grpc_requests_have_the_label_of_their_status_and_others_have_none() {
    let mut ledger = Ledger::default();
    let mut stats = Stats::default();
    let block = ledger.block(&scope("r"), &["blue".into()]);
    for code in [0, 0, 14] {
        ledger.count_with(block, &ok(), &grpc(code));
    }
    ledger.count(block, &ok());
    ledger.flush(&mut stats);
    let mut seen: Vec<(&str, u64)> = stats
        .totals
        .iter()
        .map(|(name, total)| (name.rsplit_once(";response_class=").unwrap().1, *total))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("2xx", 1), ("2xx;grpc_status=0", 2), ("2xx;grpc_status=14", 1)]);
}
