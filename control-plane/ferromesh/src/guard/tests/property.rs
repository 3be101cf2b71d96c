//! No proxy ever receives a byte of another's configuration, whatever it shows and says it is, whatever it asks for.
//!
//! Each case is a stream to the real discovery service through the guard, in process and without the handshake: what a
//! connection's certificate says is what TLS would have read from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use ferromesh_xds::{type_url, AggregatedDiscoveryService, DeliveryStatus, Snapshot};
use http_body_util::{BodyExt, Full};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tower::Service;

use super::{
    asked,
    bench::{Source, ACCOUNT},
    *,
};

const CASES: u32 = 100_000;
const OTHER: &str = "222222222222";
const MESHES: [&str; 4] = ["m", "mm", "m-1", "M"];
const NAMES: [&str; 4] = ["n", "nn", "n.1", "N"];
const TYPES: [&str; 5] = [
    type_url::CLUSTER,
    type_url::ENDPOINT,
    type_url::LISTENER,
    type_url::ROUTE,
    type_url::SECRET,
];
/// A name that every proxy has a resource of.
const SHARED: &str = "shared";

/// One of the proxies there are, and how its node id may be written.
#[derive(Clone, Copy, Debug)]
struct Who {
    is_own_account: bool,
    mesh: usize,
    is_gateway: bool,
    name: usize,
}

impl Who {
    fn all() -> impl Iterator<Item = Self> {
        let every = |mesh| (0..NAMES.len()).map(move |name| (mesh, name));
        (0..MESHES.len()).flat_map(every).flat_map(|(mesh, name)| {
            [(true, true), (true, false), (false, true), (false, false)].map(|(is_own_account, is_gateway)| Self {
                is_own_account,
                mesh,
                is_gateway,
                name,
            })
        })
    }

    fn kind(self) -> &'static str {
        ["virtualNode", "virtualGateway"][usize::from(self.is_gateway)]
    }

    fn account(self) -> &'static str {
        [OTHER, ACCOUNT][usize::from(self.is_own_account)]
    }

    fn node_id(self, form: u8) -> String {
        let (mesh, kind, name, account) = (MESHES[self.mesh], self.kind(), NAMES[self.name], self.account());
        match form % 3 {
            0 if self.is_own_account => format!("mesh/{mesh}/{kind}/{name}"),
            1 => format!("arn:aws:appmesh:us-east-1:{account}:mesh/{mesh}/{kind}/{name}"),
            _ => format!("mesh/{mesh}@{account}/{kind}/{name}"),
        }
    }

    /// Written by hand, so that the guard's own words are not what it is judged by.
    fn spiffe(self) -> String {
        let account = match self.is_own_account {
            true => String::new(),
            false => format!("account/{OTHER}/"),
        };
        let (mesh, kind, name) = (MESHES[self.mesh], self.kind(), NAMES[self.name]);
        format!("spiffe://ferromesh.local/{account}mesh/{mesh}/{kind}/{name}")
    }

    fn template(self) -> String {
        let (mesh, kind, name) = (MESHES[self.mesh], self.kind(), NAMES[self.name]);
        format!("spiffe://example.org/{}/{mesh}/{kind}/{name}", self.account())
    }

    /// Stands in every resource of the proxy and in nobody else's.
    fn marker(self) -> String {
        let (mesh, kind, name) = (MESHES[self.mesh], self.kind(), NAMES[self.name]);
        format!("<<{}/{mesh}/{kind}/{name}>>", self.account())
    }
}

fn who() -> impl Strategy<Value = Who> {
    (any::<bool>(), 0..MESHES.len(), any::<bool>(), 0..NAMES.len()).prop_map(
        |(is_own_account, mesh, is_gateway, name)| Who {
            is_own_account,
            mesh,
            is_gateway,
            name,
        },
    )
}

/// What is shown.
#[derive(Clone, Debug)]
enum Shown {
    /// TLS without a certificate.
    Nothing,
    /// Not known.
    Unknown,
    Certificate {
        stands_for: Vec<Who>,
        change: u8,
        authority: u8,
        is_template: bool,
        is_for_servers: bool,
        is_expired: bool,
        is_revoked: bool,
    },
}

