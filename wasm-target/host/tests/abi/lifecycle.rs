//! Starting, refusing, ending, dying, counting.

use ferromesh_wasm_host::{Config, EndOfStream, Engine, Headers, Module, StartError, TrapKind, Vm};

use super::guest::{module, noted, ticking, ticking_with};

/// A guest that notes each callback's number and context. It refuses a configuration of 3 bytes, and streams
/// ask for more time when it says so.
fn noting(done: u32) -> Module {
    module(
        &format!(
            r#"(func (export "_initialize") (call $note (i32.const 1)))
            (func (export "proxy_on_context_create") (param i32 i32)
                (call $note (i32.const 2)) (call $note (local.get 0)) (call $note (local.get 1)))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
                (call $note (i32.const 3)) (call $note (local.get 0)) (i32.const 1))
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
                (call $note (i32.const 4)) (call $note (local.get 0))
                (i32.ne (local.get 1) (i32.const 3)))
            (func (export "proxy_on_log") (param i32)
                (call $note (i32.const 5)) (call $note (local.get 0)))
            (func (export "proxy_on_done") (param i32) (result i32)
                (call $note (i32.const 6)) (call $note (local.get 0)) (i32.const {done}))
            (func (export "proxy_on_delete") (param i32)
                (call $note (i32.const 7)) (call $note (local.get 0)))
            (func (export "proxy_on_tick") (param i32)
                (call $note (call $proxy_set_effective_context (i32.const 2)))
                (call $note (call $proxy_done))
                (call $note (call $proxy_done))
                (call $note (call $proxy_set_effective_context (i32.const 9))))"#
        ),
        b"",
    )
}

#[test]
fn callbacks_come_in_envoys_order() {
    let mut vm = Vm::start(&noting(1), Config::default()).unwrap();
    let stream = vm.open_stream().unwrap();
    stream.finish(&mut vm).unwrap();
    vm.retire(vm.plugin()).unwrap();
    assert_eq!(
        noted(&vm),
        [1, 2, 1, 0, 3, 1, 4, 1, 2, 2, 1, 5, 2, 6, 2, 7, 2, 6, 1, 7, 1]
    );
}

#[test]
fn a_stream_that_asks_for_more_time_is_deleted_later() {
    let mut vm = Vm::start(&noting(0), Config::default()).unwrap();
    let stream = vm.open_stream().unwrap();
    stream.finish(&mut vm).unwrap();
    vm.tick().unwrap();
    stream.on_delete(&mut vm).unwrap();
    // Done; the stream can be named, is done once, and context 9 does not exist; deleted.
    assert_eq!(noted::<21>(&vm)[13..], [6, 2, 0, 0, 1, 2, 7, 2]);
}

#[test]
fn a_refused_configuration_leaves_the_plugin_before_in_charge() {
    let refused = Vm::start(&noting(1), Config::with_plugin("bad"));
    assert_eq!(refused.err(), Some(StartError::ConfigurationRefused));

    let mut vm = Vm::start(&noting(1), Config::with_plugin("good")).unwrap();
    let first = vm.plugin();
    assert_eq!(vm.add_plugin("bad"), Err(StartError::ConfigurationRefused));
    assert_eq!(vm.plugin(), first);
    let second = vm.add_plugin("better").unwrap();
    assert_ne!(second, first);
    assert_eq!(vm.plugin(), second);
    assert_eq!(vm.reconfigure(second, "bad"), Ok(false));
    assert_eq!(vm.reconfigure(second, "best"), Ok(true));
}

