//! A Python with the pinned AWS clients, the `aws` command and boto3, and with grpcio, an xDS client.
//!
//! A virtual environment where Python can make one. Debian splits the part that puts pip into it
//! (`ensurepip`) into a package of its own, so it is made without, and the system's pip installs into it.
//! Where even that fails, the clients go into a plain folder with small wrappers beside it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, Context, Result};

use crate::cache::{sha256, Cache};
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// What the AWS clients need at least.
const OLDEST: (u32, u32) = (3, 10);

/// The first pip that can install into another interpreter's environment (`--python`).
const FIRST_PIP_WITH_PYTHON: (u32, u32) = (22, 3);

/// Where the clients are.
pub struct Clients {
    /// The `aws` command.
    pub aws: PathBuf,
    /// A Python that can import boto3 and grpc.
    pub interpreter: PathBuf,
}

/// Gives the clients, installing them first if they are missing or other versions are pinned by now.
pub fn prepare(workspace: &Workspace, cache: &Cache) -> Result<Clients> {
    let requirements = workspace.path("wasm-target/toolchain/requirements.txt");
    let pins = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let python = interpreter()?;
    let version = process::output(Command::new(&python).args(["-c", "import sys; print(sys.version)"]))?;
    let stamp = sha256(format!("{}\n{}\n{version}", sha256(&pins), python.display()).as_bytes());

    let folder = cache.path("venv");
    let clients = Clients {
        aws: folder.join("bin/aws"),
        interpreter: folder.join("bin/python"),
    };
    let stamp_file = folder.join("ferromesh.stamp");
    let is_ready = || fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp);
    if is_ready() {
        return Ok(clients);
    }
    let _lock = cache.lock("venv")?;
    if is_ready() {
        return Ok(clients);
    }
    progress::step("aws command, boto3 and grpcio: installing the pinned versions (about 55 MB)");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let venv = Command::new(&python)
        .args(["-m", "venv", "--without-pip"])
        .arg(&folder)
        .output();
    let has_venv = venv.is_ok_and(|output| output.status.success());
    let installed = if has_venv && pip_version(&python)? >= FIRST_PIP_WITH_PYTHON {
        install_into_venv(&python, &folder, &requirements)
    } else {
        install_into_folder(&python, &folder, &requirements)
    };
    installed.context(
        "the aws command, boto3 and grpcio could not be installed; check that pip reaches a PyPI index \
         (`pip config list`, PIP_INDEX_URL)",
    )?;
    let version = process::output(Command::new(&clients.aws).arg("--version"))
        .context("the installed aws command does not start")?;
    process::run(Command::new(&clients.interpreter).args(["-c", "import boto3, grpc"]))
        .context("the installed boto3 or grpcio cannot be imported")?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
    progress::step(format!("{version}: {}", clients.aws.display()));
    Ok(clients)
}

/// A Python that is new enough and has pip.
pub fn interpreter() -> Result<PathBuf> {
    let print = "import sys; print(sys.executable); print(*sys.version_info[:2])";
    let text = process::output(Command::new("python3").args(["-c", print]))
        .context("no python3; apt-get install python3 python3-pip")?;
    let (path, version) = text.split_once('\n').unwrap_or((&text, ""));
    let version = two_numbers(version, ' ');
    if version < OLDEST {
        bail!(
            "python3 is {}.{}, the AWS clients need {}.{} or newer",
            version.0,
            version.1,
            OLDEST.0,
            OLDEST.1
        );
    }
    if !process::succeeds(Command::new(path).args(["-m", "pip", "--version"])) {
        bail!("python3 has no pip; apt-get install python3-pip");
    }
    Ok(PathBuf::from(path))
}

fn pip_version(python: &Path) -> Result<(u32, u32)> {
    let text = process::output(Command::new(python).args(["-m", "pip", "--version"]))?;
    Ok(two_numbers(text.strip_prefix("pip ").unwrap_or(&text), '.'))
}

/// The first two numbers of a version; what cannot be read counts as 0.
fn two_numbers(text: &str, separator: char) -> (u32, u32) {
    let mut numbers = text.split(separator).map(|number| number.trim().parse());
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    (next(), next())
}

fn install_into_venv(python: &Path, folder: &Path, requirements: &Path) -> Result<()> {
    let own = folder.join("bin/python");
    process::run(
        Command::new(python)
            .args(["-m", "pip", "--python"])
            .arg(&own)
            .args(["install", "--no-deps", "--require-hashes", "--requirement"])
            .arg(requirements),
    )?;
    // In place of the one that pip wrote, whose first line cannot hold a path with a space.
    let start = format!("#!/bin/sh\nexec {}", quoted(&own));
    write_command(&folder.join("bin/aws"), &format!("{start} -m awscli \"$@\"\n"))
}

fn install_into_folder(python: &Path, folder: &Path, requirements: &Path) -> Result<()> {
    // A half-made virtual environment may be here.
    let _ = fs::remove_dir_all(folder);
    let site = folder.join("site");
    process::run(
        Command::new(python)
            .args(["-m", "pip", "install", "--no-deps", "--require-hashes"])
            .arg("--target")
            .arg(&site)
            .arg("--requirement")
            .arg(requirements),
    )?;
    let start = format!(
        "#!/bin/sh\nexport PYTHONPATH={}\nexec {}",
        quoted(&site),
        quoted(python)
    );
    write_command(&folder.join("bin/python"), &format!("{start} \"$@\"\n"))?;
    write_command(&folder.join("bin/aws"), &format!("{start} -m awscli \"$@\"\n"))
}

fn quoted(path: &Path) -> String {
    super::quoted(&path.to_string_lossy())
}

/// Replaces the file rather than its content: where pip made it a link, the link's target stays as it is.
fn write_command(path: &Path, text: &str) -> Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::write(path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_first_two_numbers_of_a_version() {
        assert_eq!(two_numbers("23.0.1 from /usr/lib (python 3.11)", '.'), (23, 0));
        assert_eq!(two_numbers("3 11", ' '), (3, 11));
        assert_eq!(two_numbers("what", '.'), (0, 0));
    }
}
