//! A control plane with keys.

use std::{path::Path, process::Command};

use ferromesh_integration::rig::{paths, Modules, Rig};
use serde_json::Value;

/// An access key or a token.
#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
}

/// What a command of `ferromesh` printed, and whether it succeeded.
pub fn ferromesh(arguments: &[&str], environment: &[(&str, &str)]) -> (bool, String, String) {
    let mut command = Command::new(paths::ferromesh().expect("the binary"));
    for name in [
        "FERROMESH_TOKEN",
        "FERROMESH_SERVER",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ] {
        command.env_remove(name);
    }
    let output = command
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Makes a key in a data folder, where no server runs yet.
pub fn first_key(data: &Path, principal: &str) -> Key {
    let data = data.display().to_string();
    let arguments = [
        "key",
        "create",
        "--data",
        &data,
        "--principal",
        principal,
        "--bind",
        "admin",
        "-o",
        "json",
    ];
    let (is_done, text, error) = ferromesh(&arguments, &[]);
    assert!(is_done, "{error}");
    read(&text)
}

/// A key as `key create -o json` shows it.
pub fn read(text: &str) -> Key {
    let shown: Value = serde_json::from_str(text).expect("JSON");
    let member = |name: &str| shown[name].as_str().expect("a text").to_owned();
    Key {
        id: member("id"),
        secret: member("secret"),
    }
}

/// A control plane whose admin has a key, and a folder that it lives in.
pub async fn with_admin(arguments: &[String]) -> (tempfile::TempDir, Rig, Key) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let admin = first_key(&data, "root");
    let rig = Rig::start_as(Modules::Built, arguments.to_vec(), Some(data))
        .await
        .expect("a control plane");
    (folder, rig, admin)
}

impl Key {
    /// As clients take it from their environment.
    pub fn environment(&self) -> [(&'static str, &str); 3] {
        [
            ("AWS_ACCESS_KEY_ID", &self.id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
            ("AWS_REGION", "eu-central-1"),
        ]
    }
}
