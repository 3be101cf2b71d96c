//! Properties, shared data, metrics, clock, logs, ticks.

use std::time::Duration;

use ferromesh_wasm_host::{
    Clock, Config, EndOfStream, Headers, Level, Log, MetricValue, Origin, Properties, SharedData,
};

use super::guest::{filtering_with, given, noted, number_at, ticking, ticking_with};

#[test]
fn a_streams_properties_come_before_the_hosts() {
    let mut properties = Properties::new();
    properties.set(&["p", "a"], "host a");
    properties.set(&["p", "b"], "host b");
    let mut vm = filtering_with(
        "(call $note (call $proxy_get_property
            (i32.const 1024) (i32.const 3) (i32.const 2048) (i32.const 2052)))
         (call $note (call $proxy_get_property
            (i32.const 1027) (i32.const 3) (i32.const 2056) (i32.const 2060)))
         (call $note (call $proxy_get_property
            (i32.const 1030) (i32.const 3) (i32.const 2064) (i32.const 2068)))
         (call $note (call $proxy_set_property
            (i32.const 1030) (i32.const 3) (i32.const 1024) (i32.const 1)))",
        b"p\0ap\0bp\0c",
        Config {
            properties,
            ..Config::default()
        },
    );
    let stream = vm.open_stream().unwrap();
    stream.set_property(&mut vm, &["p", "a"], "stream a");
    stream
        .on_request_headers(&mut vm, Headers::new(), EndOfStream::Yes)
        .unwrap();
    assert_eq!(noted(&vm), [0, 0, 1, 0]);
    assert_eq!(given(&vm, 2048, 2052), b"stream a");
    assert_eq!(given(&vm, 2056, 2060), b"host b");
    assert_eq!(stream.property(&vm, &["p", "c"]), Some(&b"p"[..]));
}

#[test]
fn a_root_context_has_no_property_to_set() {
    let mut vm = ticking(
        "(call $note (call $proxy_set_property
            (i32.const 1024) (i32.const 1) (i32.const 1024) (i32.const 1)))",
        b"p",
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [1]);
}

#[test]
fn shared_data_goes_from_vm_to_vm_and_refuses_a_stale_writer() {
    let shared = SharedData::new();
    let config = Config {
        shared: shared.clone(),
        ..Config::default()
    };
    let body = "
        (call $note (call $proxy_get_shared_data
            (i32.const 1024) (i32.const 1) (i32.const 2048) (i32.const 2052) (i32.const 2056)))
        (call $note (call $proxy_set_shared_data
            (i32.const 1024) (i32.const 1) (i32.const 1025) (i32.const 2) (i32.load (i32.const 2056))))
        (call $note (call $proxy_set_shared_data
            (i32.const 1024) (i32.const 1) (i32.const 1025) (i32.const 1) (i32.const 77)))";
    let mut one = ticking_with(body, b"kvw", config.clone());
    one.tick().unwrap();
    assert_eq!(noted(&one), [1, 0, 8]);
    let mut two = ticking_with(body, b"kxy", config);
    two.tick().unwrap();
    assert_eq!(noted(&two), [0, 0, 8]);
    assert_eq!(given(&two, 2048, 2052), b"vw");
    assert_eq!(shared.get("k").unwrap().0, b"xy");
}

#[test]
fn metrics_are_defined_moved_and_read() {
    let mut vm = ticking(
        "(call $note (call $proxy_define_metric (i32.const 0)
            (i32.const 1024) (i32.const 1) (i32.const 2048)))
         (call $note (call $proxy_define_metric (i32.const 2)
            (i32.const 1025) (i32.const 1) (i32.const 2052)))
         (call $note (call $proxy_increment_metric (i32.load (i32.const 2048)) (i64.const 5)))
         (call $note (call $proxy_increment_metric (i32.load (i32.const 2048)) (i64.const -5)))
         (call $note (call $proxy_record_metric (i32.load (i32.const 2052)) (i64.const 12)))
         (call $note (call $proxy_get_metric (i32.load (i32.const 2048)) (i32.const 2056)))
         (call $note (call $proxy_get_metric (i32.const 999) (i32.const 2056)))",
        b"ch",
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [0, 0, 0, 2, 0, 0, 1]);
    assert_eq!(number_at(&vm, 2056), 5);
    assert_eq!(vm.metrics().get("c"), Some(&MetricValue::Counter(5)));
    assert_eq!(vm.metrics().get("h"), Some(&MetricValue::Histogram(vec![12])));
}

#[test]
fn the_clock_stands_still_until_it_is_moved() {
    let clock = Clock::new();
    let mut vm = ticking_with(
        "(call $note (call $proxy_get_current_time_nanoseconds (i32.const 2048)))
         (call $note (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 2056)))
         (call $note (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 2064)))
         (call $note (call $clock_time_get (i32.const 2) (i64.const 1) (i32.const 2064)))",
        b"",
        Config {
            clock: clock.clone(),
            ..Config::default()
        },
    );
    clock.advance(Duration::from_millis(3));
    vm.tick().unwrap();
    let at = |address| u64::from_le_bytes(vm.memory_at(address, 8).unwrap().try_into().unwrap());
    assert_eq!(noted(&vm), [0, 0, 0, 58]);
    assert_eq!(at(2048), clock.wall_nanoseconds());
    assert_eq!(at(2056), 3_000_000);
    assert_eq!(at(2064), clock.wall_nanoseconds());
}

#[test]
fn logs_below_the_level_are_dropped() {
    let mut vm = ticking_with(
        "(call $note (call $proxy_get_log_level (i32.const 2048)))
         (call $note (call $proxy_log (i32.const 3) (i32.const 1024) (i32.const 2)))
         (call $note (call $proxy_log (i32.const 2) (i32.const 1024) (i32.const 1)))
         (call $note (call $proxy_log (i32.const 6) (i32.const 1024) (i32.const 1)))",
        b"\xffy",
        Config {
            log_level: Level::Warn,
            ..Config::default()
        },
    );
    vm.tick().unwrap();
    assert_eq!(noted(&vm), [0, 0, 0, 2]);
    assert_eq!(number_at(&vm, 2048), Level::Warn as u32);
    let line = Log {
        level: Level::Warn,
        origin: Origin::Filter,
        message: b"\xffy".to_vec(),
    };
    assert_eq!(vm.logs(), [line]);
}

#[test]
fn a_plugin_chooses_its_tick() {
    let mut vm = ticking(
        "(call $note (call $proxy_set_tick_period_milliseconds (i32.const 250)))",
        b"",
    );
    assert_eq!(vm.tick_period(vm.plugin()), None);
    vm.tick().unwrap();
    assert_eq!(vm.tick_period(vm.plugin()), Some(Duration::from_millis(250)));
}
