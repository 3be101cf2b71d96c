//! Sealing, sharing, replacing and comparing snapshots.

use super::*;
use crate::type_url::{CLUSTER, ENDPOINT, ROUTE};

fn seal(resources: &[(&str, &str, &'static str)]) -> Snapshot {
    let resources = resources
        .iter()
        .map(|(t, n, v)| (*t, *n, Bytes::from_static(v.as_bytes())));
    Snapshot::seal(resources, []).unwrap()
}

#[test]
fn an_unresolved_reference_names_both_ends() {
    let resources = [(ROUTE, "rds", Bytes::new()), (ENDPOINT, "blue", Bytes::new())];
    let error = Snapshot::seal(resources, [Reference::new(CLUSTER, "blue", "rds")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`rds` refers to `blue`, but there is no such resource of type {CLUSTER}")
    );
}

#[test]
fn refuses_two_resources_of_one_name_and_names_that_cannot_be_asked_for() {
    let twice = [(ROUTE, "rds", Bytes::new()), (ROUTE, "rds", Bytes::from_static(b"x"))];
    assert!(matches!(Snapshot::seal(twice, []), Err(SealError::Duplicate { .. })));
    for name in ["", "*"] {
        let bad = Snapshot::seal([(ROUTE, name, Bytes::new())], []);
        assert!(matches!(bad, Err(SealError::Unnameable { .. })), "{name}");
    }
    let apart = [(ROUTE, "x", Bytes::new()), (CLUSTER, "x", Bytes::new())];
    assert!(Snapshot::seal(apart, []).is_ok());
}

#[test]
fn versions_do_not_depend_on_the_order_in_which_resources_are_given() {
    let one = seal(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "2"), (ROUTE, "r", "3")]);
    let two = seal(&[(ROUTE, "r", "3"), (CLUSTER, "b", "2"), (CLUSTER, "a", "1")]);
    for type_url in [CLUSTER, ROUTE] {
        assert_eq!(one.resources(type_url).version(), two.resources(type_url).version());
    }
    let changed = seal(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "x"), (ROUTE, "r", "3")]);
    assert_ne!(one.resources(CLUSTER).version(), changed.resources(CLUSTER).version());
    assert_eq!(one.resources(ROUTE).version(), changed.resources(ROUTE).version());
}

#[test]
fn replacing_one_type_leaves_the_others_and_their_references() {
    let resources = [
        (CLUSTER, "a", Bytes::from_static(b"1")),
        (ENDPOINT, "a", Bytes::from_static(b"1")),
    ];
    let one = Snapshot::seal(resources, [Reference::new(ENDPOINT, "a", "a")]).unwrap();
    let same = one.replacing(ENDPOINT, [("a", Bytes::from_static(b"1"))]).unwrap();
    let endpoint = |snapshot: &Snapshot| Arc::clone(snapshot.resources(ENDPOINT).get("a").unwrap());
    assert!(Arc::ptr_eq(&endpoint(&one), &endpoint(&same)));
    assert_eq!(one.resources(ENDPOINT).version(), same.resources(ENDPOINT).version());
    let two = one.replacing(ENDPOINT, [("a", Bytes::from_static(b"2"))]).unwrap();
    assert_eq!(one.resources(CLUSTER).version(), two.resources(CLUSTER).version());
    assert_ne!(one.resources(ENDPOINT).version(), two.resources(ENDPOINT).version());
    assert_eq!(two.references_of("a"), one.references_of("a"));
    let lacking = two.replacing(ENDPOINT, [("b", Bytes::new())]);
    assert!(matches!(lacking, Err(SealError::Unresolved { .. })));
}

#[test]
fn with_some_resources_it_is_the_snapshot_sealed_from_all_and_shares_the_others() {
    let one = seal(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "2"), (ROUTE, "r", "3")]);
    let put = [
        (CLUSTER, "b", Bytes::from_static(b"x")),
        (ENDPOINT, "e", Bytes::from_static(b"4")),
    ];
    let two = one.with(put).unwrap();
    let sealed = seal(&[
        (CLUSTER, "a", "1"),
        (CLUSTER, "b", "x"),
        (ENDPOINT, "e", "4"),
        (ROUTE, "r", "3"),
    ]);
    for type_url in [CLUSTER, ENDPOINT, ROUTE] {
        assert_eq!(two.resources(type_url).version(), sealed.resources(type_url).version());
    }
    let same = |snapshot: &Snapshot| Arc::clone(snapshot.resources(CLUSTER).get("a").unwrap());
    assert!(Arc::ptr_eq(&same(&one), &same(&two)));
    assert!(one.with([(CLUSTER, "*", Bytes::new())]).is_err());
}

#[test]
fn tells_how_much_would_be_removed() {
    let before = seal(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "2"), (ROUTE, "r", "3")]);
    assert_eq!(before.is_shrunken(&before), None);
    let changed = seal(&[
        (CLUSTER, "a", "x"),
        (CLUSTER, "b", "2"),
        (CLUSTER, "c", "2"),
        (ROUTE, "r", "3"),
    ]);
    assert_eq!(changed.is_shrunken(&before), None);
    let fewer = seal(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "2")]);
    let shrink = fewer.is_shrunken(&before).unwrap();
    assert_eq!((shrink.removed, shrink.before, shrink.percent()), (1, 3, 34));
    assert_eq!(shrink.emptied, [ROUTE.into()]);
    let shrink = Snapshot::default().is_shrunken(&before).unwrap();
    assert_eq!(shrink.percent(), 100);
}
