//! Canary, alone in one module: which of a route's weighted targets gets a request.

ferromesh_guest::module!(ferromesh_guest::Features::CANARY);
