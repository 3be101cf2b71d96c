//! Resources in pieces are, put together, the messages encoded as a whole; and are again when they come from a memo.

mod support;

use ferromesh_emit::parts::{parts, Memo};
use ferromesh_emit::{
    Messages, Module, Modules, Options, CLUSTER, EXTENSION_CONFIG, LISTENER, ROUTE_CONFIGURATION, SECRET,
};
use prost::Message;
use support::fixture;

type Encoded = (&'static str, String, Vec<u8>);

fn encoded(messages: &Messages) -> Vec<Encoded> {
    let clusters = messages.clusters.iter();
    let clusters = clusters.map(|message| (CLUSTER, message.name.clone(), message.encode_to_vec()));
    let listeners = messages.listeners.iter();
    let listeners = listeners.map(|message| (LISTENER, message.name.clone(), message.encode_to_vec()));
    let tables = messages.route_tables.iter();
    let tables = tables.map(|message| (ROUTE_CONFIGURATION, message.name.clone(), message.encode_to_vec()));
    let extensions = messages.extensions.iter();
    let extensions = extensions.map(|message| (EXTENSION_CONFIG, message.name.clone(), message.encode_to_vec()));
    let secrets = messages.secrets.iter();
    let secrets = secrets.map(|message| (SECRET, message.name.clone(), message.encode_to_vec()));
    let all = clusters.chain(listeners).chain(tables).chain(extensions).chain(secrets);
    let mut all: Vec<Encoded> = all.collect();
    all.sort();
    all
}

#[test]
fn the_pieces_of_a_resource_are_its_message() {
    let large = Modules {
        mesh: Some(Module {
            sha256: "of nothing real".into(),
            bytes: vec![7; 300_000].into(),
        }),
        lean: None,
    };
    let mut in_pieces = 0;
    for (name, _, case) in fixture::cases() {
        let proxy = case.lower();
        let secrets = support::legible_secrets(&proxy);
        for modules in [&support::idle_module(), &Modules::default(), &large] {
            let messages = ferromesh_emit::messages(&proxy, modules, &secrets, &Options::default());
            let expected = encoded(&messages);
            let mut memo = Memo::default();
            for known in [false, true] {
                let emitted = parts(&proxy, modules, &secrets, &Options::default(), &mut memo);
                in_pieces += emitted.resources.iter().filter(|part| part.pieces.len() > 1).count();
                let resources = emitted.resources.into_iter();
                let mut ours: Vec<Encoded> = resources
                    .map(|part| (part.type_url, part.name.to_string(), part.whole().to_vec()))
                    .collect();
                ours.sort();
                assert!(ours == expected, "{name}, known: {known}");
            }
        }
    }
    assert!(in_pieces > 0, "nothing was in pieces");
}
