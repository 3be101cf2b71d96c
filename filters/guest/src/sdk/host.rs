//! A host through the SDK's calls: only those whose values are bytes, because its string getters panic on others.

use std::time::Duration;

use ferromesh_policy::{Property, View};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{self, BufferType, Bytes, LogLevel, MapType};

use crate::host::{Host, Level, MetricType, Status};
use crate::wasi;

/// The SDK's calls, about the context whose callback runs.
pub(super) struct Hostcalls;

fn done<T>(result: Result<T, types::Status>) -> Result<T, Status> {
    result.map_err(|status| Status(status as u32))
}

impl View for Hostcalls {
    type Value<'a> = Bytes;

    fn request_header(&self, name: &str) -> Option<Bytes> {
        hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok()?
    }

    fn response_header(&self, name: &str) -> Option<Bytes> {
        hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name).ok()?
    }

    fn property(&self, property: Property) -> Option<Bytes> {
        hostcalls::get_property(property.path().to_vec()).ok()?
    }
}

impl Host for Hostcalls {
    fn now(&self) -> Duration {
        wasi::now()
    }

    fn seed(&self) -> u64 {
        wasi::seed()
    }

    fn log(&self, level: Level, line: &str) {
        let level = match level {
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        let _ = hostcalls::log(level, line);
    }

    fn plugin_configuration(&self, size: usize) -> Option<Vec<u8>> {
        hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok()?
    }

    fn set_tick_period(&self, period: Duration) -> Result<(), Status> {
        done(hostcalls::set_tick_period(period))
    }

    fn write_request_header(&self, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        done(hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, name, value))
    }

    fn write_response_header(&self, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        done(hostcalls::set_map_value_bytes(
            MapType::HttpResponseHeaders,
            name,
            value,
        ))
    }

    fn define_metric(&self, kind: MetricType, name: &str) -> Result<u32, Status> {
        let kind = match kind {
            MetricType::Counter => types::MetricType::Counter,
            MetricType::Histogram => types::MetricType::Histogram,
        };
        done(hostcalls::define_metric(kind, name))
    }

    fn increment_metric(&self, id: u32, amount: i64) -> Result<(), Status> {
        done(hostcalls::increment_metric(id, amount))
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status> {
        done(hostcalls::record_metric(id, value))
    }
}
