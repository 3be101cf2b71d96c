//! Numbers of proxy-wasm ABI 0.2.1 that `host` has no type for, and the check of all of them against the SDK's.

/// `proxy_map_type_t`: the request headers.
pub(crate) const REQUEST_HEADERS: u32 = 0;
/// `proxy_map_type_t`: the response headers.
pub(crate) const RESPONSE_HEADERS: u32 = 2;
/// `proxy_map_type_t`: the headers of an HTTP call's answer.
#[cfg(any(target_arch = "wasm32", test))]
pub(crate) const CALL_RESPONSE_HEADERS: u32 = 6;
/// `proxy_buffer_type_t`: the plugin configuration.
pub(crate) const PLUGIN_CONFIGURATION: u32 = 7;
/// `proxy_stream_type_t`: the request.
pub(crate) const REQUEST_STREAM: u32 = 0;
/// `proxy_action_t`, the answer to a headers callback: the stream goes on.
pub(crate) const CONTINUE: u32 = 0;
/// `proxy_action_t`, the answer to a headers callback: the stream waits, or was answered.
pub(crate) const PAUSE: u32 = 1;

#[cfg(test)]
mod tests {
    use proxy_wasm::types;

    use super::*;
    use crate::{Level, MetricType, Status};

    #[test]
    fn numbers_are_those_of_the_public_sdk() {
        let ours_and_theirs = [
            (REQUEST_HEADERS, types::MapType::HttpRequestHeaders as u32),
            (RESPONSE_HEADERS, types::MapType::HttpResponseHeaders as u32),
            (CALL_RESPONSE_HEADERS, types::MapType::HttpCallResponseHeaders as u32),
            (PLUGIN_CONFIGURATION, types::BufferType::PluginConfiguration as u32),
            (REQUEST_STREAM, types::StreamType::HttpRequest as u32),
            (CONTINUE, types::Action::Continue as u32),
            (PAUSE, types::Action::Pause as u32),
            (Status::OK.0, types::Status::Ok as u32),
            (Status::NOT_FOUND.0, types::Status::NotFound as u32),
            (Status::CAS_MISMATCH.0, types::Status::CasMismatch as u32),
            (Level::Warn as u32, types::LogLevel::Warn as u32),
            (Level::Error as u32, types::LogLevel::Error as u32),
            (MetricType::Counter as u32, types::MetricType::Counter as u32),
            (MetricType::Histogram as u32, types::MetricType::Histogram as u32),
        ];
        for (ours, theirs) in ours_and_theirs {
            assert_eq!(ours, theirs);
        }
    }
}
