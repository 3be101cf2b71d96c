;; The callbacks and calls that `mesh-lean` makes for each stream of `core`, always with the same values: what is
;; left of `core`'s cost is Envoy's, whatever a filter is written in.
(module
  (import "env" "proxy_get_header_map_value"
    (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value"
    (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1 16)
  (data (i32.const 1024) "x-ferromesh-pick")
  (data (i32.const 1040) "45")
  (data (i32.const 1042) "traceparent")
  (data (i32.const 1053) "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
  (data (i32.const 1108) ":status")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    ;; Monotonic time, to address 8.
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 8)))
    ;; Map 0 is the request's headers, 2 the response's; pointer and size go to 16 and 20.
    (drop (call $get_header (i32.const 0) (i32.const 1042) (i32.const 11) (i32.const 16) (i32.const 20)))
    (drop (call $set_header (i32.const 0) (i32.const 1024) (i32.const 16) (i32.const 1040) (i32.const 2)))
    (drop (call $set_header (i32.const 0) (i32.const 1042) (i32.const 11) (i32.const 1053) (i32.const 55)))
    (i32.const 0))
  (func (export "proxy_on_log") (param i32)
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 8)))
    (drop (call $get_header (i32.const 2) (i32.const 1108) (i32.const 7) (i32.const 16) (i32.const 20))))
  (func (export "proxy_on_delete") (param i32)))
