//! Who may do what: every operation of the three APIs for every role, and what the others hear.

mod operations;
mod server;

use ferromesh_api::{bind_principal, set_key_state, Binding, KeyState, Principal, Role, Subject, WithoutKeys};
use serde_json::json;

use operations::everything;
use server::{binding, Answer, Server, ACCOUNT, NOW};

async fn ask(
    server: &Server,
    token: Option<&str>,
    (method, path, target, _): &(String, String, String, Role),
) -> Answer {
    let target = format!("Route53AutoNaming_v20170314.{target}");
    let headers = [("x-amz-target", target.as_str())];
    // Enough for the mesh to be known; for the rest each operation refuses it.
    server
        .call(
            token,
            method,
            path,
            &headers,
            r#"{"meshName": "m", "mesh": "m", "proxy": "mesh/m/virtualNode/n"}"#,
        )
        .await
}

#[tokio::test]
async fn every_operation_takes_the_role_that_it_is_meant_for() {
    let server = Server::new(WithoutKeys::Everybody);
    let roles = [Role::Admin, Role::Operator, Role::Reader];
    let tokens = roles.map(|role| (role, server.token(&format!("a-{role}"), &[Binding::everywhere(role)])));
    for asked in everything() {
        let nobody = ask(&server, None, &asked).await;
        assert_eq!(
            (nobody.status, nobody.error.as_str()),
            (403, "MissingAuthenticationTokenException"),
            "{asked:?}"
        );
        for (role, token) in &tokens {
            let answer = ask(&server, Some(token), &asked).await;
            assert_eq!(answer.is_denied(), *role < asked.3, "{role} {asked:?} {answer:?}");
            assert_ne!(answer.status, 500, "{asked:?} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_binding_to_one_mesh_opens_nothing_else() {
    let server = Server::new(WithoutKeys::Everybody);
    server.token("root", &[Binding::everywhere(Role::Admin)]);
    let token = server.token("other", &[binding(Role::Admin, "other", &[])]);
    for asked in everything() {
        let answer = ask(&server, Some(&token), &asked).await;
        // Lists over all meshes are answered, and empty; a change set is asked for change by change.
        let path = asked.1.as_str();
        let is_cut = asked.0 == "GET"
            && [
                "/v20190125/meshes",
                "/v1/policies",
                "/v1/proxies",
                "/v1/shares",
                "/v1/join-tokens",
                "/v1/rollouts",
            ]
            .contains(&path);
        if is_cut {
            let list = answer.body.as_object().and_then(|body| body.values().next());
            assert_eq!((answer.status, list), (200, Some(&json!([]))), "{asked:?} {answer:?}");
        } else if path == "/v1/events" {
            // Goes on without an end, with events of the meshes that the caller may see.
            assert_eq!(answer.status, 200, "{asked:?} {answer:?}");
        } else if path != "/v1/changes" {
            assert!(answer.is_denied(), "{asked:?} {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_is_denied_says_nothing_about_what_there_is() {
    let server = Server::new(WithoutKeys::Everybody);
    let admin = server.token("root", &[Binding::everywhere(Role::Admin)]);
    let token = server.token("shop", &[binding(Role::Operator, "shop*", &[])]);
    for mesh in ["aaa", "shop", "shop-eu", "zzz"] {
        let body = json!({ "meshName": mesh }).to_string();
        let made = server.call(Some(&admin), "PUT", "/v20190125/meshes", &[], &body).await;
        assert_eq!(made.status, 200);
    }
    let there = server.get(&token, "/v20190125/meshes/zzz").await;
    let not_there = server.get(&token, "/v20190125/meshes/yyy").await;
    assert!(there.is_denied() && not_there.is_denied());
    let without_name = |answer: &Answer| {
        answer.body["message"]
            .as_str()
            .unwrap_or_default()
            .replace("yyy", "zzz")
    };
    assert_eq!(without_name(&there), without_name(&not_there));

    // One a page: tokens name what was shown, and pages are cut after what is hidden is gone.
    let first = server.get(&token, "/v20190125/meshes?limit=1").await.body;
    assert_eq!(first["meshes"][0]["meshName"], "shop");
    let next = first["nextToken"].as_str().expect("a token");
    let second = server
        .get(&token, &format!("/v20190125/meshes?limit=1&nextToken={next}"))
        .await
        .body;
    assert_eq!(second["meshes"][0]["meshName"], "shop-eu");
    assert_eq!(second.get("nextToken"), None);
}

#[tokio::test]
async fn a_binding_can_be_for_some_kinds() {
    let server = Server::new(WithoutKeys::Everybody);
    let admin = server.token("root", &[Binding::everywhere(Role::Admin)]);
    let token = server.token(
        "routes",
        &[
            binding(Role::Operator, "m", &[Subject::Route]),
            binding(Role::Reader, "*", &[]),
        ],
    );
    let made = server
        .call(Some(&admin), "PUT", "/v20190125/meshes", &[], r#"{"meshName": "m"}"#)
        .await;
    assert_eq!(made.status, 200);
    let denied = |method, path| server.call(Some(&token), method, path, &[], "{}");
    assert!(denied("DELETE", "/v20190125/meshes/m").await.is_denied());
    assert!(denied("DELETE", "/v20190125/meshes/m/virtualNodes/n").await.is_denied());
    let route = denied("DELETE", "/v20190125/meshes/m/virtualRouter/r/routes/t").await;
    assert_eq!(route.error, "NotFoundException");
    let set = |kind: &str| {
        let one = json!({"action": "create", "kind": kind, "meshName": "m", "name": "n", "spec": {}});
        json!({ "changes": [one] }).to_string()
    };
    let node = server
        .call(Some(&token), "POST", "/v1/changes", &[], &set("virtualNode"))
        .await;
    assert_ne!(node.status, 200, "{node:?}");
}

#[tokio::test]
async fn keys_are_taken_while_they_are_enabled_and_two_of_a_principal_at_once() {
    let server = Server::new(WithoutKeys::Everybody);
    let admin = server.token("root", &[Binding::everywhere(Role::Admin)]);
    let old = server.token("ci", &[Binding::everywhere(Role::Reader)]);
    let new = server.token("ci", &[]);
    let third = server
        .call(Some(&admin), "POST", "/v1/keys", &[], r#"{"principal": "ci"}"#)
        .await;
    assert_eq!((third.status, third.error.as_str()), (400, "LimitExceededException"));
    let id = old.split('_').nth(1).expect("an id").to_owned();
    for (state, status) in [(KeyState::Disabled, 403), (KeyState::Enabled, 200)] {
        set_key_state(server.store.as_ref(), &id, state, NOW).expect("the state");
        let answer = server.get(&old, "/v20190125/meshes").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(server.get(&new, "/v20190125/meshes").await.status, 200);
    }
    let mut wrong = new.clone();
    wrong.pop();
    wrong.push('x');
    let unknown = server.get(&wrong, "/v20190125/meshes").await;
    assert_eq!(
        (unknown.status, unknown.error.as_str()),
        (403, "UnrecognizedClientException")
    );
    let listed = server.get(&admin, "/v1/keys").await.body.to_string();
    for secret in [&admin, &old, &new] {
        assert!(!listed.contains(secret.as_str()), "{listed}");
    }
}

#[tokio::test]
async fn the_last_admin_cannot_be_locked_out_and_the_first_key_is_an_admins() {
    let server = Server::new(WithoutKeys::Local);
    let first = r#"{"principal": "ci", "bindings": [{"role": "reader"}]}"#;
    let refused = server.call(None, "POST", "/v1/keys", &[], first).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let first = r#"{"principal": "root", "bindings": [{"role": "admin"}], "bearer": true}"#;
    let made = server.call(None, "POST", "/v1/keys", &[], first).await;
    assert_eq!(made.status, 200, "{made:?}");
    let token = made.body["secret"].as_str().expect("a secret").to_owned();
    let id = made.body["id"].as_str().expect("an id").to_owned();
    for (method, path, body) in [
        ("DELETE", format!("/v1/keys/{id}"), ""),
        ("POST", format!("/v1/keys/{id}/disable"), ""),
        (
            "PUT",
            "/v1/principals/root".to_owned(),
            r#"{"bindings": [{"role": "reader"}]}"#,
        ),
        ("DELETE", "/v1/principals/root".to_owned(), ""),
    ] {
        let answer = server.call(Some(&token), method, &path, &[], body).await;
        assert_eq!(
            (answer.status, answer.error.as_str()),
            (409, "ResourceInUseException"),
            "{path}"
        );
    }
    let reader = Principal {
        name: "root".to_owned(),
        account: ACCOUNT.to_owned(),
        bindings: vec![Binding::everywhere(Role::Reader)],
    };
    assert!(bind_principal(server.store.as_ref(), &reader, NOW).is_err());
}

#[tokio::test]
async fn without_a_key_pages_of_web_sites_are_kept_out() {
    let server = Server::new(WithoutKeys::Everybody);
    let headers = [("origin", "https://evil.example")];
    assert!(server.call(None, "POST", "/v1/keys", &headers, "{}").await.is_denied());
    assert_eq!(server.call(None, "GET", "/v20190125/meshes", &[], "").await.status, 200);
}

#[tokio::test]
async fn the_audit_record_has_changes_refusals_and_denied_reads_and_no_secret() {
    let server = Server::new(WithoutKeys::Everybody);
    let admin = server.token("root", &[Binding::everywhere(Role::Admin)]);
    let reader = server.token("ci", &[binding(Role::Reader, "m", &[])]);
    let mesh = r#"{"meshName": "m"}"#;
    for (token, method, path, body, status) in [
        (&admin, "PUT", "/v20190125/meshes", mesh, 200),
        (
            &admin,
            "PUT",
            "/v20190125/meshes/m",
            r#"{"spec": {"egressFilter": {"type": "ALLOW_ALL"}}}"#,
            200,
        ),
        (&admin, "PUT", "/v20190125/meshes", mesh, 409),
        (&reader, "GET", "/v20190125/meshes/m", "", 200),
        (&reader, "DELETE", "/v20190125/meshes/m", "", 403),
        (&reader, "GET", "/v20190125/meshes/other", "", 403),
    ] {
        let answer = server.call(Some(token), method, path, &[], body).await;
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
    }
    let made = server
        .call(Some(&admin), "POST", "/v1/keys", &[], r#"{"principal": "ci"}"#)
        .await
        .body;
    let secret = made["secret"].as_str().expect("a secret");

    let audit = server.get(&admin, "/v1/audit").await.body;
    assert!(!audit.to_string().contains(secret));
    let records = audit["records"].as_array().expect("records");
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let text = |member: &str| record[member].as_str().unwrap_or_default().to_owned();
            (text("principal"), text("operation"), text("outcome"))
        })
        .collect();
    let expected = [
        ("root", "CreateMesh", "200"),
        ("root", "UpdateMesh", "200"),
        ("root", "CreateMesh", "ConflictException"),
        ("ci", "DeleteMesh", "AccessDeniedException"),
        ("ci", "DescribeMesh", "AccessDeniedException"),
        ("root", "CreateKey", "200"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned()))
        .collect();
    assert_eq!(told, expected);
    let updated = &records[1]["changes"][0];
    assert_eq!((&updated["before"], &updated["after"]), (&json!(1), &json!(2)));
    assert_eq!(
        updated["resource"],
        format!("arn:aws:appmesh:us-east-1:{ACCOUNT}:mesh/m")
    );
    for record in records {
        assert!(
            record["requestId"].as_str().is_some_and(|id| !id.is_empty()),
            "{record}"
        );
    }
    let of_mesh = server.get(&admin, "/v1/audit?mesh=other&limit=1").await.body;
    assert_eq!(of_mesh["records"][0]["operation"], "DescribeMesh");
}