fn shown(of: impl Strategy<Value = Vec<Who>>) -> impl Strategy<Value = Shown> {
    let rarely = || prop::bool::weighted(0.1);
    let certificate = (
        of,
        0..40_u8,
        0..12_u8,
        prop::bool::weighted(0.4),
        rarely(),
        rarely(),
        rarely(),
    )
        .prop_map(
            |(stands_for, change, authority, is_template, is_for_servers, is_expired, is_revoked)| Shown::Certificate {
                stands_for,
                change,
                authority,
                is_template,
                is_for_servers,
                is_expired,
                is_revoked,
            },
        );
    prop_oneof![1 => Just(Shown::Nothing), 1 => Just(Shown::Unknown), 18 => certificate]
}

#[derive(Clone, Debug)]
struct Case {
    says: Who,
    form: u8,
    shows: Shown,
    is_delta: bool,
    kind: usize,
    /// The name of a resource: everything, the shared one, or that of somebody.
    name: u8,
    of: Who,
}

fn case() -> impl Strategy<Value = Case> {
    let all = (who(), who(), any::<u8>(), any::<bool>(), 0..TYPES.len(), 0..3_u8, who());
    all.prop_flat_map(|(says, other, form, is_delta, kind, name, of)| {
        let stands_for = prop_oneof![
            6 => Just(vec![says]),
            4 => Just(vec![other]),
            1 => Just(vec![says, other]),
            1 => Just(Vec::new()),
        ];
        shown(stands_for).prop_map(move |shows| Case {
            says,
            form,
            shows,
            is_delta,
            kind,
            name,
            of,
        })
    })
}

/// Another way to write an identity that is not another's, and stands for nobody.
fn changed(uri: &str, change: u8) -> String {
    match change {
        0 => format!("{uri}/"),
        1 => uri.replacen("//", "///", 1),
        2 => uri.to_ascii_uppercase(),
        3 => uri.replacen("/mesh/", "/mesh/../mesh/", 1) + "/.",
        4 => format!("{uri}%00"),
        5 => format!("{uri}?"),
        6 => format!("{uri}#"),
        7 => uri.replacen("://", "://x@", 1),
        8 => uri.replacen(".local", ".local.evil", 1) + "x",
        9 => uri.trim_start_matches("spiffe:").to_owned(),
        _ => uri.to_owned(),
    }
}

impl Case {
    fn peer(&self) -> Option<Peer> {
        let Shown::Certificate {
            stands_for,
            change,
            authority,
            is_template,
            is_for_servers,
            is_expired,
            is_revoked,
        } = &self.shows
        else {
            return matches!(self.shows, Shown::Nothing).then_some(Peer::Unidentified);
        };
        let uri = |who: &Who| if *is_template { who.template() } else { who.spiffe() };
        let by: &[u8] = match authority {
            0 => b"nobody",
            1..=6 => b"built-in",
            _ => b"named",
        };
        let good = certificate("", Authority::BuiltIn);
        Some(Peer::Certificate(Arc::new(Certificate {
            uris: stands_for.iter().map(|who| changed(&uri(who), *change)).collect(),
            serial: if *is_revoked { "0bad" } else { "0a" }.to_owned(),
            not_after_seconds: good.not_after_seconds - if *is_expired { 3600 } else { 0 },
            is_for_servers: *is_for_servers,
            chain: vec![by.to_vec()],
            ..(*good).clone()
        })))
    }

    /// Whose configuration may be given, if anybody's: who the certificate stands for.
    fn entitled(&self) -> Option<Who> {
        let Shown::Certificate {
            stands_for,
            change,
            authority,
            is_template,
            is_for_servers,
            is_expired,
            is_revoked,
        } = &self.shows
        else {
            return None;
        };
        let [who] = stands_for[..] else { return None };
        let is_good = *change >= 10 && !is_expired && !is_revoked;
        let is_form = match authority {
            0 => false,
            1..=6 => !is_template && !is_for_servers,
            _ => *is_template,
        };
        (is_good && is_form).then_some(who)
    }

    fn request(&self) -> http::Request<Full<Bytes>> {
        let name = match self.name {
            0 => "*".to_owned(),
            1 => SHARED.to_owned(),
            _ => self.of.marker(),
        };
        let id = self.says.node_id(self.form);
        let mut request = asked::request(self.is_delta, id, TYPES[self.kind], name);
        if let Some(peer) = self.peer() {
            request.extensions_mut().insert(peer);
        }
        request
    }
}

