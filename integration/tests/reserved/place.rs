//! A place where requests come in, and what clients must not achieve there.

use ferromesh_integration::{
    hostile::Request,
    rig::{eventually, Rig, PATIENCE},
    upstream::{Faults, Seen, Upstream},
    wire,
};
use serde_json::json;

use super::forms::{Form, FORMS, RESERVED};

/// A place where requests come in.
pub struct Place<'p> {
    pub name: &'static str,
    pub host: String,
    /// Sends bytes and returns the whole answer.
    pub ask: Box<dyn Fn(Vec<u8>) -> String + 'p>,
    /// Sends a request over HTTP/2 and returns the status; `None`: the stream or the connection was refused.
    pub ask_http2: Box<dyn Fn(Request) -> Option<u16> + 'p>,
    /// The target that the route prefers, and the one that `x-ferromesh-pick: 85` would choose, if there is one.
    pub first: &'p Upstream,
    pub second: Option<&'p Upstream>,
    /// Attempts that a request has here at most when all of them fail.
    pub attempts: u64,
}

impl Place<'_> {
    fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        [Some(self.first), self.second].into_iter().flatten()
    }

    pub fn forget(&self) {
        self.upstreams().for_each(Upstream::forget);
    }

    pub(super) fn inject(&self, faults: Faults) {
        self.upstreams().for_each(|upstream| upstream.inject(faults));
    }

    pub(super) fn attempts(&self) -> u64 {
        self.upstreams().map(|upstream| upstream.counts().requests).sum()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.upstreams().flat_map(Upstream::seen).collect()
    }

    /// Nothing that a client wrote arrives, nothing is tried twice, nothing is given up.
    fn assert_nothing_arrives(&self) {
        // Longer than the timeouts that clients ask for.
        self.inject(Faults {
            delay_millis: 30,
            ..Faults::default()
        });
        let plain = format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.host);
        self.forget();
        (self.ask)(plain.into_bytes());
        let usual = self.seen().pop().expect("a plain request").headers;
        for header in RESERVED {
            for form in FORMS {
                let what = format!("{}: {} {form:?}", self.name, header.0);
                self.forget();
                let answer = (self.ask)(form.request(&self.host, *header).into_bytes());
                let status = wire::status(&answer);
                let is_refused = form == Form::Underscores;
                assert_eq!(status, Some(if is_refused { 400 } else { 200 }), "{what}: {answer}");
                assert_eq!(self.attempts(), u64::from(!is_refused), "{what}: attempts");
                self.assert_absent(*header, &usual, &what);
            }
        }
        self.inject(Faults::default());
    }

    /// No request arrived with the header, and none went elsewhere; `usual`: what a plain request arrives with.
    pub(super) fn assert_absent(&self, header: (&str, &str), usual: &[(String, Vec<u8>)], what: &str) {
        for seen in self.seen() {
            for (name, value) in &seen.headers {
                let is_it = name.replace('_', "-") == header.0 && value == header.1.as_bytes();
                // Envoy may say the same of every request.
                let is_usual = usual.iter().any(|known| known.0 == *name && known.1 == *value);
                assert!(!is_it || is_usual, "{what} arrived: {seen:?}");
            }
            assert_eq!(seen.path, "/", "{what}");
        }
    }

    /// The target is drawn as if the header were not there.
    fn assert_target(&self) {
        let Some(second) = self.second else { return };
        for form in FORMS {
            self.forget();
            let mut answered = 0;
            for _ in 0..40 {
                let answer = (self.ask)(form.request(&self.host, ("x-ferromesh-pick", "85")).into_bytes());
                answered += u64::from(wire::status(&answer) == Some(200));
            }
            let chosen = second.counts().requests;
            // 30 % are due; more than 30 of 40 are no accident once in 10^9 runs.
            assert!(
                chosen <= 30 && answered == if form == Form::Underscores { 0 } else { 40 },
                "{}: {form:?}: {chosen} of {answered}",
                self.name
            );
        }
    }

    /// A request that fails is tried as often as the route says.
    fn assert_attempts(&self) {
        self.inject(Faults {
            percent: 100.0,
            status: 503,
            ..Faults::default()
        });
        let steering = [
            "x-envoy-max-retries",
            "x-envoy-retry-on",
            "x-envoy-retriable-status-codes",
            "x-envoy-attempt-count",
        ];
        for header in RESERVED.iter().filter(|(name, _)| steering.contains(name)) {
            for form in FORMS {
                self.forget();
                (self.ask)(form.request(&self.host, *header).into_bytes());
                let attempts = self.attempts();
                assert!(
                    attempts <= self.attempts,
                    "{}: {} {form:?}: {attempts} attempts",
                    self.name,
                    header.0
                );
            }
        }
        // All of them at once.
        self.forget();
        let all: String = RESERVED
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request = format!(
            "GET / HTTP/1.1\r\nhost: {}\r\n{all}connection: close\r\n\r\n",
            self.host
        );
        (self.ask)(request.into_bytes());
        assert!(
            self.attempts() <= self.attempts,
            "{}: all at once: {} attempts",
            self.name,
            self.attempts()
        );
        self.inject(Faults::default());
    }

    pub fn assert_all(&self) {
        self.assert_nothing_arrives();
        self.assert_target();
        self.assert_attempts();
        self.assert_all_http2();
    }
}

/// A limit by source counts the address of the connection, whatever a client says of it.
pub async fn assert_source(rig: &Rig, mesh: &str, route: &str, place: &Place<'_>) {
    let policy = json!({
        "name": "limit", "mesh": mesh, "target": {"route": {"router": "color", "name": route}},
        "spec": {"rateLimit": {"limits": [
            {"name": "source", "requests": 5, "windowSeconds": 3600, "key": {"sourceAddress": {}}},
        ]}},
    });
    let path = format!("/v1/policies/{mesh}/limit");
    rig.accepted(reqwest::Method::PUT, &path, &policy)
        .await
        .expect("the policy");
    let ask = |more: &str| {
        let request = format!(
            "GET / HTTP/1.1\r\nhost: {}\r\n{more}connection: close\r\n\r\n",
            place.host
        );
        tokio::task::block_in_place(|| wire::status(&(place.ask)(request.into_bytes())))
    };
    eventually("the limit is in effect and spent", PATIENCE, async || {
        (ask("") == Some(429)).then_some(())
    })
    .await
    .expect("a limit");
    let names = [
        "x-forwarded-for",
        "x-envoy-external-address",
        "x-real-ip",
        "x-ferromesh-source",
        "forwarded",
    ];
    for (number, name) in (0..10).flat_map(|number| names.map(|name| (number, name))) {
        let forged = format!("{name}: 10.0.0.{number}\r\n");
        assert_eq!(
            ask(&forged),
            Some(429),
            "{}: {forged} was a source of its own",
            place.name
        );
    }
}
