//! The aws CLI, boto3 and our own commands with keys that are right, wrong, disabled, new, and clocks that are off.

use std::process::Command;

use ferromesh_integration::rig::{paths, ports};
use serde_json::Value;

use crate::door::{ferromesh, read, with_admin, Key};

/// What `aws appmesh` says with a key: its output, or its error.
fn aws(server: &str, key: &Key, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(paths::aws().expect("the aws CLI"));
    command
        .args([
            "--endpoint-url",
            server,
            "--region",
            "eu-central-1",
            "--output",
            "json",
            "appmesh",
        ])
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("HOME").map(|home| ("HOME", home)))
        .envs(key.environment())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_command_line_signs_and_is_let_in_while_its_key_is_good() {
    let (_folder, rig, admin) = with_admin(&[]).await;
    let server = format!("http://{}", rig.address());
    let made = aws(&server, &admin, &["create-mesh", "--mesh-name", "m"]);
    assert!(made.is_ok(), "{made:?}");
    for name in ["a.b/c%d e", "ä+(ö)!*'~.local"] {
        let spec = ["--mesh-name", "m", "--virtual-service-name", name, "--spec", "{}"];
        let made = aws(&server, &admin, &[&["create-virtual-service"][..], &spec[..]].concat());
        assert!(made.is_ok(), "{name}: {made:?}");
        let shown = aws(
            &server,
            &admin,
            &[
                "describe-virtual-service",
                "--mesh-name",
                "m",
                "--virtual-service-name",
                name,
            ],
        );
        let shown: Value = serde_json::from_str(&shown.expect("it is there")).expect("JSON");
        assert_eq!(shown["virtualService"]["virtualServiceName"], name);
    }
    let wrong = Key {
        secret: "x".repeat(40),
        ..admin.clone()
    };
    let refused = aws(&server, &wrong, &["list-meshes"]).expect_err("a wrong secret");
    assert!(refused.contains("InvalidSignatureException"), "{refused}");
    let unknown = Key {
        id: "AKIAUNKNOWN".to_owned(),
        ..admin.clone()
    };
    let refused = aws(&server, &unknown, &["list-meshes"]).expect_err("an unknown key");
    assert!(refused.contains("UnrecognizedClientException"), "{refused}");

    // Rotation: the new key beside the old one, then the old one disabled.
    let (environment, url) = (admin.environment(), server.as_str());
    let arguments = |rest: &[&'static str]| [rest, &["--server", url]].concat();
    let create = arguments(&["key", "create", "--principal", "ci", "--bind", "reader:m", "-o", "json"]);
    let (is_done, old, error) = ferromesh(&create, &environment);
    assert!(is_done, "{error}");
    let old = read(&old);
    let again = arguments(&["key", "create", "--principal", "ci", "-o", "json"]);
    let new = read(&ferromesh(&again, &environment).1);
    for key in [&old, &new] {
        assert!(aws(&server, key, &["describe-mesh", "--mesh-name", "m"]).is_ok());
    }
    let (is_done, _, error) = ferromesh(
        &[&["key", "disable", &old.id][..], &["--server", url]].concat(),
        &environment,
    );
    assert!(is_done, "{error}");
    let refused = aws(&server, &old, &["list-meshes"]).expect_err("a disabled key");
    assert!(refused.contains("UnrecognizedClientException"), "{refused}");
    assert!(aws(&server, &new, &["list-meshes"]).is_ok());
    let refused = aws(&server, &new, &["delete-mesh", "--mesh-name", "m"]).expect_err("a reader");
    assert!(refused.contains("AccessDeniedException"), "{refused}");

    let (is_done, listed, _) = ferromesh(&arguments(&["key", "list"]), &environment);
    assert!(
        is_done && listed.contains(&new.id) && !listed.contains(&new.secret),
        "{listed}"
    );
    let (is_done, audit, error) = ferromesh(&arguments(&["audit", "-m", "m"]), &environment);
    assert!(is_done, "{error}");
    for word in ["CreateVirtualService", "DeleteMesh", "AccessDeniedException", "ci"] {
        assert!(audit.contains(word), "{word}: {audit}");
    }
    let nobody = ferromesh(&arguments(&["get", "mesh"]), &[]);
    assert!(
        !nobody.0 && nobody.2.contains("MissingAuthenticationToken"),
        "{nobody:?}"
    );
    rig.shut_down().expect("a clean end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_maps_each_refusal_to_its_code_and_clocks_may_be_a_quarter_of_an_hour_off() {
    let (_folder, rig, admin) = with_admin(&[]).await;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/access/boto3_keys.py");
    let output = Command::new(paths::python().expect("python with boto3"))
        .arg(script)
        .arg(format!("http://{}", rig.address()))
        .args([&admin.id, &admin.secret])
        .env_remove("AWS_SESSION_TOKEN")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    rig.shut_down().expect("a clean end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_and_signatures_work_over_tls_with_the_built_in_authority() {
    let address = format!("127.0.0.1:{}", ports::free().expect("a port"));
    let (folder, rig, admin) = with_admin(&["--listen".to_owned(), format!("https://{address}")]).await;
    let ca = folder.path().join("data/certificates/root.pem").display().to_string();
    let url = format!("https://{address}");
    let at = ["--server", &url, "--ca", &ca];
    let create = [
        "key",
        "create",
        "--principal",
        "bot",
        "--bind",
        "operator:shop-*",
        "--bearer",
        "-o",
        "json",
    ];
    let (is_done, made, error) = ferromesh(&[&create[..], &at[..]].concat(), &admin.environment());
    assert!(is_done, "{error}");
    let token = read(&made).secret;
    let root = std::fs::read(folder.path().join("data/certificates/root.pem")).expect("the authority");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_built_in_root_certs(false)
        .add_root_certificate(reqwest::Certificate::from_pem(&root).expect("PEM"))
        .build()
        .expect("a client");
    let put = async |name: &str, token: &str| {
        let put = client.put(format!("{url}/v20190125/meshes")).bearer_auth(token);
        let answer = put
            .json(&serde_json::json!({ "meshName": name }))
            .send()
            .await
            .expect("an answer");
        answer.text().await.expect("a text")
    };
    assert!(put("shop-eu", &token).await.contains("\"uid\""));
    assert!(put("other", &token).await.contains("not allowed"));
    assert!(put("shop-us", "fmt_no_token").await.contains("security token"));
    let by_token = [("FERROMESH_TOKEN", token.as_str())];
    let (is_done, listed, error) = ferromesh(&[&["get", "mesh"][..], &at[..]].concat(), &by_token);
    assert!(is_done && listed.contains("shop-eu"), "{error}");
    // Unknown authorities are not believed.
    let (is_done, _, error) = ferromesh(&["get", "mesh", "--server", &url], &by_token);
    assert!(!is_done, "{error}");
    rig.shut_down().expect("a clean end");
}

#[test]
fn a_server_that_other_machines_reach_does_not_start_without_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    // The address is nobody's here: it would fail too, but later.
    let arguments = ["serve", "--data", &data, "--listen", "192.0.2.1:1"];
    let (is_done, _, error) = ferromesh(&arguments, &[]);
    assert!(!is_done && error.contains("ferromesh key create"), "{error}");
    let (is_done, _, error) = ferromesh(&["serve", "--data", &data, "--listen", "http://192.0.2.1:1"], &[]);
    assert!(!is_done && error.contains("must speak TLS"), "{error}");
}
