//! What mistakes say and where they are.

use crate::mesh::{PluginConfig, RouteConfig};
use proptest::prelude::*;

fn path_of(json: &str) -> String {
    RouteConfig::parse(json.as_bytes()).unwrap_err().path
}

#[test]
fn names_the_field_of_a_wrong_type() {
    let json = r#"{"labels":{"virtualService":"v","route":"r"},
        "targets":["a","b"],
        "canary":{"weights":[1,"x"]}}"#;
    assert_eq!(path_of(json), "canary.weights[1]");
}

#[test]
fn names_an_unknown_field() {
    let json = r#"{"labels":{"virtualService":"v","route":"r","colour":1},"targets":["a"]}"#;
    assert_eq!(path_of(json), "labels.colour");
}

#[test]
fn names_the_object_that_lacks_a_field() {
    let json = r#"{"labels":{"virtualService":"v"},"targets":["a"]}"#;
    let violation = RouteConfig::parse(json.as_bytes()).unwrap_err();
    assert_eq!(violation.path, "labels");
    assert_eq!(violation.message, "missing field `route`");
}

#[test]
fn names_nested_routes_of_a_plugin() {
    let json = r#"{"mesh":"m","node":"n","reporter":"source","routes":{"r.1":{"labels":{"virtualService":"v","route":"r"},"targets":[7]}}}"#;
    assert_eq!(
        PluginConfig::parse(json.as_bytes()).unwrap_err().path,
        "routes.r.1.targets[0]"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_a_policy_or_a_violation(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = RouteConfig::parse(&bytes);
        let _ = PluginConfig::parse(&bytes);
    }

    #[test]
    fn any_cut_and_any_flip_of_a_policy_is_a_policy_or_a_violation(cut in 0_usize..200, at in 0_usize..200, with: u8) {
        let mut json = br#"{"labels":{"virtualService":"v","route":"r"},"targets":["a","b"],"canary":{"weights":[1,2],"sticky":{"header":"x"}}}"#.to_vec();
        json.truncate(cut);
        if let Some(byte) = json.get_mut(at) { *byte = with; }
        if let Ok(config) = RouteConfig::parse(&json) { let _ = config.compile(); }
    }
}
