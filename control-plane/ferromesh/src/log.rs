//! Structured logs on standard error: one event per thing that happened.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One line of text each, for people.
    Text,
    /// One JSON object each, for collectors.
    Json,
}

/// Starts logging. `level` is a level (`info`) or directives as of `RUST_LOG` (`info,ferromesh_xds=debug`).
///
/// # Errors
/// What is wrong with `level`.
pub fn start(format: Format, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| format!("log level {level:?}: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    // Already started: a test did.
    let _ = started;
    Ok(())
}
