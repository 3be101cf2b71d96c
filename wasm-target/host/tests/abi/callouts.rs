//! HTTP calls, foreign functions, and what this host does not have.

use std::time::Duration;

use ferromesh_wasm_host::{Config, EndOfStream, ForeignFunction, Headers, HttpAnswer, Status, Vm};

use super::guest::{given, module, noted, ticking, ticking_with};

/// `:method`, `:path` and `:authority`, each `x`.
fn call_headers() -> Vec<u8> {
    let mut bytes = 3u32.to_le_bytes().to_vec();
    for name in [":method", ":path", ":authority"] {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
    }
    for name in [":method", ":path", ":authority"] {
        bytes.extend(name.as_bytes());
        bytes.extend(b"\0x\0");
    }
    bytes
}

#[test]
fn an_http_call_is_recorded_and_its_answer_reaches_the_stream_that_made_it() {
    let text = call_headers();
    let functions = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $note (call $proxy_http_call (i32.const 1030) (i32.const 1)
                (i32.const 1024) (i32.const {}) (i32.const 1024) (i32.const 2)
                (i32.const 0) (i32.const 0) (i32.const 250) (i32.const 2048)))
            (call $note (call $proxy_http_call (i32.const 1030) (i32.const 1)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 250) (i32.const 2048)))
            (i32.const 1))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
            (call $note (local.get 1)) (call $note (local.get 2))
            (call $note (local.get 3)) (call $note (local.get 4))
            (call $note (call $proxy_get_header_map_pairs
                (i32.const 6) (i32.const 2052) (i32.const 2056)))
            (call $note (call $proxy_get_buffer_bytes
                (i32.const 4) (i32.const 0) (i32.const 9) (i32.const 2060) (i32.const 2064)))
            (call $note (call $proxy_continue_stream (i32.const 0))))"#,
        text.len()
    );
    let mut vm = Vm::start(&module(&functions, &text), Config::default()).unwrap();
    let stream = vm.open_stream().unwrap();
    stream
        .on_request_headers(&mut vm, Headers::new(), EndOfStream::Yes)
        .unwrap();
    let calls = vm.take_http_calls();
    assert_eq!(calls.len(), 1, "a call without :path is refused");
    assert_eq!(calls[0].headers.get(":path"), Some(&b"x"[..]));
    assert_eq!(calls[0].body, text[..2]);
    assert_eq!(calls[0].timeout, Duration::from_millis(250));

    let answer = HttpAnswer {
        headers: Headers::from([(":status", "200"), ("a", "b")]),
        body: b"answer".to_vec(),
        trailers: Headers::new(),
    };
    vm.answer_http_call(&calls[0], answer.clone()).unwrap();
    assert_eq!(noted(&vm), [0, 2, calls[0].token, 2, 6, 0, 0, 0, 0]);
    assert_eq!(given(&vm, 2060, 2064), b"answer");
    assert!(stream.request_resumed(&vm));

    stream.finish(&mut vm).unwrap();
    vm.answer_http_call(&calls[0], answer).unwrap();
    let answers = &vm.report().callbacks["proxy_on_http_call_response"];
    assert_eq!(answers.calls, 1, "an ended stream gets no answer");
}

#[test]
fn foreign_functions_are_the_tests_own() {
    let mut config = Config::default();
    config.foreign.insert(
        "reverse".to_owned(),
        ForeignFunction::new(|argument| match argument {
            b"" => Err(Status::BadArgument),
            _ => Ok(argument.iter().rev().copied().collect()),
        }),
    );
    let mut vm = ticking_with(
        "(call $note (call $proxy_call_foreign_function (i32.const 1024) (i32.const 7)
            (i32.const 1031) (i32.const 3) (i32.const 2048) (i32.const 2052)))
         (call $note (call $proxy_call_foreign_function (i32.const 1024) (i32.const 7)
            (i32.const 1031) (i32.const 0) (i32.const 2056) (i32.const 2060)))
         (call $note (call $proxy_call_foreign_function (i32.const 1024) (i32.const 6)
            (i32.const 1031) (i32.const 3) (i32.const 2056) (i32.const 2060)))",
        b"reverse\x01\x02\xff",
        config,
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [0, 2, 1]);
    assert_eq!(given(&vm, 2048, 2052), b"\xff\x02\x01");
}

#[test]
fn queues_and_grpc_are_unimplemented_as_values() {
    let mut vm = ticking(
        "(call $note (call $proxy_register_shared_queue
            (i32.const 1024) (i32.const 1) (i32.const 2048)))
         (call $note (call $proxy_enqueue_shared_queue
            (i32.const 1) (i32.const 1024) (i32.const 1)))
         (call $note (call $proxy_dequeue_shared_queue
            (i32.const 1) (i32.const 2048) (i32.const 2052)))
         (call $note (call $proxy_grpc_cancel (i32.const 1)))",
        b"q",
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [12, 12, 12, 12]);
}
