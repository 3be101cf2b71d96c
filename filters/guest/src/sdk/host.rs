//! A host through the SDK's calls: only those whose values are bytes, because its string getters panic on others.

use std::time::Duration;

use ferromesh_policy::rate_limit::{Shared, SharedRead, SharedWrite};
use ferromesh_policy::{Property, Reply, View, Write};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{self, BufferType, Bytes, LogLevel, MapType};

use crate::host::{Host, Level, MetricType, Status};
use crate::{pairs, wasi};

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

impl Shared for Hostcalls {
    type Value<'a> = Bytes;

    fn get(&self, key: &[u8]) -> SharedRead<Bytes> {
        let Ok(key) = std::str::from_utf8(key) else {
            return SharedRead::Refused;
        };
        match hostcalls::get_shared_data(key) {
            Ok((Some(value), cas)) => SharedRead::Found(value, cas.unwrap_or_default()),
            Ok((None, _)) => SharedRead::Absent,
            Err(_) => SharedRead::Refused,
        }
    }

    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        let Ok(key) = std::str::from_utf8(key) else {
            return SharedWrite::Refused;
        };
        match hostcalls::set_shared_data(key, Some(value), Some(cas)) {
            Ok(()) => SharedWrite::Written,
            Err(types::Status::CasMismatch) => SharedWrite::Mismatch,
            Err(_) => SharedWrite::Refused,
        }
    }
}

fn write_header(map: MapType, name: &str, write: Write<'_>) -> Result<(), Status> {
    done(match write {
        Write::Set(value) => hostcalls::set_map_value_bytes(map, name, Some(value)),
        Write::Add(value) => hostcalls::add_map_value_bytes(map, name, value),
        Write::Remove => hostcalls::set_map_value_bytes(map, name, None),
    })
}

impl Host for Hostcalls {
    fn monotonic(&self) -> Duration {
        wasi::monotonic()
    }

    fn unix(&self) -> Duration {
        wasi::unix()
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

    fn write_request_header(&self, name: &str, write: Write<'_>) -> Result<(), Status> {
        write_header(MapType::HttpRequestHeaders, name, write)
    }

    fn write_response_header(&self, name: &str, write: Write<'_>) -> Result<(), Status> {
        write_header(MapType::HttpResponseHeaders, name, write)
    }

    /// The SDK has no call for a status of each kind, so gRPC requests get the host's translation.
    fn reply(&self, reply: &Reply<'_>, _: &[u8]) -> Result<(), Status> {
        let mut headers: Vec<(&str, Vec<u8>)> = Vec::new();
        reply.for_each_header(|name, value| headers.push((name, value.to_vec())));
        let texts = headers
            .iter()
            .filter_map(|(name, value)| Some((*name, std::str::from_utf8(value).ok()?)));
        done(hostcalls::send_http_response(
            u32::from(reply.status),
            texts.collect(),
            Some(reply.reason.as_bytes()),
        ))
    }

    /// The SDK sets the effective context itself before each callback, and has no call for it.
    fn enter(&self, _: u32) -> Result<(), Status> {
        Err(Status(12))
    }

    fn resume(&self) -> Result<(), Status> {
        done(hostcalls::resume_http_request())
    }

    fn close(&self) -> Result<(), Status> {
        done(hostcalls::reset_http_request())
    }

    fn set_property(&self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let parts = path
            .split(|byte| *byte == 0)
            .filter_map(|part| std::str::from_utf8(part).ok());
        done(hostcalls::set_property(parts.collect(), Some(value)))
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

    fn post(&self, cluster: &str, path: &str, body: &[u8], timeout: Duration) -> Result<u32, Status> {
        done(hostcalls::dispatch_http_call(
            cluster,
            pairs::post(path).to_vec(),
            Some(body),
            Vec::new(),
            timeout,
        ))
    }

    fn post_status(&self) -> Option<u16> {
        let value = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status").ok()??;
        pairs::status(&value)
    }
}
