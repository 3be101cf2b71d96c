//! Emission for many proxies: what they have in common is emitted once and held once.
//!
//! A route table is the concatenation of its virtual hosts, and most of these are shared by all who call the service; a
//! filter's configuration is a few hundred bytes around a module. So a resource is given in [`Piece`]s, and a [`Memo`] keeps
//! what was made of those parts of a lowering that several proxies share ([`ferromesh_ir::lower::Memo`]). Put together, the
//! pieces are what the whole message is when it is encoded.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use ferromesh_ir::cluster::{Cluster, ClusterId};
use ferromesh_ir::route::{RouteTable, VirtualHost};
use ferromesh_ir::Proxy;
use prost::encoding::{encode_key, encode_varint, WireType};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::route::Scene;
use crate::{
    cluster, filter, listener, names, route, secret, Module, Modules, Options, Reference, Secrets, CLUSTER,
    EXTENSION_CONFIG, LISTENER, ROUTE_CONFIGURATION, SECRET,
};

/// Field `virtual_hosts` of `envoy.config.route.v3.RouteConfiguration`.
const VIRTUAL_HOSTS: u32 = 2;

/// Bytes with their SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece {
    bytes: Bytes,
    digest: [u8; 32],
}

impl Piece {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes).into();
        Self { bytes, digest }
    }

    /// The bytes and their SHA-256.
    pub fn into_parts(self) -> (Bytes, [u8; 32]) {
        (self.bytes, self.digest)
    }
}

/// Without the bytes, which may be a private key.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

/// One resource in pieces.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its type.
    pub type_url: &'static str,
    /// Its name, unique among its type.
    pub name: Arc<str>,
    /// The encoded message, without an `Any` around it: these pieces, one after the other.
    pub pieces: Vec<Piece>,
}

impl Part {
    pub(crate) fn new(type_url: &'static str, name: impl Into<Arc<str>>, pieces: Vec<Piece>) -> Self {
        Self {
            type_url,
            name: name.into(),
            pieces,
        }
    }

    fn of(type_url: &'static str, name: &str, message: &impl Message) -> Self {
        Self::new(type_url, name, vec![Piece::new(message.encode_to_vec().into())])
    }

    /// The message in one piece.
    pub fn whole(self) -> Bytes {
        match <[Piece; 1]>::try_from(self.pieces) {
            Ok([piece]) => piece.bytes,
            Err(pieces) => {
                let pieces: Vec<Bytes> = pieces.into_iter().map(|piece| piece.bytes).collect();
                pieces.concat().into()
            }
        }
    }
}

/// A name that a resource refers to.
#[derive(Clone, Debug)]
pub struct Link {
    /// Type of the resource that is referred to.
    pub type_url: &'static str,
    /// Its name.
    pub name: Arc<str>,
    /// Name of the resource that refers to it.
    pub from: Arc<str>,
}

/// What a proxy is to be given, in no order.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The resources.
    pub resources: Vec<Part>,
    /// Names that resources refer to; each must be among the resources.
    pub references: Vec<Link>,
}

/// What was made of parts of a mesh's lowerings, as long as somebody else holds these.
#[derive(Default)]
pub struct Memo {
    /// Name of the mesh.
    mesh: String,
    hosts: HashMap<HostKey, Host>,
    clusters: HashMap<(usize, bool), Known>,
    modules: HashMap<(usize, usize), Piece>,
    /// How many virtual hosts and clusters were emitted since the beginning.
    made: u64,
}

