//! Access log files.
//!
//! The JSON format is a protobuf map, which the generated types hold in a hash map: its order would differ from run to
//! run. The messages here are the same on the wire and keep their members sorted.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::accesslog::v3::{access_log, AccessLog};
use envoy_types::pb::envoy::config::core::v3::{data_source, DataSource};
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use envoy_types::pb::google::protobuf::{value, Any, Value};
use ferromesh_ir::listener::{AccessLog as Spec, LogFormat};
use prost::{Message, Name};

/// `envoy.extensions.access_loggers.file.v3.FileAccessLog`, as far as it is used.
#[derive(Clone, PartialEq, Message)]
struct SortedFileAccessLog {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(message, optional, tag = "5")]
    log_format: Option<SortedFormat>,
}

/// `envoy.config.core.v3.SubstitutionFormatString`, as far as it is used.
#[derive(Clone, PartialEq, Message)]
struct SortedFormat {
    #[prost(message, optional, tag = "2")]
    json_format: Option<SortedStruct>,
    #[prost(message, optional, tag = "5")]
    text_format_source: Option<DataSource>,
}

/// `google.protobuf.Struct`.
#[derive(Clone, PartialEq, Message)]
struct SortedStruct {
    #[prost(btree_map = "string, message", tag = "1")]
    fields: BTreeMap<String, Value>,
}

/// The loggers of a connection manager or TCP proxy.
pub fn access_logs(spec: Option<&Spec>) -> Vec<AccessLog> {
    spec.map(|spec| AccessLog {
        name: "envoy.access_loggers.file".into(),
        config_type: Some(access_log::ConfigType::TypedConfig(Any {
            type_url: FileAccessLog::type_url(),
            value: file(spec).encode_to_vec(),
        })),
        ..AccessLog::default()
    })
    .into_iter()
    .collect()
}

fn file(spec: &Spec) -> SortedFileAccessLog {
    let log_format = match &spec.format {
        LogFormat::Default => None,
        LogFormat::Text(text) => Some(SortedFormat {
            json_format: None,
            text_format_source: Some(DataSource {
                specifier: Some(data_source::Specifier::InlineString(text.clone())),
                ..DataSource::default()
            }),
        }),
        LogFormat::Json(members) => Some(SortedFormat {
            json_format: Some(SortedStruct {
                fields: members
                    .iter()
                    .map(|(key, text)| {
                        let kind = value::Kind::StringValue(text.clone());
                        (key.clone(), Value { kind: Some(kind) })
                    })
                    .collect(),
            }),
            text_format_source: None,
        }),
    };
    SortedFileAccessLog {
        path: spec.path.clone(),
        log_format,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
    use envoy_types::pb::envoy::extensions::access_loggers::file::v3::file_access_log::AccessLogFormat;

    fn decoded(format: LogFormat) -> FileAccessLog {
        let spec = Spec {
            path: "/dev/stdout".into(),
            format,
        };
        FileAccessLog::decode(file(&spec).encode_to_vec().as_slice()).unwrap()
    }

    #[test]
    fn is_on_the_wire_what_envoy_reads() {
        let json = decoded(LogFormat::Json(vec![
            ("b".into(), "%PROTOCOL%".into()),
            ("a".into(), "x".into()),
        ]));
        assert_eq!(json.path, "/dev/stdout");
        let Some(AccessLogFormat::LogFormat(format)) = json.access_log_format else {
            panic!("{json:?}");
        };
        let Some(Format::JsonFormat(members)) = format.format else {
            panic!("{format:?}");
        };
        assert_eq!(members.fields.len(), 2);
        assert_eq!(
            members.fields["b"].kind,
            Some(value::Kind::StringValue("%PROTOCOL%".into()))
        );
        let text = decoded(LogFormat::Text("x\n".into()));
        let Some(AccessLogFormat::LogFormat(format)) = text.access_log_format else {
            panic!("{text:?}");
        };
        assert!(matches!(format.format, Some(Format::TextFormatSource(_))));
        assert_eq!(decoded(LogFormat::Default).access_log_format, None);
    }
}
