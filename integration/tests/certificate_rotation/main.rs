//! Certificates are replaced under steady load: nothing fails, no connection is closed, and the new one is shown soon.
//!
//! A gateway in front calls a gateway behind it over TLS, which ends there and goes on to an application in plain text.

mod bed;

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use bed::{Authority, Bed, Pair};
use ferromesh_integration::{
    fields::sds::Sds,
    rig::{eventually, paths, wait_for_status, Modules, Rig, PATIENCE},
};
use reqwest::Method;
use serde_json::{json, Value};

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/c";

/// The API's path of what there is for the ARN.
const OF_ARN: &str = "/v1/certificates/arn:aws:acm:us-east-1:123456789012:certificate%2Fc";

fn by_arn() -> Value {
    json!({"mode": "STRICT", "certificate": {"acm": {"certificateArn": ARN}}})
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

/// `ferromesh certificate import` for an ARN.
fn command(rig: &Rig, arn: &str) -> Command {
    let mut command = Command::new(paths::ferromesh().expect("the program"));
    command
        .args(["certificate", "import", "--arn", arn])
        .args(["--server", &format!("http://{}", rig.address())]);
    command
}

/// Imports a certificate and whom its callers believe.
fn import(rig: &Rig, pair: &Pair, trust: &str) {
    let folder = rig.file("import");
    std::fs::create_dir_all(&folder).expect("a folder");
    let output = command(rig, ARN)
        .arg("--chain")
        .arg(write(&folder, "chain.pem", &pair.chain))
        .arg("--key")
        .arg(write(&folder, "key.pem", &pair.key))
        .arg("--trust")
        .arg(write(&folder, "trust.pem", trust))
        .output()
        .expect("the command");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_certificate_is_replaced_and_its_key_is_nowhere_to_be_read() {
    let mut rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let both = one.root() + &two.root();
    let first = one.issue();
    import(&rig, &first, &both);
    let bed = Bed::start(&rig, by_arn(), Value::Null).await;
    bed.rotate("imported", &both, 4, async |time| {
        // The last ones are another authority's, which callers trust already.
        let authority = if time < 2 { &one } else { &two };
        import(&rig, &authority.issue(), &both);
    })
    .await;

    let shown = rig
        .accepted(Method::GET, OF_ARN, &Value::Null)
        .await
        .expect("it is there");
    assert_eq!(
        (&shown["source"], &shown["keyType"]),
        (&json!("imported"), &json!("EC-256"))
    );
    assert!(!shown.to_string().contains("PRIVATE"), "{shown}");
    let other = json!({"certificateChain": one.issue().chain, "privateKey": first.key});
    let refused = rig
        .call(Method::PUT, OF_ARN, other.to_string())
        .await
        .expect("an answer");
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("is not the key of the first certificate"),
        "{refused:?}"
    );

    // What was imported is still there after a restart; without its key file nothing starts.
    rig.kill_control_plane();
    let secret = first.key.lines().nth(1).expect("a line of the key").to_owned();
    let stored = std::fs::read(rig.file("data/ferromesh.redb")).expect("the store");
    assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()));
    assert!(!rig.log().contains(&secret));
    rig.start_control_plane().await.expect("a restart");
    let again = rig
        .accepted(Method::GET, OF_ARN, &Value::Null)
        .await
        .expect("it is there");
    assert_eq!(again["sha256"], shown["sha256"]);
    assert_eq!(ferromesh_integration::rig::status(&bed.url()).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_built_in_authority_is_renewed() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let bed = Bed::start(&rig, by_arn(), Value::Null).await;
    let root = std::fs::read_to_string(rig.file("data/certificates/root.pem")).expect("the root");
    bed.rotate("renewed", &root, 3, async |_| {
        let renew = format!("{OF_ARN}/renew");
        let renewed = rig.accepted(Method::POST, &renew, &Value::Null).await.expect("renewed");
        assert_eq!(renewed["source"], "issued");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_in_files_are_replaced_as_kubernetes_does_it() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let authority = Authority::new("files");
    let folder = rig.file("mounted");
    std::fs::create_dir_all(&folder).expect("a folder");
    let publish = |version: usize| {
        let pair = authority.issue();
        let data = folder.join(format!("..{version}"));
        std::fs::create_dir_all(&data).expect("a folder");
        write(&data, "chain.pem", &pair.chain);
        write(&data, "key.pem", &pair.key);
        write(&data, "ca.pem", &authority.root());
        symlink(&data, folder.join("..new")).expect("a link");
        std::fs::rename(folder.join("..new"), folder.join("..data")).expect("a new version");
    };
    publish(0);
    let file = |name: &str| {
        symlink(Path::new("..data").join(name), folder.join(name)).expect("a link");
        folder.join(name).display().to_string()
    };
    let (chain, key, ca) = (file("chain.pem"), file("key.pem"), file("ca.pem"));
    let tls = json!({"mode": "STRICT", "certificate": {"file": {"certificateChain": chain, "privateKey": key}}});
    let policy = json!({"validation": {"trust": {"file": {"certificateChain": ca}}}});
    let bed = Bed::start(&rig, tls, policy).await;
    bed.rotate("files", &authority.root(), 3, async |time| publish(time + 1))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_show_identities_of_the_built_in_authority_and_check_each_other() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let identity = |name: &str| format!("spiffe://ferromesh.local/mesh/m/virtualGateway/{name}");
    let own = json!({"sds": {"secretName": "ferromesh:identity"}});
    let checking = |name: &str| {
        json!({"trust": {"sds": {"secretName": "ferromesh:authority"}},
            "subjectAlternativeNames": {"match": {"exact": [identity(name)]}}})
    };
    let tls = json!({"mode": "STRICT", "certificate": own, "validation": checking("front")});
    let policy = json!({"certificate": own, "validation": checking("back")});
    let bed = Bed::start(&rig, tls, policy).await;

    // Renewed at both ends, in this order.
    for name in ["back", "front"] {
        let before = bed.shown().await;
        let renew = format!("/v1/certificates/ferromesh:identity/mesh/m/virtualGateway/{name}/renew");
        let renewed = rig.accepted(Method::POST, &renew, &Value::Null).await;
        let renewed = renewed.expect("an identity that was issued");
        let names = renewed["subjectAlternativeNames"].as_array().expect("names");
        assert!(names.contains(&json!(identity(name))), "{renewed}");
        if name == "back" {
            eventually("another identity is shown", PATIENCE, async || {
                (bed.shown().await != before).then_some(())
            })
            .await
            .expect("another identity");
        }
        wait_for_status(&bed.url(), 200).await.expect("an answer");
    }

    // Either end refuses another identity.
    let gateway = "meshes/m/virtualGateways/front";
    let mut spec = rig.get(gateway).await.expect("the gateway")["spec"].clone();
    spec["backendDefaults"]["clientPolicy"]["tls"]["validation"] = checking("other");
    rig.put(gateway, &json!({"spec": spec})).await.expect("an update");
    wait_for_status(&bed.url(), 503).await.expect("a refusal");
    spec["backendDefaults"]["clientPolicy"]["tls"]["validation"] = checking("back");
    rig.put(gateway, &json!({"spec": spec})).await.expect("an update");
    wait_for_status(&bed.url(), 200).await.expect("an answer");
    let gateway = "meshes/m/virtualGateways/back";
    let mut spec = rig.get(gateway).await.expect("the gateway")["spec"].clone();
    spec["listeners"][0]["tls"]["validation"] = checking("other");
    rig.put(gateway, &json!({"spec": spec})).await.expect("an update");
    wait_for_status(&bed.url(), 503).await.expect("a refusal");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_an_sds_server_beside_the_proxy_are_replaced() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let authority = Authority::new("sds");
    let now = Arc::new(Mutex::new(authority.issue()));
    let (pair, root) = (Arc::clone(&now), authority.root());
    let socket = rig.file("sds.sock");
    let sds = Sds::of(&socket, move |name, part| match (name, part) {
        ("own", "pem") => Some(pair.lock().expect("no panic").chain.clone().into_bytes()),
        ("own", "key") => Some(pair.lock().expect("no panic").key.clone().into_bytes()),
        ("authority", "pem") => Some(root.clone().into_bytes()),
        _ => None,
    })
    .expect("an SDS server");
    let tls = json!({"mode": "STRICT", "certificate": {"sds": {"secretName": "own"}}});
    let policy = json!({"validation": {"trust": {"sds": {"secretName": "authority"}}}});
    let socket = socket.display().to_string();
    let bed = Bed::start_with(&rig, tls, policy, &[("APPMESH_SDS_SOCKET_PATH", &socket)]).await;
    bed.rotate("sds", &authority.root(), 3, async |_| {
        *now.lock().expect("no panic") = authority.issue();
        sds.push();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_authorities_are_believed_and_no_others() {
    const AUTHORITIES: [&str; 2] = [
        "arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/right",
        "arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/wrong",
    ];
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    import(&rig, &right.issue(), &right.root());
    for (arn, authority) in AUTHORITIES.into_iter().zip([&right, &wrong]) {
        let trust = write(&rig.file(""), "authority.pem", &authority.root());
        let output = command(&rig, arn)
            .arg("--trust")
            .arg(trust)
            .output()
            .expect("the command");
        assert!(output.status.success(), "{output:?}");
    }
    let believing = |arns: &[&str]| json!({"validation": {"trust": {"acm": {"certificateAuthorityArns": arns}}}});
    let bed = Bed::start(&rig, by_arn(), believing(&AUTHORITIES[..1])).await;
    let gateway = "meshes/m/virtualGateways/front";
    let spec = rig.get(gateway).await.expect("the gateway")["spec"].clone();
    for (arns, status) in [
        (&AUTHORITIES[1..], 503),
        (&AUTHORITIES[..], 200),
        (&AUTHORITIES[1..], 503),
    ] {
        let mut spec = spec.clone();
        spec["backendDefaults"]["clientPolicy"]["tls"] = believing(arns);
        rig.put(gateway, &json!({"spec": spec})).await.expect("an update");
        let answered = wait_for_status(&bed.url(), status).await;
        answered.unwrap_or_else(|error| panic!("{arns:?}: {error:#}"));
    }
}
