//! Streams that are held or answered: what the worker asks of its host, and when.

use std::time::Duration;

use ferromesh_guest::{Action, Status};

use crate::{configured, with_route, ROOT};

fn policy(fault: &str) -> String {
    format!(r#"{{"labels":{{"virtualService":"v","route":"r"}},"targets":["a"],"fault":{fault},"observability":{{}}}}"#)
}

#[test]
fn a_delayed_stream_goes_on_after_its_time_and_ticks_come_for_it() {
    let mut host = with_route("r#1", &policy(r#"{"delay":{"millis":30}}"#));
    let mut worker = configured(&host);
    worker.on_context_create(2, ROOT);
    assert_eq!(worker.on_request_headers(&host, 2), Action::Pause);
    assert_eq!(host.tick_period.get(), Duration::from_millis(30));
    host.now = Duration::from_millis(29);
    worker.on_tick(&host, ROOT);
    assert!(host.resumed.borrow().is_empty());
    assert_eq!(host.tick_period.get(), Duration::from_millis(1));
    host.now = Duration::from_millis(30);
    worker.on_tick(&host, ROOT);
    assert_eq!(*host.resumed.borrow(), [2]);
    // Back to the period of the counters.
    assert_eq!(host.tick_period.get(), Duration::from_secs(1));
}

#[test]
fn a_stream_is_delayed_first_and_then_aborted() {
    let mut host = with_route("r#1", &policy(r#"{"delay":{"millis":5},"abort":{"status":418}}"#));
    let mut worker = configured(&host);
    worker.on_context_create(2, ROOT);
    assert_eq!(worker.on_request_headers(&host, 2), Action::Pause);
    assert!(host.replies.borrow().is_empty());
    host.now = Duration::from_millis(6);
    worker.on_tick(&host, ROOT);
    let replies = host.replies.borrow();
    assert_eq!(
        replies
            .iter()
            .map(|(context, status, _)| (*context, *status))
            .collect::<Vec<_>>(),
        [(2, 418)]
    );
    assert!(host.resumed.borrow().is_empty());
}

#[test]
fn a_stream_that_went_while_it_waited_is_forgotten() {
    let mut host = with_route("r#1", &policy(r#"{"delay":{"millis":5}}"#));
    let mut worker = configured(&host);
    worker.on_context_create(2, ROOT);
    worker.on_request_headers(&host, 2);
    worker.on_log(&host, 2);
    worker.on_delete(&host, 2);
    host.now = Duration::from_millis(6);
    worker.on_tick(&host, ROOT);
    assert!(host.resumed.borrow().is_empty());
    assert_eq!(host.entered.get(), 0);
}

#[test]
fn a_request_that_is_held_back_never_goes_on_where_the_host_refuses_the_answer() {
    let limit = r#"{"labels":{"virtualService":"s","route":"r"},"targets":["blue"],
        "rateLimit":{"limits":[{"name":"l","requests":1,"windowSeconds":3600}]}}"#;
    let mut host = with_route("r#1", limit);
    let mut worker = configured(&host);
    worker.on_context_create(2, ROOT);
    assert_eq!(
        worker.on_request_headers(&host, 2),
        Action::Continue,
        "the one that is admitted"
    );
    host.refuses_replies = Some(Status(2));
    for (context, refused) in [(3, None), (4, Some(Status(12)))] {
        worker.on_context_create(context, ROOT);
        host.refuses_closes = refused;
        assert_eq!(worker.on_request_headers(&host, context), Action::Pause);
    }
    assert_eq!(host.closed.get(), 2);
    assert!(host.replies.borrow().is_empty());
}

#[test]
fn a_host_that_refuses_an_abort_lets_the_request_go_on() {
    let mut host = with_route("r#1", &policy(r#"{"abort":{"status":418}}"#));
    let mut worker = configured(&host);
    worker.on_context_create(2, ROOT);
    assert_eq!(worker.on_request_headers(&host, 2), Action::Pause);
    // Met again, the policy is known: only the answer is refused.
    worker.on_context_create(3, ROOT);
    host.refuses_replies = Some(Status(2));
    assert_eq!(worker.on_request_headers(&host, 3), Action::Continue);
}

#[test]
fn each_plugin_of_a_vm_gets_its_own_ticks_back() {
    const OTHER: u32 = 9;
    let mut host = with_route("r#1", &policy(r#"{"delay":{"millis":5}}"#));
    let mut worker = configured(&host);
    worker.on_context_create(OTHER, 0);
    assert!(worker.on_configure(&host, OTHER, host.configuration.len()));
    worker.on_context_create(2, ROOT);
    worker.on_request_headers(&host, 2);
    assert_eq!(host.tick_period.get(), Duration::from_millis(5));
    // The other plugin's tick comes first and lets the stream go on; its own timer was never changed.
    host.now = Duration::from_millis(6);
    worker.on_tick(&host, OTHER);
    assert_eq!(*host.resumed.borrow(), [2]);
    assert_eq!(host.tick_period.get(), Duration::from_millis(5));
    worker.on_tick(&host, ROOT);
    assert_eq!(host.tick_period.get(), Duration::from_secs(1));
}
