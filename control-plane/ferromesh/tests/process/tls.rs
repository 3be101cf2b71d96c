//! TLS by ARN, the whole way: the built-in authority issues, ADS delivers, two stock Envoys speak it to each other.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    pki_types::{pem::PemObject, CertificateDer, ServerName},
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
};
use serde_json::{json, Value};

use crate::support::{envoy, eventually, ferromesh, file, http, logged, Process};

fn serve(data: &Path, listen: &str) -> (Process, String) {
    let mut command = ferromesh(&[("FERROMESH_LOG", "trace")]);
    command.args(["serve", "--listen", listen, "--data"]).arg(data);
    let mut process = Process::start(&mut command);
    let url = process.wait_for("url", |output| logged(output, "listening", "url"));
    (process, url)
}

fn gateway(name: &str, xds: &str) -> Process {
    let envoy = envoy();
    let mut command = ferromesh(&[
        ("APPMESH_RESOURCE_ARN", &format!("mesh/m/virtualGateway/{name}")),
        ("APPMESH_XDS_ENDPOINT", xds),
        ("ENVOY_ADMIN_ACCESS_PORT", "0"),
        ("APPNET_AGENT_HTTP_PORT", "0"),
        ("ENVOY_CONCURRENCY", "1"),
        ("FERROMESH_ENVOY", envoy.to_str().unwrap()),
    ]);
    Process::start(command.arg("proxy"))
}

fn application() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
        }
    });
    port
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn strict(certificate: &str) -> Value {
    let arn = format!("arn:aws:acm:us-east-1:123456789012:certificate/{certificate}");
    json!({"mode": "STRICT", "certificate": {"acm": {"certificateArn": arn}}})
}

fn node(name: &str, host: &str, port: u16, tls: Value) -> Value {
    let mut listener = json!({"portMapping": {"port": port, "protocol": "http"}});
    if !tls.is_null() {
        listener["tls"] = tls;
    }
    json!({"meshName": "m", "virtualNodeName": name, "spec": {"listeners": [listener],
        "serviceDiscovery": {"dns": {"hostname": host}}}})
}

/// Client → gateway `front` → node `app`, whose tasks are gateway `back` → the application.
fn resources(front: u16, back: u16) -> Vec<Value> {
    let service = |name: &str, node: &str| {
        json!({"meshName": "m", "virtualServiceName": name,
            "spec": {"provider": {"virtualNode": {"virtualNodeName": node}}}})
    };
    let gateway = |name: &str, port: u16, certificate: &str| {
        let listener = json!({"portMapping": {"port": port, "protocol": "http"}, "tls": strict(certificate)});
        json!({"meshName": "m", "virtualGatewayName": name, "spec": {"listeners": [listener]}})
    };
    let route = |gateway: &str, service: &str| {
        let action = json!({"target": {"virtualService": {"virtualServiceName": service}}});
        json!({"meshName": "m", "virtualGatewayName": gateway, "gatewayRouteName": "all",
            "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": action}}})
    };
    let authority = "arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/x";
    let mut checking = gateway("front", front, "front");
    checking["spec"]["backendDefaults"] = json!({"clientPolicy": {"tls": {"validation": {"trust":
        {"acm": {"certificateAuthorityArns": [authority]}}}}}});
    vec![
        json!({"meshName": "m"}),
        node("app", "127.0.0.1", back, strict("app")),
        node("application", "127.0.0.1", application(), Value::Null),
        service("app.local", "app"),
        service("application.local", "application"),
        checking,
        gateway("back", back, "app"),
        route("front", "app.local"),
        route("back", "application.local"),
    ]
}

fn apply(url: &str, folder: &Path, resources: &Value) {
    let path = file(folder, "resources.json", &resources.to_string());
    let mut command = ferromesh(&[("FERROMESH_SERVER", url)]);
    let output = command.args(["apply", "-f"]).arg(path).output().unwrap();
    let problems = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{problems}");
}

/// GET over TLS, trusting one authority.
fn https(port: u16, name: &str, root: &Path) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: front\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What must not be seen: the secret part of every key, and the word.
fn private_lines(certificates: &Path) -> Vec<String> {
    let mut keys = vec![std::fs::read_to_string(certificates.join("root.key")).unwrap()];
    for leaf in std::fs::read_dir(certificates.join("leaf")).unwrap() {
        let text = std::fs::read_to_string(leaf.unwrap().path()).unwrap();
        let leaf: Value = serde_json::from_str(&text).unwrap();
        keys.push(leaf["keyPem"].as_str().unwrap().to_owned());
    }
    assert!(keys.len() > 2, "{}", keys.len());
    let second = |key: &String| key.lines().nth(1).unwrap().to_owned();
    keys.iter().map(second).chain(["PRIVATE KEY".to_owned()]).collect()
}

