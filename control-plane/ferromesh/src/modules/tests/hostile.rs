//! Signatures, and bytes that somebody has changed.

use super::*;

#[test]
fn signatures_of_minisign_itself_are_taken_in_both_forms() {
    let rig = Rig::new(&[PUBLIC_KEY.lines().nth(1).unwrap()]);
    for (version, signature) in [("1", PREHASHED), ("2", LEGACY)] {
        let shown = rig.add(version, signed(TINY, signature)).unwrap();
        let of_mesh = &shown["modules"]["mesh"]["signature"];
        assert_eq!(of_mesh["keyId"], "5F00F7A137C4C3A6");
        assert_eq!(of_mesh["trustedComment"], "tiny 1.0 of Ferromesh's tests");
        rig.catalogue.set(version).unwrap();
    }
}

#[test]
fn a_key_is_read_from_a_file_or_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("minisign.pub");
    std::fs::write(&path, PUBLIC_KEY).unwrap();
    let path = path.to_str().unwrap();
    let keys = TrustedKeys::read([path, &Signer::new(1).public()]).unwrap();
    assert_eq!(keys.ids(), ["5F00F7A137C4C3A6", "0101010101010101"]);
    std::fs::write(path, "untrusted comment: none\n").unwrap();
    for wrong in [path, "/none", "RWSmw8Q3"] {
        let error = format!("{:#}", TrustedKeys::read([wrong]).unwrap_err());
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn with_a_key_configured_unsigned_and_wrongly_signed_modules_are_refused() {
    let (trusted, stranger) = (Signer::new(1), Signer::new(2));
    let rig = Rig::new(&[&trusted.public()]);
    let message = rig.refused(mesh(TINY));
    assert!(
        message.contains("modules.mesh.signature: is missing") && message.contains("0101010101010101"),
        "{message}"
    );
    let message = rig.refused(signed(TINY, &stranger.sign(TINY, "c")));
    assert!(
        message.contains("by key 0202020202020202, which is not among the trusted ones"),
        "{message}"
    );
    let message = rig.refused(signed(other(1), &trusted.sign(TINY, "c")));
    assert!(
        message.contains("is not that of this module by key 0101010101010101"),
        "{message}"
    );
    // The id of a trusted key over a signature of another one.
    let forged = Signer {
        id: trusted.id,
        ..Signer::new(2)
    };
    let message = rig.refused(signed(TINY, &forged.sign(TINY, "c")));
    assert!(message.contains("is not that of this module"), "{message}");
    // The trusted comment is signed too.
    let changed = trusted.sign(TINY, "tested").replace("tested", "not at all tested");
    assert!(rig
        .refused(signed(TINY, &changed))
        .contains("is not that of this module"));
    for nonsense in ["", "x", "untrusted comment: a\nb\ntrusted comment: c\nd\n"] {
        assert!(
            rig.refused(signed(TINY, nonsense)).contains("is no minisign signature"),
            "{nonsense}"
        );
    }
    let long = rig.refused(signed(TINY, &"x".repeat(9000)));
    assert!(
        long.contains("modules.mesh.signature: must have at most 8192 bytes, has 9000"),
        "{long}"
    );
    // One module of a set signed is not both signed.
    let mut both = signed(TINY, &trusted.sign(TINY, "c"));
    both.push(module("mesh-lean", TINY));
    assert!(rig.refused(both).contains("modules.mesh-lean.signature: is missing"));
}

#[test]
fn one_key_follows_another() {
    let (old, new) = (Signer::new(1), Signer::new(2));
    let rig = Rig::new(&[&old.public()]);
    rig.add("1", signed(TINY, &old.sign(TINY, "c"))).unwrap();
    let both = catalogue(&rig.store, &[&old.public(), &new.public()]);
    assert!(both.set("1").is_ok());
    // Signed again by the new one, the set stays the same one.
    let again = NewModuleSet {
        version: "1".to_owned(),
        modules: signed(TINY, &new.sign(TINY, "c")),
    };
    both.add(rig.store.as_ref(), &author(), &again).unwrap();
    let only_new = catalogue(&rig.store, &[&new.public()]);
    assert!(only_new.set("1").is_ok());
    let only_old = catalogue(&rig.store, &[&old.public()]);
    let why = only_old.set("1").unwrap_err().to_string();
    assert!(
        why.contains("module set 1: module mesh cannot be used: signature: is by key 0202"),
        "{why}"
    );
    assert_eq!(only_old.review().unwrap(), ["1"], "it is known at the start");
}

#[test]
fn what_was_added_without_keys_is_not_believed_once_there_are_some() {
    let rig = Rig::new(&[]);
    rig.add("1", mesh(TINY)).unwrap();
    rig.add("2", signed(TINY, LEGACY)).unwrap();
    let strict = catalogue(&rig.store, &[PUBLIC_KEY.lines().nth(1).unwrap()]);
    assert!(strict
        .set("1")
        .unwrap_err()
        .to_string()
        .contains("signature: is missing"));
    assert!(
        strict.set("2").is_ok(),
        "a signature that nobody could verify then can be now"
    );
}

#[test]
fn none_of_a_thousand_flipped_bits_of_a_signed_module_is_taken() {
    let signer = Signer::new(1);
    let rig = Rig::new(&[&signer.public(), PUBLIC_KEY.lines().nth(1).unwrap()]);
    let before = rig.store.revision().unwrap();
    let mut taken = 0;
    for number in 0..1000 {
        let mut bytes = TINY.to_vec();
        let place = number * bytes.len() / 1000;
        bytes[place] ^= 1 << (number % 8);
        let signature = if number % 2 == 0 { PREHASHED } else { LEGACY };
        taken += usize::from(rig.add("1", signed(bytes, signature)).is_ok());
    }
    assert_eq!(taken, 0);
    assert_eq!(rig.store.revision().unwrap(), before, "nothing of them is stored");
}

#[test]
fn none_of_a_thousand_flipped_bits_of_a_signature_makes_it_another_one() {
    let rig = Rig::new(&[PUBLIC_KEY.lines().nth(1).unwrap()]);
    let free = PREHASHED.lines().next().unwrap().len();
    let mut taken = Vec::new();
    for number in 0..1000 {
        let mut bytes = PREHASHED.trim_end().as_bytes().to_vec();
        let place = free + 1 + number * (bytes.len() - free - 1) / 1000;
        bytes[place] ^= 1 << (number % 7);
        let Ok(text) = String::from_utf8(bytes) else { continue };
        if rig.catalogue.keys.verify(TINY, Some(&text)).is_ok_and(|signed| {
            signed.is_some_and(|signed| {
                signed.trusted_comment != "tiny 1.0 of Ferromesh's tests" || text.len() != PREHASHED.trim_end().len()
            })
        }) {
            taken.push(text);
        }
    }
    assert_eq!(taken, Vec::<String>::new());
}

#[test]
fn no_bit_that_flips_in_the_store_reaches_a_proxy() {
    for keys in [&[][..], &[PUBLIC_KEY.lines().nth(1).unwrap()]] {
        let rig = Rig::new(keys);
        rig.add("1", signed(TINY, PREHASHED)).unwrap();
        let [part] = rig.keys("module/bytes/").try_into().unwrap();
        let sha256 = part.split('/').nth(2).unwrap().to_owned();
        let mut served = 0;
        // Each write is one on the disk: the places differ, their number is what a disk makes in a second.
        for number in 0..100 {
            let mut bytes = TINY.to_vec();
            let place = number * bytes.len() / 100;
            bytes[place] ^= 1 << (number % 8);
            rig.put(&part, bytes);
            served += usize::from(rig.catalogue.set("1").is_ok()) + usize::from(rig.catalogue.file(&sha256).is_ok());
        }
        assert_eq!(served, 0);
        rig.put(&part, TINY[..100].to_vec());
        let why = rig.catalogue.set("1").unwrap_err().to_string();
        assert!(why.contains("the store holds 100 bytes"), "{why}");
        // Added again, it is whole again.
        rig.catalogue.delete(rig.store.as_ref(), "1").unwrap().unwrap();
        rig.add("1", signed(TINY, PREHASHED)).unwrap();
        assert!(rig.catalogue.set("1").is_ok());
    }
}

#[test]
fn who_changes_module_and_hash_in_the_store_still_has_no_signature() {
    let signer = Signer::new(1);
    let rig = Rig::new(&[&signer.public()]);
    rig.add("1", signed(TINY, &signer.sign(TINY, "c"))).unwrap();
    let evil = other(9);
    let (before, after) = (rig.keys("module/bytes/").remove(0), check::describe(&evil).sha256);
    let sha256 = before.split('/').nth(2).unwrap();
    let set = rig.store.get("module/set/1").unwrap().unwrap().value;
    let set = String::from_utf8(set).unwrap();
    let set = set
        .replace(sha256, &after)
        .replace(&format!("\"size\":{}", TINY.len()), &format!("\"size\":{}", evil.len()));
    rig.put("module/set/1", set.into_bytes());
    rig.put(&format!("module/bytes/{after}/0000"), evil);
    let why = rig.catalogue.set("1").unwrap_err().to_string();
    assert!(why.contains("signature: is not that of this module"), "{why}");
}
