// Made by generate.py from botocore 1.44.5; not edited by hand.
// Derived from botocore's appmesh/2019-01-25 service model, Copyright Amazon.com, Inc. or its affiliates,
// Apache License 2.0 (see NOTICE).

use super::{Location, Member, Pattern, Shape, Type};

const fn m(name: &'static str, shape: &'static Shape, required: bool, location: Location) -> Member {
    Member {
        name,
        shape,
        required,
        location,
    }
}

/// All shapes, sorted by name.
pub(super) static ALL: &[&Shape] = &[
    &ACCESS_LOG,
    &ACCOUNT_ID,
    &ARN,
    &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE,
    &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE_KEY,
    &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE_VALUE,
    &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTES,
    &AWS_CLOUD_MAP_NAME,
    &AWS_CLOUD_MAP_SERVICE_DISCOVERY,
    &BACKEND,
    &BACKEND_DEFAULTS,
    &BACKENDS,
    &BOOLEAN,
    &CERTIFICATE_AUTHORITY_ARNS,
    &CLIENT_POLICY,
    &CLIENT_POLICY_TLS,
    &CLIENT_TLS_CERTIFICATE,
    &CREATE_GATEWAY_ROUTE_INPUT,
    &CREATE_GATEWAY_ROUTE_OUTPUT,
    &CREATE_MESH_INPUT,
    &CREATE_MESH_OUTPUT,
    &CREATE_ROUTE_INPUT,
    &CREATE_ROUTE_OUTPUT,
    &CREATE_VIRTUAL_GATEWAY_INPUT,
    &CREATE_VIRTUAL_GATEWAY_OUTPUT,
    &CREATE_VIRTUAL_NODE_INPUT,
    &CREATE_VIRTUAL_NODE_OUTPUT,
    &CREATE_VIRTUAL_ROUTER_INPUT,
    &CREATE_VIRTUAL_ROUTER_OUTPUT,
    &CREATE_VIRTUAL_SERVICE_INPUT,
    &CREATE_VIRTUAL_SERVICE_OUTPUT,
    &DEFAULT_GATEWAY_ROUTE_REWRITE,
    &DELETE_GATEWAY_ROUTE_INPUT,
    &DELETE_GATEWAY_ROUTE_OUTPUT,
    &DELETE_MESH_INPUT,
    &DELETE_MESH_OUTPUT,
    &DELETE_ROUTE_INPUT,
    &DELETE_ROUTE_OUTPUT,
    &DELETE_VIRTUAL_GATEWAY_INPUT,
    &DELETE_VIRTUAL_GATEWAY_OUTPUT,
    &DELETE_VIRTUAL_NODE_INPUT,
    &DELETE_VIRTUAL_NODE_OUTPUT,
    &DELETE_VIRTUAL_ROUTER_INPUT,
    &DELETE_VIRTUAL_ROUTER_OUTPUT,
    &DELETE_VIRTUAL_SERVICE_INPUT,
    &DELETE_VIRTUAL_SERVICE_OUTPUT,
    &DESCRIBE_GATEWAY_ROUTE_INPUT,
    &DESCRIBE_GATEWAY_ROUTE_OUTPUT,
    &DESCRIBE_MESH_INPUT,
    &DESCRIBE_MESH_OUTPUT,
    &DESCRIBE_ROUTE_INPUT,
    &DESCRIBE_ROUTE_OUTPUT,
    &DESCRIBE_VIRTUAL_GATEWAY_INPUT,
    &DESCRIBE_VIRTUAL_GATEWAY_OUTPUT,
    &DESCRIBE_VIRTUAL_NODE_INPUT,
    &DESCRIBE_VIRTUAL_NODE_OUTPUT,
    &DESCRIBE_VIRTUAL_ROUTER_INPUT,
    &DESCRIBE_VIRTUAL_ROUTER_OUTPUT,
    &DESCRIBE_VIRTUAL_SERVICE_INPUT,
    &DESCRIBE_VIRTUAL_SERVICE_OUTPUT,
    &DNS_RESPONSE_TYPE,
    &DNS_SERVICE_DISCOVERY,
    &DURATION,
    &DURATION_UNIT,
    &DURATION_VALUE,
    &EGRESS_FILTER,
    &EGRESS_FILTER_TYPE,
    &EXACT_HOST_NAME,
    &FILE_ACCESS_LOG,
    &FILE_PATH,
    &GATEWAY_ROUTE_DATA,
    &GATEWAY_ROUTE_HOSTNAME_MATCH,
    &GATEWAY_ROUTE_HOSTNAME_REWRITE,
    &GATEWAY_ROUTE_LIST,
    &GATEWAY_ROUTE_PRIORITY,
    &GATEWAY_ROUTE_REF,
    &GATEWAY_ROUTE_SPEC,
    &GATEWAY_ROUTE_STATUS,
    &GATEWAY_ROUTE_STATUS_CODE,
    &GATEWAY_ROUTE_TARGET,
    &GATEWAY_ROUTE_VIRTUAL_SERVICE,
    &GRPC_GATEWAY_ROUTE,
    &GRPC_GATEWAY_ROUTE_ACTION,
    &GRPC_GATEWAY_ROUTE_MATCH,
    &GRPC_GATEWAY_ROUTE_METADATA,
    &GRPC_GATEWAY_ROUTE_METADATA_LIST,
    &GRPC_GATEWAY_ROUTE_REWRITE,
    &GRPC_METADATA_MATCH_METHOD,
    &GRPC_RETRY_POLICY,
    &GRPC_RETRY_POLICY_EVENT,
    &GRPC_RETRY_POLICY_EVENTS,
    &GRPC_ROUTE,
    &GRPC_ROUTE_ACTION,
    &GRPC_ROUTE_MATCH,
    &GRPC_ROUTE_METADATA,
    &GRPC_ROUTE_METADATA_LIST,
    &GRPC_ROUTE_METADATA_MATCH_METHOD,
    &GRPC_TIMEOUT,
    &HEADER_MATCH,
    &HEADER_MATCH_METHOD,
    &HEADER_NAME,
    &HEALTH_CHECK_INTERVAL_MILLIS,
    &HEALTH_CHECK_POLICY,
    &HEALTH_CHECK_THRESHOLD,
    &HEALTH_CHECK_TIMEOUT_MILLIS,
    &HOSTNAME,
    &HTTP_GATEWAY_ROUTE,
    &HTTP_GATEWAY_ROUTE_ACTION,
    &HTTP_GATEWAY_ROUTE_HEADER,
    &HTTP_GATEWAY_ROUTE_HEADERS,
    &HTTP_GATEWAY_ROUTE_MATCH,
    &HTTP_GATEWAY_ROUTE_PATH_REWRITE,
    &HTTP_GATEWAY_ROUTE_PREFIX,
    &HTTP_GATEWAY_ROUTE_PREFIX_REWRITE,
    &HTTP_GATEWAY_ROUTE_REWRITE,
    &HTTP_METHOD,
    &HTTP_PATH_EXACT,
    &HTTP_PATH_MATCH,
    &HTTP_PATH_REGEX,
    &HTTP_QUERY_PARAMETER,
    &HTTP_QUERY_PARAMETERS,
    &HTTP_RETRY_POLICY,
    &HTTP_RETRY_POLICY_EVENT,
    &HTTP_RETRY_POLICY_EVENTS,
    &HTTP_ROUTE,
    &HTTP_ROUTE_ACTION,
    &HTTP_ROUTE_HEADER,
    &HTTP_ROUTE_HEADERS,
    &HTTP_ROUTE_MATCH,
    &HTTP_SCHEME,
    &HTTP_TIMEOUT,
    &IP_PREFERENCE,
    &JSON_FORMAT,
    &JSON_FORMAT_REF,
    &JSON_KEY,
    &JSON_VALUE,
    &LIST_GATEWAY_ROUTES_INPUT,
    &LIST_GATEWAY_ROUTES_LIMIT,
    &LIST_GATEWAY_ROUTES_OUTPUT,
    &LIST_MESHES_INPUT,
    &LIST_MESHES_LIMIT,
    &LIST_MESHES_OUTPUT,
    &LIST_ROUTES_INPUT,
    &LIST_ROUTES_LIMIT,
    &LIST_ROUTES_OUTPUT,
    &LIST_TAGS_FOR_RESOURCE_INPUT,
    &LIST_TAGS_FOR_RESOURCE_OUTPUT,
    &LIST_VIRTUAL_GATEWAYS_INPUT,
    &LIST_VIRTUAL_GATEWAYS_LIMIT,
    &LIST_VIRTUAL_GATEWAYS_OUTPUT,
    &LIST_VIRTUAL_NODES_INPUT,
    &LIST_VIRTUAL_NODES_LIMIT,
    &LIST_VIRTUAL_NODES_OUTPUT,
    &LIST_VIRTUAL_ROUTERS_INPUT,
    &LIST_VIRTUAL_ROUTERS_LIMIT,
    &LIST_VIRTUAL_ROUTERS_OUTPUT,
    &LIST_VIRTUAL_SERVICES_INPUT,
    &LIST_VIRTUAL_SERVICES_LIMIT,
    &LIST_VIRTUAL_SERVICES_OUTPUT,
    &LISTENER,
    &LISTENER_PORT,
    &LISTENER_TIMEOUT,
    &LISTENER_TLS,
    &LISTENER_TLS_ACM_CERTIFICATE,
    &LISTENER_TLS_CERTIFICATE,
    &LISTENER_TLS_FILE_CERTIFICATE,
    &LISTENER_TLS_MODE,
    &LISTENER_TLS_SDS_CERTIFICATE,
    &LISTENER_TLS_VALIDATION_CONTEXT,
    &LISTENER_TLS_VALIDATION_CONTEXT_TRUST,
    &LISTENERS,
    &LOGGING,
    &LOGGING_FORMAT,
    &LONG,
    &MATCH_RANGE,
    &MAX_CONNECTIONS,
    &MAX_PENDING_REQUESTS,
    &MAX_REQUESTS,
    &MAX_RETRIES,
    &MESH_DATA,
    &MESH_LIST,
    &MESH_REF,
    &MESH_SERVICE_DISCOVERY,
    &MESH_SPEC,
    &MESH_STATUS,
    &MESH_STATUS_CODE,
    &METHOD_NAME,
    &OUTLIER_DETECTION,
    &OUTLIER_DETECTION_MAX_EJECTION_PERCENT,
    &OUTLIER_DETECTION_MAX_SERVER_ERRORS,
    &PERCENT_INT,
    &PORT_MAPPING,
    &PORT_NUMBER,
    &PORT_PROTOCOL,
    &PORT_SET,
    &QUERY_PARAMETER_MATCH,
    &QUERY_PARAMETER_NAME,
    &RESOURCE_METADATA,
    &RESOURCE_NAME,
    &ROUTE_DATA,
    &ROUTE_LIST,
    &ROUTE_PRIORITY,
    &ROUTE_REF,
    &ROUTE_SPEC,
    &ROUTE_STATUS,
    &ROUTE_STATUS_CODE,
    &SDS_SECRET_NAME,
    &SERVICE_DISCOVERY,
    &SERVICE_NAME,
    &STRING,
    &SUBJECT_ALTERNATIVE_NAME,
    &SUBJECT_ALTERNATIVE_NAME_LIST,
    &SUBJECT_ALTERNATIVE_NAME_MATCHERS,
    &SUBJECT_ALTERNATIVE_NAMES,
    &SUFFIX_HOSTNAME,
    &TAG_KEY,
    &TAG_KEY_LIST,
    &TAG_LIST,
    &TAG_REF,
    &TAG_RESOURCE_INPUT,
    &TAG_RESOURCE_OUTPUT,
    &TAG_VALUE,
    &TAGS_LIMIT,
    &TCP_RETRY_POLICY_EVENT,
    &TCP_RETRY_POLICY_EVENTS,
    &TCP_ROUTE,
    &TCP_ROUTE_ACTION,
    &TCP_ROUTE_MATCH,
    &TCP_TIMEOUT,
    &TEXT_FORMAT,
    &TIMESTAMP,
    &TLS_VALIDATION_CONTEXT,
    &TLS_VALIDATION_CONTEXT_ACM_TRUST,
    &TLS_VALIDATION_CONTEXT_FILE_TRUST,
    &TLS_VALIDATION_CONTEXT_SDS_TRUST,
    &TLS_VALIDATION_CONTEXT_TRUST,
    &UNTAG_RESOURCE_INPUT,
    &UNTAG_RESOURCE_OUTPUT,
    &UPDATE_GATEWAY_ROUTE_INPUT,
    &UPDATE_GATEWAY_ROUTE_OUTPUT,
    &UPDATE_MESH_INPUT,
    &UPDATE_MESH_OUTPUT,
    &UPDATE_ROUTE_INPUT,
    &UPDATE_ROUTE_OUTPUT,
    &UPDATE_VIRTUAL_GATEWAY_INPUT,
    &UPDATE_VIRTUAL_GATEWAY_OUTPUT,
    &UPDATE_VIRTUAL_NODE_INPUT,
    &UPDATE_VIRTUAL_NODE_OUTPUT,
    &UPDATE_VIRTUAL_ROUTER_INPUT,
    &UPDATE_VIRTUAL_ROUTER_OUTPUT,
    &UPDATE_VIRTUAL_SERVICE_INPUT,
    &UPDATE_VIRTUAL_SERVICE_OUTPUT,
    &VIRTUAL_GATEWAY_ACCESS_LOG,
    &VIRTUAL_GATEWAY_BACKEND_DEFAULTS,
    &VIRTUAL_GATEWAY_CERTIFICATE_AUTHORITY_ARNS,
    &VIRTUAL_GATEWAY_CLIENT_POLICY,
    &VIRTUAL_GATEWAY_CLIENT_POLICY_TLS,
    &VIRTUAL_GATEWAY_CLIENT_TLS_CERTIFICATE,
    &VIRTUAL_GATEWAY_CONNECTION_POOL,
    &VIRTUAL_GATEWAY_DATA,
    &VIRTUAL_GATEWAY_FILE_ACCESS_LOG,
    &VIRTUAL_GATEWAY_GRPC_CONNECTION_POOL,
    &VIRTUAL_GATEWAY_HEALTH_CHECK_INTERVAL_MILLIS,
    &VIRTUAL_GATEWAY_HEALTH_CHECK_POLICY,
    &VIRTUAL_GATEWAY_HEALTH_CHECK_THRESHOLD,
    &VIRTUAL_GATEWAY_HEALTH_CHECK_TIMEOUT_MILLIS,
    &VIRTUAL_GATEWAY_HTTP2_CONNECTION_POOL,
    &VIRTUAL_GATEWAY_HTTP_CONNECTION_POOL,
    &VIRTUAL_GATEWAY_LIST,
    &VIRTUAL_GATEWAY_LISTENER,
    &VIRTUAL_GATEWAY_LISTENER_TLS,
    &VIRTUAL_GATEWAY_LISTENER_TLS_ACM_CERTIFICATE,
    &VIRTUAL_GATEWAY_LISTENER_TLS_CERTIFICATE,
    &VIRTUAL_GATEWAY_LISTENER_TLS_FILE_CERTIFICATE,
    &VIRTUAL_GATEWAY_LISTENER_TLS_MODE,
    &VIRTUAL_GATEWAY_LISTENER_TLS_SDS_CERTIFICATE,
    &VIRTUAL_GATEWAY_LISTENER_TLS_VALIDATION_CONTEXT,
    &VIRTUAL_GATEWAY_LISTENER_TLS_VALIDATION_CONTEXT_TRUST,
    &VIRTUAL_GATEWAY_LISTENERS,
    &VIRTUAL_GATEWAY_LOGGING,
    &VIRTUAL_GATEWAY_PORT_MAPPING,
    &VIRTUAL_GATEWAY_PORT_PROTOCOL,
    &VIRTUAL_GATEWAY_REF,
    &VIRTUAL_GATEWAY_SDS_SECRET_NAME,
    &VIRTUAL_GATEWAY_SPEC,
    &VIRTUAL_GATEWAY_STATUS,
    &VIRTUAL_GATEWAY_STATUS_CODE,
    &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT,
    &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_ACM_TRUST,
    &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_FILE_TRUST,
    &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_SDS_TRUST,
    &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_TRUST,
    &VIRTUAL_NODE_CONNECTION_POOL,
    &VIRTUAL_NODE_DATA,
    &VIRTUAL_NODE_GRPC_CONNECTION_POOL,
    &VIRTUAL_NODE_HTTP2_CONNECTION_POOL,
    &VIRTUAL_NODE_HTTP_CONNECTION_POOL,
    &VIRTUAL_NODE_LIST,
    &VIRTUAL_NODE_REF,
    &VIRTUAL_NODE_SERVICE_PROVIDER,
    &VIRTUAL_NODE_SPEC,
    &VIRTUAL_NODE_STATUS,
    &VIRTUAL_NODE_STATUS_CODE,
    &VIRTUAL_NODE_TCP_CONNECTION_POOL,
    &VIRTUAL_ROUTER_DATA,
    &VIRTUAL_ROUTER_LIST,
    &VIRTUAL_ROUTER_LISTENER,
    &VIRTUAL_ROUTER_LISTENERS,
    &VIRTUAL_ROUTER_REF,
    &VIRTUAL_ROUTER_SERVICE_PROVIDER,
    &VIRTUAL_ROUTER_SPEC,
    &VIRTUAL_ROUTER_STATUS,
    &VIRTUAL_ROUTER_STATUS_CODE,
    &VIRTUAL_SERVICE_BACKEND,
    &VIRTUAL_SERVICE_DATA,
    &VIRTUAL_SERVICE_LIST,
    &VIRTUAL_SERVICE_PROVIDER,
    &VIRTUAL_SERVICE_REF,
    &VIRTUAL_SERVICE_SPEC,
    &VIRTUAL_SERVICE_STATUS,
    &VIRTUAL_SERVICE_STATUS_CODE,
    &WEIGHTED_TARGET,
    &WEIGHTED_TARGETS,
];

