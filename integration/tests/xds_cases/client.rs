//! gRPC's C core as a client that does as it is told, by the script that the tests of the xDS layer use too.

use std::{collections::BTreeMap, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{bail, Context, Result};
use ferromesh_integration::rig::{paths, Rig};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Long enough for a slow machine, in seconds.
const PATIENCE: u64 = 60;

/// A request.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ask {
    type_url: String,
    nonce: String,
    version: String,
    names: Vec<String>,
    initial: BTreeMap<String, String>,
    node: Option<String>,
}

impl Ask {
    pub fn of(type_url: &str) -> Self {
        Self {
            type_url: type_url.to_owned(),
            ..Self::default()
        }
    }

    pub fn from(self, node: &str) -> Self {
        let node = Some(node.to_owned());
        Self { node, ..self }
    }

    pub fn named(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    pub fn having(self, versions: &BTreeMap<String, String>) -> Self {
        let initial = versions.clone();
        Self { initial, ..self }
    }

    pub fn at(self, version: &str) -> Self {
        let version = version.to_owned();
        Self { version, ..self }
    }
}

/// A response.
#[derive(Debug, Deserialize)]
pub struct Received {
    pub type_url: String,
    pub nonce: String,
    pub version: String,
    pub resources: Vec<Item>,
    pub removed: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Item {
    name: Option<String>,
    version: Option<String>,
    length: usize,
    value: String,
}

impl Received {
    /// Of a delta response.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let items = self.resources.iter();
        items
            .filter_map(|item| Some((item.name.clone()?, item.version.clone()?)))
            .collect()
    }

    /// Length and beginning of every resource.
    pub fn contents(&self) -> Vec<(usize, &str)> {
        let mut all: Vec<_> = self.resources.iter().map(|r| (r.length, r.value.as_str())).collect();
        all.sort_unstable();
        all
    }
}

/// A stream, in a process of its own.
pub struct Client {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    pub async fn open(rig: &Rig, variant: &str) -> Result<Self> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../control-plane/xds/tests/grpc/driver.py");
        let mut child = Command::new(paths::python()?)
            .arg(script)
            .env("no_proxy", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("its input is piped")?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut client = Self {
            _child: child,
            input,
            output: BufReader::new(output).lines(),
        };
        client
            .tell(json!({"open": variant, "target": rig.address(), "stream": 0}))
            .await?;
        Ok(client)
    }

    async fn tell(&mut self, command: Value) -> Result<()> {
        Ok(self.input.write_all(format!("{command}\n").as_bytes()).await?)
    }

    pub async fn send(&mut self, ask: &Ask) -> Result<()> {
        self.tell(json!({"send": ask, "stream": 0})).await
    }

    pub async fn ack(&mut self, response: &Received) -> Result<()> {
        let answer = Ask {
            nonce: response.nonce.clone(),
            ..Ask::of(&response.type_url).at(&response.version)
        };
        self.send(&answer).await
    }

    async fn hear(&mut self) -> Result<Value> {
        self.tell(json!({"next": PATIENCE, "stream": 0})).await?;
        let line = timeout(Duration::from_secs(2 * PATIENCE), self.output.next_line()).await??;
        let line = line.context("the script has ended: its error is above")?;
        Ok(serde_json::from_str(&line)?)
    }

    pub async fn next(&mut self) -> Result<Received> {
        let heard = self.hear().await?;
        let Some(response) = heard.get("response") else {
            bail!("in place of a response: {heard}");
        };
        Ok(serde_json::from_value(response.clone())?)
    }

    /// The next response, of this type.
    pub async fn next_of(&mut self, type_url: &str) -> Result<Received> {
        let response = self.next().await?;
        anyhow::ensure!(response.type_url == type_url, "{response:?} in place of {type_url}");
        Ok(response)
    }

    /// Code and message that the stream ends with.
    pub async fn end(&mut self) -> Result<(i64, String)> {
        loop {
            let heard = self.hear().await?;
            if let Some(end) = heard.get("end") {
                let message = end["message"].as_str().unwrap_or_default();
                return Ok((end["code"].as_i64().context("a code")?, message.to_owned()));
            }
        }
    }
}
