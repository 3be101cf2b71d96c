//! Two accounts at one server, and a third that nobody shares anything with.

use std::sync::Arc;

use ferromesh_store::RedbStore;
use http::{HeaderMap, Method};
use serde_json::{json, Value};

use super::*;
use crate::own::shares;
use crate::request::Request;
use crate::{ApiState, Caller, Channel};

/// The server's own account.
const HOME: &str = "123456789012";
const OWNER: &str = "111111111111";
const CONSUMER: &str = "222222222222";
const STRANGER: &str = "333333333333";

struct Server {
    state: ApiState,
    _folder: tempfile::TempDir,
}

type Answer = Result<Value, (ErrorKind, String)>;

impl Server {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a new store");
        Self {
            state: ApiState::new(Arc::new(store)),
            _folder: folder,
        }
    }

    fn call(&self, account: &str, method: &'static str, path: &str, body: &Value) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: Method::from_bytes(method.as_bytes()).expect("a method"),
            path: format!("/v20190125{path}"),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: if body.is_null() {
                String::new()
            } else {
                body.to_string()
            }
            .into(),
            host: None,
            channel: Channel::Local,
            proven: None,
            may_report: None,
        };
        let segments = request.segments().expect("segments");
        let found = crate::appmesh::find(method, &segments).expect("an operation");
        let caller = Caller::anonymous(account);
        let scene = Scene::new(&self.state, &caller);
        crate::appmesh::answer(&scene, &found, &request).map_err(|error| (error.kind, error.message))
    }

    fn ok(&self, account: &str, method: &'static str, path: &str, body: &Value) -> Value {
        self.call(account, method, path, body)
            .unwrap_or_else(|error| panic!("{account} {method} {path}: {error:?}"))
    }

    /// The reason for which something is forbidden.
    fn forbidden(&self, account: &str, method: &'static str, path: &str, body: &Value) -> String {
        match self.call(account, method, path, body) {
            Err((ErrorKind::Forbidden, message)) => message,
            other => panic!("{account} {method} {path}: {other:?}"),
        }
    }

    fn share(&self, account: &str, page: shares::Page, mesh: &str, with: &str) -> Answer {
        let caller = Caller::anonymous(account);
        let scene = Scene::new(&self.state, &caller);
        of_owner(&scene, account, |scene| shares::answer(scene, page, mesh, with))
            .map_err(|error| (error.kind, error.message))
    }
}

