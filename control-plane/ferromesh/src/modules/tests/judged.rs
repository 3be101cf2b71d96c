//! What is refused, and why.

use super::*;

#[test]
fn a_good_set_is_kept_and_shown_with_what_it_is() {
    let rig = Rig::new(&[]);
    let shown = rig
        .add("1.4.0", vec![module("mesh", TINY), module("mesh-lean", other(1))])
        .unwrap();
    assert_eq!(shown["version"], "1.4.0");
    assert_eq!(shown["addedBy"], "ann");
    assert_eq!(shown["modules"]["mesh"]["memoryMaximum"], 1 << 20);
    assert_eq!(
        shown["modules"]["mesh"]["imports"],
        serde_json::json!(["env.proxy_log"])
    );
    assert_eq!(shown["modules"]["mesh"]["size"], TINY.len());
    assert_eq!(shown["modules"]["mesh"].get("signature"), None);
    let got = rig.catalogue.get(rig.store.as_ref(), "1.4.0").unwrap().unwrap();
    assert_eq!(got, shown);
    let sha256 = shown["modules"]["mesh-lean"]["sha256"].as_str().unwrap();
    assert_eq!(rig.catalogue.file(sha256).unwrap().unwrap(), other(1));
    let loaded = rig.catalogue.set("1.4.0").unwrap();
    assert_eq!(loaded.modules.mesh.as_ref().unwrap().bytes, TINY);
    assert_eq!(loaded.modules.lean.as_ref().unwrap().sha256, sha256);
    assert!(
        Arc::ptr_eq(&loaded, &rig.catalogue.set("1.4.0").unwrap()),
        "what is in use is held once"
    );
}

#[test]
fn the_built_in_set_comes_first_and_takes_no_other_ones_place() {
    let rig = Rig::new(&[]);
    rig.add("1", mesh(TINY)).unwrap();
    let all = rig.catalogue.list(rig.store.as_ref()).unwrap();
    let versions: Vec<_> = all.iter().map(|set| set["version"].as_str().unwrap()).collect();
    assert_eq!(versions, [BUILT_IN, "1"]);
    assert_eq!(all[0]["builtIn"], true);
    for version in [BUILT_IN, "", "a/b", "-1", "ä", &"1".repeat(65)] {
        let error = rig.add(version, mesh(TINY)).unwrap_err();
        assert!(
            error.message.starts_with("version: must"),
            "{version:?}: {}",
            error.message
        );
    }
    let error = rig.catalogue.delete(rig.store.as_ref(), BUILT_IN).unwrap_err();
    assert!(error.message.contains("came with the server"), "{}", error.message);
}

#[test]
fn a_version_never_becomes_another_one() {
    let rig = Rig::new(&[]);
    let first = rig.add("1", mesh(TINY)).unwrap();
    let revision = rig.store.revision().unwrap();
    assert_eq!(rig.add("1", mesh(TINY)).unwrap(), first, "the same again");
    assert_eq!(rig.store.revision().unwrap(), revision, "changes nothing");
    let error = rig.add("1", mesh(other(1))).unwrap_err();
    assert_eq!(error.kind, ferromesh_api::ErrorKind::Conflict);
    let error = rig
        .add("1", vec![module("mesh", TINY), module("retry", TINY)])
        .unwrap_err();
    assert_eq!(error.kind, ferromesh_api::ErrorKind::Conflict);
}

