//! How a command ends: 0 success, 1 refused or failed, 2 wrong usage; `proxy` passes Envoy's code on.

use std::process::ExitCode;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done as asked.
    Success,
    /// Refused by the server, or failed; it has been said.
    Failure,
    /// The command line or the environment is wrong; it has been said.
    Usage,
    /// The code of a program that ran on our behalf.
    Code(u8),
}

impl Exit {
    /// Prints what is wrong with the command line or the environment, one line each.
    pub fn usage(problems: impl IntoIterator<Item = impl std::fmt::Display>) -> Self {
        for problem in problems {
            eprintln!("error: {problem}");
        }
        Self::Usage
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Code(code) => code,
        })
    }
}
