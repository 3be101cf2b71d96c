//! Observability: trace context, request ids, response headers that tell what was decided, and metrics.
//!
//! Metrics are counted in the VM ([`Ledger`]) and written to the host on a tick; the request path makes no
//! metric call. Labels travel in the stat's name and come out by [`STATS_TAGS`] and [`OPTIONAL_STATS_TAGS`].

pub mod access_log;
mod app_mesh;
mod config;
mod event;
mod grpc_status;
mod ledger;
pub mod request_id;
pub mod server_timing;
mod stat_name;
mod text;
pub mod trace;
pub mod trace_context;

pub use access_log::AccessLog;
pub use app_mesh::AppMesh;
pub use config::Config;
pub use event::{Event, Events};
pub use grpc_status::GrpcStatus;
pub use ledger::{Block, Detail, Ledger, MetricKind, Outcome, Sink, MAX_SERIES, UNKNOWN_TARGET};
pub use server_timing::ServerTiming;
pub use stat_name::{Scope, OPTIONAL_STATS_TAGS, STATS_PREFIX, STATS_TAGS};
pub use text::Text;
pub use trace::{Format, Formats, TraceContext, TraceWrites};

/// The response header with the label of the route that was taken.
pub const ROUTE_HEADER: &str = "x-ferromesh-route";
/// The response header with the name of the target that answered.
pub const TARGET_HEADER: &str = "x-ferromesh-target";
/// The response header with the number of attempts, the first included.
pub const ATTEMPTS_HEADER: &str = "x-ferromesh-attempts";

/// A number that the host gives as a property: 8 bytes, little endian.
#[must_use]
pub fn number(property: &[u8]) -> Option<u64> {
    property.try_into().ok().map(u64::from_le_bytes)
}

/// The class of a response's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResponseClass {
    /// No response: the stream was reset or cancelled, or the status is no HTTP status.
    #[default]
    None,
    /// 100 to 199.
    Informational,
    /// 200 to 299.
    Successful,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    ClientError,
    /// 500 to 599.
    ServerError,
}

impl ResponseClass {
    /// How many there are.
    pub const COUNT: usize = 6;
    /// All classes; each at its own [`index`](Self::index).
    pub const ALL: [Self; Self::COUNT] = [
        Self::None,
        Self::Informational,
        Self::Successful,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
    ];

    /// The class of a `:status` value: three digits, 100 to 599.
    #[must_use]
    pub fn of_status(status: &[u8]) -> Self {
        match status {
            [class, tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit() => match class {
                b'1' => Self::Informational,
                b'2' => Self::Successful,
                b'3' => Self::Redirection,
                b'4' => Self::ClientError,
                b'5' => Self::ServerError,
                _ => Self::None,
            },
            _ => Self::None,
        }
    }

    /// The label's value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Informational => "1xx",
            Self::Successful => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }

    /// A number below [`COUNT`](Self::COUNT).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
