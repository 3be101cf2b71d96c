//! What the control plane refuses this proxy, and in which words: counted, and told in the log of the agent, where whoever
//! looks after the proxy looks first.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tonic::{Code, Status};

/// The same words are told once in this time: Envoy comes again every few seconds, and so do reports.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Words that are remembered. The control plane has few.
const MOST_TOLD: usize = 64;

/// Shared by everything that is passed on.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    streams: BTreeMap<&'static str, u64>,
    reports: u64,
    told: Vec<(String, Instant)>,
}

impl Refusals {
    /// A stream was ended by the control plane.
    pub fn stream(&self, address: &str, status: &Status) {
        let (code, reason) = (status.code(), status.message());
        if code == Code::Ok {
            return;
        }
        let mut state = self.lock();
        *state.streams.entry(word(code)).or_default() += 1;
        if !state.is_news(&format!("{code:?} {reason}")) {
            return;
        }
        match code {
            Code::PermissionDenied | Code::Unauthenticated => tracing::warn!(
                address,
                ?code,
                reason,
                "the control plane refuses this proxy its configuration; envoy keeps what it has"
            ),
            _ => tracing::warn!(address, ?code, reason, "the control plane has ended the stream"),
        }
    }

    /// A report was not taken, because it may not be sent from here.
    pub fn report(&self, address: &str, path: &str, answer: &[u8]) {
        let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
        let reason = answer["message"].as_str().unwrap_or("no reason is given");
        let mut state = self.lock();
        state.reports += 1;
        if state.is_news(&format!("{path} {reason}")) {
            tracing::warn!(
                address,
                path,
                reason,
                "the control plane refuses a report of this proxy"
            );
        }
    }

    /// In Prometheus' text form.
    pub fn prometheus(&self) -> String {
        let state = self.lock();
        let mut text = "# TYPE ferromesh_agent_streams_refused_total counter\n".to_owned();
        for (code, count) in &state.streams {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "ferromesh_agent_streams_refused_total{{code=\"{code}\"}} {count}");
        }
        let _ = writeln!(
            text,
            "# TYPE ferromesh_agent_reports_refused_total counter\nferromesh_agent_reports_refused_total {}",
            state.reports
        );
        text
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether something should be told; it is told then.
    fn is_news(&mut self, text: &str) -> bool {
        self.told.retain(|(_, at)| at.elapsed() < TELL_AGAIN);
        let is_news = self.told.len() < MOST_TOLD && self.told.iter().all(|(told, _)| told != text);
        if is_news {
            self.told.push((text.to_owned(), Instant::now()));
        }
        is_news
    }
}

/// gRPC's own name of a code that ends streams.
fn word(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::Unauthenticated => "UNAUTHENTICATED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::Unavailable => "UNAVAILABLE",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::Aborted => "ABORTED",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_told_once_and_counted_each_time() {
        let refusals = Refusals::default();
        for _ in 0..3 {
            refusals.stream("a:1", &Status::unauthenticated("the certificate is revoked"));
        }
        refusals.stream("a:1", &Status::ok("another certificate"));
        refusals.report("a:1", "/v1/reports/proxy/x", b"{\"message\": \"not yours\"}");
        refusals.report("a:1", "/v1/reports/proxy/x", b"no JSON");
        let told: Vec<String> = refusals.lock().told.iter().map(|(told, _)| told.clone()).collect();
        let expected = [
            "Unauthenticated the certificate is revoked",
            "/v1/reports/proxy/x not yours",
            "/v1/reports/proxy/x no reason is given",
        ];
        assert_eq!(told, expected);
        let text = refusals.prometheus();
        assert!(text.contains("{code=\"UNAUTHENTICATED\"} 3\n"), "{text}");
        assert!(text.contains("ferromesh_agent_reports_refused_total 2\n"), "{text}");
    }
}
