//! The same worker behind the public Rust SDK's dispatcher and calls, for feature `sdk`.
//!
//! Not what is distributed: it is what the crate's own dispatcher and imports are measured against, and a second
//! implementation that must decide every vector alike. The SDK exports every callback of the ABI, allocates
//! each value that it reads, and panics on contexts and statuses that it does not expect.

mod host;

use std::cell::RefCell;

use ferromesh_policy::mesh::Features;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::Worker;
use host::Hostcalls;

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Tells the SDK how contexts are made; what `_initialize` does.
pub fn start(features: Features) {
    WORKER.with(|worker| *worker.borrow_mut() = Some(Worker::new(features)));
    proxy_wasm::set_root_context(|id| {
        run(|worker| worker.on_context_create(id, 0));
        Box::new(Root { id })
    });
}

fn run<T>(callback: impl FnOnce(&mut Worker) -> T) -> Option<T> {
    WORKER.with(|worker| worker.try_borrow_mut().ok()?.as_mut().map(callback))
}

/// A plugin. The SDK drops it when the host deletes the context.
struct Root {
    id: u32,
}

impl Drop for Root {
    fn drop(&mut self) {
        run(|worker| worker.on_delete(&Hostcalls, self.id));
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _: usize, _: usize, _: usize) {
        run(|worker| worker.on_http_call_response(&Hostcalls, token));
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        run(|worker| worker.on_configure(&Hostcalls, self.id, size)).unwrap_or(false)
    }

    fn on_tick(&mut self) {
        run(|worker| worker.on_tick(&Hostcalls, self.id));
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        run(|worker| worker.on_context_create(id, self.id));
        Some(Box::new(Stream { id }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A stream. The SDK drops it when the host deletes the context.
struct Stream {
    id: u32,
}

impl Drop for Stream {
    fn drop(&mut self) {
        run(|worker| worker.on_delete(&Hostcalls, self.id));
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match run(|worker| worker.on_request_headers(&Hostcalls, self.id)) {
            Some(crate::Action::Pause) => Action::Pause,
            Some(crate::Action::Continue) | None => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        run(|worker| worker.on_response_headers(&Hostcalls, self.id));
        Action::Continue
    }

    fn on_log(&mut self) {
        run(|worker| worker.on_log(&Hostcalls, self.id));
    }
}
