//! The imports of proxy-wasm ABI 0.2.1.
//!
//! Source: proxy-wasm specification, `abi-versions/v0.2.1`.

use std::time::Duration;

use ferromesh_policy::rate_limit::{Shared, SharedRead, SharedWrite};
use ferromesh_policy::{Property, Reply, View, Write};

use crate::codes::{CALL_RESPONSE_HEADERS, PLUGIN_CONFIGURATION, REQUEST_HEADERS, REQUEST_STREAM, RESPONSE_HEADERS};
use crate::exports::SCRATCH;
use crate::host::{encoded, Host, Level, MetricType, Status};
use crate::{pairs, wasi};

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
    fn proxy_add_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *const u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: MetricType, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
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
        self.read_or(call).ok()
    }

    fn read_or(&self, call: impl FnOnce(*mut *const u8, *mut usize) -> u32) -> Result<&[u8], Status> {
        let mut data: *const u8 = std::ptr::null();
        let mut size: usize = 0;
        done(call(&mut data, &mut size))?;
        if data.is_null() || size == 0 {
            return Ok(&[]);
        }
        // SAFETY: the host allocated `size` bytes there through `proxy_on_memory_allocate`, wrote them, and
        // they stay until the next callback begins, which this borrow does not outlive.
        Ok(unsafe { std::slice::from_raw_parts(data, size) })
    }

    fn header(&self, map: u32, name: &str) -> Option<&[u8]> {
        // SAFETY: pointers and sizes of live values.
        self.read(|data, size| unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size) })
    }

    fn write_header(&self, map: u32, name: &str, write: Write<'_>) -> Result<(), Status> {
        let (key, size) = (name.as_ptr(), name.len());
        // SAFETY: pointers and sizes of live values.
        done(unsafe {
            match write {
                Write::Set(value) => proxy_replace_header_map_value(map, key, size, value.as_ptr(), value.len()),
                Write::Add(value) => proxy_add_header_map_value(map, key, size, value.as_ptr(), value.len()),
                Write::Remove => proxy_remove_header_map_value(map, key, size),
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

impl Shared for Imports {
    type Value<'a> = &'a [u8];

    fn get(&self, key: &[u8]) -> SharedRead<&[u8]> {
        let mut cas = 0;
        // SAFETY: pointers and sizes of live values.
        let read =
            self.read_or(|data, size| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas) });
        match read {
            Ok(value) => SharedRead::Found(value, cas),
            Err(Status::NOT_FOUND) => SharedRead::Absent,
            Err(_) => SharedRead::Refused,
        }
    }

    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        // SAFETY: pointers and sizes of live values.
        match Status(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }) {
            Status::OK => SharedWrite::Written,
            Status::CAS_MISMATCH => SharedWrite::Mismatch,
            _ => SharedWrite::Refused,
        }
    }
}

impl Host for Imports {
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

    fn write_request_header(&self, name: &str, write: Write<'_>) -> Result<(), Status> {
        self.write_header(REQUEST_HEADERS, name, write)
    }

    fn write_response_header(&self, name: &str, write: Write<'_>) -> Result<(), Status> {
        self.write_header(RESPONSE_HEADERS, name, write)
    }

    fn reply(&self, reply: &Reply<'_>, headers: &[u8]) -> Result<(), Status> {
        let grpc_status = reply.grpc_status.map_or(-1, i32::from);
        // SAFETY: pointers and sizes of live values.
        done(unsafe {
            proxy_send_local_response(
                u32::from(reply.status),
                reply.reason.as_ptr(),
                reply.reason.len(),
                reply.reason.as_ptr(),
                reply.reason.len(),
                headers.as_ptr(),
                headers.len(),
                grpc_status,
            )
        })
    }

    fn enter(&self, context: u32) -> Result<(), Status> {
        // SAFETY: no pointers.
        done(unsafe { proxy_set_effective_context(context) })
    }

    fn resume(&self) -> Result<(), Status> {
        // SAFETY: no pointers.
        done(unsafe { proxy_continue_stream(REQUEST_STREAM) })
    }

    fn close(&self) -> Result<(), Status> {
        // SAFETY: no pointers.
        done(unsafe { proxy_close_stream(REQUEST_STREAM) })
    }

    fn set_property(&self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        // SAFETY: pointers and sizes of live values.
        done(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
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

    fn post(&self, cluster: &str, path: &str, body: &[u8], timeout: Duration) -> Result<u32, Status> {
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let headers = pairs::of(&pairs::post(path));
        let trailers = pairs::NONE;
        let mut token = 0;
        // SAFETY: pointers and sizes of live values.
        done(unsafe {
            proxy_http_call(
                cluster.as_ptr(),
                cluster.len(),
                headers.as_ptr(),
                headers.len(),
                body.as_ptr(),
                body.len(),
                trailers.as_ptr(),
                trailers.len(),
                millis,
                &mut token,
            )
        })?;
        Ok(token)
    }

    fn post_status(&self) -> Option<u16> {
        pairs::status(self.header(CALL_RESPONSE_HEADERS, ":status")?)
    }
}
