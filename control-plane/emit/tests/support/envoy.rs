//! The real Envoy.

#[path = "../../../../integration/src/rig/program.rs"]
mod program;

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap;
use prost::Message;

/// The binary.
pub fn binary() -> PathBuf {
    program::find("FERROMESH_ENVOY", "envoy/1.40.0/envoy", None).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Lets Envoy check a configuration.
///
/// # Errors
/// What Envoy says.
pub fn validate(bootstrap: &Bootstrap) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("bootstrap.pb");
    std::fs::write(&file, bootstrap.encode_to_vec()).expect("a file in it");
    let output = Command::new(binary())
        .args(["--mode", "validate", "--log-level", "error", "-c"])
        .arg(&file)
        .output()
        .expect("Envoy runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        Ok(())
    } else {
        Err(said)
    }
}

/// An Envoy that runs until it is dropped.
pub struct Running {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts Envoy and waits until `port` is open.
    pub fn start(bootstrap: &Bootstrap, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("bootstrap.pb");
        std::fs::write(&file, bootstrap.encode_to_vec()).expect("a file in it");
        let process = Command::new(binary())
            .args([
                "--concurrency",
                "1",
                "--log-level",
                "error",
                "--disable-hot-restart",
                "-c",
            ])
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .expect("Envoy runs");
        let mut running = Self {
            process,
            _folder: folder,
        };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = running.process.try_wait().expect("its state");
            assert_eq!(ended, None, "Envoy ended");
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "Envoy does not open port {port}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
