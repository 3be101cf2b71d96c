//! The unmodified `aws` command line against the rig's control plane.

use std::process::Stdio;

use anyhow::{anyhow, bail, Context, Result};
use serde_json::Value;

use super::{paths, Rig};

/// How the API refused a call, as the CLI tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Such as `BadRequestException`.
    pub error: String,
    pub message: String,
}

impl Rig {
    /// `aws appmesh <operation> --cli-input-json <input>`; the answer as the CLI prints it (with its wrapper,
    /// such as `mesh`). A refusal is an error.
    pub async fn aws(&self, operation: &str, input: &Value) -> Result<Value> {
        self.try_aws(operation, input)
            .await?
            .map_err(|refusal| anyhow!("aws appmesh {operation} {input}: {refusal:?}"))
    }

    /// As [`Rig::aws`] for a call that must be refused.
    pub async fn aws_refused(&self, operation: &str, input: &Value) -> Result<Refusal> {
        match self.try_aws(operation, input).await? {
            Err(refusal) => Ok(refusal),
            Ok(answer) => bail!("aws appmesh {operation} {input} was accepted: {answer}"),
        }
    }

    /// `aws servicediscovery <operation> --cli-input-json <input>`: Cloud Map's own client.
    pub async fn aws_cloud_map(&self, operation: &str, input: &Value) -> Result<Value> {
        self.try_aws_of("servicediscovery", operation, input)
            .await?
            .map_err(|refusal| anyhow!("aws servicediscovery {operation} {input}: {refusal:?}"))
    }

    async fn try_aws(&self, operation: &str, input: &Value) -> Result<Result<Value, Refusal>> {
        self.try_aws_of("appmesh", operation, input).await
    }

    async fn try_aws_of(&self, service: &str, operation: &str, input: &Value) -> Result<Result<Value, Refusal>> {
        let file = tempfile::Builder::new()
            .prefix(operation)
            .suffix(".json")
            .tempfile_in(self.folder())?;
        std::fs::write(file.path(), input.to_string())?;
        let output = self
            .aws_command_of(service, operation)?
            .arg("--cli-input-json")
            .arg(format!("file://{}", file.path().display()))
            .output()
            .await?;
        if output.status.success() {
            return Ok(Ok(serde_json::from_slice(&output.stdout)
                .with_context(|| format!("answer of aws {service} {operation}"))?));
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let refusal =
            parse_refusal(&text).ok_or_else(|| anyhow!("aws {service} {operation} {input} failed: {}", text.trim()))?;
        Ok(Err(refusal))
    }

    /// The CLI with endpoint and dummy credentials; the caller adds the rest.
    pub fn aws_command(&self, operation: &str) -> Result<tokio::process::Command> {
        self.aws_command_of("appmesh", operation)
    }

    fn aws_command_of(&self, service: &str, operation: &str) -> Result<tokio::process::Command> {
        let mut command = tokio::process::Command::new(paths::aws()?);
        with_dummy_credentials(&mut command)
            .args([service, operation, "--output", "json"])
            .args(["--endpoint-url", &format!("http://{}", self.address())])
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_PAGER", "");
        Ok(command)
    }
}

/// For an AWS client on this machine: dummy credentials, and nothing of the machine's own AWS settings.
pub fn with_dummy_credentials(command: &mut tokio::process::Command) -> &mut tokio::process::Command {
    command
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
}

/// `An error occurred (BadRequestException) when calling the CreateMesh operation: message`
fn parse_refusal(text: &str) -> Option<Refusal> {
    let (_, rest) = text.split_once("An error occurred (")?;
    let (error, rest) = rest.split_once(')')?;
    let (_, message) = rest.split_once(" operation: ")?;
    Some(Refusal {
        error: error.to_owned(),
        message: message.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_error_and_message_from_what_the_cli_prints() {
        let printed =
            "\nAn error occurred (NotFoundException) when calling the CreateRoute operation: no mesh m (yet)\n";
        let refusal = parse_refusal(printed).expect("a refusal");
        assert_eq!(refusal.error, "NotFoundException");
        assert_eq!(refusal.message, "no mesh m (yet)");
    }
}
