//! Running the program, and modules made by hand.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A folder for files, which is the home of the program too: no test reads this user's own docker login.
pub struct Desk {
    folder: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a folder"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }

    /// Runs `ferromesh module` with some arguments.
    pub fn module(&self, arguments: &[&str]) -> Outcome {
        self.module_with_input(arguments, "")
    }

    /// Runs `ferromesh module` with some arguments and a standard input.
    pub fn module_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        self.run(
            Command::new(env!("CARGO_BIN_EXE_ferromesh"))
                .arg("module")
                .args(arguments),
            input,
        )
    }

    /// Runs `ferromesh module` with some arguments where the system trusts a certificate.
    pub fn module_trusting(&self, certificate: &Path, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferromesh"));
        self.run(
            command.arg("module").args(arguments).env("SSL_CERT_FILE", certificate),
            "",
        )
    }

    fn run(&self, command: &mut Command, input: &str) -> Outcome {
        let mut child = command
            .env("DOCKER_CONFIG", self.folder.path())
            // Registries on this machine are asked directly, whatever the environment says of proxies.
            .env("http_proxy", "http://127.0.0.1:1")
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env_remove("no_proxy")
            .env_remove("NO_PROXY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        // It may end without having read anything.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Outcome::of(&child.wait_with_output().expect("its end"))
    }
}

/// How the program ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The output of a run that succeeded.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The JSON that a run printed that succeeded.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.succeeded()).expect("JSON")
    }

    /// Checks that it was refused or failed, for a reason.
    #[track_caller]
    pub fn failed_with(self, reason: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.stderr.contains(reason), "{:?} is not in {self:?}", reason);
        assert_eq!(self.stdout, "", "{self:?}");
    }

    /// Checks that the command line was wrong, for a reason.
    #[track_caller]
    pub fn was_misused(self, reason: &str) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(self.stderr.contains(reason), "{:?} is not in {self:?}", reason);
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A module that exports what Envoy looks for, imports `import` from `env`, and has a memory of one page, with a
/// maximum of two where `memory` says so. Its size is about `padding` bytes.
pub fn module(import: &str, memory: Memory, padding: usize) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One type: no parameters, no results.
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    let mut imports = vec![1];
    name(&mut imports, "env");
    name(&mut imports, import);
    imports.extend([0, 0]);
    section(&mut module, 2, &imports);
    section(&mut module, 3, &[1, 0]);
    match memory {
        Memory::Bounded => section(&mut module, 5, &[1, 1, 1, 2]),
        Memory::Unbounded => section(&mut module, 5, &[1, 0, 1]),
    }
    let mut exports = vec![2];
    name(&mut exports, "memory");
    exports.extend([2, 0]);
    name(&mut exports, "proxy_abi_version_0_2_1");
    exports.extend([0, 1]);
    section(&mut module, 7, &exports);
    // One function: no locals, `end`.
    section(&mut module, 10, &[1, 2, 0, 0x0b]);
    let mut custom = Vec::new();
    name(&mut custom, "padding");
    // Not all the same, so that compression keeps some of it.
    custom.extend((0..padding as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    section(&mut module, 0, &custom);
    module
}

#[derive(Clone, Copy)]
pub enum Memory {
    Bounded,
    Unbounded,
}

/// A module as it should be.
pub fn fine() -> Vec<u8> {
    module("proxy_log", Memory::Bounded, 50_000)
}

fn section(module: &mut Vec<u8>, id: u8, content: &[u8]) {
    module.push(id);
    leb128(module, content.len());
    module.extend(content);
}

fn name(bytes: &mut Vec<u8>, name: &str) {
    leb128(bytes, name.len());
    bytes.extend(name.as_bytes());
}

fn leb128(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
