//! App Mesh's errors.

use ferromesh_model::validate::{Refusal, Rejection};
use ferromesh_model::Violation;
use ferromesh_store::StoreError;
use http::StatusCode;

/// The errors that App Mesh's API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is malformed or breaks a rule.
    BadRequest,
    /// The name is taken, or a client token was used for something else.
    Conflict,
    /// The caller may not do this.
    Forbidden,
    /// The server failed.
    InternalServerError,
    /// There would be more resources than the quota allows.
    LimitExceeded,
    /// There is no such resource or operation.
    NotFound,
    /// Other resources depend on this one.
    ResourceInUse,
    /// The server cannot answer now.
    ServiceUnavailable,
    /// A resource would have more than 50 tags.
    TooManyTags,
}

impl ErrorKind {
    /// Name on the wire: `BadRequestException`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequestException",
            Self::Conflict => "ConflictException",
            Self::Forbidden => "ForbiddenException",
            Self::InternalServerError => "InternalServerErrorException",
            Self::LimitExceeded => "LimitExceededException",
            Self::NotFound => "NotFoundException",
            Self::ResourceInUse => "ResourceInUseException",
            Self::ServiceUnavailable => "ServiceUnavailableException",
            Self::TooManyTags => "TooManyTagsException",
        }
    }

    /// Status code that carries it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::LimitExceeded | Self::TooManyTags => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict | Self::ResourceInUse => StatusCode::CONFLICT,
            Self::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// An error as a client gets it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", kind.name())]
pub struct ApiError {
    /// Which error.
    pub kind: ErrorKind,
    /// What is wrong, for a person.
    pub message: String,
}

impl ApiError {
    /// An error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A malformed request.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, message)
    }

    /// No such resource or operation.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// A failure of ours: the client hears that it happened, the log hears why.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(
            ErrorKind::InternalServerError,
            "the control plane failed, its log says why",
        )
    }

    /// The violations as one error, unless there are none.
    pub(crate) fn refuse(violations: Vec<Violation>) -> Result<(), Self> {
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Rejection::Invalid(violations).into())
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let kind = match rejection {
            Rejection::Invalid(_) => ErrorKind::BadRequest,
            Rejection::Missing(_) => ErrorKind::NotFound,
            Rejection::Exists(_) => ErrorKind::Conflict,
            Rejection::InUse(_) => ErrorKind::ResourceInUse,
            Rejection::Limit(_) => ErrorKind::LimitExceeded,
        };
        Self::new(kind, rejection.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<Refusal<StoreError>> for ApiError {
    fn from(refusal: Refusal<StoreError>) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => rejection.into(),
            Refusal::Failed(error) => error.into(),
        }
    }
}