#[test]
fn an_unknown_import_is_named() {
    let bytes = wat::parse_str(r#"(module (import "env" "proxy_fly" (func)))"#).unwrap();
    let module = Module::from_bytes(&Engine::new().unwrap(), &bytes).unwrap();
    let error = Vm::start(&module, Config::default()).err().unwrap();
    assert!(error.to_string().contains("proxy_fly"), "{error}");
}

#[test]
fn a_module_that_is_none_is_an_error() {
    let engine = Engine::new().unwrap();
    assert!(Module::from_bytes(&engine, b"no wasm").is_err());
    let error = Module::load(&engine, "/no/such/module.wasm").err().unwrap();
    assert!(error.to_string().starts_with("/no/such/module.wasm: "), "{error}");
}

#[test]
fn a_loop_runs_out_of_fuel_and_the_vm_is_dead() {
    let config = Config {
        fuel: 100_000,
        ..Config::default()
    };
    let mut vm = ticking_with("(loop $again (br $again))", b"", config);
    assert_eq!(vm.tick().unwrap_err().kind, TrapKind::OutOfFuel);
    assert_eq!(vm.tick().unwrap_err().kind, TrapKind::Dead);
    assert_eq!(vm.open_stream().unwrap_err().kind, TrapKind::Dead);
    assert_eq!(vm.last_call().fuel, 100_000);
}

#[test]
fn what_wasm_forbids_is_a_value() {
    for body in [
        "(unreachable)",
        "(drop (i32.load (i32.const 70000)))",
        "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
        "(call $forever (local.get 0))",
    ] {
        let functions = format!(
            r#"(func $forever (param i32) (call $forever (local.get 0)))
            (func (export "proxy_on_tick") (param i32) {body})"#
        );
        let mut vm = Vm::start(&module(&functions, b""), Config::default()).unwrap();
        let trap = vm.tick().unwrap_err();
        assert!(matches!(trap.kind, TrapKind::Wasm(_)), "{body}: {trap}");
        assert_eq!(trap.callback, "proxy_on_tick");
    }
}

#[test]
fn a_callback_with_another_signature_is_a_mismatch() {
    let functions = r#"(func (export "proxy_on_tick"))"#;
    let mut vm = Vm::start(&module(functions, b""), Config::default()).unwrap();
    assert!(matches!(vm.tick().unwrap_err().kind, TrapKind::Mismatch(_)));
}

#[test]
fn a_missing_callback_does_nothing() {
    let mut vm = Vm::start(&module("", b""), Config::default()).unwrap();
    vm.tick().unwrap();
    let stream = vm.open_stream().unwrap();
    let headers = Headers::from([("a", "1")]);
    stream
        .on_request_headers(&mut vm, headers.clone(), EndOfStream::Yes)
        .unwrap();
    assert_eq!(stream.request_headers(&vm), Some(&headers));
    stream.finish(&mut vm).unwrap();
    assert!(vm.report().callbacks.is_empty());
}

#[test]
fn memory_grows_to_its_limit_only() {
    let config = Config {
        memory: 1 << 16,
        ..Config::default()
    };
    let body = "(call $note (memory.grow (i32.const 1)))";
    let mut vm = ticking_with(body, b"", config);
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [u32::MAX]);
    assert_eq!(vm.memory_size(), 1 << 16);
    let mut vm = ticking(body, b"");
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [1]);
    assert_eq!(vm.memory_size(), 2 << 16);
}

#[test]
fn every_callback_says_what_it_cost() {
    let mut vm = ticking(
        "(drop (call $proxy_get_log_level (i32.const 2048)))
         (drop (call $proxy_get_log_level (i32.const 2048)))
         (drop (call $random_get (i32.const 2048) (i32.const 1)))",
        b"",
    );
    vm.take_report();
    vm.tick().unwrap();
    let first = vm.last_call().clone();
    vm.tick().unwrap();
    assert_eq!(*vm.last_call(), first);
    assert_eq!(first.callback, "proxy_on_tick");
    assert_eq!(first.count("proxy_get_log_level"), 2);
    assert_eq!(first.hostcalls_total(), 3);
    assert!(first.fuel > 0 && first.fuel < 100, "{}", first.fuel);
    let totals = &vm.report().callbacks["proxy_on_tick"];
    assert_eq!((totals.calls, totals.fuel), (2, 2 * first.fuel));
    assert_eq!(totals.most_fuel, first.fuel);
    assert_eq!(vm.report().count("random_get"), 2);
}
