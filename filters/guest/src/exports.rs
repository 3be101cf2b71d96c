//! The callbacks that [`module!`](crate::module) exports, on the module's one worker.

use std::cell::RefCell;

use ferromesh_policy::mesh::Features;

use crate::abi::Imports;
use crate::codes;
use crate::scratch::Scratch;
use crate::worker::Action;
use crate::Worker;

/// The answer to a headers callback: the stream goes on.
pub const CONTINUE: u32 = codes::CONTINUE;

pub(crate) static SCRATCH: Scratch = Scratch::new();

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Runs a callback. Should the host call back into one that runs, which it must not, the inner one does nothing.
fn run<T>(callback: impl FnOnce(&mut Worker, &Imports) -> T) -> Option<T> {
    WORKER.with(|worker| {
        let mut worker = worker.try_borrow_mut().ok()?;
        // SAFETY: the worker is borrowed, so no other callback runs, and callbacks keep nothing they read.
        let host = unsafe { Imports::begin() };
        Some(callback(worker.as_mut()?, &host))
    })
}

/// `proxy_on_memory_allocate`.
pub fn on_memory_allocate(size: usize) -> *mut u8 {
    SCRATCH.allocate(size)
}

/// `proxy_on_context_create`.
pub fn on_context_create(context: u32, parent: u32, features: Features) {
    WORKER.with(|worker| {
        if let Ok(mut worker) = worker.try_borrow_mut() {
            worker
                .get_or_insert_with(|| Worker::new(features))
                .on_context_create(context, parent);
        }
    });
}

/// `proxy_on_configure`.
pub fn on_configure(context: u32, size: usize) -> bool {
    run(|worker, host| worker.on_configure(host, context, size)).unwrap_or(false)
}

/// `proxy_on_tick`.
pub fn on_tick(context: u32) {
    run(|worker, host| worker.on_tick(host, context));
}

/// `proxy_on_request_headers`.
pub fn on_request_headers(context: u32) -> u32 {
    match run(|worker, host| worker.on_request_headers(host, context)) {
        Some(Action::Pause) => codes::PAUSE,
        Some(Action::Continue) | None => CONTINUE,
    }
}

/// `proxy_on_response_headers`.
pub fn on_response_headers(context: u32) {
    run(|worker, host| worker.on_response_headers(host, context));
}

/// `proxy_on_http_call_response`.
pub fn on_http_call_response(token: u32) {
    run(|worker, host| worker.on_http_call_response(host, token));
}

/// `proxy_on_log`.
pub fn on_log(context: u32) {
    run(|worker, host| worker.on_log(host, context));
}

/// `proxy_on_delete`.
pub fn on_delete(context: u32) {
    run(|worker, host| worker.on_delete(host, context));
}
