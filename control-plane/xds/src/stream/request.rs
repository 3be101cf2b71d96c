//! What comes in on a stream, decoded, and why it may be refused.

use std::collections::HashMap;

use crate::node::NodeInfo;

/// A request of either protocol variant.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Who the client is. Needed in the first request of a stream only.
    pub node: Option<NodeInfo>,
    /// The type that the request is about.
    pub type_url: String,
    /// The nonce of the response that this answers; may be empty.
    pub nonce: String,
    /// Why the client refuses that response; `None`: it has taken it.
    pub rejection: Option<Rejection>,
    /// What the client wants.
    pub subscribe: Subscribe,
}

/// What a client wants.
#[derive(Debug, Clone)]
pub enum Subscribe {
    /// The whole of it.
    StateOfTheWorld {
        /// What the client has accepted last; on a new stream, possibly on another one.
        version: String,
        /// Every name.
        names: Vec<String>,
    },
    /// The difference.
    Delta {
        /// Names to add.
        subscribe: Vec<String>,
        /// Names to take away. A name that is in both lists was dropped and is wanted again.
        unsubscribe: Vec<String>,
        /// In the first request of a type: what the client has from another stream.
        initial_versions: HashMap<String, String>,
    },
}

impl Subscribe {
    /// Whether the client names nothing that it holds.
    pub fn holds_nothing(&self) -> bool {
        match self {
            Self::StateOfTheWorld { version, .. } => version.is_empty(),
            Self::Delta { initial_versions, .. } => initial_versions.is_empty(),
        }
    }
}

impl Default for Subscribe {
    fn default() -> Self {
        Self::StateOfTheWorld {
            version: String::new(),
            names: Vec::new(),
        }
    }
}

/// A client's `error_detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// A gRPC status code.
    pub code: i32,
    /// The client's own words.
    pub message: String,
}

/// Why a request ends its stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The first request says nothing of the client.
    #[error("field `node` is missing in the first request of the stream")]
    MissingNode,
    /// The client gives no id.
    #[error("field `node.id` is empty")]
    MissingNodeId,
    /// The client took on another identity.
    #[error("field `node.id` changed from `{from}` to `{to}` within the stream")]
    NodeChanged {
        /// Whose stream it is.
        from: String,
        /// Whom the request claims to come from. The same when it is `node.cluster` that changed.
        to: String,
    },
    /// The request has no type.
    #[error("field `type_url` is empty")]
    MissingTypeUrl,
    /// [`super::Limits::max_type_url_bytes`] is exceeded.
    #[error("field `type_url` has {bytes} bytes, more than {limit}")]
    TypeUrlTooLong {
        /// How many it has.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// [`super::Limits::max_types`] is exceeded.
    #[error("the stream subscribes to more than {limit} types")]
    TooManyTypes {
        /// The limit.
        limit: usize,
    },
    /// [`super::Limits::max_names`] is exceeded.
    #[error("the stream subscribes to {names} names, more than {limit}")]
    TooManyNames {
        /// How many there would be.
        names: usize,
        /// The limit.
        limit: usize,
    },
    /// [`super::Limits::max_name_bytes`] is exceeded.
    #[error("the names that the stream subscribes to take {bytes} bytes, more than {limit}")]
    NamesTooLong {
        /// How many bytes they would take.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}
