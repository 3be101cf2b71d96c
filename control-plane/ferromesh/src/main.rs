//! The `ferromesh` program: control plane, proxy agent and command line client in one binary.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ferromesh::{client, exit::Exit, log, proxy, rate_limit_service, redirect, serve};

/// An open service mesh with AWS App Mesh's model and API on stock Envoy.
#[derive(Debug, Parser)]
#[command(name = "ferromesh", version, propagate_version = true)]
struct CommandLine {
    /// Form of log lines on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "FERROMESH_LOG_FORMAT"
    )]
    log_format: log::Format,
    /// Log level, or directives such as info,ferromesh_xds=debug
    #[arg(long, global = true, default_value = "info", env = "FERROMESH_LOG")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the control plane
    Serve(serve::Arguments),
    /// Run Envoy as a proxy of the mesh
    Proxy(proxy::Arguments),
    /// Lead an application's traffic through its proxy
    Redirect(redirect::Arguments),
    /// Count requests over all proxies, for policies with rateLimit.global
    RateLimitService(rate_limit_service::Arguments),
    /// Create or update the resources in files
    Apply(client::apply::Arguments),
    /// List resources of a kind, or show one
    Get(client::get::Arguments),
    /// Delete a resource
    Delete(client::delete::Arguments),
    /// Import, list, renew or delete certificates for the ARNs that resources name
    Certificate(client::certificate::Arguments),
    /// Start, pause or resume the ramp of a policy
    Ramp(client::ramp::Arguments),
    /// Show the rollbacks of a policy over all proxies, or take them back
    Rollback(client::rollback::Arguments),
    /// Show the connected proxies and what they have taken
    Status(client::status::Arguments),
    /// Show where a request would go, and why not elsewhere
    Explain(client::explain::Arguments),
    /// Push, fetch and inspect filter modules
    Module(client::module::Arguments),
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    if let Err(problem) = log::start(line.log_format, &line.log) {
        return Exit::usage([problem]).into();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return Exit::Failure.into();
        }
    };
    // On this thread, not as a task: Envoy's life is tied to the thread that starts it.
    let ended = runtime.block_on(async {
        match line.command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Proxy(arguments) => proxy::run(arguments).await,
            Command::Redirect(arguments) => redirect::run(&arguments),
            Command::RateLimitService(arguments) => rate_limit_service::run(arguments).await,
            Command::Apply(arguments) => client::apply::run(arguments).await,
            Command::Get(arguments) => client::get::run(arguments).await,
            Command::Delete(arguments) => client::delete::run(arguments).await,
            Command::Certificate(arguments) => client::certificate::run(arguments).await,
            Command::Ramp(arguments) => client::ramp::run(arguments).await,
            Command::Rollback(arguments) => client::rollback::run(arguments).await,
            Command::Status(arguments) => client::status::run(arguments).await,
            Command::Explain(arguments) => client::explain::run(arguments).await,
            Command::Module(arguments) => client::module::run(arguments).await,
        }
    });
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Failure.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        CommandLine::command().debug_assert();
    }
}
