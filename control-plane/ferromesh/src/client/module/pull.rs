//! `ferromesh module pull`: a module from a registry into a file.

use std::{path::PathBuf, str::FromStr};

use anyhow::Context;

use super::{
    file::{self, ModuleFile},
    place::Place,
    registry::{Access, Registry},
};
use crate::{client::output, exit::Exit};

/// The flags of `ferromesh module pull`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Which one: host[:port]/repository:tag or host[:port]/repository@sha256:…
    #[arg(value_name = "REFERENCE")]
    place: Place,
    /// Where it goes
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The module must have this sha256
    #[arg(long, value_name = "HEX")]
    sha256: Option<Checksum>,
    #[command(flatten)]
    access: Access,
}

/// A sha256 in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum(pub(super) String);

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.strip_prefix("sha256:").unwrap_or(text);
        if plain.len() != 64 || !plain.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("expected 64 hexadecimal digits".to_owned());
        }
        Ok(Self(plain.to_ascii_lowercase()))
    }
}

/// Runs the command. The file is written only when every check has passed.
///
/// # Errors
/// The registry is out of reach or unwilling, what it gives is no module, or not the one that was named.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let place = &arguments.place;
    let pulled = Registry::new(&arguments.access, place)?.pull().await?;
    let module = ModuleFile::of(pulled.module).with_context(|| place.to_string())?;
    if let Some(Checksum(expected)) = &arguments.sha256 {
        if *expected != module.sha256 {
            eprintln!(
                "error: {place}: the module's sha256 is {}, and not {expected}",
                module.sha256
            );
            return Ok(Exit::Failure);
        }
    }
    file::write(&arguments.output, &module.bytes)?;
    output::write(&format!(
        "{}  {}\n{}\n",
        module.sha256,
        arguments.output.display(),
        place.pinned(&pulled.digest)
    ))?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_has_64_digits_with_or_without_its_algorithm() {
        let digits = "0123456789ABCDEF".repeat(4);
        let expected = Ok(Checksum(digits.to_lowercase()));
        assert_eq!(digits.parse(), expected);
        assert_eq!(format!("sha256:{digits}").parse(), expected);
        for text in ["", "sha256:", "0123", &"g".repeat(64)] {
            assert!(text.parse::<Checksum>().is_err(), "{text:?}");
        }
    }
}