#[test]
fn certificates_by_arn_are_issued_delivered_checked_renewed_and_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (front, back) = (free_port(), free_port());
    let certificates = folder.path().join("certificates");
    let root = certificates.join("root.pem");
    let (mut plane, url) = serve(folder.path(), "127.0.0.1:0");
    let resources = resources(front, back);
    apply(&url, folder.path(), &json!(resources));

    let xds = url.strip_prefix("http://").unwrap().to_owned();
    let proxies = [gateway("front", &xds), gateway("back", &xds)];
    let served = |name: &str, limit| {
        let answer = eventually(Duration::from_secs(limit), || {
            https(front, name, &root)
                .ok()
                .filter(|answer| answer.starts_with("HTTP/1.1 200"))
        });
        answer.is_some_and(|answer| answer.ends_with("hello"))
    };
    let said = || {
        let proxies: String = proxies.iter().map(Process::output).collect();
        let status = http("GET", &format!("{url}/v1/proxies"), "");
        format!("{:?}\n{status:?}\n{proxies}", https(front, "front", &root))
    };
    assert!(served("front", 30), "{}", said());
    assert!(!served("more.local", 0), "a name that nobody has asked for");
    let plain = http("GET", &format!("http://127.0.0.1:{front}/"), "");
    assert!(plain.is_err(), "{plain:?}");

    // Another node shows the same certificate: it is issued anew and reaches the running Envoy.
    let more = node("more", "more.local", 1, strict("front"));
    apply(&url, folder.path(), &json!([more]));
    assert!(served("more.local", 10), "{}", said());
    assert!(served("front", 0), "{}", said());

    let private = private_lines(&certificates);
    let mut printed: Vec<String> = proxies.iter().map(Process::output).chain([plane.output()]).collect();
    for path in ["v1/proxies", "metrics", "v20190125/meshes/m/virtualGateways/front"] {
        let (status, body) = http("GET", &format!("{url}/{path}"), "").unwrap();
        assert_eq!(status, 200, "{body}");
        printed.push(body);
    }
    let lint = "is not imported: serving one issued by the built-in CA";
    assert!(printed[2].contains(lint) && printed[3].contains(lint), "{}", printed[3]);
    for text in &printed {
        for line in &private {
            assert!(!text.contains(line.as_str()), "a private key was printed:\n{text}");
        }
    }

    // The same authority and the same certificates after a restart: nothing is pushed.
    let published = |url: &str| {
        let (_, body) = http("GET", &format!("{url}/v1/proxies"), "").unwrap();
        let proxies: Value = serde_json::from_str(&body).unwrap();
        let one = |name: &str| {
            let proxies = proxies["proxies"].as_array().unwrap();
            let found = proxies.iter().find(|proxy| proxy["name"] == name);
            found.map(|proxy| (proxy["state"].clone(), proxy["published"].clone()))
        };
        (one("front"), one("back"))
    };
    let current = |url: &str| {
        let is_current = |proxy: &Option<(Value, Value)>| proxy.as_ref().is_some_and(|(state, _)| state == "current");
        eventually(Duration::from_secs(20), || {
            Some(published(url)).filter(|(front, back)| is_current(front) && is_current(back))
        })
    };
    let before = current(&url).expect("both proxies are current");
    plane.signal("KILL");
    plane.end(Duration::from_secs(5));
    let (plane, url) = serve(folder.path(), &xds);
    let after = current(&url).unwrap_or_else(|| panic!("{:?}\n{}", published(&url), plane.output()));
    assert_eq!(after, before);
    assert!(served("front", 0), "{}", said());
}

#[test]
fn a_control_plane_whose_key_others_can_read_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let (plane, _) = serve(folder.path(), "127.0.0.1:0");
    drop(plane);
    let key = folder.path().join("certificates/root.key");
    let exposed = Command::new("chmod").arg("644").arg(&key).status().unwrap();
    assert!(exposed.success());
    let mut command = ferromesh(&[]);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("root.key has mode 644"), "{said}");
}
