//! Access logs.

use ferromesh_model::resource::{AccessLog as Spec, Logging, LoggingFormat};

use crate::listener::{AccessLog, LogFormat};

/// The access log that a node or gateway asks for. It holds for ingress and egress.
pub fn access_log(logging: Option<&Logging>) -> Option<AccessLog> {
    let Spec::File(file) = logging?.access_log.as_ref()?;
    let format = match &file.format {
        None => LogFormat::Default,
        Some(LoggingFormat::Text(text)) => LogFormat::Text(line(text)),
        Some(LoggingFormat::Json(members)) => LogFormat::Json(
            members
                .iter()
                .map(|member| (member.key.clone(), member.value.clone()))
                .collect(),
        ),
    };
    Some(AccessLog {
        path: file.path.clone(),
        format,
    })
}

/// Envoy writes a text format as it is; without a line feed all requests would share one line.
fn line(text: &str) -> String {
    if text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}
