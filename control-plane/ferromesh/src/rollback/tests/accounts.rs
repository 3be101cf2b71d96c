//! Meshes of other accounts: compared like those of the server's own, and apart from them.

use super::*;

const OTHER: &str = "210987654321";

/// A proxy of the mesh `m` that the other account owns, as its configuration lets it call itself.
fn theirs() -> Reporter {
    Reporter {
        mesh: format!("m@{OTHER}"),
        ..reporter("0")
    }
}

fn report_of_theirs(bench: &Bench, number: u64, canary: Counts, baseline: Counts) -> Result<usize, ReportRefused> {
    let report = CanaryReport {
        sender: 1,
        number,
        canaries: vec![CanaryCounts {
            key: KEY.into(),
            canary,
            baseline,
        }],
    };
    bench.court.take_at(START, &theirs(), &report)
}

fn their_part(bench: &Bench) -> AccountStore<&dyn Store> {
    AccountStore::new(bench.store.as_ref(), OTHER)
}

fn their_verdict(bench: &Bench) -> Option<Verdict> {
    let known = catalog::rollback(&their_part(bench), "m", "p").unwrap()?.0;
    known.verdicts.get(KEY).cloned()
}

fn put_their_policy(bench: &Bench) {
    let policy: Policy = serde_json::from_value(json!({"name": "p", "mesh": "m", "target": {"mesh": {}}})).unwrap();
    let changes = vec![catalog::put_policy(&policy).unwrap()];
    let transaction = Transaction {
        changes,
        ..Transaction::default()
    };
    their_part(bench).commit(transaction).unwrap();
}

#[test]
fn meshes_and_policies_of_the_same_names_are_judged_apart() {
    let mut bench = Bench::new(1, json!({}));
    put_their_policy(&bench);
    // Theirs fails, ours does not; the comparison has the same key in both.
    bench.report(0, "0", counts(200, 0), counts(200, 0)).unwrap();
    report_of_theirs(&bench, 1, counts(200, 150), counts(200, 0)).unwrap();
    bench.report(5, "0", counts(200, 0), counts(200, 0)).unwrap();
    assert_eq!(bench.verdict(), None, "ours is healthy");
    let verdict = their_verdict(&bench).expect("a verdict");
    assert_eq!(
        (verdict.cause, verdict.counts.canary),
        (Cause::Errors, counts(200, 150))
    );
    let compared = |owner: &str| {
        let running = bench.court.running(owner, "m", "p");
        assert_eq!(running.len(), 1, "{running:?}");
        running[0]["compared"]["canary"]["requests"].as_u64().unwrap()
    };
    // A verdict has taken its counts with it.
    assert_eq!((compared("123456789012"), compared(OTHER)), (400, 0));
    let mut text = String::new();
    bench.court.write(&mut text);
    assert!(
        text.contains("ferromesh_canary_rolled_back{mesh=\"m@210987654321\",policy=\"p\""),
        "{text}"
    );
    assert!(!text.contains("ferromesh_canary_rolled_back{mesh=\"m\""), "{text}");
}

#[test]
fn a_verdict_on_their_canary_outlives_the_control_plane() {
    let mut bench = Bench::new(1, json!({}));
    put_their_policy(&bench);
    report_of_theirs(&bench, 1, counts(200, 150), counts(200, 0)).unwrap();
    let verdict = their_verdict(&bench).expect("a verdict");
    bench.restart();
    report_of_theirs(&bench, 1, counts(200, 150), counts(200, 0)).unwrap();
    assert_eq!(their_verdict(&bench), Some(verdict), "it is not decided twice");
}

#[test]
fn a_policy_that_only_another_account_has_is_about_nothing_here() {
    let bench = Bench::new(1, json!({}));
    // The policy `p` of `m` is ours: the other account has none of that name.
    report_of_theirs(&bench, 1, counts(200, 150), counts(200, 0)).unwrap();
    assert_eq!((their_verdict(&bench), bench.verdict()), (None, None));
}
