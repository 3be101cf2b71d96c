//! What meshes choose, and what becomes of sets that they have chosen.

use std::collections::BTreeSet;

use ferromesh_store::AccountStore;

use super::*;

fn chosen(rig: &Rig, mesh: &str, version: &str) -> serde_json::Value {
    let store = rig.store.as_ref();
    let chosen = rig.catalogue.choose(store, &author(), mesh, version, None);
    chosen.unwrap().unwrap()
}

fn of(rig: &Rig, mesh: &str) -> String {
    let store: &dyn Store = rig.store.as_ref();
    Choice::read(store, mesh).unwrap().version
}

#[test]
fn a_mesh_has_the_built_in_set_until_it_chooses_and_goes_back_to_what_it_had() {
    let rig = Rig::new(&[]);
    let store = rig.store.as_ref();
    rig.add("1", mesh(TINY)).unwrap();
    assert_eq!(rig.catalogue.choice(store, "m").unwrap(), None, "there is no such mesh");
    assert_eq!(rig.catalogue.choose(store, &author(), "m", "1", None).unwrap(), None);
    rig.mesh("m");
    assert_eq!(rig.catalogue.choice(store, "m").unwrap().unwrap()["version"], BUILT_IN);
    let error = rig.catalogue.roll_back(store, &author(), "m", None).unwrap_err();
    assert!(
        error.message.contains("has no module set that it could go back to"),
        "{}",
        error.message
    );

    let shown = chosen(&rig, "m", "1");
    assert_eq!((&shown["version"], &shown["previous"]), (&"1".into(), &BUILT_IN.into()));
    let revision = store.revision().unwrap();
    assert_eq!(chosen(&rig, "m", "1"), shown, "the same again changes nothing");
    assert_eq!(store.revision().unwrap(), revision);

    let back = rig
        .catalogue
        .roll_back(store, &author(), "m", Some("errors"))
        .unwrap()
        .unwrap();
    assert_eq!(back["version"], BUILT_IN);
    assert_eq!(back.get("previous"), None, "what was left must be chosen");
    assert_eq!(back["history"][1]["reason"], "errors");
    assert_eq!(back["history"][1]["what"], "rollback");
    let error = rig.catalogue.choose(store, &author(), "m", "2", None).unwrap_err();
    assert!(
        error.message.contains("version: there is no module set \"2\""),
        "{}",
        error.message
    );
}

#[test]
fn a_set_that_cannot_be_used_cannot_be_chosen() {
    let rig = Rig::new(&[]);
    rig.mesh("m");
    rig.add("1", mesh(TINY)).unwrap();
    let strict = catalogue(&rig.store, &[&Signer::new(1).public()]);
    let error = strict
        .choose(rig.store.as_ref(), &author(), "m", "1", None)
        .unwrap_err();
    assert!(
        error
            .message
            .contains("version: module set 1: module mesh cannot be used: signature: is missing"),
        "{}",
        error.message
    );
    assert_eq!(of(&rig, "m"), BUILT_IN);
}

#[test]
fn a_set_that_a_mesh_uses_or_could_go_back_to_is_not_deleted() {
    let rig = Rig::new(&[]);
    let store = rig.store.as_ref();
    rig.mesh("m");
    let theirs = AccountStore::new(store as &dyn Store, "222222222222");
    let change = Change::put("mesh/n", b"{}".to_vec());
    theirs
        .commit(Transaction {
            compares: Vec::new(),
            changes: vec![change],
        })
        .unwrap();
    for number in 1..=4 {
        rig.add(&number.to_string(), mesh(other(number))).unwrap();
    }
    chosen(&rig, "m", "1");
    chosen(&rig, "m", "2");
    rig.catalogue
        .choose(&theirs, &author(), "n", "3", None)
        .unwrap()
        .unwrap();
    for (version, users) in [("1", "m"), ("2", "m"), ("3", "n@222222222222")] {
        let error = rig.catalogue.delete(store, version).unwrap_err();
        assert_eq!(error.kind, ferromesh_api::ErrorKind::ResourceInUse);
        assert!(
            error.message.ends_with(&format!("by the meshes {users}")),
            "{}",
            error.message
        );
    }
    rig.catalogue.delete(store, "4").unwrap().unwrap();
    assert_eq!(rig.catalogue.delete(store, "4").unwrap(), None);
    assert_eq!(rig.keys("module/bytes/").len(), 3, "its bytes went with it");
    let of_theirs = rig.catalogue.get(&theirs, "3").unwrap().unwrap();
    assert_eq!(of_theirs["usedBy"], serde_json::json!(["n"]));
    let of_ours = rig.catalogue.get(store, "3").unwrap().unwrap();
    assert_eq!(
        of_ours["usedBy"],
        serde_json::json!([]),
        "meshes of other accounts are theirs"
    );
}

