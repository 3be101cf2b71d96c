//! App Mesh's errors.

use ferromesh_model::validate::{Refusal, Rejection};
use ferromesh_model::Violation;
use ferromesh_store::StoreError;
use http::StatusCode;
use serde_json::{Map, Value};

/// The errors that App Mesh's API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller is known and may not do this.
    AccessDenied,
    /// The request is malformed or breaks a rule.
    BadRequest,
    /// The name is taken, or a client token was used for something else.
    Conflict,
    /// The life of the caller's key is over.
    ExpiredToken,
    /// The caller may not do this.
    Forbidden,
    /// A signature lacks a part.
    IncompleteSignature,
    /// The server failed.
    InternalServerError,
    /// A signature is not that of the key that it names, or not of now.
    InvalidSignature,
    /// There would be more resources than the quota allows.
    LimitExceeded,
    /// The caller shows no key.
    MissingAuthenticationToken,
    /// There is no such resource or operation.
    NotFound,
    /// The life of a presigned request is over.
    RequestExpired,
    /// Other resources depend on this one.
    ResourceInUse,
    /// The server cannot answer now.
    ServiceUnavailable,
    /// A resource would have more than 50 tags.
    TooManyTags,
    /// The caller's key is not known, or disabled.
    UnrecognizedClient,
}

impl ErrorKind {
    /// Name on the wire: `BadRequestException`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::BadRequest => "BadRequestException",
            Self::Conflict => "ConflictException",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::Forbidden => "ForbiddenException",
            Self::IncompleteSignature => "IncompleteSignatureException",
            Self::InvalidSignature => "InvalidSignatureException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::RequestExpired => "RequestExpired",
            Self::UnrecognizedClient => "UnrecognizedClientException",
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
            Self::BadRequest | Self::LimitExceeded | Self::RequestExpired | Self::TooManyTags => {
                StatusCode::BAD_REQUEST
            }
            Self::AccessDenied
            | Self::ExpiredToken
            | Self::Forbidden
            | Self::IncompleteSignature
            | Self::InvalidSignature
            | Self::MissingAuthenticationToken
            | Self::UnrecognizedClient => StatusCode::FORBIDDEN,
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
    /// The same piece by piece, where the message was made from pieces.
    pub violations: Vec<Violation>,
    /// Members of the answer beside the message, for programs; only errors of change sets have some.
    pub details: Option<Map<String, Value>>,
}

impl ApiError {
    /// An error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            violations: Vec::new(),
            details: None,
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
        let message = rejection.to_string();
        let violations = match rejection {
            Rejection::Invalid(violations) => violations,
            _ => Vec::new(),
        };
        Self {
            violations,
            ..Self::new(kind, message)
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            // What a client can wait for: AWS clients try a 503 again by themselves.
            StoreError::Unavailable(_) | StoreError::Unsettled(_) | StoreError::Conflict(_) => {
                tracing::warn!(%error, "request cannot be answered now");
                Self::new(ErrorKind::ServiceUnavailable, error.to_string())
            }
            error => Self::internal(&error),
        }
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
