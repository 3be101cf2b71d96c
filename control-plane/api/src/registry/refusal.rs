//! Why the registry refuses a call, in the words of Cloud Map, and what our own API makes of it.

use ferromesh_model::Violation;
use ferromesh_store::StoreError;
use http::StatusCode;

use crate::{ApiError, ErrorKind};

/// Cloud Map's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    CustomHealthNotFound,
    InstanceNotFound,
    InternalFailure,
    InvalidInput,
    NamespaceAlreadyExists,
    NamespaceNotFound,
    OperationNotFound,
    ResourceInUse,
    ResourceNotFound,
    ServiceAlreadyExists,
    ServiceAttributesLimitExceeded,
    ServiceNotFound,
    TooManyTags,
    UnknownOperation,
}

impl Why {
    /// Name on the wire, from which AWS clients make their exceptions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CustomHealthNotFound => "CustomHealthNotFound",
            Self::InstanceNotFound => "InstanceNotFound",
            Self::InternalFailure => "InternalFailure",
            Self::InvalidInput => "InvalidInput",
            Self::NamespaceAlreadyExists => "NamespaceAlreadyExists",
            Self::NamespaceNotFound => "NamespaceNotFound",
            Self::OperationNotFound => "OperationNotFound",
            Self::ResourceInUse => "ResourceInUse",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ServiceAlreadyExists => "ServiceAlreadyExists",
            Self::ServiceAttributesLimitExceeded => "ServiceAttributesLimitExceededException",
            Self::ServiceNotFound => "ServiceNotFound",
            Self::TooManyTags => "TooManyTagsException",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }

    /// Status code that carries it.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::InternalFailure => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ResourceInUse => StatusCode::CONFLICT,
            Self::CustomHealthNotFound
            | Self::InstanceNotFound
            | Self::NamespaceNotFound
            | Self::OperationNotFound
            | Self::ResourceNotFound
            | Self::ServiceNotFound => StatusCode::NOT_FOUND,
            Self::InvalidInput
            | Self::NamespaceAlreadyExists
            | Self::ServiceAlreadyExists
            | Self::ServiceAttributesLimitExceeded
            | Self::TooManyTags
            | Self::UnknownOperation => StatusCode::BAD_REQUEST,
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    pub(crate) message: String,
    /// Further members of the error's shape.
    pub(crate) members: Vec<(&'static str, String)>,
}

impl Refused {
    pub(crate) fn new(why: Why, message: impl Into<String>) -> Self {
        Self {
            why,
            message: message.into(),
            members: Vec::new(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Why::InvalidInput, message)
    }

    pub(crate) fn with(mut self, member: &'static str, value: impl Into<String>) -> Self {
        self.members.push((member, value.into()));
        self
    }

    /// The violations as one refusal, unless there are none.
    pub(crate) fn unless_none(violations: impl IntoIterator<Item = Violation>) -> Result<(), Self> {
        let texts: Vec<String> = violations.into_iter().map(|violation| violation.to_string()).collect();
        if texts.is_empty() {
            return Ok(());
        }
        Err(Self::invalid(texts.join("; ")))
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        // Cloud Map has no error for "not now": the text says it.
        Self::new(Why::InternalFailure, ApiError::from(error).message)
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let kind = match refused.why {
            Why::InternalFailure => ErrorKind::InternalServerError,
            Why::ResourceInUse => ErrorKind::ResourceInUse,
            Why::TooManyTags => ErrorKind::TooManyTags,
            Why::NamespaceAlreadyExists | Why::ServiceAlreadyExists => ErrorKind::Conflict,
            Why::InvalidInput
            | Why::UnknownOperation
            | Why::CustomHealthNotFound
            | Why::ServiceAttributesLimitExceeded => ErrorKind::BadRequest,
            Why::InstanceNotFound
            | Why::NamespaceNotFound
            | Why::OperationNotFound
            | Why::ResourceNotFound
            | Why::ServiceNotFound => ErrorKind::NotFound,
        };
        Self::new(kind, refused.message)
    }
}
