//! Small guests: the test writes the callbacks, everything around them is here.
//!
//! A guest notes numbers (mostly statuses) one after the other from address 0 on. From 1024 on lies the text
//! that the test gave; 2048 to 4095 is for results; what the host allocates comes behind.

use std::sync::OnceLock;

use ferromesh_wasm_host::{Config, Engine, Module, Vm};

/// Where a guest's text lies.
pub const TEXT: usize = 1024;

/// Name and parameters of every function that the host offers, all of which give an i32.
pub const HOSTCALLS: [(&str, &str); 39] = [
    ("proxy_add_header_map_value", "i32 i32 i32 i32 i32"),
    ("proxy_call_foreign_function", "i32 i32 i32 i32 i32 i32"),
    ("proxy_close_stream", "i32"),
    ("proxy_continue_stream", "i32"),
    ("proxy_define_metric", "i32 i32 i32 i32"),
    ("proxy_dequeue_shared_queue", "i32 i32 i32"),
    ("proxy_done", ""),
    ("proxy_enqueue_shared_queue", "i32 i32 i32"),
    ("proxy_get_buffer_bytes", "i32 i32 i32 i32 i32"),
    ("proxy_get_buffer_status", "i32 i32 i32"),
    ("proxy_get_current_time_nanoseconds", "i32"),
    ("proxy_get_header_map_pairs", "i32 i32 i32"),
    ("proxy_get_header_map_size", "i32 i32"),
    ("proxy_get_header_map_value", "i32 i32 i32 i32 i32"),
    ("proxy_get_log_level", "i32"),
    ("proxy_get_metric", "i32 i32"),
    ("proxy_get_property", "i32 i32 i32 i32"),
    ("proxy_get_shared_data", "i32 i32 i32 i32 i32"),
    ("proxy_get_status", "i32 i32 i32"),
    ("proxy_grpc_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_grpc_cancel", "i32"),
    ("proxy_grpc_close", "i32"),
    ("proxy_grpc_send", "i32 i32 i32 i32"),
    ("proxy_grpc_stream", "i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_http_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_increment_metric", "i32 i64"),
    ("proxy_log", "i32 i32 i32"),
    ("proxy_record_metric", "i32 i64"),
    ("proxy_register_shared_queue", "i32 i32 i32"),
    ("proxy_remove_header_map_value", "i32 i32 i32"),
    ("proxy_replace_header_map_value", "i32 i32 i32 i32 i32"),
    ("proxy_resolve_shared_queue", "i32 i32 i32 i32 i32"),
    ("proxy_send_local_response", "i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_set_buffer_bytes", "i32 i32 i32 i32 i32"),
    ("proxy_set_effective_context", "i32"),
    ("proxy_set_header_map_pairs", "i32 i32 i32"),
    ("proxy_set_property", "i32 i32 i32 i32"),
    ("proxy_set_shared_data", "i32 i32 i32 i32 i32"),
    ("proxy_set_tick_period_milliseconds", "i32"),
];

/// The same of WASI.
pub const WASI: [(&str, &str); 14] = [
    ("args_get", "i32 i32"),
    ("args_sizes_get", "i32 i32"),
    ("clock_time_get", "i32 i64 i32"),
    ("environ_get", "i32 i32"),
    ("environ_sizes_get", "i32 i32"),
    ("fd_close", "i32"),
    ("fd_fdstat_get", "i32 i32"),
    ("fd_prestat_dir_name", "i32 i32 i32"),
    ("fd_prestat_get", "i32 i32"),
    ("fd_read", "i32 i32 i32 i32"),
    ("fd_seek", "i32 i64 i32 i32"),
    ("fd_write", "i32 i32 i32 i32"),
    ("random_get", "i32 i32"),
    ("sched_yield", ""),
];

/// A module with these functions in the text format, and this text at [`TEXT`].
pub fn module(functions: &str, text: &[u8]) -> Module {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::new().unwrap());
    let mut imports = String::new();
    for (from, list) in [("env", &HOSTCALLS[..]), ("wasi_snapshot_preview1", &WASI[..])] {
        for (name, parameters) in list {
            imports.push_str(&format!(
                "(import \"{from}\" \"{name}\" (func ${name} (param {parameters}) (result i32)))\n"
            ));
        }
    }
    let text: String = text.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let source = format!(
        r#"(module
            {imports}
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1 2)
            (data (i32.const {TEXT}) "{text}")
            (global $slot (mut i32) (i32.const 0))
            (global $heap (mut i32) (i32.const 4096))
            (func $note (param i32)
                (i32.store (global.get $slot) (local.get 0))
                (global.set $slot (i32.add (global.get $slot) (i32.const 4))))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32)
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 0))))
            {functions})"#
    );
    let bytes = wat::parse_str(&source).unwrap_or_else(|error| panic!("{error}"));
    Module::from_bytes(engine, &bytes).unwrap()
}

/// A guest that does this on a tick, and its text. Not ticked yet.
pub fn ticking(body: &str, text: &[u8]) -> Vm {
    ticking_with(body, text, Config::default())
}

/// The same with a configuration.
pub fn ticking_with(body: &str, text: &[u8], config: Config) -> Vm {
    let functions = format!(r#"(func (export "proxy_on_tick") (param i32) {body})"#);
    Vm::start(&module(&functions, text), config).unwrap()
}

/// A guest that does this on request headers and goes on.
pub fn filtering(body: &str, text: &[u8]) -> Vm {
    filtering_with(body, text, Config::default())
}

/// The same with a configuration.
pub fn filtering_with(body: &str, text: &[u8], config: Config) -> Vm {
    let functions =
        format!(r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {body} (i32.const 0))"#);
    Vm::start(&module(&functions, text), config).unwrap()
}

/// The first numbers that the guest noted.
pub fn noted<const COUNT: usize>(vm: &Vm) -> [u32; COUNT] {
    std::array::from_fn(|index| number_at(vm, index * 4))
}

/// A number in the guest's memory.
pub fn number_at(vm: &Vm, address: usize) -> u32 {
    u32::from_le_bytes(vm.memory_at(address, 4).unwrap().try_into().unwrap())
}

/// The bytes whose pointer and length lie at two addresses.
pub fn given(vm: &Vm, pointer: usize, length: usize) -> &[u8] {
    vm.memory_at(number_at(vm, pointer) as usize, number_at(vm, length) as usize)
        .unwrap()
}
