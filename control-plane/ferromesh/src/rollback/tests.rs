//! What is decided over all proxies, stored, and forgotten.

mod accounts;

use std::collections::BTreeMap;

use ferromesh_api::CanaryCounts;
use ferromesh_model::{
    policy::Policy,
    rollback::{Cause, Counts},
};
use ferromesh_policy::Draws;
use ferromesh_store::RedbStore;
use serde_json::json;
use tempfile::TempDir;

use super::*;

const KEY: &str = "0123456789abcdef";
const START: Duration = Duration::from_secs(1_000_000);

/// Proxies and what their configurations hold.
#[derive(Default)]
struct Proxies(Mutex<BTreeMap<String, Vec<rollback::Comparison>>>);

impl Configured for Proxies {
    fn comparisons(&self, proxy: &ProxyKey) -> Option<Vec<rollback::Comparison>> {
        self.0.lock().unwrap().get(&proxy.name).cloned()
    }
}

struct Bench {
    _folder: TempDir,
    store: Arc<dyn Store>,
    proxies: Arc<Proxies>,
    court: Court,
    numbers: BTreeMap<String, u64>,
}

fn comparison(rollback: serde_json::Value) -> rollback::Comparison {
    let mut rules = json!({"canary": "green", "baseline": "blue"});
    for (member, value) in rollback.as_object().unwrap() {
        rules[member] = value.clone();
    }
    rollback::Comparison {
        key: KEY.into(),
        policy: "p".into(),
        generation: 0,
        virtual_service: "s".into(),
        route: "r".into(),
        rollback: serde_json::from_value(rules).unwrap(),
    }
}

impl Bench {
    /// Proxies `0`, `1` and so on, which all have the route.
    fn new(proxies: usize, rollback: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(RedbStore::open(folder.path().join("store.redb")).unwrap());
        let known = Arc::new(Proxies::default());
        for proxy in 0..proxies {
            let mut known = known.0.lock().unwrap();
            known.insert(proxy.to_string(), vec![comparison(rollback.clone())]);
        }
        known.0.lock().unwrap().insert("other".into(), Vec::new());
        let bench = Self {
            court: Court::new(Arc::clone(&store), Arc::clone(&known) as Arc<_>, "123456789012"),
            proxies: known,
            store,
            _folder: folder,
            numbers: BTreeMap::new(),
        };
        bench.put_policy();
        bench
    }

    fn put_policy(&self) {
        let policy: Policy = serde_json::from_value(json!({"name": "p", "mesh": "m", "target": {"mesh": {}}})).unwrap();
        self.commit(catalog::put_policy(&policy).unwrap());
    }

    fn commit(&self, change: ferromesh_store::Change) {
        let transaction = Transaction {
            compares: Vec::new(),
            changes: vec![change],
        };
        self.store.commit(transaction).unwrap();
    }

    fn report(&mut self, seconds: u64, proxy: &str, canary: Counts, baseline: Counts) -> Result<usize, ReportRefused> {
        let number = self.numbers.entry(proxy.to_owned()).or_default();
        *number += 1;
        let report = CanaryReport {
            sender: 1,
            number: *number,
            canaries: vec![CanaryCounts {
                key: KEY.into(),
                canary,
                baseline,
            }],
        };
        self.court
            .take_at(START + Duration::from_secs(seconds), &reporter(proxy), &report)
    }

    fn verdict(&self) -> Option<Verdict> {
        let known = catalog::rollback(self.store.as_ref(), "m", "p").unwrap()?.0;
        known.verdicts.get(KEY).cloned()
    }

    fn restart(&mut self) {
        self.court = Court::new(
            Arc::clone(&self.store),
            Arc::clone(&self.proxies) as Arc<_>,
            "123456789012",
        );
    }
}

fn reporter(name: &str) -> Reporter {
    Reporter {
        mesh: "m".into(),
        kind: "virtualNode".into(),
        name: name.into(),
    }
}

fn counts(requests: u64, errors: u64) -> Counts {
    Counts {
        requests,
        errors,
        slow: 0,
    }
}

