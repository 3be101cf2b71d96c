//! The life of one Envoy: start, watch, start again where asked, drain, end.

use std::{path::Path, process::ExitStatus, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::{
    admin::Admin,
    agent::{Api, LogLevel},
    drain::drain,
    envoy::{self, Files},
    relay::Relay,
    settings::Settings,
    status::Health,
};
use crate::{
    address::Listener,
    server::{self, Limits},
    termination::Termination,
};

/// Between the end of an Envoy and the start of the next.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// How long Envoy may take to end after it was asked to, before it is killed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Runs Envoy until it ends or this process is told to; returns the exit code.
pub(super) async fn run(settings: &Settings, binary: &Path, files: &Files, relay: Option<Relay>) -> anyhow::Result<u8> {
    let mut termination = Termination::listen().context("cannot listen for signals")?;
    let admin = Admin {
        address_file: files.admin_address.clone(),
    };
    let health = Arc::new(Health::new(settings.agent.disconnected_timeout, relay.clone()));
    let stop_agent = CancellationToken::new();
    let agent = start_agent(settings, &admin, &health, relay.clone(), stop_agent.clone()).await?;
    let keep_logs = match settings.envoy.log_files.clone() {
        Some(files) => {
            let folder = "cannot make the folder of envoy's log (APPNET_ENVOY_LOG_DESTINATION)";
            files.prepare().context(folder)?;
            Some(tokio::spawn(files.keep(admin.clone())))
        }
        None => None,
    };
    let watch_health = tokio::spawn(poll_health(
        settings.agent.health_poll,
        admin.clone(),
        Arc::clone(&health),
    ));

    let code = supervise(
        settings,
        binary,
        files,
        &admin,
        &health,
        relay.as_ref(),
        &mut termination,
    )
    .await;

    watch_health.abort();
    if let Some(keep_logs) = keep_logs {
        keep_logs.abort();
    }
    stop_agent.cancel();
    // The agent's task only ends by the token, and a panic in it has been printed.
    let _ = agent.await;
    code
}

async fn start_agent(
    settings: &Settings,
    admin: &Admin,
    health: &Arc<Health>,
    relay: Option<Relay>,
    stop: CancellationToken,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let log_level = LogLevel {
        usual: settings.envoy.log_level,
        reset_after: settings.agent.log_level_reset,
    };
    let extension = settings.stats.metrics_extension.then(|| settings.node.identity.clone());
    let api = Api::new(admin.clone(), Arc::clone(health), log_level, extension, relay);
    let listener = Listener::bind(&settings.agent.listen)
        .await
        .context("agent api (APPNET_AGENT_HTTP_PORT)")?;
    tracing::info!(
        url = listener.address()?.url(),
        serves = "/status /drain_listeners /stats/prometheus /enableLogging",
        "agent api"
    );
    let limits = Limits {
        connections: 64,
        streams: 16,
        drain: Duration::from_secs(1),
        ..Limits::default()
    };
    let answer = move |request| api.clone().answer(request);
    Ok(tokio::spawn(server::run(listener, answer, limits, stop)))
}

async fn poll_health(pause: Duration, admin: Admin, health: Arc<Health>) {
    loop {
        tokio::time::sleep(pause).await;
        let status = health.look(&admin).await;
        tracing::debug!(?status, "health");
    }
}

async fn supervise(
    settings: &Settings,
    binary: &Path,
    files: &Files,
    admin: &Admin,
    health: &Health,
    relay: Option<&Relay>,
    termination: &mut Termination,
) -> anyhow::Result<u8> {
    let arguments = envoy::arguments(settings, files);
    let mut restarts = 0;
    loop {
        // An address of an earlier run would lead the agent to a stranger's port.
        let _ = std::fs::remove_file(&files.admin_address);
        if let Some(relay) = relay {
            relay.resume();
        }
        let mut child =
            envoy::start(binary, &arguments).with_context(|| format!("cannot start {}", binary.display()))?;
        health.envoy_started(child.id(), restarts);
        tracing::info!(
            proxy = settings.node.id,
            envoy = %binary.display(),
            pid = child.id(),
            restarts,
            "envoy started"
        );
        let ended = tokio::select! {
            ended = child.wait() => ended.context("cannot wait for envoy")?,
            () = termination.asked() => {
                if let Some(relay) = relay {
                    relay.hold();
                }
                let ended = end(&mut child, settings, admin, termination).await?;
                tracing::info!(proxy = settings.node.id, status = %ended, "envoy ended");
                return Ok(envoy::exit_code(ended));
            }
        };
        health.envoy_ended();
        tracing::error!(proxy = settings.node.id, status = %ended, restarts, "envoy ended by itself");
        if restarts >= settings.agent.restart_count {
            return Ok(envoy::exit_code(ended));
        }
        restarts += 1;
        tokio::select! {
            () = tokio::time::sleep(RESTART_PAUSE) => {}
            () = termination.asked() => return Ok(envoy::exit_code(ended)),
        }
    }
}

/// Drains Envoy and ends it. A second signal cuts the drain short.
async fn end(
    child: &mut Child,
    settings: &Settings,
    admin: &Admin,
    termination: &mut Termination,
) -> anyhow::Result<ExitStatus> {
    tokio::select! {
        ended = child.wait() => return ended.context("cannot wait for envoy"),
        () = drain(admin, settings.agent.drain_wait) => {}
        () = termination.asked() => tracing::warn!("second signal: the drain is cut short"),
    }
    envoy::terminate(child);
    if let Ok(ended) = tokio::time::timeout(END_LIMIT, child.wait()).await {
        return ended.context("cannot wait for envoy");
    }
    tracing::error!(seconds = END_LIMIT.as_secs(), "envoy does not end and is killed");
    child.kill().await.context("cannot kill envoy")?;
    child.wait().await.context("cannot wait for envoy")
}
