//! Access logs.

mod format;

use ferromesh_model::resource::{AccessLog as Spec, Logging, LoggingFormat};

use super::Lowering;
use crate::lint::Code;
use crate::listener::{AccessLog, LogFormat};
use crate::ProxyKind;

/// The access log that a node or gateway asks for. It holds for ingress and egress.
pub fn access_log(logging: Option<&Logging>) -> Option<AccessLog> {
    let Spec::File(file) = logging?.access_log.as_ref()?;
    let format = match &file.format {
        None => LogFormat::Default,
        Some(format) if problem(format).is_some() => LogFormat::Default,
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

impl Lowering<'_> {
    /// Says so where the format that a node or gateway asks for is replaced by Envoy's default one.
    pub fn note_log_format(&mut self, logging: Option<&Logging>) {
        let Some(Spec::File(file)) = logging.and_then(|logging| logging.access_log.as_ref()) else {
            return;
        };
        if let Some(problem) = file.format.as_ref().and_then(problem) {
            let kind = match self.kind {
                ProxyKind::VirtualNode => "virtualNode",
                ProxyKind::VirtualGateway => "virtualGateway",
            };
            let resource = format!("{kind}/{}", self.name);
            self.lint(
                Code::LogFormat,
                resource,
                format!("its access log has Envoy's default format: {problem}"),
            );
        }
    }
}

/// What is wrong with a format.
fn problem(format: &LoggingFormat) -> Option<String> {
    match format {
        LoggingFormat::Text(text) => format::problem(text),
        LoggingFormat::Json(members) => members.iter().find_map(|member| format::problem(&member.value)),
    }
}

/// Envoy writes a text format as it is; without a line feed all requests would share one line.
fn line(text: &str) -> String {
    if text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}
