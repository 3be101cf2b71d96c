//! What is emitted, for a person to read. `UPDATE_GOLDEN=1` writes the files anew and deletes those that are no longer made.

mod support;

use std::collections::BTreeMap;

use ferromesh_emit::{Messages, Options};
use support::{fixture, text};

#[test]
fn emits_what_the_golden_files_say() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differences = Vec::new();
    for (name, folder, case) in fixture::cases() {
        let proxy = case.lower();
        let messages = ferromesh_emit::messages(
            &proxy,
            &support::idle_module(),
            &support::legible_secrets(&proxy),
            &Options::default(),
        );
        let tasks = proxy.tasks(&case.directory());
        let endpoints = ferromesh_emit::endpoint_messages(&proxy, &tasks);
        let lints = proxy.lints.iter().chain(&tasks.lints);
        let lints: Vec<String> = lints.map(ToString::to_string).collect();
        let mut expected = files(&messages);
        if !messages.secrets.is_empty() {
            expected.insert("out.secrets.yaml".into(), text::yaml(&messages.secrets));
        }
        if !endpoints.is_empty() {
            expected.insert("out.endpoints.yaml".into(), text::yaml(&endpoints));
        }
        if !lints.is_empty() {
            let text = serde_saphyr::to_string(&lints).expect("a list can be written");
            expected.insert("out.lints.yaml".into(), text);
        }
        let entries = std::fs::read_dir(&folder).expect("the case's folder");
        for entry in entries {
            let file = entry.expect("a file of it").file_name().to_string_lossy().into_owned();
            if file.starts_with("out.") && !expected.contains_key(&file) {
                if update {
                    std::fs::remove_file(folder.join(&file)).expect("a stale file can be deleted");
                } else {
                    differences.push(format!("{name}/{file} is no longer made"));
                }
            }
        }
        for (file, text) in expected {
            if update {
                std::fs::write(folder.join(&file), text).expect("a golden file can be written");
            } else if std::fs::read_to_string(folder.join(&file)).ok().as_deref() != Some(&text) {
                differences.push(format!("{name}/{file} differs"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{}\nrun with UPDATE_GOLDEN=1 and read the difference",
        differences.join("\n")
    );
}

fn files(messages: &Messages) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("out.clusters.yaml".to_owned(), text::yaml(&messages.clusters)),
        ("out.listeners.yaml".to_owned(), text::yaml(&messages.listeners)),
        ("out.routes.yaml".to_owned(), text::yaml(&messages.route_tables)),
        ("out.extensions.yaml".to_owned(), text::yaml(&messages.extensions)),
    ])
}

#[test]
fn the_same_mesh_gives_the_same_bytes() {
    for (name, _, case) in fixture::cases() {
        let emit = || {
            let proxy = case.lower();
            let secrets = support::legible_secrets(&proxy);
            ferromesh_emit::proxy(&proxy, &support::idle_module(), &secrets, &Options::default())
        };
        let first = emit();
        // Hash maps differ in order from one to the next.
        for _ in 0..8 {
            assert_eq!(emit(), first, "{name}");
        }
    }
}

#[test]
fn every_reference_is_among_the_resources() {
    for (name, _, case) in fixture::cases() {
        for modules in [support::idle_module(), Default::default()] {
            let proxy = case.lower();
            let secrets = support::legible_secrets(&proxy);
            let mut output = ferromesh_emit::proxy(&proxy, &modules, &secrets, &Options::default());
            let tasks = proxy.tasks(&case.directory());
            output.resources.extend(ferromesh_emit::endpoints(&proxy, &tasks));
            for reference in &output.references {
                let found = output
                    .resources
                    .iter()
                    .any(|resource| (resource.type_url, &resource.name) == (reference.type_url, &reference.name));
                assert!(found, "{name}: {reference:?}");
            }
            let mut names: Vec<_> = output.resources.iter().map(|one| (one.type_url, &one.name)).collect();
            names.dedup();
            assert_eq!(names.len(), output.resources.len(), "{name}: a name occurs twice");
        }
    }
}

#[test]
fn a_proxy_is_given_the_secrets_that_it_refers_to_and_no_others() {
    let (_, _, case) = fixture::cases().remove(0);
    let proxy = case.lower();
    let mut secrets = support::legible_secrets(&proxy);
    let certificate = ferromesh_emit::Certificate {
        chain: "chain".into(),
        key: "key".into(),
    };
    secrets.certificates.insert("arn:other".into(), certificate);
    let output = ferromesh_emit::proxy(&proxy, &support::idle_module(), &secrets, &Options::default());
    let is_secret = |resource: &&ferromesh_emit::Resource| resource.type_url == ferromesh_emit::SECRET;
    assert_eq!(output.resources.iter().find(is_secret), None);
}

#[test]
fn nothing_prints_a_private_key() {
    let mut seen = 0;
    for (name, _, case) in fixture::cases() {
        let proxy = case.lower();
        let secrets = support::legible_secrets(&proxy);
        let modules = support::idle_module();
        let messages = ferromesh_emit::messages(&proxy, &modules, &secrets, &Options::default());
        let output = ferromesh_emit::proxy(&proxy, &modules, &secrets, &Options::default());
        seen += messages.secrets.len();
        for text in [
            format!("{secrets:?} {secrets:#?}"),
            format!("{messages:?}"),
            format!("{output:?}"),
        ] {
            assert!(!text.contains("(key of"), "{name}: {text}");
        }
    }
    assert!(seen > 0, "no case has secrets");
}
