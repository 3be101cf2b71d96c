//! Every error of the model is an exception of its own in every client.
//!
//! The walk provokes six of the ten; a quota and a disk that is full, below, two more. The control plane throttles nobody, so
//! that `TooManyRequestsException` cannot be provoked, and is unavailable only while it has no store. A server that stands in
//! gives all ten, in the form that the control plane's have.

use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use ferromesh_integration::rig::{eventually, paths, ports, status, Process, PATIENCE};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, Said};
use crate::model::Model;
use crate::table::{Step, ARN};

#[tokio::test(flavor = "multi_thread")]
async fn every_error_of_the_model_is_an_exception_of_its_own_in_every_client() {
    exceptions().await.expect("every exception");
}

async fn exceptions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let model = Model::read(folder.path()).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let errors = model.errors.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let errors: Vec<(String, u16)> = errors.clone().into_iter().collect();
            tokio::spawn(async move { stand_in(stream, &errors).await });
        }
    });
    let steps: Vec<Step> = model.errors.keys().map(|error| asking_for(error)).collect();
    for client in Client::ALL {
        let said = client.take(&endpoint, folder.path(), &steps).await?;
        for ((error, status), said) in model.errors.iter().zip(&said) {
            let is_own = matches!(said, Said::Refusal { refused, status: told, message }
                if refused == error
                    && told.is_none_or(|told| told == *status)
                    && message.as_deref() == Some("because: of \"this\", ü"));
            ensure!(is_own, "{client} makes {said:?} of {error}");
        }
    }
    Ok(())
}

/// A call that may get this error, with the error's name where the stand-in sees it.
fn asking_for(error: &str) -> Step {
    let (call, input) = match error {
        "TooManyTagsException" => {
            let arn = format!("{ARN}mesh/{error}");
            (
                "TagResource",
                json!({"resourceArn": arn, "tags": [{"key": "a", "value": "b"}]}),
            )
        }
        "ResourceInUseException" => ("DeleteMesh", json!({ "meshName": error })),
        _ => (
            "CreateVirtualService",
            json!({"meshName": error, "virtualServiceName": "s", "spec": {}}),
        ),
    };
    Step::refused(call, input, error)
}

/// Answers one request with the error that its first line names.
async fn stand_in(mut stream: TcpStream, errors: &[(String, u16)]) -> Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        if read == 0 || is_whole(&request) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&request);
    let first = text.lines().next().unwrap_or_default();
    let (error, status) = errors
        .iter()
        .find(|(error, _)| first.contains(error.as_str()))
        .context("an error")?;
    let body = json!({"message": "because: of \"this\", ü"}).to_string();
    let head = format!(
        "HTTP/1.1 {status} no\r\ncontent-type: application/json\r\nx-amzn-errortype: {error}\r\nx-amzn-requestid: 1\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

/// A file that may not grow is what a full disk is, to a process: writes fail, reads go on.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_an_exception_of_its_own_in_every_client() {
    full_disk().await.expect("a refusal");
}

/// Blocks of 512 bytes that a file of the server may have, as POSIX' shells count.
const BLOCKS: &str = "2200";
/// More writes than these blocks hold.
const MOST: usize = 1000;

async fn full_disk() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (endpoint, _server) = limited(folder.path()).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    // As much as one request may bring.
    let tags: Vec<_> = (0..50)
        .map(|number| json!({"key": format!("key {number}"), "value": "x".repeat(250)}))
        .collect();
    let mesh = |name: &str| json!({"meshName": name, "tags": tags});
    let mut made = 0;
    for number in 0..MOST {
        let url = format!("{endpoint}/v20190125/meshes");
        let body = mesh(&format!("m{number}")).to_string();
        if !http.put(url).body(body).send().await?.status().is_success() {
            break;
        }
        made += 1;
    }
    ensure!(made > 0 && made < MOST, "{made} writes were accepted");
    for client in Client::ALL {
        let steps = [
            Step::refused("CreateMesh", mesh("one-more"), ""),
            Step::refused("DescribeMesh", json!({"meshName": "m0"}), ""),
            Step::refused("DescribeMesh", json!({"meshName": "one-more"}), ""),
        ];
        let said = client.take(&endpoint, folder.path(), &steps).await?;
        let [Said::Refusal { refused, status, .. }, Said::Answer { .. }, Said::Refusal { refused: absent, .. }] =
            &said[..]
        else {
            anyhow::bail!("{client}: {said:?}");
        };
        let told = (refused.as_str(), status.unwrap_or(0));
        let known = matches!(
            told,
            ("InternalServerErrorException", 0 | 500) | ("ServiceUnavailableException", 0 | 503)
        );
        ensure!(known && absent == "NotFoundException", "{client}: {said:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_an_exception_of_its_own_in_every_client() {
    quota().await.expect("a refusal");
}

/// Meshes that App Mesh allowed an account.
const MESHES: usize = 15;

async fn quota() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = Command::new(paths::ferromesh()?);
    let (endpoint, _server) = serve(folder.path(), program, &["--app-mesh-quotas"]).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    for number in 0..MESHES {
        let body = json!({"meshName": format!("m{number}")}).to_string();
        let answer = http
            .put(format!("{endpoint}/v20190125/meshes"))
            .body(body)
            .send()
            .await?;
        ensure!(answer.status().is_success(), "mesh {number}: {}", answer.text().await?);
    }
    for client in Client::ALL {
        let steps = [Step::refused("CreateMesh", json!({"meshName": "one-more"}), "")];
        let said = client.take(&endpoint, folder.path(), &steps).await?;
        let is_own = matches!(&said[..], [Said::Refusal { refused, status: None | Some(400), message: Some(message) }]
            if refused == "LimitExceededException" && message.contains("15"));
        ensure!(is_own, "{client}: {said:?}");
    }
    Ok(())
}

/// A control plane whose files may not grow beyond some blocks.
async fn limited(folder: &Path) -> Result<(String, Process)> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "limited"])
        .arg(BLOCKS)
        .arg(paths::ferromesh()?);
    serve(folder, shell, &[]).await
}

/// `serve` with these flags, once it is ready.
async fn serve(folder: &Path, mut command: Command, flags: &[&str]) -> Result<(String, Process)> {
    let port = ports::free()?;
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(folder.join("data"))
        .arg("--modules")
        .arg(paths::modules()?)
        .args(flags);
    let mut server = Process::spawn("serve", command, folder)?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let ready = format!("{endpoint}/readyz");
    let waited = eventually("the control plane is ready", PATIENCE, async || {
        if !server.is_running() {
            return Some(false);
        }
        (status(&ready).await == Some(200)).then_some(true)
    });
    let is_ready = waited.await?;
    ensure!(is_ready, "the control plane has ended: {}", server.log());
    Ok((endpoint, server))
}
