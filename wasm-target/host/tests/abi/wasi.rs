//! What a Rust guest's standard library asks for.

use ferromesh_wasm_host::{Config, Level, Log, Origin, TrapKind};

use super::guest::{noted, number_at, ticking, ticking_with};

#[test]
fn chance_begins_with_the_seed() {
    let body = "(call $note (call $random_get (i32.const 2048) (i32.const 16)))";
    let run = |seed| {
        let mut vm = ticking_with(
            body,
            b"",
            Config {
                seed,
                ..Config::default()
            },
        );
        vm.tick().unwrap();
        assert_eq!(noted(&vm), [0]);
        vm.memory_at(2048, 16).unwrap().to_vec()
    };
    assert_eq!(run(7)[..8], 7u64.to_le_bytes());
    assert_eq!(run(7), run(7));
    assert_ne!(run(7)[8..], run(8)[8..]);
}

#[test]
fn what_is_printed_is_logged() {
    // Two vectors: "out" and "put".
    let text = [
        &1040u32.to_le_bytes()[..],
        &3u32.to_le_bytes(),
        &1043u32.to_le_bytes(),
        &3u32.to_le_bytes(),
        b"out\xffut",
    ]
    .concat();
    let mut vm = ticking(
        "(call $note (call $fd_write (i32.const 1) (i32.const 1024) (i32.const 2) (i32.const 2048)))
         (call $note (call $fd_write (i32.const 2) (i32.const 1024) (i32.const 1) (i32.const 2052)))
         (call $note (call $fd_write (i32.const 3) (i32.const 1024) (i32.const 1) (i32.const 2052)))",
        &text,
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [0, 0, 8]);
    assert_eq!(number_at(&vm, 2048), 6);
    let line = |level, origin, message: &[u8]| Log {
        level,
        origin,
        message: message.to_vec(),
    };
    assert_eq!(
        vm.logs(),
        [
            line(Level::Info, Origin::Stdout, b"out\xffut"),
            line(Level::Error, Origin::Stderr, b"out"),
        ]
    );
}

#[test]
fn the_environment_is_the_tests() {
    let environment = vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())];
    let mut vm = ticking_with(
        "(call $note (call $environ_sizes_get (i32.const 2048) (i32.const 2052)))
         (call $note (call $environ_get (i32.const 2056) (i32.const 2064)))
         (call $note (call $args_sizes_get (i32.const 2080) (i32.const 2084)))",
        b"",
        Config {
            environment,
            ..Config::default()
        },
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [0, 0, 0]);
    assert_eq!((number_at(&vm, 2048), number_at(&vm, 2052)), (2, 7));
    assert_eq!((number_at(&vm, 2056), number_at(&vm, 2060)), (2064, 2068));
    assert_eq!(vm.memory_at(2064, 7), Some(&b"A=1\0B=\0"[..]));
    assert_eq!(number_at(&vm, 2080), 0);
}

#[test]
fn exiting_is_a_trap_with_its_code() {
    let mut vm = ticking("(call $proc_exit (i32.const 3))", b"");
    let trap = vm.tick().unwrap_err();
    assert_eq!(trap.kind, TrapKind::Exit(3));
    assert!(vm.is_dead());
}
