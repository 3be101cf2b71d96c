//! Who we are to a registry: from the command line, else what `docker login` left, else nobody.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use anyhow::{bail, Context};
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

use super::place::Place;

/// Docker Hub's credentials are kept under this name, a relic of its first API.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The longest password that is read, in bytes; registries' tokens have a few thousand.
const PASSWORD_LIMIT: u64 = 64 << 10;

/// The flags that name credentials.
#[derive(Clone, Debug, clap::Args)]
pub struct Login {
    /// User at the registry; without it, what docker's config.json has for the registry
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,
    /// Read the user's password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

impl Login {
    /// The credentials for a registry. Secrets are in no message.
    ///
    /// # Errors
    /// There is no password on standard input, or docker's configuration has credentials that cannot be had.
    pub fn find(&self, place: &Place) -> anyhow::Result<RegistryAuth> {
        match &self.username {
            Some(username) => {
                let password = password(std::io::stdin().lock())?;
                Ok(RegistryAuth::Basic(username.clone(), password))
            }
            None => match docker_config() {
                Some(file) => of_docker(&file, place.registry()),
                None => Ok(RegistryAuth::Anonymous),
            },
        }
    }
}

fn password(input: impl Read) -> anyhow::Result<String> {
    let mut password = String::new();
    input
        .take(PASSWORD_LIMIT)
        .read_to_string(&mut password)
        .context("the password cannot be read from standard input")?;
    // What `echo` adds is not the password's.
    let trimmed = password.strip_suffix('\n').unwrap_or(&password);
    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
    if trimmed.is_empty() {
        bail!("--password-stdin: there is no password on standard input");
    }
    Ok(trimmed.to_owned())
}

/// Docker's configuration: in `DOCKER_CONFIG`, else in the home folder.
fn docker_config() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&set("HOME")?).join(".docker")))?;
    Some(folder.join("config.json"))
}

fn of_docker(path: &Path, registry: &str) -> anyhow::Result<RegistryAuth> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let name = if registry == "docker.io" { DOCKER_HUB } else { registry };
    let found = docker_credential::get_credential_from_reader(BufReader::new(file), name);
    // Written out, because the library's messages hold what a helper printed, and that may be a secret.
    let reason = match found {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            return Ok(RegistryAuth::Basic(username, password))
        }
        Ok(DockerCredential::IdentityToken(_)) => {
            "they are an identity token, which is not supported; use --username and --password-stdin".to_owned()
        }
        Err(CredentialRetrievalError::ConfigNotFound | CredentialRetrievalError::NoCredentialConfigured) => {
            return Ok(RegistryAuth::Anonymous)
        }
        Err(CredentialRetrievalError::ConfigReadError) => "it is not of the form that docker writes".to_owned(),
        // The words of docker's own helpers, which docker too takes for "nobody".
        Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
            return Ok(RegistryAuth::Anonymous)
        }
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => format!("{helper} failed"),
        Err(CredentialRetrievalError::HelperCommunicationError) => "the credential helper cannot be run".to_owned(),
        Err(CredentialRetrievalError::MalformedHelperResponse) => {
            "the credential helper's answer cannot be read".to_owned()
        }
        Err(CredentialRetrievalError::CredentialDecodingError | CredentialRetrievalError::CredentialMismatchError) => {
            "the entry is malformed".to_owned()
        }
    };
    bail!("credentials for {registry} in {}: {reason}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_ends_before_its_line_does() {
        assert_eq!(password(&b"a b\r\n"[..]).unwrap(), "a b");
        assert_eq!(password(&b"a\n\n"[..]).unwrap(), "a\n");
        assert!(password(&b"\n"[..]).is_err());
        assert!(password(&b"\xff"[..]).is_err());
    }

    #[test]
    fn reads_what_docker_login_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let with = |text: &str, registry| {
            std::fs::write(&path, text).unwrap();
            of_docker(&path, registry)
        };
        let missing = folder.path().join("none");
        assert_eq!(of_docker(&missing, "a.example").unwrap(), RegistryAuth::Anonymous);
        // Base64 of `me:it is secret`.
        let text = r#"{"auths":{"a.example:5000":{"auth":"bWU6aXQgaXMgc2VjcmV0"},"b.example":{"identitytoken":"secret"},
            "c.example":{"auth":"secret"}},"credHelpers":{"d.example":"ferromesh-no-such-helper"}}"#;
        assert_eq!(
            with(text, "a.example:5000").unwrap(),
            RegistryAuth::Basic("me".to_owned(), "it is secret".to_owned())
        );
        assert_eq!(with(text, "e.example").unwrap(), RegistryAuth::Anonymous);
        for (registry, reason) in [
            ("b.example", "identity token"),
            ("c.example", "malformed"),
            ("d.example", "cannot be run"),
        ] {
            let error = format!("{:#}", with(text, registry).unwrap_err());
            assert!(error.contains(reason) && error.contains(registry), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(with("{", "a.example").is_err());
    }
}
