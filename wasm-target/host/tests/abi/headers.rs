//! Maps of headers.

use ferromesh_wasm_host::{EndOfStream, Headers, Vm};

use super::guest::{filtering, given, noted, number_at};

/// Sends a request with these headers and gives them back as the guest left them.
fn through(vm: &mut Vm, headers: Headers) -> Headers {
    let stream = vm.open_stream().unwrap();
    stream.on_request_headers(vm, headers, EndOfStream::Yes).unwrap();
    stream.request_headers(vm).unwrap().clone()
}

#[test]
fn reads_the_first_value_of_a_name_byte_for_byte() {
    let mut vm = filtering(
        "(call $note (call $proxy_get_header_map_value
            (i32.const 0) (i32.const 1024) (i32.const 6) (i32.const 2048) (i32.const 2052)))",
        b"X-USER",
    );
    through(
        &mut vm,
        Headers::from([("x-user", &b"\xff\0\x80"[..]), ("x-user", b"second")]),
    );
    assert_eq!(noted(&vm), [0]);
    assert_eq!(given(&vm, 2048, 2052), b"\xff\0\x80");
}

#[test]
fn an_absent_header_is_not_found_and_an_empty_one_is() {
    let mut vm = filtering(
        "(call $note (call $proxy_get_header_map_value
            (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 2048) (i32.const 2052)))
         (call $note (call $proxy_get_header_map_value
            (i32.const 0) (i32.const 1025) (i32.const 1) (i32.const 2048) (i32.const 2052)))",
        b"ab",
    );
    through(&mut vm, Headers::from([("b", "")]));
    assert_eq!(noted(&vm), [1, 0]);
    assert_eq!(given(&vm, 2048, 2052), b"");
}

#[test]
fn adds_replaces_and_removes() {
    let mut vm = filtering(
        "(call $note (call $proxy_add_header_map_value (i32.const 0)
            (i32.const 1024) (i32.const 1) (i32.const 1027) (i32.const 1)))
         (call $note (call $proxy_replace_header_map_value (i32.const 0)
            (i32.const 1025) (i32.const 1) (i32.const 1028) (i32.const 1)))
         (call $note (call $proxy_remove_header_map_value (i32.const 0)
            (i32.const 1026) (i32.const 1)))",
        b"abc12",
    );
    let headers = through(
        &mut vm,
        Headers::from([("a", "0"), ("b", "0"), ("c", "0"), ("b", "00")]),
    );
    assert_eq!(noted(&vm), [0, 0, 0]);
    assert_eq!(headers, Headers::from([("a", "0"), ("b", "2"), ("a", "1")]));
}

#[test]
fn gives_and_takes_all_pairs() {
    let pairs = b"\x01\0\0\0\x02\0\0\0\x01\0\0\0nn\0\xff\0";
    let mut vm = filtering(
        &format!(
            "(call $note (call $proxy_get_header_map_pairs
                (i32.const 0) (i32.const 2048) (i32.const 2052)))
             (call $note (call $proxy_get_header_map_size (i32.const 0) (i32.const 2056)))
             (call $note (call $proxy_set_header_map_pairs
                (i32.const 0) (i32.const 1024) (i32.const {})))",
            pairs.len()
        ),
        pairs,
    );
    let headers = through(&mut vm, Headers::from([("k", "\u{1}")]));
    assert_eq!(noted(&vm), [0, 0, 0]);
    assert_eq!(given(&vm, 2048, 2052), b"\x01\0\0\0\x01\0\0\0\x01\0\0\0k\0\x01\0");
    assert_eq!(number_at(&vm, 2056), 2);
    assert_eq!(headers, Headers::from([("nn", b"\xff")]));
}

#[test]
fn pairs_that_do_not_hold_together_change_nothing() {
    let mut vm = filtering(
        "(call $note (call $proxy_set_header_map_pairs
            (i32.const 0) (i32.const 1024) (i32.const 8)))",
        b"\xff\xff\xff\xff\0\0\0\0",
    );
    let before = Headers::from([("a", "1")]);
    assert_eq!(through(&mut vm, before.clone()), before);
    assert_eq!(noted(&vm), [2]);
}

#[test]
fn a_map_that_is_not_there_is_a_bad_argument() {
    // Response headers during the request; a number that names no map.
    let mut vm = filtering(
        "(call $note (call $proxy_get_header_map_pairs
            (i32.const 2) (i32.const 2048) (i32.const 2052)))
         (call $note (call $proxy_get_header_map_pairs
            (i32.const 99) (i32.const 2048) (i32.const 2052)))",
        b"",
    );
    through(&mut vm, Headers::new());
    assert_eq!(noted(&vm), [2, 2]);
}

#[test]
fn forty_thousand_headers_are_no_trouble_unless_the_guest_has_no_room() {
    let mut vm = filtering(
        "(call $note (call $proxy_get_header_map_pairs
            (i32.const 0) (i32.const 2048) (i32.const 2052)))",
        b"",
    );
    let many: Headers = (0..40_000).map(|index| (format!("h{index}"), "v")).collect();
    // The guest's allocator gives a place beyond its memory.
    through(&mut vm, many);
    assert_eq!(noted(&vm), [6]);
}