pub(super) static ACCESS_LOG: Shape = Shape {
    name: "AccessLog",
    ty: Type::Union(&[m("file", &FILE_ACCESS_LOG, false, Location::Body)]),
};
pub(super) static ACCOUNT_ID: Shape = Shape {
    name: "AccountId",
    ty: Type::String {
        min: 12,
        max: Some(12),
        pattern: None,
    },
};
pub(super) static ARN: Shape = Shape {
    name: "Arn",
    ty: Type::String {
        min: 0,
        max: None,
        pattern: None,
    },
};
pub(super) static AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE: Shape = Shape {
    name: "AwsCloudMapInstanceAttribute",
    ty: Type::Structure(&[
        m("key", &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE_KEY, true, Location::Body),
        m("value", &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE_VALUE, true, Location::Body),
    ]),
};
pub(super) static AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE_KEY: Shape = Shape {
    name: "AwsCloudMapInstanceAttributeKey",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: Some(&PATTERN_1),
    },
};
pub(super) static AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE_VALUE: Shape = Shape {
    name: "AwsCloudMapInstanceAttributeValue",
    ty: Type::String {
        min: 1,
        max: Some(1024),
        pattern: Some(&PATTERN_2),
    },
};
pub(super) static AWS_CLOUD_MAP_INSTANCE_ATTRIBUTES: Shape = Shape {
    name: "AwsCloudMapInstanceAttributes",
    ty: Type::List {
        member: &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTE,
        min: 0,
        max: None,
    },
};
pub(super) static AWS_CLOUD_MAP_NAME: Shape = Shape {
    name: "AwsCloudMapName",
    ty: Type::String {
        min: 1,
        max: Some(1024),
        pattern: None,
    },
};
pub(super) static AWS_CLOUD_MAP_SERVICE_DISCOVERY: Shape = Shape {
    name: "AwsCloudMapServiceDiscovery",
    ty: Type::Structure(&[
        m("attributes", &AWS_CLOUD_MAP_INSTANCE_ATTRIBUTES, false, Location::Body),
        m("ipPreference", &IP_PREFERENCE, false, Location::Body),
        m("namespaceName", &AWS_CLOUD_MAP_NAME, true, Location::Body),
        m("serviceName", &AWS_CLOUD_MAP_NAME, true, Location::Body),
    ]),
};
pub(super) static BACKEND: Shape = Shape {
    name: "Backend",
    ty: Type::Union(&[m("virtualService", &VIRTUAL_SERVICE_BACKEND, false, Location::Body)]),
};
pub(super) static BACKEND_DEFAULTS: Shape = Shape {
    name: "BackendDefaults",
    ty: Type::Structure(&[m("clientPolicy", &CLIENT_POLICY, false, Location::Body)]),
};
pub(super) static BACKENDS: Shape = Shape {
    name: "Backends",
    ty: Type::List {
        member: &BACKEND,
        min: 0,
        max: None,
    },
};
pub(super) static BOOLEAN: Shape = Shape {
    name: "Boolean",
    ty: Type::Boolean,
};
pub(super) static CERTIFICATE_AUTHORITY_ARNS: Shape = Shape {
    name: "CertificateAuthorityArns",
    ty: Type::List {
        member: &ARN,
        min: 1,
        max: Some(3),
    },
};
pub(super) static CLIENT_POLICY: Shape = Shape {
    name: "ClientPolicy",
    ty: Type::Structure(&[m("tls", &CLIENT_POLICY_TLS, false, Location::Body)]),
};
pub(super) static CLIENT_POLICY_TLS: Shape = Shape {
    name: "ClientPolicyTls",
    ty: Type::Structure(&[
        m("certificate", &CLIENT_TLS_CERTIFICATE, false, Location::Body),
        m("enforce", &BOOLEAN, false, Location::Body),
        m("ports", &PORT_SET, false, Location::Body),
        m("validation", &TLS_VALIDATION_CONTEXT, true, Location::Body),
    ]),
};
pub(super) static CLIENT_TLS_CERTIFICATE: Shape = Shape {
    name: "ClientTlsCertificate",
    ty: Type::Union(&[
        m("file", &LISTENER_TLS_FILE_CERTIFICATE, false, Location::Body),
        m("sds", &LISTENER_TLS_SDS_CERTIFICATE, false, Location::Body),
    ]),
};
pub(super) static CREATE_GATEWAY_ROUTE_INPUT: Shape = Shape {
    name: "CreateGatewayRouteInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("gatewayRouteName", &RESOURCE_NAME, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &GATEWAY_ROUTE_SPEC, true, Location::Body),
        m("tags", &TAG_LIST, false, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static CREATE_GATEWAY_ROUTE_OUTPUT: Shape = Shape {
    name: "CreateGatewayRouteOutput",
    ty: Type::Structure(&[m("gatewayRoute", &GATEWAY_ROUTE_DATA, true, Location::Body)]),
};
pub(super) static CREATE_MESH_INPUT: Shape = Shape {
    name: "CreateMeshInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("spec", &MESH_SPEC, false, Location::Body),
        m("tags", &TAG_LIST, false, Location::Body),
    ]),
};
pub(super) static CREATE_MESH_OUTPUT: Shape = Shape {
    name: "CreateMeshOutput",
    ty: Type::Structure(&[m("mesh", &MESH_DATA, true, Location::Body)]),
};
pub(super) static CREATE_ROUTE_INPUT: Shape = Shape {
    name: "CreateRouteInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("routeName", &RESOURCE_NAME, true, Location::Body),
        m("spec", &ROUTE_SPEC, true, Location::Body),
        m("tags", &TAG_LIST, false, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static CREATE_ROUTE_OUTPUT: Shape = Shape {
    name: "CreateRouteOutput",
    ty: Type::Structure(&[m("route", &ROUTE_DATA, true, Location::Body)]),
};
pub(super) static CREATE_VIRTUAL_GATEWAY_INPUT: Shape = Shape {
    name: "CreateVirtualGatewayInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_GATEWAY_SPEC, true, Location::Body),
        m("tags", &TAG_LIST, false, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static CREATE_VIRTUAL_GATEWAY_OUTPUT: Shape = Shape {
    name: "CreateVirtualGatewayOutput",
    ty: Type::Structure(&[m("virtualGateway", &VIRTUAL_GATEWAY_DATA, true, Location::Body)]),
};
pub(super) static CREATE_VIRTUAL_NODE_INPUT: Shape = Shape {
    name: "CreateVirtualNodeInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_NODE_SPEC, true, Location::Body),
        m("tags", &TAG_LIST, false, Location::Body),
        m("virtualNodeName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static CREATE_VIRTUAL_NODE_OUTPUT: Shape = Shape {
    name: "CreateVirtualNodeOutput",
    ty: Type::Structure(&[m("virtualNode", &VIRTUAL_NODE_DATA, true, Location::Body)]),
};
pub(super) static CREATE_VIRTUAL_ROUTER_INPUT: Shape = Shape {
    name: "CreateVirtualRouterInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_ROUTER_SPEC, true, Location::Body),
        m("tags", &TAG_LIST, false, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static CREATE_VIRTUAL_ROUTER_OUTPUT: Shape = Shape {
    name: "CreateVirtualRouterOutput",
    ty: Type::Structure(&[m("virtualRouter", &VIRTUAL_ROUTER_DATA, true, Location::Body)]),
};
pub(super) static CREATE_VIRTUAL_SERVICE_INPUT: Shape = Shape {
    name: "CreateVirtualServiceInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_SERVICE_SPEC, true, Location::Body),
        m("tags", &TAG_LIST, false, Location::Body),
        m("virtualServiceName", &SERVICE_NAME, true, Location::Body),
    ]),
};
pub(super) static CREATE_VIRTUAL_SERVICE_OUTPUT: Shape = Shape {
    name: "CreateVirtualServiceOutput",
    ty: Type::Structure(&[m("virtualService", &VIRTUAL_SERVICE_DATA, true, Location::Body)]),
};
pub(super) static DEFAULT_GATEWAY_ROUTE_REWRITE: Shape = Shape {
    name: "DefaultGatewayRouteRewrite",
    ty: Type::Enum(&["ENABLED", "DISABLED"]),
};
pub(super) static DELETE_GATEWAY_ROUTE_INPUT: Shape = Shape {
    name: "DeleteGatewayRouteInput",
    ty: Type::Structure(&[
        m("gatewayRouteName", &RESOURCE_NAME, true, Location::Uri),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DELETE_GATEWAY_ROUTE_OUTPUT: Shape = Shape {
    name: "DeleteGatewayRouteOutput",
    ty: Type::Structure(&[m("gatewayRoute", &GATEWAY_ROUTE_DATA, true, Location::Body)]),
};
pub(super) static DELETE_MESH_INPUT: Shape = Shape {
    name: "DeleteMeshInput",
    ty: Type::Structure(&[m("meshName", &RESOURCE_NAME, true, Location::Uri)]),
};
pub(super) static DELETE_MESH_OUTPUT: Shape = Shape {
    name: "DeleteMeshOutput",
    ty: Type::Structure(&[m("mesh", &MESH_DATA, true, Location::Body)]),
};
pub(super) static DELETE_ROUTE_INPUT: Shape = Shape {
    name: "DeleteRouteInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("routeName", &RESOURCE_NAME, true, Location::Uri),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DELETE_ROUTE_OUTPUT: Shape = Shape {
    name: "DeleteRouteOutput",
    ty: Type::Structure(&[m("route", &ROUTE_DATA, true, Location::Body)]),
};
pub(super) static DELETE_VIRTUAL_GATEWAY_INPUT: Shape = Shape {
    name: "DeleteVirtualGatewayInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DELETE_VIRTUAL_GATEWAY_OUTPUT: Shape = Shape {
    name: "DeleteVirtualGatewayOutput",
    ty: Type::Structure(&[m("virtualGateway", &VIRTUAL_GATEWAY_DATA, true, Location::Body)]),
};
pub(super) static DELETE_VIRTUAL_NODE_INPUT: Shape = Shape {
    name: "DeleteVirtualNodeInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualNodeName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DELETE_VIRTUAL_NODE_OUTPUT: Shape = Shape {
    name: "DeleteVirtualNodeOutput",
    ty: Type::Structure(&[m("virtualNode", &VIRTUAL_NODE_DATA, true, Location::Body)]),
};
pub(super) static DELETE_VIRTUAL_ROUTER_INPUT: Shape = Shape {
    name: "DeleteVirtualRouterInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DELETE_VIRTUAL_ROUTER_OUTPUT: Shape = Shape {
    name: "DeleteVirtualRouterOutput",
    ty: Type::Structure(&[m("virtualRouter", &VIRTUAL_ROUTER_DATA, true, Location::Body)]),
};
pub(super) static DELETE_VIRTUAL_SERVICE_INPUT: Shape = Shape {
    name: "DeleteVirtualServiceInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualServiceName", &SERVICE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DELETE_VIRTUAL_SERVICE_OUTPUT: Shape = Shape {
    name: "DeleteVirtualServiceOutput",
    ty: Type::Structure(&[m("virtualService", &VIRTUAL_SERVICE_DATA, true, Location::Body)]),
};
pub(super) static DESCRIBE_GATEWAY_ROUTE_INPUT: Shape = Shape {
    name: "DescribeGatewayRouteInput",
    ty: Type::Structure(&[
        m("gatewayRouteName", &RESOURCE_NAME, true, Location::Uri),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DESCRIBE_GATEWAY_ROUTE_OUTPUT: Shape = Shape {
    name: "DescribeGatewayRouteOutput",
    ty: Type::Structure(&[m("gatewayRoute", &GATEWAY_ROUTE_DATA, true, Location::Body)]),
};
pub(super) static DESCRIBE_MESH_INPUT: Shape = Shape {
    name: "DescribeMeshInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
    ]),
};
pub(super) static DESCRIBE_MESH_OUTPUT: Shape = Shape {
    name: "DescribeMeshOutput",
    ty: Type::Structure(&[m("mesh", &MESH_DATA, true, Location::Body)]),
};
pub(super) static DESCRIBE_ROUTE_INPUT: Shape = Shape {
    name: "DescribeRouteInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("routeName", &RESOURCE_NAME, true, Location::Uri),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DESCRIBE_ROUTE_OUTPUT: Shape = Shape {
    name: "DescribeRouteOutput",
    ty: Type::Structure(&[m("route", &ROUTE_DATA, true, Location::Body)]),
};
pub(super) static DESCRIBE_VIRTUAL_GATEWAY_INPUT: Shape = Shape {
    name: "DescribeVirtualGatewayInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DESCRIBE_VIRTUAL_GATEWAY_OUTPUT: Shape = Shape {
    name: "DescribeVirtualGatewayOutput",
    ty: Type::Structure(&[m("virtualGateway", &VIRTUAL_GATEWAY_DATA, true, Location::Body)]),
};
pub(super) static DESCRIBE_VIRTUAL_NODE_INPUT: Shape = Shape {
    name: "DescribeVirtualNodeInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualNodeName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DESCRIBE_VIRTUAL_NODE_OUTPUT: Shape = Shape {
    name: "DescribeVirtualNodeOutput",
    ty: Type::Structure(&[m("virtualNode", &VIRTUAL_NODE_DATA, true, Location::Body)]),
};
pub(super) static DESCRIBE_VIRTUAL_ROUTER_INPUT: Shape = Shape {
    name: "DescribeVirtualRouterInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DESCRIBE_VIRTUAL_ROUTER_OUTPUT: Shape = Shape {
    name: "DescribeVirtualRouterOutput",
    ty: Type::Structure(&[m("virtualRouter", &VIRTUAL_ROUTER_DATA, true, Location::Body)]),
};
pub(super) static DESCRIBE_VIRTUAL_SERVICE_INPUT: Shape = Shape {
    name: "DescribeVirtualServiceInput",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("virtualServiceName", &SERVICE_NAME, true, Location::Uri),
    ]),
};
pub(super) static DESCRIBE_VIRTUAL_SERVICE_OUTPUT: Shape = Shape {
    name: "DescribeVirtualServiceOutput",
    ty: Type::Structure(&[m("virtualService", &VIRTUAL_SERVICE_DATA, true, Location::Body)]),
};
pub(super) static DNS_RESPONSE_TYPE: Shape = Shape {
    name: "DnsResponseType",
    ty: Type::Enum(&["LOADBALANCER", "ENDPOINTS"]),
};
pub(super) static DNS_SERVICE_DISCOVERY: Shape = Shape {
    name: "DnsServiceDiscovery",
    ty: Type::Structure(&[
        m("hostname", &HOSTNAME, true, Location::Body),
        m("ipPreference", &IP_PREFERENCE, false, Location::Body),
        m("responseType", &DNS_RESPONSE_TYPE, false, Location::Body),
    ]),
};
pub(super) static DURATION: Shape = Shape {
    name: "Duration",
    ty: Type::Structure(&[
        m("unit", &DURATION_UNIT, false, Location::Body),
        m("value", &DURATION_VALUE, false, Location::Body),
    ]),
};
pub(super) static DURATION_UNIT: Shape = Shape {
    name: "DurationUnit",
    ty: Type::Enum(&["s", "ms"]),
};
pub(super) static DURATION_VALUE: Shape = Shape {
    name: "DurationValue",
    ty: Type::Integer { min: 0, max: i64::MAX },
};
pub(super) static EGRESS_FILTER: Shape = Shape {
    name: "EgressFilter",
    ty: Type::Structure(&[m("type", &EGRESS_FILTER_TYPE, true, Location::Body)]),
};
pub(super) static EGRESS_FILTER_TYPE: Shape = Shape {
    name: "EgressFilterType",
    ty: Type::Enum(&["ALLOW_ALL", "DROP_ALL"]),
};
pub(super) static EXACT_HOST_NAME: Shape = Shape {
    name: "ExactHostName",
    ty: Type::String {
        min: 1,
        max: Some(253),
        pattern: None,
    },
};
pub(super) static FILE_ACCESS_LOG: Shape = Shape {
    name: "FileAccessLog",
    ty: Type::Structure(&[
        m("format", &LOGGING_FORMAT, false, Location::Body),
        m("path", &FILE_PATH, true, Location::Body),
    ]),
};
pub(super) static FILE_PATH: Shape = Shape {
    name: "FilePath",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
pub(super) static GATEWAY_ROUTE_DATA: Shape = Shape {
    name: "GatewayRouteData",
    ty: Type::Structure(&[
        m("gatewayRouteName", &RESOURCE_NAME, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("metadata", &RESOURCE_METADATA, true, Location::Body),
        m("spec", &GATEWAY_ROUTE_SPEC, true, Location::Body),
        m("status", &GATEWAY_ROUTE_STATUS, true, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static GATEWAY_ROUTE_HOSTNAME_MATCH: Shape = Shape {
    name: "GatewayRouteHostnameMatch",
    ty: Type::Structure(&[
        m("exact", &EXACT_HOST_NAME, false, Location::Body),
        m("suffix", &SUFFIX_HOSTNAME, false, Location::Body),
    ]),
};
pub(super) static GATEWAY_ROUTE_HOSTNAME_REWRITE: Shape = Shape {
    name: "GatewayRouteHostnameRewrite",
    ty: Type::Structure(&[m(
        "defaultTargetHostname",
        &DEFAULT_GATEWAY_ROUTE_REWRITE,
        false,
        Location::Body,
    )]),
};
pub(super) static GATEWAY_ROUTE_LIST: Shape = Shape {
    name: "GatewayRouteList",
    ty: Type::List {
        member: &GATEWAY_ROUTE_REF,
        min: 0,
        max: None,
    },
};
pub(super) static GATEWAY_ROUTE_PRIORITY: Shape = Shape {
    name: "GatewayRoutePriority",
    ty: Type::Integer { min: 0, max: 1000 },
};
pub(super) static GATEWAY_ROUTE_REF: Shape = Shape {
    name: "GatewayRouteRef",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("gatewayRouteName", &RESOURCE_NAME, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("version", &LONG, true, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static GATEWAY_ROUTE_SPEC: Shape = Shape {
    name: "GatewayRouteSpec",
    ty: Type::Structure(&[
        m("grpcRoute", &GRPC_GATEWAY_ROUTE, false, Location::Body),
        m("http2Route", &HTTP_GATEWAY_ROUTE, false, Location::Body),
        m("httpRoute", &HTTP_GATEWAY_ROUTE, false, Location::Body),
        m("priority", &GATEWAY_ROUTE_PRIORITY, false, Location::Body),
    ]),
};
pub(super) static GATEWAY_ROUTE_STATUS: Shape = Shape {
    name: "GatewayRouteStatus",
    ty: Type::Structure(&[m("status", &GATEWAY_ROUTE_STATUS_CODE, true, Location::Body)]),
};
pub(super) static GATEWAY_ROUTE_STATUS_CODE: Shape = Shape {
    name: "GatewayRouteStatusCode",
    ty: Type::Enum(&["ACTIVE", "INACTIVE", "DELETED"]),
};
pub(super) static GATEWAY_ROUTE_TARGET: Shape = Shape {
    name: "GatewayRouteTarget",
    ty: Type::Structure(&[
        m("port", &LISTENER_PORT, false, Location::Body),
        m("virtualService", &GATEWAY_ROUTE_VIRTUAL_SERVICE, true, Location::Body),
    ]),
};
pub(super) static GATEWAY_ROUTE_VIRTUAL_SERVICE: Shape = Shape {
    name: "GatewayRouteVirtualService",
    ty: Type::Structure(&[m("virtualServiceName", &RESOURCE_NAME, true, Location::Body)]),
};
pub(super) static GRPC_GATEWAY_ROUTE: Shape = Shape {
    name: "GrpcGatewayRoute",
    ty: Type::Structure(&[
        m("action", &GRPC_GATEWAY_ROUTE_ACTION, true, Location::Body),
        m("match", &GRPC_GATEWAY_ROUTE_MATCH, true, Location::Body),
    ]),
};
pub(super) static GRPC_GATEWAY_ROUTE_ACTION: Shape = Shape {
    name: "GrpcGatewayRouteAction",
    ty: Type::Structure(&[
        m("rewrite", &GRPC_GATEWAY_ROUTE_REWRITE, false, Location::Body),
        m("target", &GATEWAY_ROUTE_TARGET, true, Location::Body),
    ]),
};
pub(super) static GRPC_GATEWAY_ROUTE_MATCH: Shape = Shape {
    name: "GrpcGatewayRouteMatch",
    ty: Type::Structure(&[
        m("hostname", &GATEWAY_ROUTE_HOSTNAME_MATCH, false, Location::Body),
        m("metadata", &GRPC_GATEWAY_ROUTE_METADATA_LIST, false, Location::Body),
        m("port", &LISTENER_PORT, false, Location::Body),
        m("serviceName", &SERVICE_NAME, false, Location::Body),
    ]),
};
pub(super) static GRPC_GATEWAY_ROUTE_METADATA: Shape = Shape {
    name: "GrpcGatewayRouteMetadata",
    ty: Type::Structure(&[
        m("invert", &BOOLEAN, false, Location::Body),
        m("match", &GRPC_METADATA_MATCH_METHOD, false, Location::Body),
        m("name", &HEADER_NAME, true, Location::Body),
    ]),
};
pub(super) static GRPC_GATEWAY_ROUTE_METADATA_LIST: Shape = Shape {
    name: "GrpcGatewayRouteMetadataList",
    ty: Type::List {
        member: &GRPC_GATEWAY_ROUTE_METADATA,
        min: 1,
        max: Some(10),
    },
};
pub(super) static GRPC_GATEWAY_ROUTE_REWRITE: Shape = Shape {
    name: "GrpcGatewayRouteRewrite",
    ty: Type::Structure(&[m("hostname", &GATEWAY_ROUTE_HOSTNAME_REWRITE, false, Location::Body)]),
};
pub(super) static GRPC_METADATA_MATCH_METHOD: Shape = Shape {
    name: "GrpcMetadataMatchMethod",
    ty: Type::Union(&[
        m("exact", &HEADER_MATCH, false, Location::Body),
        m("prefix", &HEADER_MATCH, false, Location::Body),
        m("range", &MATCH_RANGE, false, Location::Body),
        m("regex", &HEADER_MATCH, false, Location::Body),
        m("suffix", &HEADER_MATCH, false, Location::Body),
    ]),
};
pub(super) static GRPC_RETRY_POLICY: Shape = Shape {
    name: "GrpcRetryPolicy",
    ty: Type::Structure(&[
        m("grpcRetryEvents", &GRPC_RETRY_POLICY_EVENTS, false, Location::Body),
        m("httpRetryEvents", &HTTP_RETRY_POLICY_EVENTS, false, Location::Body),
        m("maxRetries", &MAX_RETRIES, true, Location::Body),
        m("perRetryTimeout", &DURATION, true, Location::Body),
        m("tcpRetryEvents", &TCP_RETRY_POLICY_EVENTS, false, Location::Body),
    ]),
};
pub(super) static GRPC_RETRY_POLICY_EVENT: Shape = Shape {
    name: "GrpcRetryPolicyEvent",
    ty: Type::Enum(&[
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ]),
};
pub(super) static GRPC_RETRY_POLICY_EVENTS: Shape = Shape {
    name: "GrpcRetryPolicyEvents",
    ty: Type::List {
        member: &GRPC_RETRY_POLICY_EVENT,
        min: 1,
        max: Some(5),
    },
};
pub(super) static GRPC_ROUTE: Shape = Shape {
    name: "GrpcRoute",
    ty: Type::Structure(&[
        m("action", &GRPC_ROUTE_ACTION, true, Location::Body),
        m("match", &GRPC_ROUTE_MATCH, true, Location::Body),
        m("retryPolicy", &GRPC_RETRY_POLICY, false, Location::Body),
        m("timeout", &GRPC_TIMEOUT, false, Location::Body),
    ]),
};
pub(super) static GRPC_ROUTE_ACTION: Shape = Shape {
    name: "GrpcRouteAction",
    ty: Type::Structure(&[m("weightedTargets", &WEIGHTED_TARGETS, true, Location::Body)]),
};
pub(super) static GRPC_ROUTE_MATCH: Shape = Shape {
    name: "GrpcRouteMatch",
    ty: Type::Structure(&[
        m("metadata", &GRPC_ROUTE_METADATA_LIST, false, Location::Body),
        m("methodName", &METHOD_NAME, false, Location::Body),
        m("port", &LISTENER_PORT, false, Location::Body),
        m("serviceName", &SERVICE_NAME, false, Location::Body),
    ]),
};
pub(super) static GRPC_ROUTE_METADATA: Shape = Shape {
    name: "GrpcRouteMetadata",
    ty: Type::Structure(&[
        m("invert", &BOOLEAN, false, Location::Body),
        m("match", &GRPC_ROUTE_METADATA_MATCH_METHOD, false, Location::Body),
        m("name", &HEADER_NAME, true, Location::Body),
    ]),
};
pub(super) static GRPC_ROUTE_METADATA_LIST: Shape = Shape {
    name: "GrpcRouteMetadataList",
    ty: Type::List {
        member: &GRPC_ROUTE_METADATA,
        min: 1,
        max: Some(10),
    },
};
pub(super) static GRPC_ROUTE_METADATA_MATCH_METHOD: Shape = Shape {
    name: "GrpcRouteMetadataMatchMethod",
    ty: Type::Union(&[
        m("exact", &HEADER_MATCH, false, Location::Body),
        m("prefix", &HEADER_MATCH, false, Location::Body),
        m("range", &MATCH_RANGE, false, Location::Body),
        m("regex", &HEADER_MATCH, false, Location::Body),
        m("suffix", &HEADER_MATCH, false, Location::Body),
    ]),
};
pub(super) static GRPC_TIMEOUT: Shape = Shape {
    name: "GrpcTimeout",
    ty: Type::Structure(&[
        m("idle", &DURATION, false, Location::Body),
        m("perRequest", &DURATION, false, Location::Body),
    ]),
};
pub(super) static HEADER_MATCH: Shape = Shape {
    name: "HeaderMatch",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
pub(super) static HEADER_MATCH_METHOD: Shape = Shape {
    name: "HeaderMatchMethod",
    ty: Type::Union(&[
        m("exact", &HEADER_MATCH, false, Location::Body),
        m("prefix", &HEADER_MATCH, false, Location::Body),
        m("range", &MATCH_RANGE, false, Location::Body),
        m("regex", &HEADER_MATCH, false, Location::Body),
        m("suffix", &HEADER_MATCH, false, Location::Body),
    ]),
};
pub(super) static HEADER_NAME: Shape = Shape {
    name: "HeaderName",
    ty: Type::String {
        min: 1,
        max: Some(50),
        pattern: None,
    },
};
pub(super) static HEALTH_CHECK_INTERVAL_MILLIS: Shape = Shape {
    name: "HealthCheckIntervalMillis",
    ty: Type::Integer { min: 5000, max: 300000 },
};
pub(super) static HEALTH_CHECK_POLICY: Shape = Shape {
    name: "HealthCheckPolicy",
    ty: Type::Structure(&[
        m("healthyThreshold", &HEALTH_CHECK_THRESHOLD, true, Location::Body),
        m("intervalMillis", &HEALTH_CHECK_INTERVAL_MILLIS, true, Location::Body),
        m("path", &STRING, false, Location::Body),
        m("port", &PORT_NUMBER, false, Location::Body),
        m("protocol", &PORT_PROTOCOL, true, Location::Body),
        m("timeoutMillis", &HEALTH_CHECK_TIMEOUT_MILLIS, true, Location::Body),
        m("unhealthyThreshold", &HEALTH_CHECK_THRESHOLD, true, Location::Body),
    ]),
};
pub(super) static HEALTH_CHECK_THRESHOLD: Shape = Shape {
    name: "HealthCheckThreshold",
    ty: Type::Integer { min: 2, max: 10 },
};
pub(super) static HEALTH_CHECK_TIMEOUT_MILLIS: Shape = Shape {
    name: "HealthCheckTimeoutMillis",
    ty: Type::Integer { min: 2000, max: 60000 },
};
pub(super) static HOSTNAME: Shape = Shape {
    name: "Hostname",
    ty: Type::String {
        min: 0,
        max: None,
        pattern: None,
    },
};
pub(super) static HTTP_GATEWAY_ROUTE: Shape = Shape {
    name: "HttpGatewayRoute",
    ty: Type::Structure(&[
        m("action", &HTTP_GATEWAY_ROUTE_ACTION, true, Location::Body),
        m("match", &HTTP_GATEWAY_ROUTE_MATCH, true, Location::Body),
    ]),
};
pub(super) static HTTP_GATEWAY_ROUTE_ACTION: Shape = Shape {
    name: "HttpGatewayRouteAction",
    ty: Type::Structure(&[
        m("rewrite", &HTTP_GATEWAY_ROUTE_REWRITE, false, Location::Body),
        m("target", &GATEWAY_ROUTE_TARGET, true, Location::Body),
    ]),
};
pub(super) static HTTP_GATEWAY_ROUTE_HEADER: Shape = Shape {
    name: "HttpGatewayRouteHeader",
    ty: Type::Structure(&[
        m("invert", &BOOLEAN, false, Location::Body),
        m("match", &HEADER_MATCH_METHOD, false, Location::Body),
        m("name", &HEADER_NAME, true, Location::Body),
    ]),
};
pub(super) static HTTP_GATEWAY_ROUTE_HEADERS: Shape = Shape {
    name: "HttpGatewayRouteHeaders",
    ty: Type::List {
        member: &HTTP_GATEWAY_ROUTE_HEADER,
        min: 1,
        max: Some(10),
    },
};
pub(super) static HTTP_GATEWAY_ROUTE_MATCH: Shape = Shape {
    name: "HttpGatewayRouteMatch",
    ty: Type::Structure(&[
        m("headers", &HTTP_GATEWAY_ROUTE_HEADERS, false, Location::Body),
        m("hostname", &GATEWAY_ROUTE_HOSTNAME_MATCH, false, Location::Body),
        m("method", &HTTP_METHOD, false, Location::Body),
        m("path", &HTTP_PATH_MATCH, false, Location::Body),
        m("port", &LISTENER_PORT, false, Location::Body),
        m("prefix", &STRING, false, Location::Body),
        m("queryParameters", &HTTP_QUERY_PARAMETERS, false, Location::Body),
    ]),
};
pub(super) static HTTP_GATEWAY_ROUTE_PATH_REWRITE: Shape = Shape {
    name: "HttpGatewayRoutePathRewrite",
    ty: Type::Structure(&[m("exact", &HTTP_PATH_EXACT, false, Location::Body)]),
};
pub(super) static HTTP_GATEWAY_ROUTE_PREFIX: Shape = Shape {
    name: "HttpGatewayRoutePrefix",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
pub(super) static HTTP_GATEWAY_ROUTE_PREFIX_REWRITE: Shape = Shape {
    name: "HttpGatewayRoutePrefixRewrite",
    ty: Type::Structure(&[
        m("defaultPrefix", &DEFAULT_GATEWAY_ROUTE_REWRITE, false, Location::Body),
        m("value", &HTTP_GATEWAY_ROUTE_PREFIX, false, Location::Body),
    ]),
};
pub(super) static HTTP_GATEWAY_ROUTE_REWRITE: Shape = Shape {
    name: "HttpGatewayRouteRewrite",
    ty: Type::Structure(&[
        m("hostname", &GATEWAY_ROUTE_HOSTNAME_REWRITE, false, Location::Body),
        m("path", &HTTP_GATEWAY_ROUTE_PATH_REWRITE, false, Location::Body),
        m("prefix", &HTTP_GATEWAY_ROUTE_PREFIX_REWRITE, false, Location::Body),
    ]),
};
pub(super) static HTTP_METHOD: Shape = Shape {
    name: "HttpMethod",
    ty: Type::Enum(&[
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ]),
};
pub(super) static HTTP_PATH_EXACT: Shape = Shape {
    name: "HttpPathExact",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
pub(super) static HTTP_PATH_MATCH: Shape = Shape {
    name: "HttpPathMatch",
    ty: Type::Structure(&[
        m("exact", &HTTP_PATH_EXACT, false, Location::Body),
        m("regex", &HTTP_PATH_REGEX, false, Location::Body),
    ]),
};
pub(super) static HTTP_PATH_REGEX: Shape = Shape {
    name: "HttpPathRegex",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
pub(super) static HTTP_QUERY_PARAMETER: Shape = Shape {
    name: "HttpQueryParameter",
    ty: Type::Structure(&[
        m("match", &QUERY_PARAMETER_MATCH, false, Location::Body),
        m("name", &QUERY_PARAMETER_NAME, true, Location::Body),
    ]),
};
pub(super) static HTTP_QUERY_PARAMETERS: Shape = Shape {
    name: "HttpQueryParameters",
    ty: Type::List {
        member: &HTTP_QUERY_PARAMETER,
        min: 1,
        max: Some(10),
    },
};
pub(super) static HTTP_RETRY_POLICY: Shape = Shape {
    name: "HttpRetryPolicy",
    ty: Type::Structure(&[
        m("httpRetryEvents", &HTTP_RETRY_POLICY_EVENTS, false, Location::Body),
        m("maxRetries", &MAX_RETRIES, true, Location::Body),
        m("perRetryTimeout", &DURATION, true, Location::Body),
        m("tcpRetryEvents", &TCP_RETRY_POLICY_EVENTS, false, Location::Body),
    ]),
};
pub(super) static HTTP_RETRY_POLICY_EVENT: Shape = Shape {
    name: "HttpRetryPolicyEvent",
    ty: Type::String {
        min: 1,
        max: Some(25),
        pattern: None,
    },
};
pub(super) static HTTP_RETRY_POLICY_EVENTS: Shape = Shape {
    name: "HttpRetryPolicyEvents",
    ty: Type::List {
        member: &HTTP_RETRY_POLICY_EVENT,
        min: 1,
        max: Some(25),
    },
};
pub(super) static HTTP_ROUTE: Shape = Shape {
    name: "HttpRoute",
    ty: Type::Structure(&[
        m("action", &HTTP_ROUTE_ACTION, true, Location::Body),
        m("match", &HTTP_ROUTE_MATCH, true, Location::Body),
        m("retryPolicy", &HTTP_RETRY_POLICY, false, Location::Body),
        m("timeout", &HTTP_TIMEOUT, false, Location::Body),
    ]),
};
pub(super) static HTTP_ROUTE_ACTION: Shape = Shape {
    name: "HttpRouteAction",
    ty: Type::Structure(&[m("weightedTargets", &WEIGHTED_TARGETS, true, Location::Body)]),
};
pub(super) static HTTP_ROUTE_HEADER: Shape = Shape {
    name: "HttpRouteHeader",
    ty: Type::Structure(&[
        m("invert", &BOOLEAN, false, Location::Body),
        m("match", &HEADER_MATCH_METHOD, false, Location::Body),
        m("name", &HEADER_NAME, true, Location::Body),
    ]),
};
pub(super) static HTTP_ROUTE_HEADERS: Shape = Shape {
    name: "HttpRouteHeaders",
    ty: Type::List {
        member: &HTTP_ROUTE_HEADER,
        min: 1,
        max: Some(10),
    },
};
pub(super) static HTTP_ROUTE_MATCH: Shape = Shape {
    name: "HttpRouteMatch",
    ty: Type::Structure(&[
        m("headers", &HTTP_ROUTE_HEADERS, false, Location::Body),
        m("method", &HTTP_METHOD, false, Location::Body),
        m("path", &HTTP_PATH_MATCH, false, Location::Body),
        m("port", &LISTENER_PORT, false, Location::Body),
        m("prefix", &STRING, false, Location::Body),
        m("queryParameters", &HTTP_QUERY_PARAMETERS, false, Location::Body),
        m("scheme", &HTTP_SCHEME, false, Location::Body),
    ]),
};
pub(super) static HTTP_SCHEME: Shape = Shape {
    name: "HttpScheme",
    ty: Type::Enum(&["http", "https"]),
};
pub(super) static HTTP_TIMEOUT: Shape = Shape {
    name: "HttpTimeout",
    ty: Type::Structure(&[
        m("idle", &DURATION, false, Location::Body),
        m("perRequest", &DURATION, false, Location::Body),
    ]),
};
pub(super) static IP_PREFERENCE: Shape = Shape {
    name: "IpPreference",
    ty: Type::Enum(&["IPv6_PREFERRED", "IPv4_PREFERRED", "IPv4_ONLY", "IPv6_ONLY"]),
};
pub(super) static JSON_FORMAT: Shape = Shape {
    name: "JsonFormat",
    ty: Type::List {
        member: &JSON_FORMAT_REF,
        min: 0,
        max: None,
    },
};
pub(super) static JSON_FORMAT_REF: Shape = Shape {
    name: "JsonFormatRef",
    ty: Type::Structure(&[
        m("key", &JSON_KEY, true, Location::Body),
        m("value", &JSON_VALUE, true, Location::Body),
    ]),
};
pub(super) static JSON_KEY: Shape = Shape {
    name: "JsonKey",
    ty: Type::String {
        min: 1,
        max: Some(100),
        pattern: None,
    },
};
pub(super) static JSON_VALUE: Shape = Shape {
    name: "JsonValue",
    ty: Type::String {
        min: 1,
        max: Some(100),
        pattern: None,
    },
};
pub(super) static LIST_GATEWAY_ROUTES_INPUT: Shape = Shape {
    name: "ListGatewayRoutesInput",
    ty: Type::Structure(&[
        m("limit", &LIST_GATEWAY_ROUTES_LIMIT, false, Location::Query),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static LIST_GATEWAY_ROUTES_LIMIT: Shape = Shape {
    name: "ListGatewayRoutesLimit",
    ty: Type::Integer { min: 1, max: 100 },
};
pub(super) static LIST_GATEWAY_ROUTES_OUTPUT: Shape = Shape {
    name: "ListGatewayRoutesOutput",
    ty: Type::Structure(&[
        m("gatewayRoutes", &GATEWAY_ROUTE_LIST, true, Location::Body),
        m("nextToken", &STRING, false, Location::Body),
    ]),
};
pub(super) static LIST_MESHES_INPUT: Shape = Shape {
    name: "ListMeshesInput",
    ty: Type::Structure(&[
        m("limit", &LIST_MESHES_LIMIT, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
    ]),
};
pub(super) static LIST_MESHES_LIMIT: Shape = Shape {
    name: "ListMeshesLimit",
    ty: Type::Integer { min: 1, max: 100 },
};
pub(super) static LIST_MESHES_OUTPUT: Shape = Shape {
    name: "ListMeshesOutput",
    ty: Type::Structure(&[
        m("meshes", &MESH_LIST, true, Location::Body),
        m("nextToken", &STRING, false, Location::Body),
    ]),
};
pub(super) static LIST_ROUTES_INPUT: Shape = Shape {
    name: "ListRoutesInput",
    ty: Type::Structure(&[
        m("limit", &LIST_ROUTES_LIMIT, false, Location::Query),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static LIST_ROUTES_LIMIT: Shape = Shape {
    name: "ListRoutesLimit",
    ty: Type::Integer { min: 1, max: 100 },
};
pub(super) static LIST_ROUTES_OUTPUT: Shape = Shape {
    name: "ListRoutesOutput",
    ty: Type::Structure(&[
        m("nextToken", &STRING, false, Location::Body),
        m("routes", &ROUTE_LIST, true, Location::Body),
    ]),
};
pub(super) static LIST_TAGS_FOR_RESOURCE_INPUT: Shape = Shape {
    name: "ListTagsForResourceInput",
    ty: Type::Structure(&[
        m("limit", &TAGS_LIMIT, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
        m("resourceArn", &ARN, true, Location::Query),
    ]),
};
pub(super) static LIST_TAGS_FOR_RESOURCE_OUTPUT: Shape = Shape {
    name: "ListTagsForResourceOutput",
    ty: Type::Structure(&[
        m("nextToken", &STRING, false, Location::Body),
        m("tags", &TAG_LIST, true, Location::Body),
    ]),
};
pub(super) static LIST_VIRTUAL_GATEWAYS_INPUT: Shape = Shape {
    name: "ListVirtualGatewaysInput",
    ty: Type::Structure(&[
        m("limit", &LIST_VIRTUAL_GATEWAYS_LIMIT, false, Location::Query),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
    ]),
};
pub(super) static LIST_VIRTUAL_GATEWAYS_LIMIT: Shape = Shape {
    name: "ListVirtualGatewaysLimit",
    ty: Type::Integer { min: 1, max: 100 },
};
pub(super) static LIST_VIRTUAL_GATEWAYS_OUTPUT: Shape = Shape {
    name: "ListVirtualGatewaysOutput",
    ty: Type::Structure(&[
        m("nextToken", &STRING, false, Location::Body),
        m("virtualGateways", &VIRTUAL_GATEWAY_LIST, true, Location::Body),
    ]),
};
pub(super) static LIST_VIRTUAL_NODES_INPUT: Shape = Shape {
    name: "ListVirtualNodesInput",
    ty: Type::Structure(&[
        m("limit", &LIST_VIRTUAL_NODES_LIMIT, false, Location::Query),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
    ]),
};
pub(super) static LIST_VIRTUAL_NODES_LIMIT: Shape = Shape {
    name: "ListVirtualNodesLimit",
    ty: Type::Integer { min: 1, max: 100 },
};
pub(super) static LIST_VIRTUAL_NODES_OUTPUT: Shape = Shape {
    name: "ListVirtualNodesOutput",
    ty: Type::Structure(&[
        m("nextToken", &STRING, false, Location::Body),
        m("virtualNodes", &VIRTUAL_NODE_LIST, true, Location::Body),
    ]),
};
pub(super) static LIST_VIRTUAL_ROUTERS_INPUT: Shape = Shape {
    name: "ListVirtualRoutersInput",
    ty: Type::Structure(&[
        m("limit", &LIST_VIRTUAL_ROUTERS_LIMIT, false, Location::Query),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
    ]),
};
pub(super) static LIST_VIRTUAL_ROUTERS_LIMIT: Shape = Shape {
    name: "ListVirtualRoutersLimit",
    ty: Type::Integer { min: 1, max: 100 },
};
pub(super) static LIST_VIRTUAL_ROUTERS_OUTPUT: Shape = Shape {
    name: "ListVirtualRoutersOutput",
    ty: Type::Structure(&[
        m("nextToken", &STRING, false, Location::Body),
        m("virtualRouters", &VIRTUAL_ROUTER_LIST, true, Location::Body),
    ]),
};
pub(super) static LIST_VIRTUAL_SERVICES_INPUT: Shape = Shape {
    name: "ListVirtualServicesInput",
    ty: Type::Structure(&[
        m("limit", &LIST_VIRTUAL_SERVICES_LIMIT, false, Location::Query),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("nextToken", &STRING, false, Location::Query),
    ]),
};
pub(super) static LIST_VIRTUAL_SERVICES_LIMIT: Shape = Shape {
    name: "ListVirtualServicesLimit",
    ty: Type::Integer { min: 1, max: 100 },
};
pub(super) static LIST_VIRTUAL_SERVICES_OUTPUT: Shape = Shape {
    name: "ListVirtualServicesOutput",
    ty: Type::Structure(&[
        m("nextToken", &STRING, false, Location::Body),
        m("virtualServices", &VIRTUAL_SERVICE_LIST, true, Location::Body),
    ]),
};
pub(super) static LISTENER: Shape = Shape {
    name: "Listener",
    ty: Type::Structure(&[
        m("connectionPool", &VIRTUAL_NODE_CONNECTION_POOL, false, Location::Body),
        m("healthCheck", &HEALTH_CHECK_POLICY, false, Location::Body),
        m("outlierDetection", &OUTLIER_DETECTION, false, Location::Body),
        m("portMapping", &PORT_MAPPING, true, Location::Body),
        m("timeout", &LISTENER_TIMEOUT, false, Location::Body),
        m("tls", &LISTENER_TLS, false, Location::Body),
    ]),
};
pub(super) static LISTENER_PORT: Shape = Shape {
    name: "ListenerPort",
    ty: Type::Integer { min: 1, max: 65535 },
};
pub(super) static LISTENER_TIMEOUT: Shape = Shape {
    name: "ListenerTimeout",
    ty: Type::Union(&[
        m("grpc", &GRPC_TIMEOUT, false, Location::Body),
        m("http", &HTTP_TIMEOUT, false, Location::Body),
        m("http2", &HTTP_TIMEOUT, false, Location::Body),
        m("tcp", &TCP_TIMEOUT, false, Location::Body),
    ]),
};
pub(super) static LISTENER_TLS: Shape = Shape {
    name: "ListenerTls",
    ty: Type::Structure(&[
        m("certificate", &LISTENER_TLS_CERTIFICATE, true, Location::Body),
        m("mode", &LISTENER_TLS_MODE, true, Location::Body),
        m("validation", &LISTENER_TLS_VALIDATION_CONTEXT, false, Location::Body),
    ]),
};
pub(super) static LISTENER_TLS_ACM_CERTIFICATE: Shape = Shape {
    name: "ListenerTlsAcmCertificate",
    ty: Type::Structure(&[m("certificateArn", &ARN, true, Location::Body)]),
};
pub(super) static LISTENER_TLS_CERTIFICATE: Shape = Shape {
    name: "ListenerTlsCertificate",
    ty: Type::Union(&[
        m("acm", &LISTENER_TLS_ACM_CERTIFICATE, false, Location::Body),
        m("file", &LISTENER_TLS_FILE_CERTIFICATE, false, Location::Body),
        m("sds", &LISTENER_TLS_SDS_CERTIFICATE, false, Location::Body),
    ]),
};
pub(super) static LISTENER_TLS_FILE_CERTIFICATE: Shape = Shape {
    name: "ListenerTlsFileCertificate",
    ty: Type::Structure(&[
        m("certificateChain", &FILE_PATH, true, Location::Body),
        m("privateKey", &FILE_PATH, true, Location::Body),
    ]),
};
pub(super) static LISTENER_TLS_MODE: Shape = Shape {
    name: "ListenerTlsMode",
    ty: Type::Enum(&["STRICT", "PERMISSIVE", "DISABLED"]),
};
pub(super) static LISTENER_TLS_SDS_CERTIFICATE: Shape = Shape {
    name: "ListenerTlsSdsCertificate",
    ty: Type::Structure(&[m("secretName", &SDS_SECRET_NAME, true, Location::Body)]),
};
pub(super) static LISTENER_TLS_VALIDATION_CONTEXT: Shape = Shape {
    name: "ListenerTlsValidationContext",
    ty: Type::Structure(&[
        m(
            "subjectAlternativeNames",
            &SUBJECT_ALTERNATIVE_NAMES,
            false,
            Location::Body,
        ),
        m("trust", &LISTENER_TLS_VALIDATION_CONTEXT_TRUST, true, Location::Body),
    ]),
};
pub(super) static LISTENER_TLS_VALIDATION_CONTEXT_TRUST: Shape = Shape {
    name: "ListenerTlsValidationContextTrust",
    ty: Type::Union(&[
        m("file", &TLS_VALIDATION_CONTEXT_FILE_TRUST, false, Location::Body),
        m("sds", &TLS_VALIDATION_CONTEXT_SDS_TRUST, false, Location::Body),
    ]),
};
pub(super) static LISTENERS: Shape = Shape {
    name: "Listeners",
    ty: Type::List {
        member: &LISTENER,
        min: 0,
        max: None,
    },
};
pub(super) static LOGGING: Shape = Shape {
    name: "Logging",
    ty: Type::Structure(&[m("accessLog", &ACCESS_LOG, false, Location::Body)]),
};
pub(super) static LOGGING_FORMAT: Shape = Shape {
    name: "LoggingFormat",
    ty: Type::Union(&[
        m("json", &JSON_FORMAT, false, Location::Body),
        m("text", &TEXT_FORMAT, false, Location::Body),
    ]),
};
pub(super) static LONG: Shape = Shape {
    name: "Long",
    ty: Type::Integer {
        min: i64::MIN,
        max: i64::MAX,
    },
};
pub(super) static MATCH_RANGE: Shape = Shape {
    name: "MatchRange",
    ty: Type::Structure(&[
        m("end", &LONG, true, Location::Body),
        m("start", &LONG, true, Location::Body),
    ]),
};
pub(super) static MAX_CONNECTIONS: Shape = Shape {
    name: "MaxConnections",
    ty: Type::Integer {
        min: 1,
        max: 2147483647,
    },
};
pub(super) static MAX_PENDING_REQUESTS: Shape = Shape {
    name: "MaxPendingRequests",
    ty: Type::Integer {
        min: 1,
        max: 2147483647,
    },
};
pub(super) static MAX_REQUESTS: Shape = Shape {
    name: "MaxRequests",
    ty: Type::Integer {
        min: 1,
        max: 2147483647,
    },
};
pub(super) static MAX_RETRIES: Shape = Shape {
    name: "MaxRetries",
    ty: Type::Integer { min: 0, max: i64::MAX },
};
pub(super) static MESH_DATA: Shape = Shape {
    name: "MeshData",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("metadata", &RESOURCE_METADATA, true, Location::Body),
        m("spec", &MESH_SPEC, true, Location::Body),
        m("status", &MESH_STATUS, true, Location::Body),
    ]),
};
pub(super) static MESH_LIST: Shape = Shape {
    name: "MeshList",
    ty: Type::List {
        member: &MESH_REF,
        min: 0,
        max: None,
    },
};
pub(super) static MESH_REF: Shape = Shape {
    name: "MeshRef",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("version", &LONG, true, Location::Body),
    ]),
};
pub(super) static MESH_SERVICE_DISCOVERY: Shape = Shape {
    name: "MeshServiceDiscovery",
    ty: Type::Structure(&[m("ipPreference", &IP_PREFERENCE, false, Location::Body)]),
};
pub(super) static MESH_SPEC: Shape = Shape {
    name: "MeshSpec",
    ty: Type::Structure(&[
        m("egressFilter", &EGRESS_FILTER, false, Location::Body),
        m("serviceDiscovery", &MESH_SERVICE_DISCOVERY, false, Location::Body),
    ]),
};
pub(super) static MESH_STATUS: Shape = Shape {
    name: "MeshStatus",
    ty: Type::Structure(&[m("status", &MESH_STATUS_CODE, false, Location::Body)]),
};
pub(super) static MESH_STATUS_CODE: Shape = Shape {
    name: "MeshStatusCode",
    ty: Type::Enum(&["ACTIVE", "INACTIVE", "DELETED"]),
};
pub(super) static METHOD_NAME: Shape = Shape {
    name: "MethodName",
    ty: Type::String {
        min: 1,
        max: Some(50),
        pattern: None,
    },
};
pub(super) static OUTLIER_DETECTION: Shape = Shape {
    name: "OutlierDetection",
    ty: Type::Structure(&[
        m("baseEjectionDuration", &DURATION, true, Location::Body),
        m("interval", &DURATION, true, Location::Body),
        m(
            "maxEjectionPercent",
            &OUTLIER_DETECTION_MAX_EJECTION_PERCENT,
            true,
            Location::Body,
        ),
        m(
            "maxServerErrors",
            &OUTLIER_DETECTION_MAX_SERVER_ERRORS,
            true,
            Location::Body,
        ),
    ]),
};
pub(super) static OUTLIER_DETECTION_MAX_EJECTION_PERCENT: Shape = Shape {
    name: "OutlierDetectionMaxEjectionPercent",
    ty: Type::Integer { min: 0, max: 100 },
};
pub(super) static OUTLIER_DETECTION_MAX_SERVER_ERRORS: Shape = Shape {
    name: "OutlierDetectionMaxServerErrors",
    ty: Type::Integer { min: 1, max: i64::MAX },
};
pub(super) static PERCENT_INT: Shape = Shape {
    name: "PercentInt",
    ty: Type::Integer { min: 0, max: 100 },
};
pub(super) static PORT_MAPPING: Shape = Shape {
    name: "PortMapping",
    ty: Type::Structure(&[
        m("port", &PORT_NUMBER, true, Location::Body),
        m("protocol", &PORT_PROTOCOL, true, Location::Body),
    ]),
};
pub(super) static PORT_NUMBER: Shape = Shape {
    name: "PortNumber",
    ty: Type::Integer { min: 1, max: 65535 },
};
pub(super) static PORT_PROTOCOL: Shape = Shape {
    name: "PortProtocol",
    ty: Type::Enum(&["http", "tcp", "http2", "grpc"]),
};
pub(super) static PORT_SET: Shape = Shape {
    name: "PortSet",
    ty: Type::List {
        member: &PORT_NUMBER,
        min: 0,
        max: None,
    },
};
pub(super) static QUERY_PARAMETER_MATCH: Shape = Shape {
    name: "QueryParameterMatch",
    ty: Type::Structure(&[m("exact", &STRING, false, Location::Body)]),
};
pub(super) static QUERY_PARAMETER_NAME: Shape = Shape {
    name: "QueryParameterName",
    ty: Type::String {
        min: 0,
        max: None,
        pattern: None,
    },
};
pub(super) static RESOURCE_METADATA: Shape = Shape {
    name: "ResourceMetadata",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("uid", &STRING, true, Location::Body),
        m("version", &LONG, true, Location::Body),
    ]),
};
pub(super) static RESOURCE_NAME: Shape = Shape {
    name: "ResourceName",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
pub(super) static ROUTE_DATA: Shape = Shape {
    name: "RouteData",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("metadata", &RESOURCE_METADATA, true, Location::Body),
        m("routeName", &RESOURCE_NAME, true, Location::Body),
        m("spec", &ROUTE_SPEC, true, Location::Body),
        m("status", &ROUTE_STATUS, true, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static ROUTE_LIST: Shape = Shape {
    name: "RouteList",
    ty: Type::List {
        member: &ROUTE_REF,
        min: 0,
        max: None,
    },
};
pub(super) static ROUTE_PRIORITY: Shape = Shape {
    name: "RoutePriority",
    ty: Type::Integer { min: 0, max: 1000 },
};
pub(super) static ROUTE_REF: Shape = Shape {
    name: "RouteRef",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("routeName", &RESOURCE_NAME, true, Location::Body),
        m("version", &LONG, true, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static ROUTE_SPEC: Shape = Shape {
    name: "RouteSpec",
    ty: Type::Structure(&[
        m("grpcRoute", &GRPC_ROUTE, false, Location::Body),
        m("http2Route", &HTTP_ROUTE, false, Location::Body),
        m("httpRoute", &HTTP_ROUTE, false, Location::Body),
        m("priority", &ROUTE_PRIORITY, false, Location::Body),
        m("tcpRoute", &TCP_ROUTE, false, Location::Body),
    ]),
};
pub(super) static ROUTE_STATUS: Shape = Shape {
    name: "RouteStatus",
    ty: Type::Structure(&[m("status", &ROUTE_STATUS_CODE, true, Location::Body)]),
};
pub(super) static ROUTE_STATUS_CODE: Shape = Shape {
    name: "RouteStatusCode",
    ty: Type::Enum(&["ACTIVE", "INACTIVE", "DELETED"]),
};
pub(super) static SDS_SECRET_NAME: Shape = Shape {
    name: "SdsSecretName",
    ty: Type::String {
        min: 0,
        max: None,
        pattern: None,
    },
};
pub(super) static SERVICE_DISCOVERY: Shape = Shape {
    name: "ServiceDiscovery",
    ty: Type::Union(&[
        m("awsCloudMap", &AWS_CLOUD_MAP_SERVICE_DISCOVERY, false, Location::Body),
        m("dns", &DNS_SERVICE_DISCOVERY, false, Location::Body),
    ]),
};
pub(super) static SERVICE_NAME: Shape = Shape {
    name: "ServiceName",
    ty: Type::String {
        min: 0,
        max: None,
        pattern: None,
    },
};
pub(super) static STRING: Shape = Shape {
    name: "String",
    ty: Type::String {
        min: 0,
        max: None,
        pattern: None,
    },
};
pub(super) static SUBJECT_ALTERNATIVE_NAME: Shape = Shape {
    name: "SubjectAlternativeName",
    ty: Type::String {
        min: 1,
        max: Some(254),
        pattern: None,
    },
};
pub(super) static SUBJECT_ALTERNATIVE_NAME_LIST: Shape = Shape {
    name: "SubjectAlternativeNameList",
    ty: Type::List {
        member: &SUBJECT_ALTERNATIVE_NAME,
        min: 0,
        max: None,
    },
};
pub(super) static SUBJECT_ALTERNATIVE_NAME_MATCHERS: Shape = Shape {
    name: "SubjectAlternativeNameMatchers",
    ty: Type::Structure(&[m("exact", &SUBJECT_ALTERNATIVE_NAME_LIST, true, Location::Body)]),
};
pub(super) static SUBJECT_ALTERNATIVE_NAMES: Shape = Shape {
    name: "SubjectAlternativeNames",
    ty: Type::Structure(&[m("match", &SUBJECT_ALTERNATIVE_NAME_MATCHERS, true, Location::Body)]),
};
pub(super) static SUFFIX_HOSTNAME: Shape = Shape {
    name: "SuffixHostname",
    ty: Type::String {
        min: 1,
        max: Some(253),
        pattern: None,
    },
};
pub(super) static TAG_KEY: Shape = Shape {
    name: "TagKey",
    ty: Type::String {
        min: 1,
        max: Some(128),
        pattern: None,
    },
};
pub(super) static TAG_KEY_LIST: Shape = Shape {
    name: "TagKeyList",
    ty: Type::List {
        member: &TAG_KEY,
        min: 0,
        max: Some(50),
    },
};
pub(super) static TAG_LIST: Shape = Shape {
    name: "TagList",
    ty: Type::List {
        member: &TAG_REF,
        min: 0,
        max: Some(50),
    },
};
pub(super) static TAG_REF: Shape = Shape {
    name: "TagRef",
    ty: Type::Structure(&[
        m("key", &TAG_KEY, true, Location::Body),
        m("value", &TAG_VALUE, true, Location::Body),
    ]),
};
pub(super) static TAG_RESOURCE_INPUT: Shape = Shape {
    name: "TagResourceInput",
    ty: Type::Structure(&[
        m("resourceArn", &ARN, true, Location::Query),
        m("tags", &TAG_LIST, true, Location::Body),
    ]),
};
pub(super) static TAG_RESOURCE_OUTPUT: Shape = Shape {
    name: "TagResourceOutput",
    ty: Type::Structure(&[]),
};
pub(super) static TAG_VALUE: Shape = Shape {
    name: "TagValue",
    ty: Type::String {
        min: 0,
        max: Some(256),
        pattern: None,
    },
};
pub(super) static TAGS_LIMIT: Shape = Shape {
    name: "TagsLimit",
    ty: Type::Integer { min: 1, max: 50 },
};
pub(super) static TCP_RETRY_POLICY_EVENT: Shape = Shape {
    name: "TcpRetryPolicyEvent",
    ty: Type::Enum(&["connection-error"]),
};
pub(super) static TCP_RETRY_POLICY_EVENTS: Shape = Shape {
    name: "TcpRetryPolicyEvents",
    ty: Type::List {
        member: &TCP_RETRY_POLICY_EVENT,
        min: 1,
        max: Some(1),
    },
};
pub(super) static TCP_ROUTE: Shape = Shape {
    name: "TcpRoute",
    ty: Type::Structure(&[
        m("action", &TCP_ROUTE_ACTION, true, Location::Body),
        m("match", &TCP_ROUTE_MATCH, false, Location::Body),
        m("timeout", &TCP_TIMEOUT, false, Location::Body),
    ]),
};
pub(super) static TCP_ROUTE_ACTION: Shape = Shape {
    name: "TcpRouteAction",
    ty: Type::Structure(&[m("weightedTargets", &WEIGHTED_TARGETS, true, Location::Body)]),
};
pub(super) static TCP_ROUTE_MATCH: Shape = Shape {
    name: "TcpRouteMatch",
    ty: Type::Structure(&[m("port", &LISTENER_PORT, false, Location::Body)]),
};
pub(super) static TCP_TIMEOUT: Shape = Shape {
    name: "TcpTimeout",
    ty: Type::Structure(&[m("idle", &DURATION, false, Location::Body)]),
};
pub(super) static TEXT_FORMAT: Shape = Shape {
    name: "TextFormat",
    ty: Type::String {
        min: 1,
        max: Some(1000),
        pattern: None,
    },
};
pub(super) static TIMESTAMP: Shape = Shape {
    name: "Timestamp",
    ty: Type::Timestamp,
};
pub(super) static TLS_VALIDATION_CONTEXT: Shape = Shape {
    name: "TlsValidationContext",
    ty: Type::Structure(&[
        m(
            "subjectAlternativeNames",
            &SUBJECT_ALTERNATIVE_NAMES,
            false,
            Location::Body,
        ),
        m("trust", &TLS_VALIDATION_CONTEXT_TRUST, true, Location::Body),
    ]),
};
pub(super) static TLS_VALIDATION_CONTEXT_ACM_TRUST: Shape = Shape {
    name: "TlsValidationContextAcmTrust",
    ty: Type::Structure(&[m(
        "certificateAuthorityArns",
        &CERTIFICATE_AUTHORITY_ARNS,
        true,
        Location::Body,
    )]),
};
pub(super) static TLS_VALIDATION_CONTEXT_FILE_TRUST: Shape = Shape {
    name: "TlsValidationContextFileTrust",
    ty: Type::Structure(&[m("certificateChain", &FILE_PATH, true, Location::Body)]),
};
pub(super) static TLS_VALIDATION_CONTEXT_SDS_TRUST: Shape = Shape {
    name: "TlsValidationContextSdsTrust",
    ty: Type::Structure(&[m("secretName", &SDS_SECRET_NAME, true, Location::Body)]),
};
pub(super) static TLS_VALIDATION_CONTEXT_TRUST: Shape = Shape {
    name: "TlsValidationContextTrust",
    ty: Type::Union(&[
        m("acm", &TLS_VALIDATION_CONTEXT_ACM_TRUST, false, Location::Body),
        m("file", &TLS_VALIDATION_CONTEXT_FILE_TRUST, false, Location::Body),
        m("sds", &TLS_VALIDATION_CONTEXT_SDS_TRUST, false, Location::Body),
    ]),
};
pub(super) static UNTAG_RESOURCE_INPUT: Shape = Shape {
    name: "UntagResourceInput",
    ty: Type::Structure(&[
        m("resourceArn", &ARN, true, Location::Query),
        m("tagKeys", &TAG_KEY_LIST, true, Location::Body),
    ]),
};
pub(super) static UNTAG_RESOURCE_OUTPUT: Shape = Shape {
    name: "UntagResourceOutput",
    ty: Type::Structure(&[]),
};
pub(super) static UPDATE_GATEWAY_ROUTE_INPUT: Shape = Shape {
    name: "UpdateGatewayRouteInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("gatewayRouteName", &RESOURCE_NAME, true, Location::Uri),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &GATEWAY_ROUTE_SPEC, true, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static UPDATE_GATEWAY_ROUTE_OUTPUT: Shape = Shape {
    name: "UpdateGatewayRouteOutput",
    ty: Type::Structure(&[m("gatewayRoute", &GATEWAY_ROUTE_DATA, true, Location::Body)]),
};
pub(super) static UPDATE_MESH_INPUT: Shape = Shape {
    name: "UpdateMeshInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("spec", &MESH_SPEC, false, Location::Body),
    ]),
};
pub(super) static UPDATE_MESH_OUTPUT: Shape = Shape {
    name: "UpdateMeshOutput",
    ty: Type::Structure(&[m("mesh", &MESH_DATA, true, Location::Body)]),
};
pub(super) static UPDATE_ROUTE_INPUT: Shape = Shape {
    name: "UpdateRouteInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("routeName", &RESOURCE_NAME, true, Location::Uri),
        m("spec", &ROUTE_SPEC, true, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static UPDATE_ROUTE_OUTPUT: Shape = Shape {
    name: "UpdateRouteOutput",
    ty: Type::Structure(&[m("route", &ROUTE_DATA, true, Location::Body)]),
};
pub(super) static UPDATE_VIRTUAL_GATEWAY_INPUT: Shape = Shape {
    name: "UpdateVirtualGatewayInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_GATEWAY_SPEC, true, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static UPDATE_VIRTUAL_GATEWAY_OUTPUT: Shape = Shape {
    name: "UpdateVirtualGatewayOutput",
    ty: Type::Structure(&[m("virtualGateway", &VIRTUAL_GATEWAY_DATA, true, Location::Body)]),
};
pub(super) static UPDATE_VIRTUAL_NODE_INPUT: Shape = Shape {
    name: "UpdateVirtualNodeInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_NODE_SPEC, true, Location::Body),
        m("virtualNodeName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static UPDATE_VIRTUAL_NODE_OUTPUT: Shape = Shape {
    name: "UpdateVirtualNodeOutput",
    ty: Type::Structure(&[m("virtualNode", &VIRTUAL_NODE_DATA, true, Location::Body)]),
};
pub(super) static UPDATE_VIRTUAL_ROUTER_INPUT: Shape = Shape {
    name: "UpdateVirtualRouterInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_ROUTER_SPEC, true, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Uri),
    ]),
};
pub(super) static UPDATE_VIRTUAL_ROUTER_OUTPUT: Shape = Shape {
    name: "UpdateVirtualRouterOutput",
    ty: Type::Structure(&[m("virtualRouter", &VIRTUAL_ROUTER_DATA, true, Location::Body)]),
};
pub(super) static UPDATE_VIRTUAL_SERVICE_INPUT: Shape = Shape {
    name: "UpdateVirtualServiceInput",
    ty: Type::Structure(&[
        m("clientToken", &STRING, false, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Uri),
        m("meshOwner", &ACCOUNT_ID, false, Location::Query),
        m("spec", &VIRTUAL_SERVICE_SPEC, true, Location::Body),
        m("virtualServiceName", &SERVICE_NAME, true, Location::Uri),
    ]),
};
pub(super) static UPDATE_VIRTUAL_SERVICE_OUTPUT: Shape = Shape {
    name: "UpdateVirtualServiceOutput",
    ty: Type::Structure(&[m("virtualService", &VIRTUAL_SERVICE_DATA, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_ACCESS_LOG: Shape = Shape {
    name: "VirtualGatewayAccessLog",
    ty: Type::Union(&[m("file", &VIRTUAL_GATEWAY_FILE_ACCESS_LOG, false, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_BACKEND_DEFAULTS: Shape = Shape {
    name: "VirtualGatewayBackendDefaults",
    ty: Type::Structure(&[m("clientPolicy", &VIRTUAL_GATEWAY_CLIENT_POLICY, false, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_CERTIFICATE_AUTHORITY_ARNS: Shape = Shape {
    name: "VirtualGatewayCertificateAuthorityArns",
    ty: Type::List {
        member: &ARN,
        min: 1,
        max: Some(3),
    },
};
pub(super) static VIRTUAL_GATEWAY_CLIENT_POLICY: Shape = Shape {
    name: "VirtualGatewayClientPolicy",
    ty: Type::Structure(&[m("tls", &VIRTUAL_GATEWAY_CLIENT_POLICY_TLS, false, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_CLIENT_POLICY_TLS: Shape = Shape {
    name: "VirtualGatewayClientPolicyTls",
    ty: Type::Structure(&[
        m(
            "certificate",
            &VIRTUAL_GATEWAY_CLIENT_TLS_CERTIFICATE,
            false,
            Location::Body,
        ),
        m("enforce", &BOOLEAN, false, Location::Body),
        m("ports", &PORT_SET, false, Location::Body),
        m(
            "validation",
            &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT,
            true,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_CLIENT_TLS_CERTIFICATE: Shape = Shape {
    name: "VirtualGatewayClientTlsCertificate",
    ty: Type::Union(&[
        m(
            "file",
            &VIRTUAL_GATEWAY_LISTENER_TLS_FILE_CERTIFICATE,
            false,
            Location::Body,
        ),
        m(
            "sds",
            &VIRTUAL_GATEWAY_LISTENER_TLS_SDS_CERTIFICATE,
            false,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_CONNECTION_POOL: Shape = Shape {
    name: "VirtualGatewayConnectionPool",
    ty: Type::Union(&[
        m("grpc", &VIRTUAL_GATEWAY_GRPC_CONNECTION_POOL, false, Location::Body),
        m("http", &VIRTUAL_GATEWAY_HTTP_CONNECTION_POOL, false, Location::Body),
        m("http2", &VIRTUAL_GATEWAY_HTTP2_CONNECTION_POOL, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_DATA: Shape = Shape {
    name: "VirtualGatewayData",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("metadata", &RESOURCE_METADATA, true, Location::Body),
        m("spec", &VIRTUAL_GATEWAY_SPEC, true, Location::Body),
        m("status", &VIRTUAL_GATEWAY_STATUS, true, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_FILE_ACCESS_LOG: Shape = Shape {
    name: "VirtualGatewayFileAccessLog",
    ty: Type::Structure(&[
        m("format", &LOGGING_FORMAT, false, Location::Body),
        m("path", &FILE_PATH, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_GRPC_CONNECTION_POOL: Shape = Shape {
    name: "VirtualGatewayGrpcConnectionPool",
    ty: Type::Structure(&[m("maxRequests", &MAX_REQUESTS, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_HEALTH_CHECK_INTERVAL_MILLIS: Shape = Shape {
    name: "VirtualGatewayHealthCheckIntervalMillis",
    ty: Type::Integer { min: 5000, max: 300000 },
};
pub(super) static VIRTUAL_GATEWAY_HEALTH_CHECK_POLICY: Shape = Shape {
    name: "VirtualGatewayHealthCheckPolicy",
    ty: Type::Structure(&[
        m(
            "healthyThreshold",
            &VIRTUAL_GATEWAY_HEALTH_CHECK_THRESHOLD,
            true,
            Location::Body,
        ),
        m(
            "intervalMillis",
            &VIRTUAL_GATEWAY_HEALTH_CHECK_INTERVAL_MILLIS,
            true,
            Location::Body,
        ),
        m("path", &STRING, false, Location::Body),
        m("port", &PORT_NUMBER, false, Location::Body),
        m("protocol", &VIRTUAL_GATEWAY_PORT_PROTOCOL, true, Location::Body),
        m(
            "timeoutMillis",
            &VIRTUAL_GATEWAY_HEALTH_CHECK_TIMEOUT_MILLIS,
            true,
            Location::Body,
        ),
        m(
            "unhealthyThreshold",
            &VIRTUAL_GATEWAY_HEALTH_CHECK_THRESHOLD,
            true,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_HEALTH_CHECK_THRESHOLD: Shape = Shape {
    name: "VirtualGatewayHealthCheckThreshold",
    ty: Type::Integer { min: 2, max: 10 },
};
pub(super) static VIRTUAL_GATEWAY_HEALTH_CHECK_TIMEOUT_MILLIS: Shape = Shape {
    name: "VirtualGatewayHealthCheckTimeoutMillis",
    ty: Type::Integer { min: 2000, max: 60000 },
};
pub(super) static VIRTUAL_GATEWAY_HTTP2_CONNECTION_POOL: Shape = Shape {
    name: "VirtualGatewayHttp2ConnectionPool",
    ty: Type::Structure(&[m("maxRequests", &MAX_REQUESTS, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_HTTP_CONNECTION_POOL: Shape = Shape {
    name: "VirtualGatewayHttpConnectionPool",
    ty: Type::Structure(&[
        m("maxConnections", &MAX_CONNECTIONS, true, Location::Body),
        m("maxPendingRequests", &MAX_PENDING_REQUESTS, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_LIST: Shape = Shape {
    name: "VirtualGatewayList",
    ty: Type::List {
        member: &VIRTUAL_GATEWAY_REF,
        min: 0,
        max: None,
    },
};
pub(super) static VIRTUAL_GATEWAY_LISTENER: Shape = Shape {
    name: "VirtualGatewayListener",
    ty: Type::Structure(&[
        m(
            "connectionPool",
            &VIRTUAL_GATEWAY_CONNECTION_POOL,
            false,
            Location::Body,
        ),
        m(
            "healthCheck",
            &VIRTUAL_GATEWAY_HEALTH_CHECK_POLICY,
            false,
            Location::Body,
        ),
        m("portMapping", &VIRTUAL_GATEWAY_PORT_MAPPING, true, Location::Body),
        m("tls", &VIRTUAL_GATEWAY_LISTENER_TLS, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS: Shape = Shape {
    name: "VirtualGatewayListenerTls",
    ty: Type::Structure(&[
        m(
            "certificate",
            &VIRTUAL_GATEWAY_LISTENER_TLS_CERTIFICATE,
            true,
            Location::Body,
        ),
        m("mode", &VIRTUAL_GATEWAY_LISTENER_TLS_MODE, true, Location::Body),
        m(
            "validation",
            &VIRTUAL_GATEWAY_LISTENER_TLS_VALIDATION_CONTEXT,
            false,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS_ACM_CERTIFICATE: Shape = Shape {
    name: "VirtualGatewayListenerTlsAcmCertificate",
    ty: Type::Structure(&[m("certificateArn", &ARN, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS_CERTIFICATE: Shape = Shape {
    name: "VirtualGatewayListenerTlsCertificate",
    ty: Type::Union(&[
        m(
            "acm",
            &VIRTUAL_GATEWAY_LISTENER_TLS_ACM_CERTIFICATE,
            false,
            Location::Body,
        ),
        m(
            "file",
            &VIRTUAL_GATEWAY_LISTENER_TLS_FILE_CERTIFICATE,
            false,
            Location::Body,
        ),
        m(
            "sds",
            &VIRTUAL_GATEWAY_LISTENER_TLS_SDS_CERTIFICATE,
            false,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS_FILE_CERTIFICATE: Shape = Shape {
    name: "VirtualGatewayListenerTlsFileCertificate",
    ty: Type::Structure(&[
        m("certificateChain", &FILE_PATH, true, Location::Body),
        m("privateKey", &FILE_PATH, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS_MODE: Shape = Shape {
    name: "VirtualGatewayListenerTlsMode",
    ty: Type::Enum(&["STRICT", "PERMISSIVE", "DISABLED"]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS_SDS_CERTIFICATE: Shape = Shape {
    name: "VirtualGatewayListenerTlsSdsCertificate",
    ty: Type::Structure(&[m("secretName", &VIRTUAL_GATEWAY_SDS_SECRET_NAME, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS_VALIDATION_CONTEXT: Shape = Shape {
    name: "VirtualGatewayListenerTlsValidationContext",
    ty: Type::Structure(&[
        m(
            "subjectAlternativeNames",
            &SUBJECT_ALTERNATIVE_NAMES,
            false,
            Location::Body,
        ),
        m(
            "trust",
            &VIRTUAL_GATEWAY_LISTENER_TLS_VALIDATION_CONTEXT_TRUST,
            true,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENER_TLS_VALIDATION_CONTEXT_TRUST: Shape = Shape {
    name: "VirtualGatewayListenerTlsValidationContextTrust",
    ty: Type::Union(&[
        m(
            "file",
            &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_FILE_TRUST,
            false,
            Location::Body,
        ),
        m(
            "sds",
            &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_SDS_TRUST,
            false,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_LISTENERS: Shape = Shape {
    name: "VirtualGatewayListeners",
    ty: Type::List {
        member: &VIRTUAL_GATEWAY_LISTENER,
        min: 0,
        max: None,
    },
};
pub(super) static VIRTUAL_GATEWAY_LOGGING: Shape = Shape {
    name: "VirtualGatewayLogging",
    ty: Type::Structure(&[m("accessLog", &VIRTUAL_GATEWAY_ACCESS_LOG, false, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_PORT_MAPPING: Shape = Shape {
    name: "VirtualGatewayPortMapping",
    ty: Type::Structure(&[
        m("port", &PORT_NUMBER, true, Location::Body),
        m("protocol", &VIRTUAL_GATEWAY_PORT_PROTOCOL, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_PORT_PROTOCOL: Shape = Shape {
    name: "VirtualGatewayPortProtocol",
    ty: Type::Enum(&["http", "http2", "grpc"]),
};
pub(super) static VIRTUAL_GATEWAY_REF: Shape = Shape {
    name: "VirtualGatewayRef",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("version", &LONG, true, Location::Body),
        m("virtualGatewayName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_SDS_SECRET_NAME: Shape = Shape {
    name: "VirtualGatewaySdsSecretName",
    ty: Type::String {
        min: 0,
        max: None,
        pattern: None,
    },
};
pub(super) static VIRTUAL_GATEWAY_SPEC: Shape = Shape {
    name: "VirtualGatewaySpec",
    ty: Type::Structure(&[
        m(
            "backendDefaults",
            &VIRTUAL_GATEWAY_BACKEND_DEFAULTS,
            false,
            Location::Body,
        ),
        m("listeners", &VIRTUAL_GATEWAY_LISTENERS, true, Location::Body),
        m("logging", &VIRTUAL_GATEWAY_LOGGING, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_STATUS: Shape = Shape {
    name: "VirtualGatewayStatus",
    ty: Type::Structure(&[m("status", &VIRTUAL_GATEWAY_STATUS_CODE, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_STATUS_CODE: Shape = Shape {
    name: "VirtualGatewayStatusCode",
    ty: Type::Enum(&["ACTIVE", "INACTIVE", "DELETED"]),
};
pub(super) static VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT: Shape = Shape {
    name: "VirtualGatewayTlsValidationContext",
    ty: Type::Structure(&[
        m(
            "subjectAlternativeNames",
            &SUBJECT_ALTERNATIVE_NAMES,
            false,
            Location::Body,
        ),
        m(
            "trust",
            &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_TRUST,
            true,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_ACM_TRUST: Shape = Shape {
    name: "VirtualGatewayTlsValidationContextAcmTrust",
    ty: Type::Structure(&[m(
        "certificateAuthorityArns",
        &VIRTUAL_GATEWAY_CERTIFICATE_AUTHORITY_ARNS,
        true,
        Location::Body,
    )]),
};
pub(super) static VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_FILE_TRUST: Shape = Shape {
    name: "VirtualGatewayTlsValidationContextFileTrust",
    ty: Type::Structure(&[m("certificateChain", &FILE_PATH, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_SDS_TRUST: Shape = Shape {
    name: "VirtualGatewayTlsValidationContextSdsTrust",
    ty: Type::Structure(&[m("secretName", &VIRTUAL_GATEWAY_SDS_SECRET_NAME, true, Location::Body)]),
};
pub(super) static VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_TRUST: Shape = Shape {
    name: "VirtualGatewayTlsValidationContextTrust",
    ty: Type::Union(&[
        m(
            "acm",
            &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_ACM_TRUST,
            false,
            Location::Body,
        ),
        m(
            "file",
            &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_FILE_TRUST,
            false,
            Location::Body,
        ),
        m(
            "sds",
            &VIRTUAL_GATEWAY_TLS_VALIDATION_CONTEXT_SDS_TRUST,
            false,
            Location::Body,
        ),
    ]),
};
pub(super) static VIRTUAL_NODE_CONNECTION_POOL: Shape = Shape {
    name: "VirtualNodeConnectionPool",
    ty: Type::Union(&[
        m("grpc", &VIRTUAL_NODE_GRPC_CONNECTION_POOL, false, Location::Body),
        m("http", &VIRTUAL_NODE_HTTP_CONNECTION_POOL, false, Location::Body),
        m("http2", &VIRTUAL_NODE_HTTP2_CONNECTION_POOL, false, Location::Body),
        m("tcp", &VIRTUAL_NODE_TCP_CONNECTION_POOL, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_NODE_DATA: Shape = Shape {
    name: "VirtualNodeData",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("metadata", &RESOURCE_METADATA, true, Location::Body),
        m("spec", &VIRTUAL_NODE_SPEC, true, Location::Body),
        m("status", &VIRTUAL_NODE_STATUS, true, Location::Body),
        m("virtualNodeName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_NODE_GRPC_CONNECTION_POOL: Shape = Shape {
    name: "VirtualNodeGrpcConnectionPool",
    ty: Type::Structure(&[m("maxRequests", &MAX_REQUESTS, true, Location::Body)]),
};
pub(super) static VIRTUAL_NODE_HTTP2_CONNECTION_POOL: Shape = Shape {
    name: "VirtualNodeHttp2ConnectionPool",
    ty: Type::Structure(&[m("maxRequests", &MAX_REQUESTS, true, Location::Body)]),
};
pub(super) static VIRTUAL_NODE_HTTP_CONNECTION_POOL: Shape = Shape {
    name: "VirtualNodeHttpConnectionPool",
    ty: Type::Structure(&[
        m("maxConnections", &MAX_CONNECTIONS, true, Location::Body),
        m("maxPendingRequests", &MAX_PENDING_REQUESTS, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_NODE_LIST: Shape = Shape {
    name: "VirtualNodeList",
    ty: Type::List {
        member: &VIRTUAL_NODE_REF,
        min: 0,
        max: None,
    },
};
pub(super) static VIRTUAL_NODE_REF: Shape = Shape {
    name: "VirtualNodeRef",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("version", &LONG, true, Location::Body),
        m("virtualNodeName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_NODE_SERVICE_PROVIDER: Shape = Shape {
    name: "VirtualNodeServiceProvider",
    ty: Type::Structure(&[m("virtualNodeName", &RESOURCE_NAME, true, Location::Body)]),
};
pub(super) static VIRTUAL_NODE_SPEC: Shape = Shape {
    name: "VirtualNodeSpec",
    ty: Type::Structure(&[
        m("backendDefaults", &BACKEND_DEFAULTS, false, Location::Body),
        m("backends", &BACKENDS, false, Location::Body),
        m("listeners", &LISTENERS, false, Location::Body),
        m("logging", &LOGGING, false, Location::Body),
        m("serviceDiscovery", &SERVICE_DISCOVERY, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_NODE_STATUS: Shape = Shape {
    name: "VirtualNodeStatus",
    ty: Type::Structure(&[m("status", &VIRTUAL_NODE_STATUS_CODE, true, Location::Body)]),
};
pub(super) static VIRTUAL_NODE_STATUS_CODE: Shape = Shape {
    name: "VirtualNodeStatusCode",
    ty: Type::Enum(&["ACTIVE", "INACTIVE", "DELETED"]),
};
pub(super) static VIRTUAL_NODE_TCP_CONNECTION_POOL: Shape = Shape {
    name: "VirtualNodeTcpConnectionPool",
    ty: Type::Structure(&[m("maxConnections", &MAX_CONNECTIONS, true, Location::Body)]),
};
pub(super) static VIRTUAL_ROUTER_DATA: Shape = Shape {
    name: "VirtualRouterData",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("metadata", &RESOURCE_METADATA, true, Location::Body),
        m("spec", &VIRTUAL_ROUTER_SPEC, true, Location::Body),
        m("status", &VIRTUAL_ROUTER_STATUS, true, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_ROUTER_LIST: Shape = Shape {
    name: "VirtualRouterList",
    ty: Type::List {
        member: &VIRTUAL_ROUTER_REF,
        min: 0,
        max: None,
    },
};
pub(super) static VIRTUAL_ROUTER_LISTENER: Shape = Shape {
    name: "VirtualRouterListener",
    ty: Type::Structure(&[m("portMapping", &PORT_MAPPING, true, Location::Body)]),
};
pub(super) static VIRTUAL_ROUTER_LISTENERS: Shape = Shape {
    name: "VirtualRouterListeners",
    ty: Type::List {
        member: &VIRTUAL_ROUTER_LISTENER,
        min: 0,
        max: None,
    },
};
pub(super) static VIRTUAL_ROUTER_REF: Shape = Shape {
    name: "VirtualRouterRef",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("version", &LONG, true, Location::Body),
        m("virtualRouterName", &RESOURCE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_ROUTER_SERVICE_PROVIDER: Shape = Shape {
    name: "VirtualRouterServiceProvider",
    ty: Type::Structure(&[m("virtualRouterName", &RESOURCE_NAME, true, Location::Body)]),
};
pub(super) static VIRTUAL_ROUTER_SPEC: Shape = Shape {
    name: "VirtualRouterSpec",
    ty: Type::Structure(&[m("listeners", &VIRTUAL_ROUTER_LISTENERS, false, Location::Body)]),
};
pub(super) static VIRTUAL_ROUTER_STATUS: Shape = Shape {
    name: "VirtualRouterStatus",
    ty: Type::Structure(&[m("status", &VIRTUAL_ROUTER_STATUS_CODE, true, Location::Body)]),
};
pub(super) static VIRTUAL_ROUTER_STATUS_CODE: Shape = Shape {
    name: "VirtualRouterStatusCode",
    ty: Type::Enum(&["ACTIVE", "INACTIVE", "DELETED"]),
};
pub(super) static VIRTUAL_SERVICE_BACKEND: Shape = Shape {
    name: "VirtualServiceBackend",
    ty: Type::Structure(&[
        m("clientPolicy", &CLIENT_POLICY, false, Location::Body),
        m("virtualServiceName", &SERVICE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_SERVICE_DATA: Shape = Shape {
    name: "VirtualServiceData",
    ty: Type::Structure(&[
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("metadata", &RESOURCE_METADATA, true, Location::Body),
        m("spec", &VIRTUAL_SERVICE_SPEC, true, Location::Body),
        m("status", &VIRTUAL_SERVICE_STATUS, true, Location::Body),
        m("virtualServiceName", &SERVICE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_SERVICE_LIST: Shape = Shape {
    name: "VirtualServiceList",
    ty: Type::List {
        member: &VIRTUAL_SERVICE_REF,
        min: 0,
        max: None,
    },
};
pub(super) static VIRTUAL_SERVICE_PROVIDER: Shape = Shape {
    name: "VirtualServiceProvider",
    ty: Type::Union(&[
        m("virtualNode", &VIRTUAL_NODE_SERVICE_PROVIDER, false, Location::Body),
        m("virtualRouter", &VIRTUAL_ROUTER_SERVICE_PROVIDER, false, Location::Body),
    ]),
};
pub(super) static VIRTUAL_SERVICE_REF: Shape = Shape {
    name: "VirtualServiceRef",
    ty: Type::Structure(&[
        m("arn", &ARN, true, Location::Body),
        m("createdAt", &TIMESTAMP, true, Location::Body),
        m("lastUpdatedAt", &TIMESTAMP, true, Location::Body),
        m("meshName", &RESOURCE_NAME, true, Location::Body),
        m("meshOwner", &ACCOUNT_ID, true, Location::Body),
        m("resourceOwner", &ACCOUNT_ID, true, Location::Body),
        m("version", &LONG, true, Location::Body),
        m("virtualServiceName", &SERVICE_NAME, true, Location::Body),
    ]),
};
pub(super) static VIRTUAL_SERVICE_SPEC: Shape = Shape {
    name: "VirtualServiceSpec",
    ty: Type::Structure(&[m("provider", &VIRTUAL_SERVICE_PROVIDER, false, Location::Body)]),
};
pub(super) static VIRTUAL_SERVICE_STATUS: Shape = Shape {
    name: "VirtualServiceStatus",
    ty: Type::Structure(&[m("status", &VIRTUAL_SERVICE_STATUS_CODE, true, Location::Body)]),
};
pub(super) static VIRTUAL_SERVICE_STATUS_CODE: Shape = Shape {
    name: "VirtualServiceStatusCode",
    ty: Type::Enum(&["ACTIVE", "INACTIVE", "DELETED"]),
};
pub(super) static WEIGHTED_TARGET: Shape = Shape {
    name: "WeightedTarget",
    ty: Type::Structure(&[
        m("port", &LISTENER_PORT, false, Location::Body),
        m("virtualNode", &RESOURCE_NAME, true, Location::Body),
        m("weight", &PERCENT_INT, true, Location::Body),
    ]),
};
pub(super) static WEIGHTED_TARGETS: Shape = Shape {
    name: "WeightedTargets",
    ty: Type::List {
        member: &WEIGHTED_TARGET,
        min: 1,
        max: Some(10),
    },
};
static PATTERN_1: Pattern = Pattern::new("^[a-zA-Z0-9!-~]+$");
static PATTERN_2: Pattern = Pattern::new("^([a-zA-Z0-9!-~][  a-zA-Z0-9!-~]*){0,1}[a-zA-Z0-9!-~]{0,1}$");