#[test]
fn what_is_no_module_is_refused() {
    let rig = Rig::new(&[]);
    for (bytes, why) in [
        (b"#!/bin/sh".to_vec(), "does not begin with \\0asm"),
        (Vec::new(), "does not begin with \\0asm"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "component"),
        (TINY[..TINY.len() - 1].to_vec(), "no valid wasm module"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0".to_vec(), "does not begin with \\0asm"),
        (
            wasm(MEMORY, r#"(func (export "x") (result i32) (i32.add))"#),
            "no valid wasm module",
        ),
        (wasm(MEMORY, "(start $f)"), "start function"),
    ] {
        let message = rig.refused(mesh(bytes));
        assert!(
            message.contains("modules.mesh.wasm: ") && message.contains(why),
            "{message}"
        );
    }
}

#[test]
fn a_module_that_is_too_big_is_refused_by_its_size() {
    let rig = Rig::new(&[]);
    let mut big = TINY.to_vec();
    big.resize(MAX_MODULE + 1, 0);
    let message = rig.refused(mesh(big));
    assert!(
        message.contains("modules.mesh.wasm: must have at most 2097152 bytes, has 2097153"),
        "{message}"
    );
}

#[test]
fn imports_that_envoy_has_not_are_refused_by_name() {
    let rig = Rig::new(&[]);
    for (module, name) in [
        ("env", "system"),
        ("wasi_snapshot_preview1", "sock_open"),
        ("js", "eval"),
    ] {
        let import = format!(r#"(import "{module}" "{name}" (func))"#);
        let message = rig.refused(mesh(wasm(MEMORY, &import)));
        let expected = format!("modules.mesh.wasm: import {module}.{name} is not provided by Envoy");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn memory_must_have_a_maximum_of_16_mib_at_most() {
    let rig = Rig::new(&[]);
    for (memory, why) in [
        (r#"(memory (export "memory") 1)"#, "memory declares no maximum"),
        (
            r#"(memory (export "memory") 1 257)"#,
            "memory declares a maximum of 16842752 bytes, at most 16777216 are allowed",
        ),
        ("", "it has 0 memories"),
    ] {
        let message = rig.refused(mesh(wasm(memory, "")));
        assert!(message.contains(why), "{message}");
    }
    rig.add("1", mesh(wasm(r#"(memory (export "memory") 1 256)"#, "")))
        .unwrap();
}

#[test]
fn a_module_of_another_abi_is_refused() {
    let rig = Rig::new(&[]);
    let text = r#"(module (memory (export "memory") 1 16) (func (export "proxy_abi_version_0_1_0")))"#;
    let message = rig.refused(mesh(wat::parse_str(text).unwrap()));
    assert!(
        message.contains("export proxy_abi_version_0_2_1 is missing"),
        "{message}"
    );
}

#[test]
fn a_sha256_that_is_given_must_be_the_modules() {
    let rig = Rig::new(&[]);
    let wish = |sha256: &str| {
        vec![NewModule {
            sha256: Some(sha256.to_owned()),
            ..module("mesh", TINY)
        }]
    };
    let is = check::hexadecimal(&<sha2::Sha256 as sha2::Digest>::digest(TINY));
    for wrong in [&"0".repeat(64), "", &is[..63]] {
        let message = rig.refused(wish(wrong));
        assert!(
            message.contains("modules.mesh.sha256: ") && message.contains(&is),
            "{message}"
        );
    }
    rig.add("1", wish(&is.to_uppercase())).unwrap();
}

#[test]
fn a_set_needs_its_mesh_module_and_no_unknown_ones() {
    let rig = Rig::new(&[]);
    assert!(rig
        .refused(vec![module("mesh-lean", TINY)])
        .contains("modules.mesh: is missing"));
    let message = rig.refused(vec![module("mesh", TINY), module("miner", TINY)]);
    assert!(
        message.contains("modules.miner: is unknown; known are mesh, mesh-lean"),
        "{message}"
    );
}

#[test]
fn modules_larger_than_one_part_come_back_whole() {
    let rig = Rig::new(&[]);
    let mut large = TINY.to_vec();
    // A custom section of 1.5 MB: its length in LEB128, a name of one byte.
    let length: u32 = 1_500_000;
    let parts = [length & 0x7f, (length >> 7) & 0x7f, length >> 14];
    large.extend([0, parts[0] as u8 | 0x80, parts[1] as u8 | 0x80, parts[2] as u8, 1, b'n']);
    large.extend((0..length - 2).map(|number| number as u8));
    rig.add("1", mesh(large.clone())).unwrap();
    assert_eq!(rig.keys("module/bytes/").len(), 3);
    assert_eq!(
        rig.catalogue.set("1").unwrap().modules.mesh.as_ref().unwrap().bytes,
        large
    );
}

#[test]
fn there_is_a_limit_for_all_sets_together() {
    let rig = Rig::new(&[]);
    for number in 0..keep::MAX_SETS {
        rig.add(&number.to_string(), mesh(TINY)).unwrap();
    }
    assert_eq!(rig.keys("module/bytes/").len(), 1, "the same bytes are kept once");
    let error = rig.add("more", mesh(TINY)).unwrap_err();
    assert_eq!(error.kind, ferromesh_api::ErrorKind::LimitExceeded);
    assert!(error.message.contains("there are 64 module sets"), "{}", error.message);
}
