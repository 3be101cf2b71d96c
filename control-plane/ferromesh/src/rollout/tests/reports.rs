//! A stage that waits for what its proxies report.

use ferromesh_api::{ProxyReport, Reporter, Rollouts};

use super::*;

impl Bed {
    /// A proxy has counted so many requests and errors.
    fn report(&self, stream: u64, requests: u64, errors: u64) {
        let reporter = Reporter {
            mesh: "m".to_owned(),
            kind: "virtualNode".to_owned(),
            name: format!("n{stream}"),
        };
        let report = ProxyReport {
            instance: id(stream),
            requests,
            errors,
            vm_failures: 0,
            stalls: 0,
            uptime_seconds: requests,
            is_draining: false,
            age_millis: 0,
        };
        Rollouts::take(&self.rollout, &reporter, &report).expect("its stream is here");
    }
}

/// The agent is slow, and says what its Envoy has counted only when the time of observation is over.
#[tokio::test]
async fn harm_that_is_reported_late_is_still_found_in_time() {
    let bed = Bed::start().await;
    for requests in [1000, 2000] {
        for stream in 1..=STREAMS {
            bed.report(stream, requests, 0);
        }
    }
    let mut verdicts = bed.rollout.verdicts();
    bed.source.publish("new", "1");
    bed.until(|bed| bed.holding(type_url::CLUSTER, "new") == 1).await;
    let stream = bed.tried();
    let update = Update {
        type_url: type_url::CLUSTER,
        version: "v",
        resources: &[],
        removed: &[],
    };
    bed.tell(stream, EventKind::Sent(update));
    let after = Duration::ZERO;
    bed.tell(stream, EventKind::Acked { update, after });
    // Nothing can be waited for: the wave must not have gone on when the observation is over.
    tokio::time::sleep(Settings::default().observe + Duration::from_millis(500)).await;
    assert_eq!(bed.holding(type_url::CLUSTER, "new"), 1);
    bed.report(stream, 2020, 20);
    let verdict = verdicts.recv().await.expect("a verdict");
    assert_eq!(
        (verdict.outcome, verdict.reached),
        (Outcome::RolledBack, 1),
        "{verdict:?}"
    );
    let reason = verdict.reason.unwrap_or_default();
    assert!(reason.starts_with("20 of 20 requests failed"), "{reason}");
}
