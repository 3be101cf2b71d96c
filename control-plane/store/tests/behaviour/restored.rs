//! Backups, from one engine to another.

use ferromesh_model::{record::Record, resource::Key};
use ferromesh_store::backup::{Backup, BackupError, JUMP};
use ferromesh_store::{catalog, schema, Change, Compare, Store, StoreError, Transaction};
use serde_json::json;

use super::Engine;

fn record(version: u64) -> Record {
    serde_json::from_value(json!({
        "key": {"kind": "mesh", "mesh": "shop", "name": "shop"},
        "metadata": {
            "arn": "arn:aws:appmesh:us-east-1:123456789012:mesh/shop",
            "createdAt": 1_795_396_634.123, "lastUpdatedAt": 1_795_396_634.123,
            "meshOwner": "123456789012", "resourceOwner": "123456789012",
            "uid": "5bd6f0c4-5f0a-4c53-b9b5-16d9bd4a5b3d", "version": version
        },
        "spec": {}
    }))
    .expect("a record")
}

fn fill(store: &dyn Store) {
    schema::bring_up(store).expect("an empty store");
    let mut changes = vec![
        catalog::put_record(&record(3)).expect("a record"),
        Change::put("account/1/mesh/shop", serde_json::to_vec(&record(4)).expect("a record")),
        Change::put("bytes", vec![0xff, 0x00]),
    ];
    // More than one step of etcd's takes.
    changes.extend((0..250).map(|n| Change::put(format!("policy/shop/{n}"), vec![b'x'; 100])));
    let compares = vec![];
    store.commit(Transaction { compares, changes }).expect("a commit");
}

pub fn restores_a_backup_with_later_revisions_and_versions(engine: &impl Engine) {
    let store = engine.open();
    fill(&*store);
    let backup = Backup::take(&*store).expect("a backup");
    let backup = Backup::parse(backup.to_file().as_bytes()).expect("what was written can be read");
    assert_eq!((backup.schema, backup.values.len()), (schema::CURRENT, 254));
    let compares = vec![];
    let changes = vec![Change::put("after", vec![1]), Change::delete("bytes")];
    let seen = store.commit(Transaction { compares, changes }).expect("a commit");
    drop(store);

    let restored = backup.restore(&*engine.open_to_restore(), true).expect("a restore");
    assert!(restored >= seen + JUMP, "{restored} after {seen}");
    let store = engine.open();
    assert!(store.revision().expect("revision") >= restored);
    assert_eq!(store.get("after").expect("get"), None);
    assert_eq!(store.get("bytes").expect("get").expect("bytes").value, [0xff, 0x00]);
    let (mesh, modified) = catalog::record(&*store, &Key::mesh("shop"))
        .expect("get")
        .expect("a mesh");
    assert_eq!(mesh.metadata.version, 3 + JUMP);
    assert!(modified > seen, "{modified} after {seen}");
    let theirs = store.get("account/1/mesh/shop").expect("get").expect("a mesh");
    let theirs: Record = catalog::read(&theirs).expect("a record");
    assert_eq!(theirs.metadata.version, 4 + JUMP);
    let listed = store.list("", None, None).expect("list");
    assert_eq!(listed.entries.len(), 254);
    // What somebody read before does not hold any more.
    for compare in [
        Compare::Unchanged {
            key: "mesh/shop".into(),
            modified: Some(seen - 1),
        },
        Compare::NothingNewer {
            prefix: "mesh/".into(),
            revision: seen,
        },
    ] {
        let compares = vec![compare.clone()];
        let changes = vec![Change::delete("mesh/shop")];
        let refused = store.commit(Transaction { compares, changes });
        assert!(
            matches!(refused, Err(StoreError::Conflict(_))),
            "{compare:?}: {refused:?}"
        );
    }
    let compares = vec![Compare::Unchanged {
        key: "mesh/shop".into(),
        modified: Some(modified),
    }];
    let changes = vec![Change::delete("mesh/shop")];
    assert!(store.commit(Transaction { compares, changes }).expect("it holds") > restored);
}

pub fn refuses_to_restore_over_values_unless_told_to(engine: &impl Engine) {
    let store = engine.open();
    fill(&*store);
    let file = Backup::take(&*store).expect("a backup").to_file();
    let before = store.list("", None, None).expect("list");
    drop(store);
    let backup = Backup::parse(file.as_bytes()).expect("a backup");
    let refused = backup.restore(&*engine.open_to_restore(), false);
    assert!(matches!(refused, Err(BackupError::NotEmpty(253))), "{refused:?}");
    assert_eq!(engine.open().list("", None, None).expect("list"), before);
}

/// A store of before schemas had numbers, taken by a control plane with a small mesh and a registered service.
const SCHEMA_0: &[u8] = include_bytes!("../fixtures/schema-0.backup");

pub fn brings_up_what_schema_0_left(engine: &impl Engine) {
    let backup = Backup::parse(SCHEMA_0).expect("a backup");
    assert_eq!(backup.schema, 0);
    backup
        .restore(&*engine.open_to_restore(), false)
        .expect("an empty store");
    let store = engine.open();
    assert_eq!(store.get(schema::KEY).expect("get"), None);
    schema::bring_up(&*store).expect("schema 0 is known");
    let number = store.get(schema::KEY).expect("get").expect("a number");
    assert_eq!(number.value, schema::CURRENT.to_string().into_bytes());
    let mesh = catalog::mesh(&*store, "colours")
        .expect("every record can be read")
        .expect("a mesh");
    let names: Vec<String> = mesh.children.iter().map(|record| record.key.to_string()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(Backup::take(&*store).expect("a backup").schema, schema::CURRENT);
}
