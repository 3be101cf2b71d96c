//! Pointers and lengths are the guest's, so they may be anything. The host answers or traps; it never panics,
//! and never touches anything but the guest's memory.

use ferromesh_wasm_host::{EndOfStream, Headers, Vm};

use super::guest::{filtering, HOSTCALLS, WASI};

/// `InvalidMemoryAccess`, and WASI's number for a bad address.
const BAD_ADDRESS: u32 = 6;
const EFAULT: u32 = 21;

/// Calls a function on request headers and gives its answer.
fn answer(call: &str) -> u32 {
    let mut vm = filtering(&format!("(call $note {call})"), b"");
    let stream = request(&mut vm);
    stream.finish(&mut vm).unwrap();
    super::guest::noted::<1>(&vm)[0]
}

fn request(vm: &mut Vm) -> ferromesh_wasm_host::Stream {
    let stream = vm.open_stream().unwrap();
    let headers = Headers::from([("a", "1")]);
    stream
        .on_request_headers(vm, headers, EndOfStream::Yes)
        .unwrap_or_else(|trap| panic!("{trap}"));
    stream
}

#[test]
fn every_function_survives_the_greatest_numbers() {
    for (name, parameters) in HOSTCALLS.iter().chain(&WASI) {
        for (small, great) in [("-1", "-1"), ("2147483647", "-1"), ("65536", "1"), ("65535", "-9")] {
            let arguments: String = parameters
                .split_whitespace()
                .enumerate()
                .map(|(index, kind)| {
                    let number = if index % 2 == 0 { small } else { great };
                    format!("({kind}.const {number})")
                })
                .collect();
            answer(&format!("(call ${name} {arguments})"));
        }
    }
}

#[test]
fn a_name_outside_of_memory_is_refused() {
    for call in [
        "(call $proxy_get_header_map_value (i32.const 0) (i32.const 65535) (i32.const 2) (i32.const 2048) (i32.const 2052))",
        "(call $proxy_add_header_map_value (i32.const 0) (i32.const -1) (i32.const 1) (i32.const 0) (i32.const 0))",
        "(call $proxy_add_header_map_value (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const -1))",
        "(call $proxy_replace_header_map_value (i32.const 0) (i32.const 70000) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $proxy_remove_header_map_value (i32.const 0) (i32.const 0) (i32.const 70000))",
        "(call $proxy_set_header_map_pairs (i32.const 0) (i32.const 65530) (i32.const 7))",
        "(call $proxy_get_property (i32.const -4) (i32.const 8) (i32.const 2048) (i32.const 2052))",
        "(call $proxy_set_property (i32.const 0) (i32.const 1) (i32.const 0) (i32.const -1))",
        "(call $proxy_get_shared_data (i32.const -1) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $proxy_set_shared_data (i32.const 0) (i32.const 1) (i32.const -1) (i32.const 2) (i32.const 0))",
        "(call $proxy_define_metric (i32.const 0) (i32.const -1) (i32.const 1) (i32.const 2048))",
        "(call $proxy_log (i32.const 2) (i32.const 65536) (i32.const 1))",
        "(call $proxy_send_local_response (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 4) (i32.const 0))",
        "(call $proxy_http_call (i32.const -1) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2048))",
        "(call $proxy_call_foreign_function (i32.const -1) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
    ] {
        assert_eq!(answer(call), BAD_ADDRESS, "{call}");
    }
}

#[test]
fn a_result_outside_of_memory_is_refused() {
    for call in [
        "(call $proxy_get_header_map_pairs (i32.const 0) (i32.const 65533) (i32.const 2048))",
        "(call $proxy_get_header_map_pairs (i32.const 0) (i32.const 2048) (i32.const -1))",
        "(call $proxy_get_header_map_size (i32.const 0) (i32.const 65533))",
        "(call $proxy_define_metric (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 65533))",
        "(call $proxy_get_current_time_nanoseconds (i32.const 65529))",
        "(call $proxy_get_log_level (i32.const -1))",
        "(call $proxy_get_status (i32.const -1) (i32.const 2048) (i32.const 2048))",
    ] {
        assert_eq!(answer(call), BAD_ADDRESS, "{call}");
    }
    for call in [
        "(call $random_get (i32.const 65535) (i32.const 2))",
        "(call $random_get (i32.const 0) (i32.const -1))",
        "(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 65529))",
        "(call $environ_sizes_get (i32.const -1) (i32.const 0))",
        "(call $fd_write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 2048))",
        "(call $fd_write (i32.const 1) (i32.const 2048) (i32.const -1) (i32.const 2048))",
        "(call $fd_fdstat_get (i32.const 1) (i32.const 65513))",
    ] {
        assert_eq!(answer(call), EFAULT, "{call}");
    }
}

#[test]
fn the_last_byte_of_memory_is_inside() {
    assert_eq!(
        answer("(call $proxy_log (i32.const 2) (i32.const 65535) (i32.const 1))"),
        0
    );
    assert_eq!(
        answer("(call $proxy_log (i32.const 2) (i32.const 65536) (i32.const 0))"),
        0
    );
    assert_eq!(answer("(call $random_get (i32.const 65528) (i32.const 8))"), 0);
}