/// Requests that fail by a rate in thousandths.
fn drawn(draws: &mut Draws, requests: u64, rate: u64) -> Counts {
    let errors = (0..requests).filter(|_| draws.below(1000) < rate).count();
    counts(requests, errors as u64)
}

/// Canary requests of all proxies until the verdict.
fn needed(seed: u64, proxies: usize, each: (u64, u64), rates: (u64, u64)) -> Option<u64> {
    let mut bench = Bench::new(proxies, json!({}));
    let mut draws = Draws::from_seed(seed);
    for round in 0..400 {
        for proxy in 0..proxies {
            let (canary, baseline) = (drawn(&mut draws, each.0, rates.0), drawn(&mut draws, each.1, rates.1));
            bench.report(round * 5, &proxy.to_string(), canary, baseline).unwrap();
        }
        if bench.verdict().is_some() {
            return Some((round + 1) * proxies as u64 * each.0);
        }
    }
    None
}

#[test]
fn proxies_that_see_too_little_alone_decide_together() {
    // One canary request each in five seconds: alone a proxy would need 20 minutes.
    let mut all: Vec<u64> = (1..=20)
        .map(|seed| needed(seed, 20, (1, 9), (50, 0)).expect("a verdict"))
        .collect();
    all.sort_unstable();
    let mean = all.iter().sum::<u64>() / 20;
    println!("canary requests until a rollback: mean {mean}, {all:?}");
    assert!(mean < 400, "{mean}");
}

#[test]
fn a_healthy_canary_is_not_rolled_back() {
    for seed in 1..=5 {
        assert_eq!(needed(seed, 10, (3, 7), (20, 20)), None, "seed {seed}");
    }
}

#[test]
fn a_verdict_says_what_was_found_and_holds() {
    let mut bench = Bench::new(2, json!({"holdSeconds": 100}));
    for proxy in ["0", "1"] {
        bench.report(0, proxy, counts(100, 60), counts(100, 0)).unwrap();
    }
    let verdict = bench.verdict().expect("a verdict");
    let at = u64::try_from(START.as_millis()).unwrap();
    assert_eq!((verdict.cause, verdict.at_unix_millis), (Cause::Errors, at));
    assert_eq!((verdict.until_unix_millis, verdict.rollbacks), (Some(at + 100_000), 1));
    assert_eq!(verdict.counts.canary.errors * 10, verdict.counts.canary.requests * 6);
    // What still comes in meanwhile is nothing new.
    let requests = verdict.counts.canary.requests;
    bench.report(50, "0", counts(100, 100), counts(100, 0)).unwrap();
    assert_eq!(bench.verdict().unwrap().counts.canary.requests, requests);
    // Then it is judged again, and needs more.
    bench.report(101, "0", counts(100, 60), counts(100, 0)).unwrap();
    bench.report(102, "0", counts(100, 60), counts(100, 0)).unwrap();
    assert_eq!(bench.verdict().unwrap().rollbacks, 2);
    let mut text = String::new();
    bench.court.write(&mut text);
    assert!(text.contains("ferromesh_canary_rollbacks_total 2\n"), "{text}");
}

#[test]
fn a_verdict_outlives_the_control_plane() {
    let mut bench = Bench::new(1, json!({}));
    bench.report(0, "0", counts(200, 100), counts(200, 0)).unwrap();
    let verdict = bench.verdict().expect("a verdict");
    bench.restart();
    bench.report(100, "0", counts(200, 100), counts(200, 0)).unwrap();
    assert_eq!(bench.verdict(), Some(verdict), "it is not decided twice");
}