/// Everything that the message depends on: where the virtual host is, the filter's name, whether attempts are counted.
type HostKey = (usize, Option<&'static str>, bool);

struct Host {
    /// Held, so that nothing else comes to be in its place.
    spec: Arc<VirtualHost>,
    piece: Piece,
    clusters: Vec<Arc<str>>,
}

struct Known {
    spec: Arc<Cluster>,
    part: Part,
    links: Vec<Link>,
}

impl Memo {
    /// Forgets what nobody else holds.
    pub fn forget_unused(&mut self) {
        self.hosts.retain(|_, host| Arc::strong_count(&host.spec) > 1);
        self.clusters.retain(|_, known| Arc::strong_count(&known.spec) > 1);
        self.modules.retain(|_, module| !module.bytes.is_unique());
    }

    /// How many virtual hosts and clusters were emitted since the beginning.
    pub fn made(&self) -> u64 {
        self.made
    }

    fn prepare(&mut self, proxy: &Proxy) {
        if self.mesh != proxy.mesh {
            *self = Self {
                mesh: proxy.mesh.clone(),
                made: self.made,
                ..Self::default()
            };
        }
    }

    fn module(&mut self, module: &Module) -> Piece {
        let place = (module.bytes.as_ptr() as usize, module.bytes.len());
        let piece = self.modules.entry(place);
        piece.or_insert_with(|| Piece::new(module.bytes.clone())).clone()
    }
}

/// Emits everything that a proxy is to be given, as [`crate::proxy`] does, in pieces.
pub fn parts(proxy: &Proxy, modules: &Modules, secrets: &Secrets, options: &Options, memo: &mut Memo) -> Parts {
    memo.prepare(proxy);
    let with_filter = modules.mesh.is_some();
    let mut parts = Parts::default();
    for spec in &proxy.clusters {
        parts.add_cluster(proxy, spec, with_filter, memo);
    }
    for table in &proxy.route_tables {
        parts.add_table(proxy, table, with_filter, memo);
    }
    let mut references = Vec::new();
    for spec in &proxy.listeners {
        let message = listener::listener(proxy, spec, with_filter);
        parts.resources.push(Part::of(LISTENER, &message.name, &message));
        references.extend(listener::references(proxy, spec, with_filter));
    }
    parts.add_links(references);
    let wanted = modules.mesh.iter();
    for wanted in wanted.flat_map(|module| filter::wanted(proxy, module, modules.lean.as_ref(), options)) {
        let (before, behind) = wanted.around_module();
        let pieces = vec![Piece::new(before), memo.module(wanted.module), Piece::new(behind)];
        parts.resources.push(Part::new(EXTENSION_CONFIG, wanted.name, pieces));
    }
    for message in secret::secrets(proxy, secrets) {
        parts.resources.push(Part::of(SECRET, &message.name, &message));
    }
    parts
}

impl Parts {
    fn add_cluster(&mut self, proxy: &Proxy, spec: &Arc<Cluster>, with_filter: bool, memo: &mut Memo) {
        let emit = || {
            let message = cluster::cluster(proxy, spec, with_filter);
            let part = Part::of(CLUSTER, &message.name, &message);
            let mut references = cluster::references(proxy, spec, with_filter);
            references.sort();
            references.dedup();
            (part, links(references))
        };
        // Others are the proxy's own: their names have its name in them, or nobody shares them.
        let (part, links) = match spec.id {
            ClusterId::Node { .. } => {
                let place = (Arc::as_ptr(spec) as usize, with_filter);
                let known = memo.clusters.entry(place).or_insert_with(|| {
                    memo.made += 1;
                    let (part, links) = emit();
                    let spec = Arc::clone(spec);
                    Known { spec, part, links }
                });
                (known.part.clone(), known.links.clone())
            }
            _ => emit(),
        };
        self.resources.push(part);
        self.references.extend(links);
    }

    fn add_table(&mut self, proxy: &Proxy, table: &RouteTable, with_filter: bool, memo: &mut Memo) {
        let scene = Scene::new(proxy, table, with_filter);
        let whole = route::without_hosts(proxy, table);
        let from: Arc<str> = whole.name.as_str().into();
        let first = RouteConfiguration {
            name: whole.name.clone(),
            ..RouteConfiguration::default()
        };
        let last = RouteConfiguration {
            name: String::new(),
            ..whole
        };
        let mut pieces = Vec::with_capacity(table.hosts.len() + 2);
        pieces.push(Piece::new(first.encode_to_vec().into()));
        let mut clusters = BTreeSet::new();
        for host in &table.hosts {
            let is_shared = scene.guards.leaves_routes_alone()
                && route::clusters(host).all(|id| matches!(id, ClusterId::Node { .. }));
            if is_shared {
                let place = (Arc::as_ptr(host) as usize, scene.filter, scene.counts_attempts(host));
                let known = memo.hosts.entry(place).or_insert_with(|| {
                    memo.made += 1;
                    emit_host(&scene, host)
                });
                pieces.push(known.piece.clone());
                clusters.extend(known.clusters.iter().cloned());
            } else {
                let host = emit_host(&scene, host);
                pieces.push(host.piece);
                clusters.extend(host.clusters);
            }
        }
        pieces.push(Piece::new(last.encode_to_vec().into()));
        self.references.extend(clusters.into_iter().map(|name| Link {
            type_url: CLUSTER,
            name,
            from: Arc::clone(&from),
        }));
        self.resources.push(Part::new(ROUTE_CONFIGURATION, from, pieces));
    }

    fn add_links(&mut self, mut references: Vec<Reference>) {
        references.sort();
        references.dedup();
        self.references.extend(links(references));
    }
}

fn emit_host(scene: &Scene<'_>, spec: &Arc<VirtualHost>) -> Host {
    let message = route::virtual_host(scene, spec);
    let mut bytes = Vec::new();
    encode_key(VIRTUAL_HOSTS, WireType::LengthDelimited, &mut bytes);
    encode_varint(message.encoded_len() as u64, &mut bytes);
    bytes.extend(message.encode_to_vec());
    let clusters: BTreeSet<&ClusterId> = route::clusters(spec).collect();
    Host {
        spec: Arc::clone(spec),
        piece: Piece::new(bytes.into()),
        clusters: clusters
            .into_iter()
            .map(|id| names::cluster(scene.proxy, id).into())
            .collect(),
    }
}

fn links(references: Vec<Reference>) -> Vec<Link> {
    let links = references.into_iter().map(|reference| Link {
        type_url: reference.type_url,
        name: reference.name.into(),
        from: reference.from.into(),
    });
    links.collect()
}
