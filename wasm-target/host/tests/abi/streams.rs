//! Bodies, local replies, pausing, going on, closing.

use ferromesh_wasm_host::{Action, Config, EndOfStream, Headers, Vm};

use super::guest::{filtering, given, module, noted, number_at, ticking};

fn send(vm: &mut Vm) -> (ferromesh_wasm_host::Stream, ferromesh_wasm_host::Outcome) {
    let stream = vm.open_stream().unwrap();
    let outcome = stream.on_request_headers(vm, Headers::new(), EndOfStream::No).unwrap();
    (stream, outcome)
}

#[test]
fn a_local_reply_has_everything_that_the_filter_gave_and_the_first_one_counts() {
    let reply = |status: u32| {
        format!(
            "(call $note (call $proxy_send_local_response (i32.const {status})
                (i32.const 1041) (i32.const 3) (i32.const 1044) (i32.const 4)
                (i32.const 1024) (i32.const 17) (i32.const -1)))"
        )
    };
    let mut vm = filtering(
        &format!("{} {}", reply(429), reply(200)),
        b"\x01\0\0\0\x01\0\0\0\x02\0\0\0n\0\xffv\0whybody",
    );
    let (_, outcome) = send(&mut vm);
    assert_eq!(noted(&vm), [0, 0]);
    let reply = outcome.local_reply.unwrap();
    assert_eq!(reply.status, 429);
    assert_eq!(reply.details, b"why");
    assert_eq!(reply.body, b"body");
    assert_eq!(reply.headers, Headers::from([("n", b"\xffv")]));
    assert_eq!(reply.grpc_status, -1);
}

#[test]
fn a_root_context_has_nobody_to_reply_to() {
    let mut vm = ticking(
        "(call $note (call $proxy_send_local_response (i32.const 200) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))
         (call $note (call $proxy_continue_stream (i32.const 0)))
         (call $note (call $proxy_close_stream (i32.const 0)))
         (call $note (call $proxy_get_header_map_size (i32.const 0) (i32.const 2048)))",
        b"",
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [2, 2, 2, 2]);
}

#[test]
fn goes_on_and_closes() {
    let mut vm = filtering(
        "(call $note (call $proxy_continue_stream (i32.const 0)))
         (call $note (call $proxy_continue_stream (i32.const 2)))
         (call $note (call $proxy_close_stream (i32.const 0)))
         (call $note (call $proxy_close_stream (i32.const 3)))",
        b"",
    );
    let (stream, outcome) = send(&mut vm);
    assert_eq!(noted(&vm), [0, 12, 0, 12]);
    assert!(outcome.closed);
    assert!(stream.request_resumed(&vm));
    assert!(!stream.response_resumed(&vm));
}

#[test]
fn anything_but_zero_is_a_pause() {
    let functions = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 7))"#;
    let mut vm = Vm::start(&module(functions, b""), Config::default()).unwrap();
    assert_eq!(send(&mut vm).1.action, Action::Pause);
}

#[test]
fn a_body_is_read_in_pieces_and_replaced() {
    let functions = r#"(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
        (call $note (local.get 1))
        (call $note (local.get 2))
        (call $note (call $proxy_get_buffer_status (i32.const 0) (i32.const 2048) (i32.const 2052)))
        (call $note (call $proxy_get_buffer_bytes
            (i32.const 0) (i32.const 2) (i32.const 100) (i32.const 2056) (i32.const 2060)))
        (call $note (call $proxy_get_buffer_bytes
            (i32.const 0) (i32.const 4) (i32.const 1) (i32.const 2064) (i32.const 2068)))
        (call $note (call $proxy_get_buffer_bytes
            (i32.const 0) (i32.const -1) (i32.const -1) (i32.const 2064) (i32.const 2068)))
        (call $note (call $proxy_set_buffer_bytes
            (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 1024) (i32.const 3)))
        (call $note (call $proxy_get_buffer_bytes
            (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 2064) (i32.const 2068)))
        (i32.const 0))"#;
    let mut vm = Vm::start(&module(functions, b"new"), Config::default()).unwrap();
    let (stream, _) = send(&mut vm);
    stream.on_request_body(&mut vm, b"b\xffdy", EndOfStream::Yes).unwrap();
    // Beyond the end there is nothing; there is no response body during the request.
    assert_eq!(noted(&vm), [4, 1, 0, 0, 1, 1, 0, 1]);
    assert_eq!(number_at(&vm, 2048), 4);
    assert_eq!(given(&vm, 2056, 2060), b"dy");
    assert_eq!(stream.request_body(&vm), Some(&b"new"[..]));
}

#[test]
fn configurations_are_buffers() {
    let functions = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
        (call $note (local.get 1))
        (call $note (call $proxy_get_buffer_bytes
            (i32.const 7) (i32.const 0) (i32.const 100) (i32.const 2048) (i32.const 2052)))
        (call $note (call $proxy_get_buffer_bytes
            (i32.const 6) (i32.const 0) (i32.const 100) (i32.const 2056) (i32.const 2060)))
        (i32.const 1))"#;
    let config = Config {
        vm: b"\0vm".to_vec(),
        ..Config::with_plugin(b"\xffplugin")
    };
    let vm = Vm::start(&module(functions, b""), config).unwrap();
    assert_eq!(noted(&vm), [7, 0, 0]);
    assert_eq!(given(&vm, 2048, 2052), b"\xffplugin");
    assert_eq!(given(&vm, 2056, 2060), b"\0vm");
}
