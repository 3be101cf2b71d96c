//! Keys of sticky choices: cookies of our own, parameters, and preferences among them.

use super::*;

const FIRST: &str = "AAECAwQFBgcICQoLDA0ODw==";
const SECOND: &str = "//79/Pv6+fj39vX08/Lx8A==";

fn sticky(json: &str) -> Policy {
    let release = Config {
        weights: vec![50, 50],
        sticky: Some(serde_json::from_str(json).unwrap()),
        ..Config::default()
    };
    Policy::compile(&release, &names(2)).unwrap()
}

fn signed_by(keys: &[&str]) -> Policy {
    let keys = serde_json::to_string(keys).unwrap();
    sticky(&format!(
        r#"{{"cookie": {{"name": "fm-user", "set": {{"ttlSeconds": 86400}}, "signingKeys": {keys}}}}}"#
    ))
}

fn decide(policy: &Policy, headers: &[(&'static str, &[u8])]) -> Choice {
    let request = Request {
        headers: headers.iter().map(|(name, value)| (*name, value.to_vec())).collect(),
        ..Request::default()
    };
    policy.decide(&request, &mut Draws::from_seed(7), &Conditions::default())
}

fn with_cookie(policy: &Policy, value: &str) -> Choice {
    decide(policy, &[("cookie", format!("a=b; fm-user={value}").as_bytes())])
}

/// The value of a fresh cookie.
fn fresh(policy: &Policy) -> String {
    let choice = decide(policy, &[]);
    let header = policy.set_cookie(choice.cookie.unwrap()).unwrap();
    let text = std::str::from_utf8(header.as_bytes()).unwrap();
    text.split(['=', ';']).nth(1).unwrap().to_owned()
}

#[test]
fn a_user_without_a_cookie_gets_one_and_stays() {
    let policy = signed_by(&[FIRST]);
    let choice = decide(&policy, &[]);
    assert_eq!(choice.by, ChosenBy::Key);
    let header = policy.set_cookie(choice.cookie.unwrap()).unwrap();
    // The tag was computed apart from this code: openssl mac -macopt size:16 SIPHASH over "fm-user=" and the id.
    assert_eq!(
        std::str::from_utf8(header.as_bytes()).unwrap(),
        "fm-user=63cbe1e459320dd7.fb2f7af15d3a9a329422ccbb074f0152; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax"
    );
    let back = with_cookie(&policy, &fresh(&policy));
    assert_eq!(
        (back.target, back.by, back.cookie),
        (choice.target, ChosenBy::Key, None)
    );
}

#[test]
fn new_users_are_shared_by_weight() {
    let release = Config {
        weights: vec![90, 10],
        sticky: Some(serde_json::from_str(r#"{"cookie": {"name": "fm-user", "set": {}}}"#).unwrap()),
        ..Config::default()
    };
    let policy = Policy::compile(&release, &names(2)).unwrap();
    let mut draws = Draws::from_seed(3);
    let choose = |_| {
        policy
            .decide(&Request::default(), &mut draws, &Conditions::default())
            .target
    };
    let seen: usize = (0..20_000).map(choose).sum();
    assert!(within(seen, 20_000, 0.1, 4.0), "{seen}");
}

#[test]
fn a_cookie_that_is_not_ours_is_replaced() {
    let policy = signed_by(&[FIRST]);
    let value = fresh(&policy);
    let (id, tag) = value.split_once('.').unwrap();
    let other = sticky(&format!(
        r#"{{"cookie": {{"name": "other", "set": {{}}, "signingKeys": ["{FIRST}"]}}}}"#
    ));
    for forged in [
        String::new(),
        id.to_owned(),
        format!("{id}."),
        format!("0{}.{tag}", &id[1..]),
        format!("{id}.0{}", &tag[1..]),
        format!("{id}.{}", tag.to_uppercase()),
        format!("{}.{tag}", id.to_uppercase()),
        format!("{value}0"),
        format!("{id}-{tag}"),
        fresh(&signed_by(&[SECOND])),
        fresh(&other),
    ] {
        assert!(with_cookie(&policy, &forged).cookie.is_some(), "{forged}");
    }
    assert!(with_cookie(&policy, &value).cookie.is_none());
}

#[test]
fn a_rotated_key_signs_anew_and_moves_nobody() {
    let (old, new) = (signed_by(&[FIRST]), signed_by(&[SECOND, FIRST]));
    let before = fresh(&old);
    let (was, is) = (with_cookie(&old, &before), with_cookie(&new, &before));
    assert_eq!(was.target, is.target);
    let renewed = new.set_cookie(is.cookie.unwrap()).unwrap();
    let renewed = std::str::from_utf8(renewed.as_bytes()).unwrap();
    assert_eq!(renewed.get(..25), Some(format!("fm-user={}.", &before[..16]).as_str()));
    let value = renewed.split(['=', ';']).nth(1).unwrap();
    assert_eq!(with_cookie(&new, value).cookie, None);
    assert!(
        with_cookie(&signed_by(&[SECOND]), &before).cookie.is_some(),
        "the old key is gone"
    );
}

#[test]
fn without_keys_any_value_is_a_key() {
    let policy = sticky(
        r#"{"cookie": {"name": "fm-user", "set": {"path": "/shop", "sameSite": "strict", "secure": false, "httpOnly": false}}}"#,
    );
    let choice = with_cookie(&policy, "whoever");
    assert_eq!(
        (Some(choice.target), choice.cookie),
        (policy.sticky_choice(b"whoever"), None)
    );
    let header = policy.set_cookie(decide(&policy, &[]).cookie.unwrap()).unwrap();
    assert_eq!(
        std::str::from_utf8(header.as_bytes()).unwrap(),
        "fm-user=63cbe1e459320dd7; Path=/shop; SameSite=Strict"
    );
}

#[test]
fn a_cookie_that_others_set_may_be_verified() {
    let policy = sticky(&format!(
        r#"{{"cookie": {{"name": "fm-user", "signingKeys": ["{SECOND}", "{FIRST}"]}}}}"#
    ));
    let value = fresh(&signed_by(&[FIRST]));
    let choice = with_cookie(&policy, &value);
    assert_eq!((choice.by, choice.cookie), (ChosenBy::Key, None));
    assert_eq!(with_cookie(&policy, "forged").by, ChosenBy::Draw);
    assert_eq!(with_cookie(&policy, "forged").cookie, None);
}

#[test]
fn the_longest_cookie_fits() {
    let config = CookieConfig {
        name: "n".repeat(128),
        set: Some(SetCookie {
            ttl_seconds: Some(34_560_000),
            path: format!("/{}", "p".repeat(127)),
            same_site: SameSite::Strict,
            secure: true,
            http_only: true,
        }),
        signing_keys: vec![FIRST.into()],
    };
    let release = Config {
        weights: vec![1, 1],
        sticky: Some(Sticky::ManagedCookie(config)),
        ..Config::default()
    };
    let policy = Policy::compile(&release, &names(2)).unwrap();
    let header = policy.set_cookie(decide(&policy, &[]).cookie.unwrap()).unwrap();
    assert_eq!(header.as_bytes().len(), 366);
    assert!(header.as_bytes().ends_with(b"; SameSite=Strict"));
}

#[test]
fn the_first_source_that_the_request_has_is_the_key() {
    let policy = sticky(
        r#"{"anyOf": [{"header": "X-User"}, {"query": "user"}, {"cookie": {"name": "fm-user", "set": {}}}, {"cookie": "sid"}]}"#,
    );
    let path: (&'static str, &[u8]) = (":path", b"/cart?user=grace");
    let cookie: (&'static str, &[u8]) = ("cookie", b"sid=tony");
    let key = |headers: &[(&'static str, &[u8])], expected: &[u8]| {
        let choice = decide(&policy, headers);
        assert_eq!(
            (Some(choice.target), choice.cookie),
            (policy.sticky_choice(expected), None)
        );
    };
    key(&[("x-user", b"ada"), path, cookie], b"ada");
    key(&[("x-user", b""), path, cookie], b"grace");
    key(&[(":path", b"/cart?user="), cookie], b"tony");
    assert!(
        decide(&policy, &[(":path", b"/")]).cookie.is_some(),
        "none of them: a cookie is set"
    );
}

#[test]
fn a_path_is_a_key_without_its_query() {
    let policy = sticky(r#"{"path": {}}"#);
    let target = |path: &[u8]| decide(&policy, &[(":path", path)]).target;
    assert_eq!(Some(target(b"/a/b?c=1")), policy.sticky_choice(b"/a/b"));
    assert_eq!(target(b"/a/b?c=1"), target(b"/a/b"));
}

#[test]
fn writes_what_it_reads() {
    for json in [
        r#"{"cookie":"sid"}"#,
        r#"{"cookie":{"name":"fm-user","set":{"ttlSeconds":60,"path":"/","sameSite":"lax","secure":true,"httpOnly":true},"signingKeys":["AAECAwQFBgcICQoLDA0ODw=="]}}"#,
        r#"{"anyOf":[{"header":"x"},{"query":"user"},{"path":{}},{"sourceAddress":{}}]}"#,
    ] {
        let sticky: Sticky = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&sticky).unwrap(), json);
    }
    for json in [
        r#"{"cookie":1}"#,
        r#"{"cookie":{"name":"a","max":1}}"#,
        r#"{"path":{"a":1}}"#,
        r#"{"body":"a"}"#,
    ] {
        assert!(serde_json::from_str::<Sticky>(json).is_err(), "{json}");
    }
}

#[test]
fn keys_are_not_shown() {
    let policy = signed_by(&[FIRST]);
    let config: Sticky =
        serde_json::from_str(&format!(r#"{{"cookie":{{"name":"a","signingKeys":["{FIRST}"]}}}}"#)).unwrap();
    for text in [format!("{policy:?}"), format!("{config:?}")] {
        assert!(!text.contains("AAEC") && !text.contains("0706050403020100"), "{text}");
    }
}

#[test]
fn rejects_keys_of_users_that_cannot_be_read() {
    let violations = |json: &str| -> Vec<String> {
        let release = Config {
            weights: vec![1, 1],
            sticky: Some(serde_json::from_str(json).unwrap()),
            tester: Some(Tester::default()),
            ..Config::default()
        };
        let violations = Policy::compile(&release, &names(2)).unwrap_err();
        let texts = violations.iter().map(ToString::to_string);
        texts
            .filter(|text| text != "override: an override needs a header or a cookie")
            .collect()
    };
    assert_eq!(
        violations(
            r#"{"cookie": {"name": "__Host-a b", "set": {"ttlSeconds": 0, "path": "x;", "sameSite": "none", "secure": false}, "signingKeys": ["short", "AAECAwQFBgcICQoLDA0ODx=="]}}"#
        ),
        [
            "sticky.cookie.name: cookie name must be a token of 1 to 128 characters",
            "sticky.cookie.signingKeys[0]: key must be 16 bytes in base64",
            "sticky.cookie.signingKeys[1]: key must be 16 bytes in base64",
            "sticky.cookie.set.ttlSeconds: 0 s must be 1 to 34560000 s",
            "sticky.cookie.set.path: path must be 1 to 128 visible ASCII characters without ; and start with /",
            "sticky.cookie.set.secure: browsers refuse sameSite none without secure",
            "sticky.cookie.set.secure: a cookie whose name starts with __Secure- or __Host- must be secure",
            "sticky.cookie.set.path: a cookie whose name starts with __Host- must have the path /",
        ]
    );
    assert_eq!(
        violations(
            r#"{"anyOf": [{"anyOf": []}, {"query": "a=b"}, {"cookie": {"name": "a", "set": {}}}, {"cookie": {"name": "b", "set": {}}}]}"#
        ),
        [
            "sticky.anyOf: more than one of the cookies is to be set",
            "sticky.anyOf[0]: anyOf must not hold another anyOf",
            "sticky.anyOf[1].query: parameter must have 1 to 255 bytes and no &, = or #",
        ]
    );
    assert_eq!(
        violations(r#"{"anyOf": []}"#),
        ["sticky.anyOf: 0 sources; there must be 1 to 8"]
    );
}

proptest! {
    #[test]
    fn any_cookie_is_some_target(cookie in proptest::collection::vec(any::<u8>(), 0..100), path in proptest::collection::vec(any::<u8>(), 0..50)) {
        let policy = sticky(&format!(
            r#"{{"anyOf": [{{"query": "u"}}, {{"cookie": {{"name": "fm-user", "set": {{}}, "signingKeys": ["{FIRST}"]}}}}]}}"#
        ));
        let value = [b"fm-user=".as_slice(), &cookie].concat();
        let choice = decide(&policy, &[("cookie", value.as_slice()), (":path", path.as_slice())]);
        prop_assert!(policy.number(choice.target).is_some());
    }
}