fn spec_of(kind: Kind) -> Value {
    match kind {
        Kind::Route => json!({"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}),
        Kind::VirtualGateway => json!({"listeners": []}),
        Kind::GatewayRoute => json!({"httpRoute": {
            "match": {"prefix": "/"},
            "action": {"target": {"virtualService": {"virtualServiceName": "s"}}}
        }}),
        _ => json!({}),
    }
}

/// Kinds below a mesh in the order in which they are made, each with its collection and the member of its name.
const COLLECTIONS: [(Kind, &str, &str, &str); 6] = [
    (Kind::VirtualNode, "virtualNodes", "virtualNodeName", "n"),
    (Kind::VirtualRouter, "virtualRouters", "virtualRouterName", "r"),
    (Kind::Route, "virtualRouter/r/routes", "routeName", "t"),
    (Kind::VirtualService, "virtualServices", "virtualServiceName", "s"),
    (Kind::VirtualGateway, "virtualGateways", "virtualGatewayName", "g"),
    (
        Kind::GatewayRoute,
        "virtualGateway/g/gatewayRoutes",
        "gatewayRouteName",
        "t",
    ),
];

#[test]
fn keeps_meshes_of_the_same_name_apart() {
    let server = Server::new();
    for account in [HOME, OWNER, CONSUMER] {
        let mesh = server.ok(account, "PUT", "/meshes", &json!({"meshName": "m"}));
        assert_eq!(
            mesh["metadata"]["arn"],
            format!("arn:aws:appmesh:us-east-1:{account}:mesh/m")
        );
        assert_eq!(mesh["metadata"]["meshOwner"], account);
        assert_eq!(mesh["metadata"]["resourceOwner"], account);
        let body = json!({"virtualNodeName": account, "spec": {}});
        server.ok(account, "PUT", "/meshes/m/virtualNodes", &body);
    }
    for account in [HOME, OWNER, CONSUMER] {
        let listed = server.ok(account, "GET", "/meshes/m/virtualNodes", &Value::Null);
        assert_eq!(listed["virtualNodes"].as_array().map(Vec::len), Some(1));
        assert_eq!(listed["virtualNodes"][0]["virtualNodeName"], account);
        let own = format!("/meshes/m/virtualNodes?meshOwner={account}");
        assert_eq!(
            server.ok(account, "GET", &own, &Value::Null),
            listed,
            "one's own account is no other"
        );
    }
    let body = json!({"meshName": "n"});
    server.ok(OWNER, "PUT", "/meshes?meshOwner=333333333333", &body);
    let missing = server.call(CONSUMER, "GET", "/meshes/n", &Value::Null);
    let text = "Mesh with name n is not present for account 222222222222";
    assert_eq!(missing, Err((ErrorKind::NotFound, text.to_owned())));
}

#[test]
fn a_consumer_reads_all_makes_what_is_not_a_gateway_and_changes_only_what_is_its_own() {
    let server = Server::new();
    server.ok(OWNER, "PUT", "/meshes", &json!({"meshName": "m"}));
    for (kind, collection, member, name) in COLLECTIONS {
        let body = json!({member: name, "spec": spec_of(kind)});
        server.ok(OWNER, "PUT", &format!("/meshes/m/{collection}"), &body);
    }
    let theirs = |path: &str| format!("/meshes/m{path}?meshOwner={OWNER}");
    let why = server.forbidden(CONSUMER, "GET", &theirs("/virtualNodes"), &Value::Null);
    assert_eq!(
        why,
        "User: arn:aws:iam::222222222222:root is not authorized to perform: appmesh:ListVirtualNodes on resource: \
         arn:aws:appmesh:us-east-1:111111111111:mesh/m because the mesh is not shared with this account"
    );
    server.share(OWNER, shares::Page::Put, "m", CONSUMER).expect("shared");
    server.forbidden(STRANGER, "GET", &theirs(""), &Value::Null);
    assert_eq!(
        server.ok(CONSUMER, "GET", &theirs(""), &Value::Null)["metadata"]["meshOwner"],
        OWNER
    );
    for (kind, collection, member, name) in COLLECTIONS {
        let new = theirs(&format!("/{collection}/c"));
        let (collection, item) = (
            theirs(&format!("/{collection}")),
            theirs(&format!("/{collection}/{name}")),
        );
        let spec = spec_of(kind);
        server.ok(CONSUMER, "GET", &collection, &Value::Null);
        server.ok(CONSUMER, "GET", &item, &Value::Null);
        server.forbidden(CONSUMER, "PUT", &item, &json!({"spec": spec}));
        server.forbidden(CONSUMER, "DELETE", &item, &Value::Null);
        let body = json!({member: "c", "spec": spec, "tags": [{"key": "k", "value": "v"}]});
        if matches!(kind, Kind::VirtualGateway | Kind::GatewayRoute) {
            let why = server.forbidden(CONSUMER, "PUT", &collection, &body);
            assert!(
                why.ends_with("virtual gateways and their routes are the mesh owner's"),
                "{why}"
            );
            continue;
        }
        let made = server.ok(CONSUMER, "PUT", &collection, &body);
        assert_eq!(made["metadata"]["meshOwner"], OWNER);
        assert_eq!(made["metadata"]["resourceOwner"], CONSUMER);
        let arn = made["metadata"]["arn"].as_str().expect("an ARN").to_owned();
        assert!(
            arn.starts_with("arn:aws:appmesh:us-east-1:222222222222:mesh/m@111111111111/"),
            "{arn}"
        );
        let changed = server.ok(CONSUMER, "PUT", &new, &json!({"spec": spec}));
        assert_eq!(changed["metadata"]["version"], 2);
        let seen = server.ok(OWNER, "GET", &new, &Value::Null);
        assert_eq!(seen, changed, "the owner sees it too");
        let why = server.forbidden(OWNER, "PUT", &new, &json!({"spec": spec}));
        assert!(why.ends_with("the resource is account 222222222222's"), "{why}");

        let tags = format!("/tags?resourceArn={arn}");
        let listed = server.ok(CONSUMER, "GET", &tags, &Value::Null);
        assert_eq!(listed, json!({"tags": [{"key": "k", "value": "v"}]}));
        server.ok(
            CONSUMER,
            "PUT",
            &format!("/tag?resourceArn={arn}"),
            &json!({"tags": []}),
        );
        server.forbidden(OWNER, "GET", &tags, &Value::Null);
        server.forbidden(
            OWNER,
            "PUT",
            &format!("/untag?resourceArn={arn}"),
            &json!({"tagKeys": ["k"]}),
        );
    }
    let mesh = "/meshes/m";
    for (method, path) in [("PUT", mesh), ("DELETE", mesh)] {
        let missing = server
            .call(CONSUMER, method, path, &Value::Null)
            .expect_err("no mesh of theirs");
        assert_eq!(missing.0, ErrorKind::NotFound);
    }
}

#[test]
fn ending_the_sharing_leaves_what_the_consumer_made_to_the_meshs_owner() {
    let server = Server::new();
    server.ok(HOME, "PUT", "/meshes", &json!({"meshName": "m"}));
    let shared = server.share(HOME, shares::Page::Put, "m", CONSUMER).expect("shared");
    assert_eq!(
        server.share(HOME, shares::Page::Put, "m", CONSUMER),
        Ok(shared.clone()),
        "a second time too"
    );
    let nodes = format!("/meshes/m/virtualNodes?meshOwner={HOME}");
    let node = format!("/meshes/m/virtualNodes/n?meshOwner={HOME}");
    server.ok(CONSUMER, "PUT", &nodes, &json!({"virtualNodeName": "n", "spec": {}}));
    for account in [HOME, CONSUMER] {
        let listed = server.share(account, shares::Page::List, "", "").expect("a list");
        assert_eq!(listed, json!({ "shares": [shared] }));
    }
    let none = server.share(STRANGER, shares::Page::List, "", "");
    assert_eq!(none, Ok(json!({"shares": []})));
    assert_eq!(server.share(HOME, shares::Page::Delete, "m", CONSUMER), Ok(shared));
    let again = server
        .share(HOME, shares::Page::Delete, "m", CONSUMER)
        .expect_err("gone");
    assert_eq!(again.0, ErrorKind::NotFound);

    for (method, body) in [
        ("GET", Value::Null),
        ("PUT", json!({"spec": {}})),
        ("DELETE", Value::Null),
    ] {
        server.forbidden(CONSUMER, method, &node, &body);
    }
    assert_eq!(
        server.ok(CONSUMER, "GET", "/meshes", &Value::Null),
        json!({"meshes": []})
    );
    assert_eq!(
        server.ok(HOME, "GET", &node, &Value::Null)["metadata"]["resourceOwner"],
        CONSUMER
    );
    server.ok(HOME, "DELETE", &node, &Value::Null);
}

#[test]
fn lists_own_meshes_and_then_shared_ones_page_by_page() {
    let server = Server::new();
    for (account, names) in [
        (OWNER, ["a", "b", "c"]),
        (HOME, ["a", "d", "e"]),
        (CONSUMER, ["a", "x", "y"]),
    ] {
        for name in names {
            server.ok(account, "PUT", "/meshes", &json!({"meshName": name}));
            if account != CONSUMER {
                server
                    .share(account, shares::Page::Put, name, CONSUMER)
                    .expect("shared");
            }
        }
    }
    for limit in 1..=10 {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = server.ok(CONSUMER, "GET", &format!("/meshes?limit={limit}{token}"), &Value::Null);
            let meshes = page["meshes"].as_array().expect("meshes").clone();
            assert!(meshes.len() <= limit);
            seen.extend(
                meshes
                    .iter()
                    .map(|mesh| format!("{}/{}", mesh["meshOwner"], mesh["meshName"]).replace('"', "")),
            );
            match page["nextToken"].as_str() {
                Some(next) => token = format!("&nextToken={next}"),
                None => break,
            }
        }
        let all = [
            (CONSUMER, ["a", "x", "y"]),
            (OWNER, ["a", "b", "c"]),
            (HOME, ["a", "d", "e"]),
        ];
        let all: Vec<_> = all
            .iter()
            .flat_map(|(account, names)| names.map(|name| format!("{account}/{name}")))
            .collect();
        assert_eq!(seen, all, "{limit} a page");
    }
    server.ok(OWNER, "DELETE", "/meshes/b", &Value::Null);
    server.ok(OWNER, "PUT", "/meshes", &json!({"meshName": "b"}));
    server.forbidden(CONSUMER, "GET", &format!("/meshes/b?meshOwner={OWNER}"), &Value::Null);
}

#[test]
fn refuses_to_share_what_cannot_be_shared() {
    let server = Server::new();
    server.ok(OWNER, "PUT", "/meshes", &json!({"meshName": "m"}));
    let refused = |account, mesh, with| {
        server
            .share(account, shares::Page::Put, mesh, with)
            .expect_err("refused")
    };
    assert_eq!(refused(OWNER, "m", OWNER).0, ErrorKind::BadRequest);
    assert_eq!(refused(OWNER, "m", "1").1, "account: must be 12 digits, is \"1\"");
    assert_eq!(refused(OWNER, "n", CONSUMER).0, ErrorKind::NotFound);
    assert_eq!(
        refused(CONSUMER, "m", STRANGER).0,
        ErrorKind::NotFound,
        "only who owns it shares it"
    );
}

#[test]
fn reads_accounts_from_arns() {
    let named =
        Named::parse("arn:aws:appmesh:eu-west-1:222222222222:mesh/m@111111111111/virtualService/a@b/c").expect("named");
    assert_eq!(named.key, Key::in_mesh("m", Kind::VirtualService, "a@b/c"));
    assert_eq!((named.account.as_str(), named.mesh_owner.as_str()), (CONSUMER, OWNER));
    for wrong in [
        "",
        "mesh/m",
        "arn:aws:s3:::b",
        "arn:aws:appmesh:r:1:mesh",
        "arn:aws:ecs:r:1:mesh/m",
    ] {
        assert_eq!(Named::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_same_token_of_two_accounts_is_two_tokens() {
    let server = Server::new();
    server.ok(OWNER, "PUT", "/meshes", &json!({"meshName": "m"}));
    server.share(OWNER, shares::Page::Put, "m", CONSUMER).expect("shared");
    let nodes = format!("/meshes/m/virtualNodes?meshOwner={OWNER}");
    let body = |name: &str| json!({"virtualNodeName": name, "spec": {}, "clientToken": "t"});
    let first = server.ok(OWNER, "PUT", &nodes, &body("a"));
    server.ok(CONSUMER, "PUT", &nodes, &body("b"));
    assert_eq!(server.ok(OWNER, "PUT", &nodes, &body("a")), first);
    let other = server.call(CONSUMER, "PUT", &nodes, &body("c")).expect_err("used");
    assert_eq!(other.0, ErrorKind::Conflict);
}
