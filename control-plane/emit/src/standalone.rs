//! A configuration that Envoy can judge by itself: what is otherwise delivered piece by piece stands where it is named.
//!
//! `envoy --mode validate` asks nobody for anything: of a listener that waits for its routes it sees only that it waits, and so
//! with filters and certificates. So route tables and filters are put into the listeners and clusters that name them, and
//! secrets become static ones. Endpoints are left out: a cluster that waits for them is judged without.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use envoy_types::pb::envoy::config::accesslog::v3::{access_log, AccessLog};
use envoy_types::pb::envoy::config::bootstrap::v3::bootstrap::StaticResources;
use envoy_types::pb::envoy::config::bootstrap::v3::runtime_layer::LayerSpecifier;
use envoy_types::pb::envoy::config::bootstrap::v3::{Bootstrap, LayeredRuntime, RuntimeLayer};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    address, data_source, transport_socket, ConfigSource, DataSource, Http2ProtocolOptions, Node, TransportSocket,
};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::listener::v3::{filter, FilterChain, Listener};
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    http_filter, HttpConnectionManager, HttpFilter,
};
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    secret, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, Secret, UpstreamTlsContext,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use envoy_types::pb::google::protobuf::{value, Any, Duration, Struct, Value};
use prost::{DecodeError, Message, Name};

use crate::{
    names, pack, Certificate, Messages, CLUSTER, ENDPOINT, EXTENSION_CONFIG, LISTENER, ROUTE_CONFIGURATION, SECRET,
};

/// RE2 programs up to this size are accepted: what the bootstrap of `ferromesh proxy` says, after App Mesh.
const RE2_PROGRAM_SIZE: f64 = 1000.0;

/// Why resources don't stand alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// A message that cannot be read.
    Unreadable {
        /// Its type.
        what: String,
        /// Why.
        error: DecodeError,
    },
    /// Something is named that is not there.
    Missing {
        /// `route table` or `filter`.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { what, error } => write!(f, "{what} cannot be read: {error}"),
            Self::Missing { what, name } => write!(f, "{what} {name:?} is named, but not there"),
        }
    }
}

impl std::error::Error for Incomplete {}

/// A whole configuration of resources, encoded: `envoy.config.bootstrap.v3.Bootstrap`. `resources` is an encoded
/// `envoy.service.discovery.v3.DiscoveryResponse` with resources of all types.
///
/// What is only at the proxy is not asked for: certificates, keys and authorities are all replaced by `stand_in`, log files
/// by `/dev/null`, and host names by an address, because Envoy 1.40 asks DNS for them even when it only validates. So no
/// private key but that one is in what is given back.
///
/// # Errors
/// A message that cannot be read, or something that is named and not there.
pub fn standalone(resources: &[u8], stand_in: &Certificate) -> Result<Vec<u8>, Incomplete> {
    let response: DiscoveryResponse = read("DiscoveryResponse", resources)?;
    let mut messages = Messages::default();
    for Any { type_url, value } in response.resources {
        match type_url.as_str() {
            CLUSTER => messages.clusters.push(read(&type_url, &value)?),
            LISTENER => messages.listeners.push(read(&type_url, &value)?),
            ROUTE_CONFIGURATION => messages.route_tables.push(read(&type_url, &value)?),
            EXTENSION_CONFIG => messages.extensions.push(read(&type_url, &value)?),
            SECRET => messages.secrets.push(read(&type_url, &value)?),
            ENDPOINT => {}
            // Nothing of ours; Envoy knows whether it is a type at all.
            _ => continue,
        }
    }
    for secret in &mut messages.secrets {
        replace_secret(secret, stand_in);
    }
    for cluster in &mut messages.clusters {
        replace_names(cluster);
    }
    let mut bootstrap = bootstrap(messages)?;
    for listener in bootstrap.static_resources.iter_mut().flat_map(|all| &mut all.listeners) {
        for chain in chains(listener) {
            silence(chain)?;
        }
    }
    Ok(bootstrap.encode_to_vec())
}

