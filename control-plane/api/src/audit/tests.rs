use ferromesh_store::RedbStore;

use super::*;

fn store() -> (tempfile::TempDir, RedbStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("store.redb")).unwrap();
    (folder, store)
}

fn act(at: f64, number: usize) -> Act {
    Act {
        at,
        operation: "CreateMesh",
        mesh: Some("m".to_owned()),
        path: format!("/{}", number % 20),
        request_id: format!("request-{number}"),
        key: None,
    }
}

fn put(key: &str) -> Transaction {
    Transaction {
        compares: Vec::new(),
        changes: vec![Change::put(key, b"{}".to_vec())],
    }
}

fn kept(store: &RedbStore, prefix: &str) -> Vec<Entry> {
    let entries = store.list(prefix, None, None).unwrap().entries;
    entries.iter().map(|stored| catalog::read(stored).unwrap()).collect()
}

#[test]
fn the_same_refusal_within_a_minute_is_one_record_written_ever_more_seldom() {
    let (_folder, store) = store();
    let journal = Journal::new(Some(AuditLimits::default()));
    for number in 0..1000 {
        let at = 1000.0 + number as f64 / 100.0;
        journal.refused(&store, None, &act(at, number), "AccessDeniedException", "no");
    }
    let records = kept(&store, key::AUDIT_REFUSALS);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].count, Some(512), "the largest power of two");
    assert_eq!(records[0].principal, UNKNOWN);
    assert_eq!(records[0].paths.len(), MAX_PATHS);
    assert_eq!(store.revision().unwrap(), 10, "writes: 1, 2, 4, … 512");

    journal.refused(&store, None, &act(1100.0, 0), "AccessDeniedException", "no");
    assert_eq!(kept(&store, key::AUDIT_REFUSALS).len(), 2);
}

#[test]
fn a_change_and_its_record_are_of_one_revision_and_a_conflict_leaves_neither() {
    let (_folder, store) = store();
    let (journal, caller, act) = (
        Journal::new(Some(AuditLimits::default())),
        Caller::anonymous("1"),
        act(1.0, 1),
    );
    let recorded = Recorded::new(&store, &journal, &caller, &act);
    recorded.commit(put("policy/m/p")).unwrap();
    recorded.commit(put("policy/m/p")).unwrap();
    let conflict = Transaction {
        compares: vec![ferromesh_store::Compare::Unchanged {
            key: "policy/m/p".to_owned(),
            modified: None,
        }],
        ..put("policy/m/p")
    };
    assert!(recorded.commit(conflict).is_err());
    assert_eq!(store.revision().unwrap(), 2);
    let records = kept(&store, key::AUDIT_CHANGES);
    let changes: Vec<_> = records.iter().flat_map(|record| &record.changes).collect();
    assert_eq!(records.len(), 2);
    assert_eq!((changes[0].what.as_str(), changes[0].before), ("created", None));
    assert_eq!((changes[1].what.as_str(), changes[1].before), ("updated", Some(1)));
}

#[test]
fn what_is_too_old_goes_with_the_next_writes() {
    let (_folder, store) = store();
    let journal = Journal::new(Some(AuditLimits::default()));
    let day = 86_400.0;
    for (number, at) in [(0, 1.0), (1, 2.0), (2, 40.0 * day)] {
        let act = Act {
            operation: ["A", "B", "C"][number],
            ..act(at, number)
        };
        // A server that is started anew looks at what is there.
        Journal::new(Some(AuditLimits::default())).refused(&store, None, &act, "AccessDeniedException", "no");
    }
    let left: Vec<String> = kept(&store, key::AUDIT_REFUSALS)
        .into_iter()
        .map(|record| record.operation)
        .collect();
    assert_eq!(left, ["C"]);
    drop(journal);
}

#[test]
fn only_the_latest_are_kept_and_whoever_knows_no_limits_deletes_nothing() {
    let limits = AuditLimits {
        refusals: AuditLimit { most: 20, days: 30 },
        ..AuditLimits::default()
    };
    for (limits, most) in [(Some(limits), 20 + 16), (None, 100)] {
        let (_folder, store) = store();
        let journal = Journal::new(limits);
        for number in 0..100 {
            // Two minutes apart, so that no two are one record.
            let act = act(120.0 * f64::from(number), 0);
            journal.refused(&store, None, &act, "AccessDeniedException", "no");
        }
        let left = kept(&store, key::AUDIT_REFUSALS).len();
        assert!(
            (20..=most).contains(&left) && (limits.is_some() || left == 100),
            "{left}"
        );
    }
}

#[test]
fn pages_have_both_sorts_in_the_order_of_time_and_leave_nothing_out() {
    let (_folder, store) = store();
    let (journal, caller) = (Journal::new(Some(AuditLimits::default())), Caller::anonymous("1"));
    for number in 0..30 {
        let at = 1.0 + number as f64 * 100.0;
        if number % 3 == 0 {
            journal.refused(&store, None, &act(at, number), "ForbiddenException", "no");
        } else {
            let act = act(at, number);
            Recorded::new(&store, &journal, &caller, &act)
                .commit(put("policy/m/p"))
                .unwrap();
        }
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let wanted = page::Wanted {
            limit: 7,
            after,
            ..page::Wanted::default()
        };
        let (page, next) = page::read(&store, &wanted).unwrap();
        all.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let times: Vec<f64> = all.iter().map(|record| record["at"].as_f64().unwrap()).collect();
    let expected: Vec<f64> = (0..30).map(|number| 1.0 + number as f64 * 100.0).collect();
    assert_eq!(times, expected);

    let wanted = page::Wanted {
        since: Some(2901.0),
        mesh: Some("m".to_owned()),
        principal: Some(crate::ANONYMOUS.to_owned()),
        limit: 100,
        after: None,
    };
    assert_eq!(page::read(&store, &wanted).unwrap().0.len(), 1);
}

#[test]
fn records_of_one_millisecond_stand_as_they_were_written_also_when_the_clock_is_set_back() {
    let (_folder, store) = store();
    let (journal, caller) = (Journal::new(Some(AuditLimits::default())), Caller::anonymous("1"));
    for (number, at) in [7.001, 7.001, 7.001, 6.5, 7.001].into_iter().enumerate() {
        // The names of requests fall, so that order by them would be the wrong one.
        let act = act(at, 9 - number);
        Recorded::new(&store, &journal, &caller, &act).record_alone();
    }
    let records = kept(&store, key::AUDIT_CHANGES);
    let requests: Vec<_> = records.iter().map(|record| record.request_id.as_str()).collect();
    assert_eq!(
        requests,
        ["request-9", "request-8", "request-7", "request-6", "request-5"]
    );
}
