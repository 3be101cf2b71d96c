use super::*;

fn one(value: Value) -> Result<Content, String> {
    parse("f", value, Some("default")).map(|mut documents| documents.remove(0).content)
}

fn key_of(value: Value) -> Key {
    match one(value).unwrap() {
        Content::Resource { key, .. } => key,
        Content::Policy { .. } => panic!("a policy"),
    }
}

#[test]
fn reads_create_input_of_every_kind() {
    let spec = json!({"a": 1});
    for (document, expected) in [
        (json!({"meshName": "m", "spec": spec}), Key::mesh("m")),
        (
            json!({"meshName": "m", "virtualNodeName": "n", "spec": spec}),
            Key::in_mesh("m", Kind::VirtualNode, "n"),
        ),
        (
            json!({"virtualServiceName": "s.local", "spec": spec}),
            Key::in_mesh("default", Kind::VirtualService, "s.local"),
        ),
        (
            json!({"meshName": "m", "virtualRouterName": "r", "spec": spec}),
            Key::in_mesh("m", Kind::VirtualRouter, "r"),
        ),
        (
            json!({"meshName": "m", "virtualRouterName": "r", "routeName": "t", "spec": spec}),
            Key::in_parent("m", Kind::Route, "r", "t"),
        ),
        (
            json!({"meshName": "m", "virtualGatewayName": "g", "spec": spec}),
            Key::in_mesh("m", Kind::VirtualGateway, "g"),
        ),
        (
            json!({"meshName": "m", "virtualGatewayName": "g", "gatewayRouteName": "t", "spec": spec, "clientToken": "x"}),
            Key::in_parent("m", Kind::GatewayRoute, "g", "t"),
        ),
    ] {
        assert_eq!(key_of(document), expected);
    }
}

#[test]
fn reads_describe_output_with_and_without_the_wrapper() {
    let bare = json!({
        "meshName": "m", "virtualNodeName": "n", "spec": {}, "metadata": {"version": 1}, "status": {"status": "ACTIVE"},
    });
    let expected = Key::in_mesh("m", Kind::VirtualNode, "n");
    assert_eq!(key_of(bare.clone()), expected);
    assert_eq!(key_of(json!({ "virtualNode": bare })), expected);
    let mesh = json!({"mesh": {"meshName": "m", "spec": {}, "metadata": {}, "status": {}}});
    assert_eq!(key_of(mesh), Key::mesh("m"));
}

#[test]
fn reads_policies() {
    let policy = json!({"name": "p", "mesh": "m", "target": {"mesh": {}}, "spec": {"retry": {"enabled": false}}});
    let expected = Content::Policy {
        mesh: "m".into(),
        name: "p".into(),
        body: json!({"target": {"mesh": {}}, "spec": {"retry": {"enabled": false}}}),
    };
    assert_eq!(one(policy.clone()).unwrap(), expected);
    assert_eq!(one(json!({ "policy": policy })).unwrap(), expected);
}

#[test]
fn says_what_is_missing_or_unknown() {
    for (document, word) in [
        (json!({"spec": {}}), "meshName"),
        (
            json!({"meshName": "m", "routeName": "t", "spec": {}}),
            "virtualRouterName",
        ),
        (json!({"meshName": "m", "virtualNodeName": "n"}), "no spec"),
        (
            json!({"meshName": "m", "virtualNodeName": "n", "spce": {}, "spec": {}}),
            "spce",
        ),
        (
            json!({"meshName": "m", "virtualNodeName": 7, "spec": {}}),
            "virtualNodeName",
        ),
        (
            json!({"meshName": "m", "virtualNodeName": "n", "virtualServiceName": "s", "spec": {}}),
            "several",
        ),
        (json!({"target": {"mesh": {}}}), "name"),
        (json!("text"), "text"),
        (json!([{"meshName": "m"}, 7]), "item 2"),
    ] {
        let error = parse("f", document.clone(), Some("default")).unwrap_err();
        assert!(error.starts_with('f') && error.contains(word), "{document}: {error}");
    }
    let error = parse("f", json!({"virtualNodeName": "n", "spec": {}}), None).unwrap_err();
    assert!(error.contains("--mesh"), "{error}");
}

#[test]
fn reads_folders_lists_and_documents_and_refuses_doubles() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "b.yaml",
        "# mesh\nmeshName: m\n---\nvirtualNodeName: n\nspec:\n  listeners: []\n---\n",
    );
    write(
        "a.json",
        r#"[{"virtualRouterName":"r","spec":{}}] {"virtualServiceName":"s","spec":{}}"#,
    );
    write("notes.txt", "not one of ours");
    let paths = [folder.path().to_path_buf()];
    let documents = read(&paths, Some("m")).unwrap();
    let labels: Vec<_> = documents.iter().map(|document| document.content.label()).collect();
    assert_eq!(
        labels,
        ["virtualRouter/r", "virtualService/s", "mesh/m", "virtualNode/n"]
    );

    write("c.yml", "virtualNodeName: n\nspec: {}\n");
    let problems = read(&paths, Some("m")).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("b.yaml, document 2"), "{problems:?}");

    let empty = tempfile::tempdir().unwrap();
    assert!(read(&[empty.path().to_path_buf()], None).is_err());
    assert!(read(&["/nowhere".into()], None).is_err());
}

#[test]
fn an_unfilled_template_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    std::fs::write(&path, "{\"spec\": {\n \"hostname\": $DNS_HOSTNAME}}").unwrap();
    let problems = read(&[path], None).unwrap_err();
    assert!(problems[0].contains("line 2"), "{problems:?}");
}