/// A whole configuration of messages, with their own secrets and log files.
///
/// # Errors
/// A message that cannot be read, or something that is named and not there.
pub fn bootstrap(messages: Messages) -> Result<Bootstrap, Incomplete> {
    let Messages {
        mut clusters,
        mut listeners,
        route_tables,
        extensions,
        secrets,
    } = messages;
    let there = There {
        routes: route_tables.iter().map(|table| (table.name.as_str(), table)).collect(),
        filters: extensions
            .iter()
            .filter_map(|extension| Some((extension.name.as_str(), extension.typed_config.as_ref()?)))
            .collect(),
    };
    for cluster in &mut clusters {
        make_static(&mut cluster.transport_socket)?;
        for options in cluster.typed_extension_protocol_options.values_mut() {
            if options.type_url == HttpProtocolOptions::type_url() {
                let mut decoded: HttpProtocolOptions = read(&options.type_url, &options.value)?;
                there.put_filters(&mut decoded.http_filters)?;
                *options = pack::any(&decoded);
            }
        }
    }
    for listener in &mut listeners {
        for chain in chains(listener) {
            make_static(&mut chain.transport_socket)?;
            there.put_into(chain)?;
        }
    }
    clusters.push(local_sds());
    Ok(Bootstrap {
        node: Some(Node {
            id: "standalone".into(),
            cluster: "standalone".into(),
            ..Node::default()
        }),
        static_resources: Some(StaticResources {
            listeners,
            clusters,
            secrets,
        }),
        layered_runtime: Some(runtime()),
        ..Bootstrap::default()
    })
}

fn read<M: Message + Default>(what: &str, value: &[u8]) -> Result<M, Incomplete> {
    M::decode(value).map_err(|error| Incomplete::Unreadable {
        what: what.to_owned(),
        error,
    })
}

fn chains(listener: &mut Listener) -> impl Iterator<Item = &mut FilterChain> {
    listener
        .filter_chains
        .iter_mut()
        .chain(&mut listener.default_filter_chain)
}

/// What can be named.
struct There<'a> {
    routes: BTreeMap<&'a str, &'a envoy_types::pb::envoy::config::route::v3::RouteConfiguration>,
    filters: BTreeMap<&'a str, &'a Any>,
}

impl There<'_> {
    fn put_into(&self, chain: &mut FilterChain) -> Result<(), Incomplete> {
        for any in typed(chain) {
            if any.type_url != HttpConnectionManager::type_url() {
                continue;
            }
            let mut manager: HttpConnectionManager = read(&any.type_url, &any.value)?;
            if let Some(RouteSpecifier::Rds(rds)) = &manager.route_specifier {
                let name = rds.route_config_name.as_str();
                let table = *self.routes.get(name).ok_or_else(|| missing("route table", name))?;
                manager.route_specifier = Some(RouteSpecifier::RouteConfig(table.clone()));
            }
            self.put_filters(&mut manager.http_filters)?;
            *any = pack::any(&manager);
        }
        Ok(())
    }

    fn put_filters(&self, filters: &mut [HttpFilter]) -> Result<(), Incomplete> {
        for http_filter in filters {
            if let Some(http_filter::ConfigType::ConfigDiscovery(_)) = &http_filter.config_type {
                let name = http_filter.name.as_str();
                let config = *self.filters.get(name).ok_or_else(|| missing("filter", name))?;
                http_filter.config_type = Some(http_filter::ConfigType::TypedConfig(config.clone()));
            }
        }
        Ok(())
    }
}

fn missing(what: &'static str, name: &str) -> Incomplete {
    Incomplete::Missing {
        what,
        name: name.to_owned(),
    }
}

fn typed(chain: &mut FilterChain) -> impl Iterator<Item = &mut Any> {
    chain
        .filters
        .iter_mut()
        .filter_map(|filter| match &mut filter.config_type {
            Some(filter::ConfigType::TypedConfig(any)) => Some(any),
            _ => None,
        })
}

/// Secrets that come over ADS are named as static ones; those of a server beside the proxy stay its.
fn make_static(socket: &mut Option<TransportSocket>) -> Result<(), Incomplete> {
    let config = socket.as_mut().and_then(|socket| socket.config_type.as_mut());
    let Some(transport_socket::ConfigType::TypedConfig(any)) = config else {
        return Ok(());
    };
    if any.type_url == DownstreamTlsContext::type_url() {
        let mut context: DownstreamTlsContext = read(&any.type_url, &any.value)?;
        context.common_tls_context.iter_mut().for_each(make_context_static);
        *any = pack::any(&context);
    } else if any.type_url == UpstreamTlsContext::type_url() {
        let mut context: UpstreamTlsContext = read(&any.type_url, &any.value)?;
        context.common_tls_context.iter_mut().for_each(make_context_static);
        *any = pack::any(&context);
    }
    Ok(())
}