#[test]
fn bytes_that_two_sets_share_stay_with_the_other_one_and_lost_ones_are_swept() {
    let rig = Rig::new(&[]);
    rig.add("1", mesh(TINY)).unwrap();
    rig.add("2", mesh(TINY)).unwrap();
    rig.catalogue.delete(rig.store.as_ref(), "1").unwrap().unwrap();
    assert!(rig.catalogue.set("2").is_ok());
    rig.put(&format!("module/bytes/{}/0000", "0".repeat(64)), b"lost".to_vec());
    assert_eq!(rig.catalogue.sweep().unwrap(), 1);
    assert_eq!(rig.catalogue.sweep().unwrap(), 0);
    assert!(rig.catalogue.set("2").is_ok());
}

#[test]
fn a_set_that_did_harm_is_left_once_and_only_if_it_is_the_one() {
    let rig = Rig::new(&[]);
    rig.mesh("m");
    rig.add("1", mesh(other(1))).unwrap();
    rig.add("2", mesh(other(2))).unwrap();
    chosen(&rig, "m", "1");
    chosen(&rig, "m", "2");
    let hashes = [check::describe(&other(1)).sha256, check::describe(&other(2)).sha256];
    let [first, second] = [&hashes[0], &hashes[1]].map(|hash| BTreeSet::from([hash.as_str()]));
    let take_back = |harmful: &BTreeSet<&str>| rig.catalogue.take_back("m", harmful, "traps", 2000.0).unwrap();
    assert_eq!(take_back(&first), None, "an older verdict");
    let left = take_back(&second).unwrap();
    assert_eq!((left.version.as_str(), left.previous), ("1", None));
    let turn = left.history.last().unwrap();
    assert_eq!(
        (turn.by.as_str(), turn.reason.as_deref()),
        ("(control plane)", Some("traps"))
    );
    assert_eq!(take_back(&second), None, "another control plane was first");
    assert_eq!(take_back(&first), None, "there is nothing to go back to");
    assert_eq!(of(&rig, "m"), "1");
    let audit = rig.store.list("audit/change/", None, None).unwrap().entries;
    let [record] = audit.as_slice() else {
        panic!("one record, not {}", audit.len())
    };
    let record: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
    assert_eq!(record["principal"], "(control plane)");
    assert_eq!(record["operation"], "RollBackMeshModule");
}

#[test]
fn the_history_of_a_mesh_is_bounded() {
    let rig = Rig::new(&[]);
    rig.mesh("m");
    rig.add("1", mesh(other(1))).unwrap();
    rig.add("2", mesh(other(2))).unwrap();
    for _ in 0..15 {
        chosen(&rig, "m", "1");
        chosen(&rig, "m", "2");
    }
    let shown = rig.catalogue.choice(rig.store.as_ref(), "m").unwrap().unwrap();
    assert_eq!(shown["history"].as_array().unwrap().len(), 20);
}

#[test]
fn sets_and_choices_are_there_after_a_backup_and_a_restore() {
    let rig = Rig::new(&[PUBLIC_KEY.lines().nth(1).unwrap()]);
    rig.put("schema", b"1".to_vec());
    rig.put(
        "module-choice/m",
        serde_json::to_vec(&Choice {
            version: "1".into(),
            ..Choice::none("m")
        })
        .unwrap(),
    );
    rig.add("1", signed(TINY, PREHASHED)).unwrap();
    let file = ferromesh_store::backup::Backup::take(rig.store.as_ref())
        .unwrap()
        .to_file();
    let backup = ferromesh_store::backup::Backup::parse(file.as_bytes()).unwrap();
    let restored = Arc::new(RedbStore::open(rig.folder.path().join("restored.redb")).unwrap());
    backup.restore(restored.as_ref(), false).unwrap();
    let anew = catalogue(&restored, &[PUBLIC_KEY.lines().nth(1).unwrap()]);
    let choice = Choice::read(restored.as_ref(), "m").unwrap();
    assert_eq!(
        anew.of_choice(&choice).unwrap().modules.mesh.as_ref().unwrap().bytes,
        TINY
    );
}
