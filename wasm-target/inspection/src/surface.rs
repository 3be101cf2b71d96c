//! What stock Envoy 1.40 offers a proxy-wasm 0.2.1 module, and what it wants from one.
//!
//! Source: the proxy-wasm ABI 0.2.1 and the function names in the released binary. An import that is
//! not here would make Envoy refuse the module only at load time, in production.

/// Calls of the proxy-wasm ABI 0.2.1, imported from `env`.
const PROXY: [&str; 39] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// The part of WASI that a filter without files and sockets can need. Envoy has more, all of which
/// answers that it is not supported.
const WASI: [&str; 15] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_seek",
    "fd_write",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// What one of our modules must export to be taken for a filter.
pub const REQUIRED_EXPORTS: [&str; 4] = ["memory", "_initialize", ABI_EXPORT, "proxy_on_context_create"];

/// The export by which Envoy learns the ABI; a module without one is no filter to it.
pub const ABI_EXPORT: &str = "proxy_abi_version_0_2_1";

/// Whether Envoy resolves this import.
pub fn provides(module: &str, name: &str) -> bool {
    match module {
        "env" => PROXY.contains(&name),
        "wasi_snapshot_preview1" => WASI.contains(&name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provides_calls_under_their_own_module_only() {
        assert!(provides("env", "proxy_get_property"));
        assert!(provides("env", "proxy_set_tick_period_milliseconds"));
        assert!(provides("wasi_snapshot_preview1", "random_get"));
        assert!(!provides("wasi_snapshot_preview1", "proxy_get_property"));
        assert!(!provides("wasi_snapshot_preview1", "sock_open"));
        assert!(!provides("env", "random_get"));
    }
}