fn make_context_static(context: &mut CommonTlsContext) {
    let over_ads =
        |source: &mut ConfigSource| matches!(source.config_source_specifier, Some(ConfigSourceSpecifier::Ads(_)));
    let make = |secret: &mut SdsSecretConfig| {
        secret.sds_config.take_if(over_ads);
    };
    context.tls_certificate_sds_secret_configs.iter_mut().for_each(make);
    if let Some(ValidationContextType::CombinedValidationContext(combined)) = &mut context.validation_context_type {
        combined.validation_context_sds_secret_config.iter_mut().for_each(make);
    }
}

fn replace_secret(secret: &mut Secret, stand_in: &Certificate) {
    match &mut secret.r#type {
        Some(secret::Type::TlsCertificate(certificate)) => {
            certificate.certificate_chain = Some(inline(&stand_in.chain));
            certificate.private_key = Some(inline(&stand_in.key));
            certificate.watched_directory = None;
        }
        Some(secret::Type::ValidationContext(context)) => {
            context.trusted_ca = Some(inline(&stand_in.chain));
            context.watched_directory = None;
        }
        _ => {}
    }
}

fn replace_names(cluster: &mut Cluster) {
    let localities = cluster.load_assignment.iter_mut().flat_map(|all| &mut all.endpoints);
    for endpoint in localities.flat_map(|locality| &mut locality.lb_endpoints) {
        let Some(HostIdentifier::Endpoint(endpoint)) = &mut endpoint.host_identifier else {
            continue;
        };
        let address = endpoint.address.as_mut().and_then(|address| address.address.as_mut());
        if let Some(address::Address::SocketAddress(socket)) = address {
            if !socket.address.is_empty() && socket.address.parse::<IpAddr>().is_err() {
                socket.address = "127.0.0.1".into();
            }
        }
    }
}

fn inline(text: &str) -> DataSource {
    DataSource {
        specifier: Some(data_source::Specifier::InlineString(text.to_owned())),
        ..DataSource::default()
    }
}

/// Sends what a chain logs to nowhere: Envoy opens the files, which are the proxy's.
fn silence(chain: &mut FilterChain) -> Result<(), Incomplete> {
    for any in typed(chain) {
        if any.type_url == HttpConnectionManager::type_url() {
            let mut manager: HttpConnectionManager = read(&any.type_url, &any.value)?;
            silence_logs(&mut manager.access_log)?;
            *any = pack::any(&manager);
        } else if any.type_url == TcpProxy::type_url() {
            let mut proxy: TcpProxy = read(&any.type_url, &any.value)?;
            silence_logs(&mut proxy.access_log)?;
            *any = pack::any(&proxy);
        }
    }
    Ok(())
}

fn silence_logs(logs: &mut [AccessLog]) -> Result<(), Incomplete> {
    for log in logs {
        let Some(access_log::ConfigType::TypedConfig(any)) = &mut log.config_type else {
            continue;
        };
        if any.type_url == FileAccessLog::type_url() {
            let mut file: FileAccessLog = read(&any.type_url, &any.value)?;
            file.path = "/dev/null".into();
            *any = pack::any(&file);
        }
    }
    Ok(())
}

/// The SDS server beside the proxy, without an address: its cluster is named wherever a mesh names one of its secrets.
fn local_sds() -> Cluster {
    let http2 = ExplicitHttpConfig {
        protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())),
    };
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(http2)),
        ..HttpProtocolOptions::default()
    };
    Cluster {
        name: names::LOCAL_SDS.into(),
        connect_timeout: Some(Duration { seconds: 1, nanos: 0 }),
        typed_extension_protocol_options: [(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            pack::any(&options),
        )]
        .into(),
        ..Cluster::default()
    }
}

fn runtime() -> LayeredRuntime {
    let size = Value {
        kind: Some(value::Kind::NumberValue(RE2_PROGRAM_SIZE)),
    };
    LayeredRuntime {
        layers: vec![RuntimeLayer {
            name: "static_layer_0".into(),
            layer_specifier: Some(LayerSpecifier::StaticLayer(Struct {
                fields: [("re2.max_program_size.error_level".to_owned(), size)].into(),
            })),
        }],
    }
}
