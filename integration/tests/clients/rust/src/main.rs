//! The Rust SDK's part: takes the steps of a JSON file, one after the other, and prints a line of JSON about each.

mod kinds;
mod mirror;

use aws_credential_types::Credentials;
use aws_sdk_appmesh::config::{retry::RetryConfig, timeout::TimeoutConfig, BehaviorVersion, Config, Region};
use aws_sdk_appmesh::error::ProvideErrorMetadata;
use aws_sdk_appmesh::{Client, Error};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use serde_json::{json, Value};

use kinds::{Clients, Step};
use mirror::Mirror;

fn main() {
    let file = std::env::args().nth(1).expect("the file of steps");
    let endpoint = std::env::var("AWS_ENDPOINT_URL_APP_MESH").expect("AWS_ENDPOINT_URL_APP_MESH is set");
    let steps: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).expect("the steps")).expect("JSON");
    let mirror = Mirror::default();
    let clients = Clients {
        server: client(&endpoint, aws_smithy_http_client::Builder::new().build_http()),
        mirrored: client("http://mirror.invalid", mirror.client()),
        mirror,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for step in &steps {
        println!("{}", runtime.block_on(take(&clients, step)));
    }
}

/// What `aws_config::load_from_env` makes of a user's environment; that crate brings clients of four more services.
fn client(endpoint: &str, http: SharedHttpClient) -> Client {
    Client::from_conf(
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test"))
            .endpoint_url(endpoint)
            .http_client(http)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .build(),
    )
}

async fn take(clients: &Clients, step: &Value) -> Value {
    let call = step["call"].as_str().expect("a call");
    let pages = step["pages"].as_i64().and_then(|pages| pages.try_into().ok());
    let step = Step {
        call,
        input: &step["input"],
        pages,
    };
    match answer(clients, &step).await {
        Ok(Value::Array(pages)) if step.pages.is_some() => json!({ "pages": pages }),
        Ok(Value::Array(mut page)) => json!({"output": page.pop()}),
        Ok(output) => json!({ "output": output }),
        Err(error) => match class(&error) {
            Some(class) => json!({"refused": class, "message": error.message()}),
            None => json!({"broken": format!("{error:?}")}),
        },
    }
}

async fn answer(clients: &Clients, step: &Step<'_>) -> Result<Value, Error> {
    let verbs = ["Create", "Describe", "Update", "Delete", "List"];
    let found = verbs
        .into_iter()
        .find_map(|verb| Some((verb, step.call.strip_prefix(verb)?)));
    match found {
        Some((verb, "Mesh" | "Meshes")) => kinds::mesh(clients, verb, step).await,
        Some((verb, "VirtualNode" | "VirtualNodes")) => kinds::virtual_node(clients, verb, step).await,
        Some((verb, "VirtualRouter" | "VirtualRouters")) => kinds::virtual_router(clients, verb, step).await,
        Some((verb, "Route" | "Routes")) => kinds::route(clients, verb, step).await,
        Some((verb, "VirtualService" | "VirtualServices")) => kinds::virtual_service(clients, verb, step).await,
        Some((verb, "VirtualGateway" | "VirtualGateways")) => kinds::virtual_gateway(clients, verb, step).await,
        Some((verb, "GatewayRoute" | "GatewayRoutes")) => kinds::gateway_route(clients, verb, step).await,
        _ => kinds::tags(clients, step).await,
    }
}

/// The name of the error's own type.
fn class(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::BadRequestException(_) => "BadRequestException",
        Error::ConflictException(_) => "ConflictException",
        Error::ForbiddenException(_) => "ForbiddenException",
        Error::InternalServerErrorException(_) => "InternalServerErrorException",
        Error::LimitExceededException(_) => "LimitExceededException",
        Error::NotFoundException(_) => "NotFoundException",
        Error::ResourceInUseException(_) => "ResourceInUseException",
        Error::ServiceUnavailableException(_) => "ServiceUnavailableException",
        Error::TooManyRequestsException(_) => "TooManyRequestsException",
        Error::TooManyTagsException(_) => "TooManyTagsException",
        _ => return None,
    })
}
