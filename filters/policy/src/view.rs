//! What the policy may read of a stream. Reads are lazy: each costs a crossing into the host.

/// A property of the stream, by what it means; the adaptor knows the host's path for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    /// `xds.route_name`: the name of the Envoy route.
    RouteName,
    /// `xds.route_metadata.filter_metadata.ferromesh.policy`: the route's policy, JSON in one string leaf.
    RoutePolicy,
    /// `source.address`: the peer, `ip:port`.
    SourceAddress,
    /// `xds.cluster_name`: the cluster that the router chose.
    ClusterName,
    /// `upstream.request_attempt_count`: attempts so far, 8 bytes little endian.
    AttemptCount,
    /// `connection.uri_san_peer_certificate`: the first URI name of the peer's certificate, its SPIFFE identity.
    PeerIdentity,
    /// `response.grpc_status`: the gRPC status once the stream has ended, 8 bytes little endian.
    GrpcStatus,
    /// `request.total_size`: bytes of the request's headers, body and trailers so far, 8 bytes little endian.
    RequestBytes,
    /// `response.total_size`: the same of the response.
    ResponseBytes,
}

impl Property {
    /// All properties, for adaptors that prepare their paths.
    pub const ALL: [Self; 9] = [
        Self::RouteName,
        Self::RoutePolicy,
        Self::SourceAddress,
        Self::ClusterName,
        Self::AttemptCount,
        Self::PeerIdentity,
        Self::GrpcStatus,
        Self::RequestBytes,
        Self::ResponseBytes,
    ];

    /// The host's path.
    #[must_use]
    pub const fn path(self) -> &'static [&'static str] {
        match self {
            Self::RouteName => &["xds", "route_name"],
            Self::RoutePolicy => &["xds", "route_metadata", "filter_metadata", "ferromesh", "policy"],
            Self::SourceAddress => &["source", "address"],
            Self::ClusterName => &["xds", "cluster_name"],
            Self::AttemptCount => &["upstream", "request_attempt_count"],
            Self::PeerIdentity => &["connection", "uri_san_peer_certificate"],
            Self::GrpcStatus => &["response", "grpc_status"],
            Self::RequestBytes => &["request", "total_size"],
            Self::ResponseBytes => &["response", "total_size"],
        }
    }
}

/// Read access to one stream. Values are bytes: a peer may send any.
///
/// A host that answers with an error is the same as an absent value.
pub trait View {
    /// A value, borrowed from the view or owned, as suits the host.
    type Value<'a>: AsRef<[u8]>
    where
        Self: 'a;

    /// The first value of a request header; `name` is lower case.
    fn request_header(&self, name: &str) -> Option<Self::Value<'_>>;
    /// The first value of a response header; `name` is lower case.
    fn response_header(&self, name: &str) -> Option<Self::Value<'_>>;
    /// A property of the stream.
    fn property(&self, property: Property) -> Option<Self::Value<'_>>;
}
