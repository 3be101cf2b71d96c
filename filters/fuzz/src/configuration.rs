//! Configurations of any bytes: they are a configuration or violations, and what is accepted stays accepted.

use ferromesh_policy::mesh::{Features, PluginConfig, RouteConfig};
use ferromesh_policy::vectors::generate::{plugin_configuration, route_policy as any_route_policy, Place};
use ferromesh_policy::vectors::{Chance, Choices};
use ferromesh_policy::{Plugin, Violation, Vm};

/// The bytes as they are, or a configuration that they choose.
fn json(input: &[u8], generated: impl FnOnce(&mut Choices<'_>) -> Vec<u8>) -> Vec<u8> {
    let mut choices = Choices::new(input);
    if choices.once_in(2) {
        generated(&mut choices)
    } else {
        choices.rest().to_vec()
    }
}

/// A plugin's configuration.
pub fn plugin(input: &[u8]) {
    let json = json(input, |choices| plugin_configuration(choices, Place::Virtual).0 .0);
    let configured = Plugin::configure(&json, Features::MESH, &mut Vm::new(1));
    let config = match PluginConfig::parse(&json) {
        Ok(config) => config,
        Err(violation) => return told(&configured.err().unwrap_or_default(), &[violation]),
    };
    let violations = config.check();
    assert_eq!(configured.is_ok(), violations.is_empty(), "{violations:?}");
    told(&configured.err().unwrap_or_default(), &violations);
    let written = serde_json::to_vec(&config).expect("what was parsed can be written");
    let again = PluginConfig::parse(&written).expect("what was written can be parsed");
    assert_eq!(again, config);
    assert_eq!(again.check(), violations);
}

/// A route's policy.
pub fn route_policy(input: &[u8]) {
    let json = json(input, |choices| any_route_policy(choices, Place::Virtual).0 .0);
    let Ok(config) = RouteConfig::parse(&json) else { return };
    let compiled = config.compile();
    let written = serde_json::to_vec(&config).expect("what was parsed can be written");
    let again = RouteConfig::parse(&written).expect("what was written can be parsed");
    assert_eq!(again, config);
    assert_eq!(again.compile(), compiled);
    if let Err(violations) = compiled {
        told(&violations, &violations);
    }
}

/// A refusal names what is wrong, and its words are the same wherever it is checked.
fn told(given: &[Violation], expected: &[Violation]) {
    assert_eq!(given, expected);
    for violation in given {
        assert!(!violation.message.is_empty(), "{violation:?} says nothing");
    }
}
