//! What a request means, in whichever of the three APIs, and how a failure is told in each.

use warp::reply::Response;

use crate::access::rules;
use crate::access::Rule;
use crate::appmesh::{self, Found};
use crate::own::{self, Page};
use crate::registry::Refused;
use crate::request::Request;
use crate::{answer, cloud_map, ApiError};

/// What one request means.
pub(crate) enum Meaning {
    AppMesh(Found),
    CloudMap(&'static cloud_map::Call),
    /// A page of our own API, with the decoded segments of the path.
    Own(Page, Vec<String>),
}

impl Meaning {
    /// Name of the operation.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AppMesh(found) => found.call.operation.name,
            Self::CloudMap(call) => call.name,
            Self::Own(page, _) => page.name(),
        }
    }

    pub(crate) fn is_change(&self) -> bool {
        match self {
            Self::AppMesh(found) => found.call.verb.is_change(),
            Self::CloudMap(call) => call.is_change,
            Self::Own(page, _) => page.is_change(),
        }
    }

    /// Whether it waits for the other writers itself, where it comes to write.
    pub(crate) fn takes_its_own_turn(&self) -> bool {
        matches!(self, Self::Own(Page::Changes, _))
    }

    /// What it takes.
    pub(crate) fn rule(&self, request: &Request) -> Rule {
        match self {
            Self::AppMesh(found) => rules::of_app_mesh(found, request),
            Self::CloudMap(call) => rules::of_cloud_map(call),
            Self::Own(page, segments) => own::rules::of_page(*page, segments, request),
        }
    }

    /// A caller who is not let in, in the words of the API that they called.
    pub(crate) fn denied(&self, error: ApiError) -> Failure {
        match self {
            Self::CloudMap(_) => Failure::DeniedByCloudMap(error),
            Self::AppMesh(_) | Self::Own(..) => Failure::Api(error),
        }
    }
}

/// Why a request was not done.
pub(crate) enum Failure {
    Api(ApiError),
    CloudMap(Refused),
    DeniedByCloudMap(ApiError),
}

impl Failure {
    /// Name of the error.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Api(error) | Self::DeniedByCloudMap(error) => error.kind.name(),
            Self::CloudMap(refused) => refused.why.name(),
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Api(error) | Self::DeniedByCloudMap(error) => &error.message,
            Self::CloudMap(refused) => &refused.message,
        }
    }

    pub(crate) fn response(&self) -> Response {
        match self {
            Self::Api(error) => answer::error(error),
            Self::CloudMap(refused) => cloud_map::refuse(refused),
            Self::DeniedByCloudMap(error) => cloud_map::deny(error),
        }
    }
}

/// What a request means, or why it means nothing and which methods its path has.
pub(crate) fn meaning(request: &Request) -> Result<Meaning, (Failure, Vec<&'static str>)> {
    if let Some(found) = cloud_map::find(request) {
        return found
            .map(Meaning::CloudMap)
            .map_err(|refused| (Failure::CloudMap(refused), Vec::new()));
    }
    let segments = request.segments().map_err(|error| (Failure::Api(error), Vec::new()))?;
    let found = if appmesh::is_app_mesh(&segments) {
        appmesh::find(request.method.as_str(), &segments).map(Meaning::AppMesh)
    } else {
        own::find(&request.method, &segments).map(|page| Meaning::Own(page, segments))
    };
    found.map_err(|methods| {
        let Request { method, path, .. } = request;
        let error = if methods.is_empty() {
            ApiError::not_found(format!("path: no operation has {path}"))
        } else {
            ApiError::bad_request(format!("method: {path} has {}, not {method}", methods.join(", ")))
        };
        (Failure::Api(error), methods)
    })
}
