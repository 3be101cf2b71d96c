//! `ferromesh proxy --envoy-readiness`: a readiness probe, as `/usr/bin/agent -envoyReadiness` was one.

use std::time::{Duration, Instant};

use super::{admin, settings::Settings};
use crate::exit::Exit;

/// Asks the Envoy of this environment until it is live or the time is up.
///
/// # Errors
/// None: an Envoy that does not answer is not ready.
pub async fn wait(settings: &Settings) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    loop {
        let said = match admin::get(&settings.admin.listen, "/ready").await {
            Ok(answer) if answer.status.is_success() => return Ok(Exit::Success),
            Ok(answer) => answer.text().trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let left = settings.agent.readiness_timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            tracing::error!(seconds = begun.elapsed().as_secs(), last = said, "envoy is not ready");
            return Ok(Exit::Failure);
        }
        tokio::time::sleep(
            settings
                .agent
                .readiness_interval
                .min(left)
                .max(Duration::from_millis(1)),
        )
        .await;
    }
}
