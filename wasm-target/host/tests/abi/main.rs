//! Every hostcall, made by small modules written for it, with good and with bad arguments.

mod callouts;
mod guest;
mod headers;
mod lifecycle;
mod pointers;
mod streams;
mod values;
mod wasi;
