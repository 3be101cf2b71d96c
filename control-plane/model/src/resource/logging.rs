//! Access logs.

use serde::{Deserialize, Serialize};

/// Logs of a virtual node or gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logging {
    /// Where requests are logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
}

/// Where requests are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessLog {
    /// To a file.
    File(FileAccessLog),
}

/// An access log in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileAccessLog {
    /// Format of a line; absent is Envoy's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<LoggingFormat>,
    /// Path of the file on the proxy's file system, 1 to 255 characters; `/dev/stdout` is usual.
    pub path: String,
}

/// Format of a log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoggingFormat {
    /// A JSON object with these members.
    Json(Vec<JsonFormatRef>),
    /// A line of text with Envoy's command operators, 1 to 1000 characters.
    Text(String),
}

/// A member of a log line in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JsonFormatRef {
    /// Name of the member, 1 to 100 characters.
    pub key: String,
    /// Its value with Envoy's command operators, 1 to 100 characters.
    pub value: String,
}

/// Logs of a virtual gateway.
pub type VirtualGatewayLogging = Logging;

/// Where a virtual gateway's requests are logged.
pub type VirtualGatewayAccessLog = AccessLog;

/// An access log of a virtual gateway in a file.
pub type VirtualGatewayFileAccessLog = FileAccessLog;
