//! What a case expects of the replies to a request, and of what the servers saw of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    case::Count,
    reply::{differing, Header, Reply},
    server::{Arrived, Seen},
};

/// What is expected. What is left out is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Expect {
    /// Of every reply.
    pub status: Option<u16>,
    /// Of every reply.
    pub grpc: Option<u32>,
    /// How many replies of each kind: a status, `grpc <status>`, `bytes`, or `none`.
    pub outcomes: Option<BTreeMap<String, Count>>,
    /// The server that answers each time.
    pub by: Option<String>,
    /// How often each server answers; no other may.
    pub shares: Option<BTreeMap<String, Count>>,
    /// There is no answer, or no whole one.
    pub fails: bool,
    /// Headers of every reply.
    pub headers: BTreeMap<String, Header>,
    /// What the bodies hold.
    pub body: Option<String>,
    /// How many requests reach each server.
    pub arrived: BTreeMap<String, Count>,
    /// The latest request that reached a server.
    pub seen: Option<SeenBy>,
    /// A name that the certificate has that the proxy shows.
    pub certificate: Option<String>,
}

/// A request as a server sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SeenBy {
    pub server: String,
    pub method: Option<String>,
    pub path: Option<String>,
    pub host: Option<String>,
    pub headers: BTreeMap<String, Header>,
    /// 1 or 2.
    pub http: Option<u8>,
    /// A name that the client's certificate has.
    pub client: Option<String>,
    pub encrypted: Option<bool>,
}

impl Expect {
    /// Everything that differs.
    pub fn differences(
        &self,
        replies: &[Reply],
        before: &BTreeMap<String, Arrived>,
        after: &BTreeMap<String, Arrived>,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for reply in replies {
            let differs = self.of_each(reply);
            if !differs.is_empty() {
                wrong.push(format!("{}: {reply:?}", differs.join(", ")));
            }
        }
        let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
        let mut shares: BTreeMap<String, u64> = BTreeMap::new();
        for reply in replies {
            *outcomes.entry(reply.outcome()).or_default() += 1;
            if let Some(by) = &reply.by {
                *shares.entry(by.clone()).or_default() += 1;
            }
        }
        for (what, expected, found) in [
            ("outcomes", &self.outcomes, &outcomes),
            ("shares", &self.shares, &shares),
        ] {
            if let Some(expected) = expected {
                wrong.extend(counts(what, expected, found).map(|text| format!("{text} of {replies:?}")));
            }
        }
        for (name, expected) in &self.arrived {
            let of = |arrived: &BTreeMap<String, Arrived>| arrived.get(name).map_or(0, |arrived| arrived.requests);
            let found = of(after) - of(before);
            if !expected.holds(found) {
                wrong.push(format!("{found} requests reached {name}, not {expected}: {replies:?}"));
            }
        }
        if let Some(seen) = &self.seen {
            match after.get(&seen.server).and_then(|arrived| arrived.last.as_ref()) {
                Some(last) => wrong.extend(seen.differences(last)),
                None => wrong.push(format!("{} has seen nothing: {replies:?}", seen.server)),
            }
        }
        wrong
    }

    fn of_each(&self, reply: &Reply) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut differ = |what: &str, expected: Option<String>, found: Option<String>| {
            if expected.is_some() && expected != found {
                wrong.push(format!("{what}: expected {expected:?}"));
            }
        };
        let text = |number: u16| number.to_string();
        differ("status", self.status.map(text), reply.status.map(text));
        let text = |number: u32| number.to_string();
        differ("grpc", self.grpc.map(text), reply.grpc.map(text));
        differ("by", self.by.clone(), reply.by.clone());
        wrong.extend(differing(&self.headers, |name| reply.headers.get(name).cloned()));
        if self.body.as_ref().is_some_and(|part| !reply.body.contains(part)) {
            wrong.push(format!("body: expected {:?}", self.body));
        }
        // Unless outcomes are counted, a request must be answered or not.
        if self.outcomes.is_none() && self.fails != reply.failure.is_some() {
            wrong.push(if self.fails { "expected no answer" } else { "no answer" }.to_owned());
        }
        if let Some(name) = &self.certificate {
            if !reply.certificate.as_ref().is_some_and(|shown| names(shown, name)) {
                wrong.push(format!("certificate: not good for {name}"));
            }
        }
        wrong
    }
}

impl SeenBy {
    fn differences(&self, last: &Seen) -> Vec<String> {
        let mut wrong: Vec<String> = [
            ("method", &self.method, &last.method),
            ("path", &self.path, &last.path),
            ("host", &self.host, &last.host),
        ]
        .into_iter()
        .filter(|(_, expected, found)| expected.as_ref().is_some_and(|expected| expected != *found))
        .map(|(what, expected, found)| format!("{} saw {what} {found:?}, not {expected:?}", self.server))
        .collect();
        wrong.extend(differing(&self.headers, |name| {
            Some(last.headers.get(name)?.to_str().ok()?.to_owned())
        }));
        if self.http.is_some_and(|http| http != last.http) {
            wrong.push(format!("{} saw HTTP/{}", self.server, last.http));
        }
        if self.encrypted.is_some_and(|encrypted| encrypted != last.encrypted) {
            wrong.push(format!("{} saw TLS: {}", self.server, last.encrypted));
        }
        if let Some(name) = &self.client {
            if !last.client.as_ref().is_some_and(|shown| names(shown, name)) {
                wrong.push(format!("{} saw no certificate of {name}", self.server));
            }
        }
        wrong
    }
}

/// Whether a certificate has a name: a DER certificate has its names as they are.
fn names(certificate: &[u8], name: &str) -> bool {
    certificate.windows(name.len()).any(|part| part == name.as_bytes())
}

fn counts<'a>(
    what: &'a str,
    expected: &'a BTreeMap<String, Count>,
    found: &'a BTreeMap<String, u64>,
) -> impl Iterator<Item = String> + 'a {
    let missing = expected.keys().filter(|name| !found.contains_key(*name));
    let names = found.keys().chain(missing);
    names.filter_map(move |name| {
        let count = found.get(name).copied().unwrap_or_default();
        match expected.get(name) {
            Some(expected) if expected.holds(count) => None,
            Some(expected) => Some(format!("{what}: {count} of {name}, not {expected}")),
            None => Some(format!("{what}: {count} of {name}, not expected")),
        }
    })
}
