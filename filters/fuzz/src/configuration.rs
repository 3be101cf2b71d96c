//! Configurations of any bytes: they are a configuration or violations, and what is accepted stays accepted.

use ferromesh_policy::mesh::{Features, PluginConfig, RouteConfig};
use ferromesh_policy::vectors::generate::{plugin_configuration, route_policy as any_route_policy, Place};
use ferromesh_policy::vectors::{Chance, Choices};
use ferromesh_policy::{Plugin, Violation, Vm};

use crate::policies::mistake;
use crate::tally::Behaviour;

/// The bytes as they are, or a configuration that they choose, with mistakes in its bytes or without.
fn json(input: &[u8], generated: impl FnOnce(&mut Choices<'_>) -> Vec<u8>) -> Vec<u8> {
    let mut choices = Choices::new(input);
    match choices.below(4) {
        0 => choices.rest().to_vec(),
        1 => {
            let mut json = generated(&mut choices);
            mistake(&mut choices, &mut json);
            json
        }
        _ => generated(&mut choices),
    }
}

/// A plugin's configuration.
pub fn plugin(input: &[u8]) {
    let json = json(input, |choices| plugin_configuration(choices, Place::Virtual).0 .0);
    let configured = Plugin::configure(&json, Features::MESH, &mut Vm::new(1));
    crate::tally::configuration(&json, configured.is_ok());
    noted(configured.as_ref().err().map(Vec::as_slice));
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
    let config = match RouteConfig::parse(&json) {
        Ok(config) => config,
        Err(violation) => {
            crate::tally::configuration(&json, false);
            return noted(Some(&[violation]));
        }
    };
    let compiled = config.compile();
    crate::tally::configuration(&json, compiled.is_ok());
    noted(compiled.as_ref().err().map(Vec::as_slice));
    let written = serde_json::to_vec(&config).expect("what was parsed can be written");
    let again = RouteConfig::parse(&written).expect("what was written can be parsed");
    assert_eq!(again, config);
    assert_eq!(again.compile(), compiled);
    if let Err(violations) = compiled {
        told(&violations, &violations);
    }
}

/// What was wrong, as a behaviour.
fn noted(violations: Option<&[Violation]>) {
    let words = violations.into_iter().flatten();
    let told = words.fold(Behaviour::of(u8::from(violations.is_some())), |told, violation| {
        // Where and how it begins: the rest repeats what was written.
        let part = violation.path.bytes().filter(u8::is_ascii_alphabetic).take(16);
        let words: Vec<u8> = violation
            .message
            .bytes()
            .filter(|byte| !byte.is_ascii_digit())
            .take(12)
            .collect();
        told.with(&part.collect::<Vec<u8>>()).with(&words)
    });
    told.seen(&mut Behaviour::default());
}

/// A refusal names what is wrong, and its words are the same wherever it is checked.
fn told(given: &[Violation], expected: &[Violation]) {
    assert_eq!(given, expected);
    for violation in given {
        assert!(!violation.message.is_empty(), "{violation:?} says nothing");
    }
}
