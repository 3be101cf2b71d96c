//! AWS Cloud Map's API over the registry: the operations that `servicediscovery` clients of every SDK call, in the JSON 1.1
//! protocol (`POST /` with the operation's name in `x-amz-target`).
//!
//! Some SDKs put `data-` before the host name for the two `DiscoverInstances` operations. The host is not looked at, so
//! any name that resolves to this server will do; clients that are given an address have to turn that off
//! (`inject_host_prefix=False` in boto3, `AWS_DISABLE_HOST_PREFIX_INJECTION=true` for the command line).

mod input;
mod instances;
mod namespaces;
mod operations;
mod services;
mod shown;
mod tags;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{json, Map, Value};
use warp::reply::Response;

use crate::appmesh::Scene;
use crate::registry::{Refused, Why};
use crate::request::Request;
use crate::{answer, ApiError};

const TARGET: &str = "x-amz-target";
/// What stands before the operation's name.
const PREFIX: &str = "Route53AutoNaming_v20170314.";
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

type Answer = fn(&Scene<'_>, &Bytes) -> Result<Value, Refused>;

/// An operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// Whether it changes something.
    pub(crate) is_change: bool,
    answer: Answer,
}

const fn change(name: &'static str, answer: Answer) -> Call {
    Call {
        name,
        is_change: true,
        answer,
    }
}

const fn look(name: &'static str, answer: Answer) -> Call {
    Call {
        name,
        is_change: false,
        answer,
    }
}

/// All operations of the service model.
const CALLS: [Call; 30] = [
    change("CreateHttpNamespace", namespaces::create_http),
    change("CreatePrivateDnsNamespace", namespaces::create_private),
    change("CreatePublicDnsNamespace", namespaces::create_public),
    change("CreateService", services::create),
    change("DeleteNamespace", namespaces::delete),
    change("DeleteService", services::delete),
    change("DeleteServiceAttributes", services::delete_attributes),
    change("DeregisterInstance", instances::deregister),
    look("DiscoverInstances", instances::discover),
    look("DiscoverInstancesRevision", instances::revision),
    look("GetInstance", instances::get),
    look("GetInstancesHealthStatus", instances::health),
    look("GetNamespace", namespaces::get),
    look("GetOperation", operations::get),
    look("GetService", services::get),
    look("GetServiceAttributes", services::attributes),
    look("ListInstances", instances::list),
    look("ListNamespaces", namespaces::list),
    look("ListOperations", operations::list),
    look("ListServices", services::list),
    look("ListTagsForResource", tags::list),
    change("RegisterInstance", instances::register),
    change("TagResource", tags::tag),
    change("UntagResource", tags::untag),
    change("UpdateHttpNamespace", namespaces::update_http),
    change("UpdateInstanceCustomHealthStatus", instances::report),
    change("UpdatePrivateDnsNamespace", namespaces::update_private),
    change("UpdatePublicDnsNamespace", namespaces::update_public),
    change("UpdateService", services::update),
    change("UpdateServiceAttributes", services::update_attributes),
];

/// What the header may say.
pub(crate) fn targets() -> impl Iterator<Item = String> {
    CALLS.iter().map(|call| format!("{PREFIX}{}", call.name))
}

/// The operation that a request means; `None` when it is not for Cloud Map.
pub(crate) fn find(request: &Request) -> Option<Result<&'static Call, Refused>> {
    if request.method != Method::POST || !matches!(request.path.as_str(), "/" | "") {
        return None;
    }
    let target = request.headers.get(TARGET)?.to_str().ok()?;
    let name = target.strip_prefix(PREFIX)?;
    let call = CALLS.iter().find(|call| call.name == name);
    Some(call.ok_or_else(|| {
        let message = format!("x-amz-target: Cloud Map has no operation {name:?}");
        Refused::new(Why::UnknownOperation, message)
    }))
}

/// The answer to one request.
pub(crate) fn answer(scene: &Scene<'_>, call: &Call, request: &Request) -> Result<Response, Refused> {
    let value = (call.answer)(scene, &request.body)?;
    Ok(answer::bytes(StatusCode::OK, CONTENT_TYPE, value.to_string()))
}

/// A refusal in Cloud Map's form.
pub(crate) fn refuse(refused: &Refused) -> Response {
    let mut body = Map::new();
    body.insert("__type".to_owned(), json!(refused.why.name()));
    body.insert("Message".to_owned(), json!(refused.message));
    let members = refused.members.iter();
    body.extend(members.map(|(member, value)| ((*member).to_owned(), json!(value))));
    let mut response = answer::bytes(refused.why.status(), CONTENT_TYPE, Value::Object(body).to_string());
    let name = HeaderValue::from_static(refused.why.name());
    response.headers_mut().insert("x-amzn-errortype", name);
    response
}

/// A caller who is not let in, in Cloud Map's form.
pub(crate) fn deny(error: &ApiError) -> Response {
    let body = json!({ "__type": error.kind.name(), "message": error.message });
    let mut response = answer::bytes(error.kind.status(), CONTENT_TYPE, body.to_string());
    let name = HeaderValue::from_static(error.kind.name());
    response.headers_mut().insert("x-amzn-errortype", name);
    response
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::invalid(error.message)
    }
}