struct World {
    service: AggregatedDiscoveryService,
    markers: BTreeMap<String, String>,
    _bench: Bench,
}

impl World {
    fn new() -> Self {
        let templates = vec!["spiffe://example.org/{account}/{mesh}/{kind}/{name}".parse().unwrap()];
        let bench = Bench::with(Requirement::Required, MostEnvoys::default(), templates);
        bench.revoke(Some("0bad"), None);
        bench.guard.read_revocations();
        let mut markers = BTreeMap::new();
        for who in Who::all() {
            fill(&bench.source, who);
            markers.insert(who.marker(), who.marker());
        }
        let service = ferromesh_xds::service(
            Arc::new(bench.guard.clone()),
            Arc::new(DeliveryStatus::default()),
            ferromesh_xds::Config::default(),
        );
        Self {
            service,
            markers,
            _bench: bench,
        }
    }

    /// Everything that a stream brings, until its client has nothing more to say.
    async fn answer(&self, case: &Case) -> (Vec<u8>, Option<String>) {
        let response = self.service.clone().call(case.request()).await.unwrap();
        let status = |headers: &http::HeaderMap| {
            let status = headers.get("grpc-status")?;
            Some(status.to_str().unwrap().to_owned())
        };
        let refused = status(response.headers());
        let collected = response.into_body().collect().await.unwrap();
        let status = collected.trailers().and_then(status).or(refused);
        (collected.to_bytes().to_vec(), status)
    }

    /// The markers in some bytes.
    fn found(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        let starts = bytes.windows(2).enumerate().filter(|(_, two)| two == b"<<");
        for (start, _) in starts {
            let rest = &bytes[start..];
            let end = rest.windows(2).position(|two| two == b">>").expect("a whole marker");
            let text = std::str::from_utf8(&rest[..end + 2]).expect("a marker");
            let known = self
                .markers
                .get(text)
                .unwrap_or_else(|| panic!("a marker of nobody: {text}"));
            found.push(known.as_str());
        }
        found
    }
}

fn fill(source: &Source, who: Who) {
    let marker = who.marker();
    let resources = TYPES.iter().flat_map(|type_url| {
        [SHARED, marker.as_str()].map(|name| (*type_url, name.to_owned(), Bytes::from(marker.clone())))
    });
    let snapshot = Arc::new(Snapshot::seal(resources, []).unwrap());
    let key = Identity::parse(&who.node_id(2)).unwrap().key_at(ACCOUNT);
    let sender = watch::Sender::new(Some(snapshot));
    assert!(source.snapshots.lock().unwrap().insert(key, sender).is_none());
}

#[test]
fn no_proxy_receives_a_byte_of_anothers_configuration() {
    let world = World::new();
    assert_eq!(world.markers.len(), Who::all().count());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (given, refused) = (std::cell::Cell::new(0_u32), std::cell::Cell::new(0_u32));
    runner
        .run(&case(), |case| {
            let (bytes, status) = runtime.block_on(world.answer(&case));
            let found = world.found(&bytes);
            let entitled = case.entitled();
            let is_its_own = entitled.is_some_and(|who| who.marker() == case.says.marker());
            if !is_its_own {
                prop_assert!(bytes.is_empty(), "{} bytes for {:?}", bytes.len(), found);
                let status = status.unwrap_or_default();
                prop_assert!(["7", "16"].contains(&status.as_str()), "status {status}");
                refused.set(refused.get() + 1);
                return Ok(());
            }
            prop_assert_eq!(status.as_deref(), Some("0"));
            let own = case.says.marker();
            // A name of another's resource comes back in a removal: it was the client that said it.
            let asked = if case.name == 2 { case.of.marker() } else { own.clone() };
            prop_assert!(
                found.iter().all(|marker| **marker == own || **marker == asked),
                "{:?}",
                found
            );
            if case.name != 2 || asked == own {
                prop_assert!(found.contains(&own.as_str()), "its own is missing");
                given.set(given.get() + 1);
            } else {
                let contents = found.iter().filter(|marker| ***marker == asked).count();
                prop_assert!(contents <= 1, "more than the name that was asked for");
            }
            Ok(())
        })
        .unwrap();
    // Neither is the exception.
    assert!(given.get() > CASES / 20, "{}", given.get());
    assert!(refused.get() > CASES / 4, "{}", refused.get());
}
