//! The `ferromesh` program: control plane, proxy agent and command line client in one binary.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ferromesh::{backup, client, exit::Exit, log, memory, proxy, rate_limit_service, redirect, serve};

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
    Serve(Box<serve::Arguments>),
    /// Run Envoy as a proxy of the mesh
    Proxy(proxy::Arguments),
    /// Lead an application's traffic through its proxy
    Redirect(redirect::Arguments),
    /// Write everything in the store to a file
    Backup(backup::BackupArguments),
    /// Put a backup in place of what is in the store
    Restore(backup::RestoreArguments),
    /// Count requests over all proxies, for policies with rateLimit.global
    RateLimitService(rate_limit_service::Arguments),
    /// Create or update the resources in files
    Apply(client::apply::Arguments),
    /// Show what apply would change: resources, Envoy configuration, lints
    Diff(client::diff::Arguments),
    /// Look for what is accepted and does not work, or not as expected
    Analyze(client::analyze::Arguments),
    /// Read meshes from App Mesh dumps, CloudFormation, Kubernetes manifests or Terraform
    Import(client::import::Arguments),
    /// Write a mesh as a dump, a CloudFormation template or Kubernetes manifests
    Export(client::export::Arguments),
    /// List resources of a kind, or show one
    Get(client::get::Arguments),
    /// Delete a resource
    Delete(client::delete::Arguments),
    /// Import, list, renew or delete certificates for the ARNs that resources name
    Certificate(client::certificate::Arguments),
    /// Make, list, disable or delete keys, and say what they are good for
    Key(client::key::Arguments),
    /// Make, list or delete join tokens, by which proxies come to certificates
    Token(client::token::Arguments),
    /// Revoke certificates of proxies, list or take back what is revoked
    Identity(client::identity::Arguments),
    /// Let other accounts use a mesh, or no longer
    Share(client::share::Arguments),
    /// Show who did what
    Audit(client::audit::Arguments),
    /// Start, pause or resume the ramp of a policy
    Ramp(client::ramp::Arguments),
    /// Show the rollbacks of a policy over all proxies, or take them back
    Rollback(client::rollback::Arguments),
    /// Show which changes are on trial, held back or rolled back, and decide about them
    Rollout(client::rollout::Arguments),
    /// Show the connected proxies and what they have taken
    Status(client::status::Arguments),
    /// Show where a request would go, and why not elsewhere
    Explain(client::explain::Arguments),
    /// Print the description of the API in OpenAPI 3.1
    Openapi(client::openapi::Arguments),
    /// Push, fetch and inspect filter modules
    Module(client::module::Arguments),
}

fn main() -> ExitCode {
    memory::keep_to_one_heap();
    let line = CommandLine::parse();
    if let Err(problem) = log::start(line.log_format, &line.log) {
        return Exit::usage([problem]).into();
    }
    // For whatever speaks TLS without naming a provider. It fails when there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
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
            Command::Serve(arguments) => serve::run(*arguments).await,
            Command::Proxy(arguments) => proxy::run(arguments).await,
            Command::Redirect(arguments) => redirect::run(&arguments),
            Command::Backup(arguments) => backup::backup(arguments).await,
            Command::Restore(arguments) => backup::restore(arguments).await,
            Command::RateLimitService(arguments) => rate_limit_service::run(arguments).await,
            Command::Apply(arguments) => client::apply::run(arguments).await,
            Command::Diff(arguments) => client::diff::run(arguments).await,
            Command::Analyze(arguments) => client::analyze::run(arguments).await,
            Command::Import(arguments) => client::import::run(arguments).await,
            Command::Export(arguments) => client::export::run(arguments).await,
            Command::Get(arguments) => client::get::run(arguments).await,
            Command::Delete(arguments) => client::delete::run(arguments).await,
            Command::Certificate(arguments) => client::certificate::run(arguments).await,
            Command::Key(arguments) => client::key::run(arguments).await,
            Command::Token(arguments) => client::token::run(arguments).await,
            Command::Identity(arguments) => client::identity::run(arguments).await,
            Command::Share(arguments) => client::share::run(arguments).await,
            Command::Openapi(arguments) => client::openapi::run(&arguments),
            Command::Audit(arguments) => client::audit::run(arguments).await,
            Command::Ramp(arguments) => client::ramp::run(arguments).await,
            Command::Rollback(arguments) => client::rollback::run(arguments).await,
            Command::Rollout(arguments) => client::rollout::run(arguments).await,
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
