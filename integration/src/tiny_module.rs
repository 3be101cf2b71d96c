//! Modules of a few lines for what only a module can show: written as text, in the frame that Envoy asks of every module.

/// A module in WebAssembly's text format that accepts every configuration: `imports` and `items` (functions, data) come
/// before what Envoy calls; `request` is the body of `proxy_on_request_headers`, which leaves an action. Memory below 1024
/// is the module's; what the host allocates comes after it and is never freed.
#[must_use]
pub fn tiny_module(imports: &str, items: &str, request: &str) -> String {
    format!(
        r#"(module
  {imports}
  (memory (export "memory") 1 16)
  {items}
  (global $free (mut i32) (i32.const 1024))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get $size)))
    (local.get $at))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    {request})
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32)))
"#
    )
}
