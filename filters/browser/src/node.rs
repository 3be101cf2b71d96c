//! The corpus' executor in Node: the schedule runs here, every step crosses into the built package as a line of JSON
//! and becomes a call of its JavaScript classes, as a console would make it.

// An executor of tests, which fail by panics.
#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ferromesh_policy::vectors::{Configured, Executor, Headers, Metric, Request, RequestOutcome, Response, Vector};
use serde_json::{json, Value};

use crate::session::Requested;

/// The program that makes the calls.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/calls.cjs");
/// The environment variable that names the folder of the built package.
const FOLDER: &str = "FERROMESH_BROWSER";

/// A Node process with the package loaded. Ends when it is dropped.
#[derive(Debug)]
pub struct Node {
    child: Child,
    calls: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Node {
    /// Starts Node with the package from `$FERROMESH_BROWSER`, else from the repository's target folder.
    ///
    /// # Errors
    /// When the package is not built, or there is no Node on the `PATH` that can load it.
    pub fn start() -> Result<Self> {
        let folder = std::env::var_os(FOLDER).map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/browser"),
            PathBuf::from,
        );
        let package = folder.join("nodejs/ferromesh_policy.js");
        if !package.exists() {
            let message = format!(
                "{} is missing: `cargo xtask browser` builds it, {FOLDER} names its folder",
                package.display()
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let mut child = Command::new("node")
            .arg(PROGRAM)
            .arg(std::path::absolute(package)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::new(error.kind(), format!("cannot start node: {error}")))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (calls, answers) = pipes.ok_or_else(|| Error::other("node has no pipes"))?;
        Ok(Self {
            child,
            calls,
            answers: BufReader::new(answers),
        })
    }

    /// A new session of this module for a vector; the one before ends.
    ///
    /// # Errors
    /// When Node does not answer, or refuses.
    pub fn session(&mut self, module: &str, vector: &Vector) -> Result<NodeSession<'_>> {
        // A string: a JavaScript number would not hold it.
        let seed = vector.seed.to_string();
        self.call(&json!({"call": "start", "module": module, "seed": seed, "unix": vector.unix_ms}))?;
        Ok(NodeSession { node: self })
    }

    /// Calls a function of the package that takes a configuration: `checkPlugin` or `checkRoutePolicy`.
    ///
    /// # Errors
    /// When Node does not answer, or the function throws.
    pub fn check(&mut self, function: &str, config: &Value) -> Result<Value> {
        self.call(&json!({"call": "check", "function": function, "config": config}))
    }

    fn call(&mut self, call: &Value) -> Result<Value> {
        self.calls.write_all(format!("{call}\n").as_bytes())?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let mut answer: Value = serde_json::from_str(&line)?;
        match answer.get("error") {
            None => Ok(answer["answer"].take()),
            Some(error) => Err(Error::other(
                error.as_str().unwrap_or("an error without words").to_owned(),
            )),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One session in Node. An exception is a failure of the vector, with JavaScript's stack.
#[derive(Debug)]
pub struct NodeSession<'n> {
    node: &'n mut Node,
}

impl NodeSession<'_> {
    fn call(&mut self, call: &Value) -> Value {
        self.node
            .call(call)
            .unwrap_or_else(|error| panic!("{}: {error}", call["call"]))
    }
}

impl Executor for NodeSession<'_> {
    fn configure(&mut self, at_ms: u64, plugin: &[u8]) -> Configured {
        let plugin = ferromesh_policy::vectors::Payload(plugin.to_vec());
        let mistakes = self.call(&json!({"call": "configure", "at": at_ms, "plugin": plugin}));
        if mistakes.as_array().expect("a list of mistakes").is_empty() {
            Configured::Accepted
        } else {
            Configured::Rejected
        }
    }

    fn request(&mut self, at_ms: u64, stream: usize, request: &Request) -> RequestOutcome {
        let answer = self.call(&json!({"call": "request", "at": at_ms, "stream": stream, "request": request}));
        let requested: Requested = serde_json::from_value(answer).expect("what became of a request");
        RequestOutcome {
            headers: requested.headers,
            action: requested.action,
        }
    }

    fn response(&mut self, at_ms: u64, stream: usize, response: &Response) -> Headers {
        let answer = self.call(&json!({"call": "response", "at": at_ms, "stream": stream, "response": response}));
        serde_json::from_value(answer).expect("response headers")
    }

    fn end(&mut self, at_ms: u64, stream: usize) {
        self.call(&json!({"call": "end", "at": at_ms, "stream": stream}));
    }

    fn tick(&mut self, at_ms: u64) {
        self.call(&json!({"call": "tick", "at": at_ms}));
    }

    fn metrics(&mut self) -> Vec<(String, Metric)> {
        serde_json::from_value(self.call(&json!({"call": "metrics"}))).expect("metrics")
    }
}