#[test]
fn who_does_not_have_the_route_is_not_heard() {
    let mut bench = Bench::new(1, json!({}));
    for name in ["other", "stranger", "a/b", ""] {
        for _ in 0..10 {
            let refused = bench.report(0, name, counts(1_000, 1_000), counts(1_000, 0));
            // Who is not known yet is asked to come again.
            let is_right = match refused {
                Err(ReportRefused::NotNow(_)) => name == "stranger",
                Err(ReportRefused::NotYours(_)) => name != "stranger",
                _ => false,
            };
            assert!(is_right, "{name}: {refused:?}");
        }
    }
    let nobody = Reporter {
        mesh: "m@1".into(),
        ..reporter("0")
    };
    let report = CanaryReport {
        sender: 1,
        number: 1,
        canaries: Vec::new(),
    };
    assert!(matches!(
        bench.court.take(&nobody, &report),
        Err(ReportRefused::NotYours(_))
    ));
    assert_eq!(bench.verdict(), None);
    assert!(bench.court.running("123456789012", "m", "p").is_empty());
}

#[test]
fn a_report_that_comes_again_is_not_counted_again() {
    let mut bench = Bench::new(1, json!({"minRequests": 150}));
    for _ in 0..10 {
        bench.numbers.clear();
        let counted = bench.report(0, "0", counts(100, 100), counts(100, 0)).unwrap();
        assert!(counted <= 1);
    }
    assert_eq!(bench.verdict(), None, "100 requests are less than 150");
    bench.numbers.insert("0".into(), 1);
    bench.report(1, "0", counts(100, 100), counts(100, 0)).unwrap();
    assert!(bench.verdict().is_some());
}

#[test]
fn what_was_cleared_meanwhile_is_not_judged() {
    let mut bench = Bench::new(1, json!({}));
    let mut cleared = Rollbacks::of("m", "p");
    cleared.clear();
    bench.commit(catalog::put_rollback(&cleared).unwrap());
    bench.report(0, "0", counts(200, 200), counts(200, 0)).unwrap();
    assert_eq!(bench.verdict(), None, "it is of the generation before");
}

#[test]
fn a_policy_that_is_made_again_begins_anew() {
    let mut bench = Bench::new(1, json!({}));
    bench.report(0, "0", counts(200, 200), counts(200, 0)).unwrap();
    assert!(bench.verdict().is_some());
    bench.commit(ferromesh_store::Change::delete(key::rollback("m", "p")));
    bench.commit(ferromesh_store::Change::delete(key::policy("m", "p")));
    bench.report(5, "0", counts(200, 200), counts(200, 0)).unwrap();
    assert_eq!(bench.verdict(), None, "there is no policy");
    bench.put_policy();
    bench.report(10, "0", counts(200, 200), counts(200, 0)).unwrap();
    bench.report(15, "0", counts(200, 200), counts(200, 0)).unwrap();
    assert!(bench.verdict().is_some());
}

#[test]
fn a_zone_in_trouble_is_not_the_canarys_fault() {
    // Half of one proxy's requests fail, whichever version they are for, and it has most of the canary's.
    let mut bench = Bench::new(2, json!({}));
    let mut draws = Draws::from_seed(3);
    for round in 0..200 {
        let (canary, baseline) = (drawn(&mut draws, 20, 500), drawn(&mut draws, 20, 500));
        bench.report(round * 5, "0", canary, baseline).unwrap();
        let (canary, baseline) = (drawn(&mut draws, 2, 0), drawn(&mut draws, 198, 0));
        bench.report(round * 5, "1", canary, baseline).unwrap();
    }
    assert_eq!(
        bench.verdict(),
        None,
        "summed up, the canary had 45 % errors, the baseline 5 %"
    );
}

#[test]
fn proxies_that_see_one_version_each_are_compared_with_each_other() {
    let mut bench = Bench::new(4, json!({}));
    let mut decided = None;
    for round in 0..60_u64 {
        for proxy in ["0", "1", "2"] {
            bench.report(round * 5, proxy, counts(0, 0), counts(10, 0)).unwrap();
        }
        bench.report(round * 5, "3", counts(10, 5), counts(0, 0)).unwrap();
        decided = decided.or(bench.verdict().map(|_| round * 5));
    }
    assert!(
        decided.is_some_and(|seconds| seconds <= 120),
        "at the end of a window: {decided:?}"
    );
}
