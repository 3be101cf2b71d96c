//! The imports of proxy-wasm ABI 0.2.1.
//!
//! Source: proxy-wasm specification, `abi-versions/v0.2.1`.

use std::time::Duration;

use ferromesh_policy::{Property, View};

use crate::codes::{PLUGIN_CONFIGURATION, REQUEST_HEADERS, RESPONSE_HEADERS};
use crate::exports::SCRATCH;
use crate::host::{encoded, Host, Level, MetricType, Status};
use crate::wasi;

#[link(wasm_import_module = "env")]
extern "C" {
    fn proxy_log(level: Level, message: *const u8, size: usize) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, max: usize, data: *mut *const u8, size: *mut usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *const u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *const u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_define_metric(kind: MetricType, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

/// The host of one callback. What it returns lives in the scratch memory until the next callback.
pub(crate) struct Imports {
    _private: (),
}

impl Imports {
    /// Begins a callback.
    ///
    /// # Safety
    /// No value of an earlier callback's host is used any more.
    pub(crate) unsafe fn begin() -> Self {
        // SAFETY: the caller's promise.
        unsafe { SCRATCH.reset() };
        Self { _private: () }
    }

    /// Runs a call that returns data in memory from [`SCRATCH`].
    fn read(&self, call: impl FnOnce(*mut *const u8, *mut usize) -> u32) -> Option<&[u8]> {
        let mut data: *const u8 = std::ptr::null();
        let mut size: usize = 0;
        if Status(call(&mut data, &mut size)) != Status::OK {
            return None;
        }
        if data.is_null() || size == 0 {
            return Some(&[]);
        }
        // SAFETY: the host allocated `size` bytes there through `proxy_on_memory_allocate`, wrote them, and
        // they stay until the next callback begins, which this borrow does not outlive.
        Some(unsafe { std::slice::from_raw_parts(data, size) })
    }

    fn header(&self, map: u32, name: &str) -> Option<&[u8]> {
        // SAFETY: pointers and sizes of live values.
        self.read(|data, size| unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size) })
    }

    fn write_header(&self, map: u32, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        // SAFETY: pointers and sizes of live values.
        done(unsafe {
            match value {
                Some(value) => {
                    proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
                }
                None => proxy_remove_header_map_value(map, name.as_ptr(), name.len()),
            }
        })
    }
}

fn done(status: u32) -> Result<(), Status> {
    match Status(status) {
        Status::OK => Ok(()),
        other => Err(other),
    }
}

impl View for Imports {
    type Value<'a> = &'a [u8];

    fn request_header(&self, name: &str) -> Option<&[u8]> {
        self.header(REQUEST_HEADERS, name)
    }

    fn response_header(&self, name: &str) -> Option<&[u8]> {
        self.header(RESPONSE_HEADERS, name)
    }

    fn property(&self, property: Property) -> Option<&[u8]> {
        let path = encoded(property);
        // SAFETY: pointers and sizes of live values.
        self.read(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
    }
}

impl Host for Imports {
    fn now(&self) -> Duration {
        wasi::now()
    }

    fn seed(&self) -> u64 {
        wasi::seed()
    }

    fn log(&self, level: Level, line: &str) {
        // SAFETY: the pointer and size of a live string. A line that is not written is not missed.
        let _ = unsafe { proxy_log(level, line.as_ptr(), line.len()) };
    }

    fn plugin_configuration(&self, size: usize) -> Option<Vec<u8>> {
        // SAFETY: pointers of live values.
        let bytes =
            self.read(|data, length| unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, data, length) });
        bytes.map(<[u8]>::to_vec)
    }

    fn set_tick_period(&self, period: Duration) -> Result<(), Status> {
        let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: no pointers.
        done(unsafe { proxy_set_tick_period_milliseconds(millis) })
    }

    fn write_request_header(&self, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        self.write_header(REQUEST_HEADERS, name, value)
    }

    fn write_response_header(&self, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        self.write_header(RESPONSE_HEADERS, name, value)
    }

    fn define_metric(&self, kind: MetricType, name: &str) -> Result<u32, Status> {
        let mut id = 0;
        // SAFETY: pointers and sizes of live values.
        done(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) })?;
        Ok(id)
    }

    fn increment_metric(&self, id: u32, amount: i64) -> Result<(), Status> {
        // SAFETY: no pointers.
        done(unsafe { proxy_increment_metric(id, amount) })
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status> {
        // SAFETY: no pointers.
        done(unsafe { proxy_record_metric(id, value) })
    }
}
