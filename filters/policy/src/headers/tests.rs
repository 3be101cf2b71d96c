//! What is written for which stream.

use proptest::prelude::*;

use super::*;
use crate::test_view::TestView;
use crate::{Property, Write};

fn policy(json: &str) -> Policy {
    Policy::compile(&serde_json::from_str(json).unwrap()).unwrap()
}

fn writes(operations: Operations<'_>, view: &TestView, scope: &Scope<'_>) -> Vec<(String, String)> {
    let mut rendered = Rendered::default();
    operations.render(view, scope, &mut rendered);
    let mut seen = Vec::new();
    operations.for_each_write(&rendered, |name, write| {
        let write = match write {
            Write::Set(value) => format!("= {}", value.escape_ascii()),
            Write::Add(value) => format!("+ {}", value.escape_ascii()),
            Write::Remove => "-".to_owned(),
        };
        seen.push((name.to_owned(), write));
    });
    seen
}

fn mistakes(json: &str) -> Vec<String> {
    let violations = Policy::compile(&serde_json::from_str(json).unwrap()).unwrap_err();
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn sets_adds_and_removes_in_order() {
    let policy = policy(
        r#"{"request":[{"set":{"name":"x-a","value":"1"}},{"remove":"x-b"},{"add":{"name":"x-a","value":"2"}}]}"#,
    );
    let view = TestView::default();
    let seen = writes(policy.request(), &view, &Scope::default());
    let expected = [("x-a", "= 1"), ("x-b", "-"), ("x-a", "+ 2")];
    assert_eq!(seen, expected.map(|(name, write)| (name.to_owned(), write.to_owned())));
    assert!(view.reads().is_empty());
    assert!(policy.response().is_empty());
}

#[test]
fn knows_its_variables() {
    let names: Vec<String> = VARIABLES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
    let json = serde_json::json!({"response": [{"set": {"name": "x-all", "value": names.join("|")}}]}).to_string();
    let view = TestView::default()
        .header("x-request-id", b"id")
        .header(":authority", b"color.local")
        .header(":path", b"/p")
        .header(":method", b"GET")
        .header(":scheme", b"http")
        .header(":status", b"200")
        .with(Property::SourceAddress, b"10.0.0.7:4711")
        .with(Property::PeerIdentity, b"spiffe://m/n");
    let scope = Scope {
        mesh: "m",
        node: "n",
        virtual_service: "v",
        route: "r",
        target: Some("blue"),
        attempts: Some(2),
        kept: Kept::default(),
    };
    let policy = policy(&json);
    let kept = policy.keep(&view);
    // What the request's headers told must have been kept: in the response's callbacks they are gone.
    let view = TestView::default()
        .header(":status", b"200")
        .with(Property::SourceAddress, b"10.0.0.7:4711")
        .with(Property::PeerIdentity, b"spiffe://m/n");
    let scope = Scope {
        kept: policy.kept(kept.as_deref()),
        ..scope
    };
    let seen = writes(policy.response(), &view, &scope);
    let expected = "= m|n|v|r|blue|id|color.local|/p|GET|http|10.0.0.7|spiffe://m/n|2|200";
    assert_eq!(seen, [("x-all".to_owned(), expected.to_owned())]);
}

#[test]
fn braces_are_written_twice() {
    let policy = policy(r#"{"request":[{"set":{"name":"x-a","value":"{{{route}}}"}}]}"#);
    let scope = Scope {
        route: "r1",
        ..Scope::default()
    };
    let seen = writes(policy.request(), &TestView::default(), &scope);
    assert_eq!(seen, [("x-a".to_owned(), "= {r1}".to_owned())]);
}

#[test]
fn what_comes_out_empty_is_not_written() {
    let policy = policy(
        r#"{"request":[{"set":{"name":"x-a","value":"{target}"}},{"add":{"name":"x-b","value":"{request.id}"}}]}"#,
    );
    let seen = writes(policy.request(), &TestView::default(), &Scope::default());
    assert_eq!(seen, [("x-a".to_owned(), "-".to_owned())]);
}

#[test]
fn names_every_mistake() {
    let json = r#"{"request":[{"set":{"name":"x-envoy-max-retries","value":"9"}},{"set":{"name":"x-a","value":"{"}},
        {"add":{"name":"x-a","value":"{colour}"}},{"set":{"name":"x-a","value":"{response.status}"}},{"remove":"Host"}]}"#;
    let mistakes = mistakes(json);
    assert_eq!(mistakes.len(), 5, "{mistakes:?}");
    assert!(mistakes[0].starts_with("request[0].set.name: header x-envoy-max-retries is reserved"));
    assert_eq!(
        mistakes[1],
        "request[1].set.value: a brace of its own must be written twice"
    );
    assert!(mistakes[2].starts_with("request[2].add.value: {colour} is not one of mesh,"));
    assert_eq!(
        mistakes[3],
        "request[3].set.value: {response.status} is not known before the response"
    );
    assert!(mistakes[4].starts_with("request[4].remove: header name"));
    assert!(Policy::compile(&Config::default()).is_err());
}

proptest! {
    #[test]
    fn no_value_ends_its_line(id in proptest::collection::vec(any::<u8>(), 0..5_000), text in "[ -z]{0,40}") {
        let value = format!("{}{{request.id}}", text.replace('{', "{{").replace('}', "}}"));
        let json = serde_json::json!({"request": [{"set": {"name": "x-a", "value": value}}]}).to_string();
        let policy = policy(&json);
        let view = TestView::default().header("x-request-id", &id);
        let mut rendered = Rendered::default();
        policy.request().render(&view, &Scope::default(), &mut rendered);
        policy.request().for_each_write(&rendered, |_, write| if let Write::Set(value) = write {
            assert!(value.len() <= 4_096 && value.iter().all(|byte| *byte >= b' ' && *byte != 0x7f));
        });
    }

    #[test]
    fn any_value_is_a_template_or_a_mistake(value in "\\PC{0,60}") {
        let json = serde_json::json!({"response": [{"set": {"name": "x-a", "value": value}}]}).to_string();
        let _ = Policy::compile(&serde_json::from_str(&json).unwrap());
    }
}
