//! Faults on purpose: delays and errors, for all requests of a route or for marked ones.

ferromesh_guest::module!(ferromesh_guest::Features::FAULT);
